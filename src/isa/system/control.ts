import { instruction, type Instruction } from '../definition.js';
import type { Int, Ops, StateField } from '../ops.js';

/** SGDT, SIDT: limit and base; the base is 8 bytes in 64-bit mode, else 4 (also with 16-bit operands, since the 386). */
function storeTable(name: string, extension: number, base: StateField, limit: StateField): Instruction {
  return instruction(name, `0F 01 /${extension} Mn ;nosize mode rare`, (o) => {
    o.call('umipCheck');
    const linear = o.address(0, o.long ? 10 : 6, 'write');
    o.store(16, linear, o.state(limit));
    o.store(o.long ? 64 : 32, o.add(linear, 2), o.state(base));
  });
}

function loadTable(name: string, extension: number, helper: 'lgdt' | 'lidt'): Instruction {
  return instruction(name, `0F 01 /${extension} Mn ;sized mode rare end cpl0`, (o) => {
    const linear = o.address(0, o.long ? 10 : 6, 'read');
    const limit = o.load(16, linear);
    const base = o.load(o.long ? 64 : 32, o.add(linear, 2));
    // With a 16-bit operand size the base has 24 bits.
    o.call(helper, limit, o.bits === 16 && !o.long ? o.and(base, 0xffffff) : base);
  });
}

/** MOV to or from a control or debug register: operands have the size of the mode, whatever the prefixes. */
const both = (opcode: string, operands: (general: string) => string, attributes: string): string[] => [
  `0F ${opcode} /r ${operands('Rq')} ;nosize only64 cpl0 ${attributes}`,
  `0F ${opcode} /r ${operands('Rd')} ;nosize no64 cpl0 ${attributes}`,
];

const RCX = 1;
/** EDX:EAX */
export const pair = (o: Ops): Int => o.or(o.shl(o.reg(32, 2), 32), o.reg(32, 0));
export function setPair(o: Ops, value: Int): void {
  o.setReg(32, 0, value);
  o.setReg(32, 2, o.shr(value, 32));
}

export const control: Instruction[] = [
  instruction(
    'MOV',
    both('20', (r) => `${r},Cn`, ''),
    (o) => o.write(0, o.call('readCr', o.read(1))),
  ),
  instruction(
    'MOV',
    both('22', (r) => `Cn,${r}`, 'end'),
    (o) => void o.call('writeCr', o.read(0), o.read(1)),
  ),
  instruction(
    'MOV',
    both('21', (r) => `${r},Dn`, ''),
    (o) => o.write(0, o.call('readDr', o.read(1))),
  ),
  instruction(
    'MOV',
    both('23', (r) => `Dn,${r}`, 'end'),
    (o) => void o.call('writeDr', o.read(0), o.read(1)),
  ),
  instruction('SMSW', ['0F 01 /4 Rv ;rare', '0F 01 /4 Mw ;nosize rare'], (o) => {
    o.call('umipCheck');
    o.write(0, o.state('cr0'));
  }),
  instruction('LMSW', '0F 01 /6 Ew ;nosize rare end cpl0', (o) => void o.call('lmsw', o.read(0))),
  instruction('CLTS', '0F 06 ;nosize cpl0 end', (o) => void o.call('clts')),

  storeTable('SGDT', 0, 'gdtrBase', 'gdtrLimit'),
  storeTable('SIDT', 1, 'idtrBase', 'idtrLimit'),
  loadTable('LGDT', 2, 'lgdt'),
  loadTable('LIDT', 3, 'lidt'),

  instruction('RDMSR', '0F 32 ;nosize cpl0 end', (o) => setPair(o, o.call('rdmsr', o.reg(32, RCX)))),
  instruction('WRMSR', '0F 30 ;nosize cpl0 end', (o) => void o.call('wrmsr', o.reg(32, RCX), pair(o))),
  instruction('XGETBV', '0F 01 D0 ;nosize cpuid=XSAVE', (o) => setPair(o, o.call('xgetbv'))),
  instruction(
    'XSETBV',
    '0F 01 D1 ;nosize cpl0 end cpuid=XSAVE',
    (o) => void o.call('xsetbv', o.reg(32, RCX), pair(o)),
  ),

  // There are no caches whose contents could differ from memory.
  instruction('INVD', '0F 08 ;nosize cpl0', () => {}),
  instruction('WBINVD', '0F 09 ;nosize cpl0', () => {}),
  instruction(
    'INVLPG',
    '0F 01 /7 Mb ;nosize cpl0 end',
    (o) => void o.call('invlpg', o.linear(o.segment(0), o.offset(0), 1, 'none')),
  ),
  instruction(
    'INVPCID',
    [
      '66 0F 38 82 /r Gq,Mn ;only64 cpuid=INVPCID cpl0 end',
      '66 0F 38 82 /r Gd,Mn ;no64 cpuid=INVPCID cpl0 end',
    ],
    (o) => void o.call('invpcid', o.read(0), o.address(1, 16, 'read')),
  ),
];
