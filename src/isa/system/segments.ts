import { instruction, type Instruction } from '../definition.js';
import type { Int, Ops, StateField } from '../ops.js';

const CS = 1;
const GS = 5;

/** LES, LDS, LSS, LFS, LGS: far pointer from memory into a register and a segment register. */
function loadFarPointer(name: string, encoding: string, segment: number): Instruction {
  return instruction(name, `${encoding} rare end`, (o) => {
    const bytes = o.bits / 8;
    const linear = o.address(1, bytes + 2, 'read');
    const offset = o.load(o.bits, linear);
    const selector = o.load(16, o.add(linear, bytes));
    o.call('loadSegment', segment, selector);
    o.write(0, offset);
  });
}

/** To a register of any size, or to 16 bits of memory. */
function storeSelector(name: string, extension: number, field: StateField): Instruction {
  return instruction(name, [`0F 00 /${extension} Rv ;rare`, `0F 00 /${extension} Mw ;nosize rare`], (o) => {
    o.raiseIfNotProtected();
    o.call('umipCheck');
    o.write(0, o.state(field));
  });
}

function loadSystemSegment(name: string, extension: number, helper: 'lldt' | 'ltr'): Instruction {
  return instruction(name, `0F 00 /${extension} Ew ;nosize rare`, (o) => {
    o.raiseIfNotProtected();
    o.requireCpl0();
    o.call(helper, o.read(0));
  });
}

/** LAR, LSL: a value and ZF, or ZF clear and nothing written. */
function query(name: string, opcode: string, helper: 'lar' | 'lsl'): Instruction {
  return instruction(name, `0F ${opcode} /r Gv,Ew ;rare`, (o) => {
    o.raiseIfNotProtected();
    const result = o.call(helper, o.read(1));
    const found = o.ne(result, -1n);
    o.if(found, () => o.write(0, result));
    o.setFlags({ zf: found });
  });
}

function verify(name: string, extension: number, helper: 'verr' | 'verw'): Instruction {
  return instruction(name, `0F 00 /${extension} Ew ;nosize rare`, (o) => {
    o.raiseIfNotProtected();
    o.setFlags({ zf: o.ne(o.call(helper, o.read(0)), 0) });
  });
}

/** RDFSBASE and kin. */
function base(name: string, extension: number, effect: (o: Ops) => void): Instruction {
  return instruction(name, `F3 0F AE /${extension} Ry ;only64 cpuid=FSGSBASE rare`, (o) => {
    o.call('fsgsbaseCheck');
    effect(o);
  });
}

/** #GP(0) unless the address is canonical: 48 bits, or 57 with CR4.LA57. */
function canonical(o: Ops, address: Int): Int {
  const shift = o.select(o.bit(o.state('cr4'), 12), 64 - 57, 64 - 48);
  o.raiseIf(o.ne(o.sar(o.shl(address, shift), shift), address), '#GP', 0);
  return address;
}

export const segments: Instruction[] = [
  instruction('MOV', ['8C /r Rv,Sw ;', '8C /r Mw,Sw ;nosize'], (o) =>
    o.write(0, o.call('segmentSelector', o.read(1))),
  ),
  instruction('MOV', '8E /r Sw,Ew ;nosize end', (o) => {
    const segment = o.read(0);
    o.raiseIf(o.either(o.eq(segment, CS), o.ltu(GS, segment)), '#UD');
    o.call('loadSegment', segment, o.read(1));
  }),
  loadFarPointer('LES', 'C4 /r Gv,Mp ;no64', 0),
  loadFarPointer('LDS', 'C5 /r Gv,Mp ;no64', 3),
  loadFarPointer('LSS', '0F B2 /r Gv,Mp ;', 2),
  loadFarPointer('LFS', '0F B4 /r Gv,Mp ;', 4),
  loadFarPointer('LGS', '0F B5 /r Gv,Mp ;', GS),

  storeSelector('SLDT', 0, 'ldtrSelector'),
  storeSelector('STR', 1, 'trSelector'),
  loadSystemSegment('LLDT', 2, 'lldt'),
  loadSystemSegment('LTR', 3, 'ltr'),
  verify('VERR', 4, 'verr'),
  verify('VERW', 5, 'verw'),
  query('LAR', '02', 'lar'),
  query('LSL', '03', 'lsl'),
  instruction('ARPL', '63 /r Ew,Gw ;no64 nosize rare', (o) => {
    o.raiseIfNotProtected();
    const rpl = o.and(o.read(1), 3);
    const old = o.read(0);
    const lower = o.ltu(o.and(old, 3), rpl);
    o.if(lower, () => o.write(0, o.or(o.and(old, 0xfffc), rpl)));
    o.setFlags({ zf: lower });
  }),

  base('RDFSBASE', 0, (o) => o.write(0, o.state('fsBase'))),
  base('RDGSBASE', 1, (o) => o.write(0, o.state('gsBase'))),
  base('WRFSBASE', 2, (o) => o.setState('fsBase', canonical(o, o.read(0)))),
  base('WRGSBASE', 3, (o) => o.setState('gsBase', canonical(o, o.read(0)))),
  instruction('SWAPGS', '0F 01 F8 ;nosize only64 cpl0', (o) => void o.call('swapgs')),
];
