import { instruction, type Instruction } from '../definition.js';
import type { ConditionCode, Int, Ops } from '../ops.js';

const CONDITIONS = 'O NO B AE E NE BE A S NS P NP L GE LE G'.split(' ');
const hexByte = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

const jumps = CONDITIONS.map((condition, cc) =>
  instruction(`J${condition}`, [`${hexByte(0x70 + cc)} Jb ;sized f64`, `0F ${hexByte(0x80 + cc)} Jz ;f64`], (o) =>
    o.branch(o.condition(cc as ConditionCode)),
  ),
);

/** LOOP and kin count rCX of the address size. */
function loop(name: string, opcode: string, extra: ((o: Ops) => ReturnType<Ops['bool']>) | null): Instruction {
  return instruction(name, `${opcode} Jb ;sized f64 asize`, (o) => {
    const count = o.zx(o.asize, o.sub(o.reg(o.asize, 1), 1));
    o.setReg(o.asize, 1, count);
    const more = o.ne(count, 0);
    o.branch(extra ? o.both(more, extra(o)) : more);
  });
}

/** Far pointer in memory: offset, then selector. */
function farPointer(o: Ops): { offset: Int; selector: Int } {
  const bytes = o.bits / 8;
  const linear = o.address(0, bytes + 2, 'read');
  const offset = o.load(o.bits, linear);
  return { offset, selector: o.load(16, o.add(linear, bytes)) };
}

export const controlFlow: Instruction[] = [
  ...jumps,
  loop('LOOPNE', 'E0', (o) => o.negate(o.flag('zf'))),
  loop('LOOPE', 'E1', (o) => o.flag('zf')),
  loop('LOOP', 'E2', null),
  instruction('JCXZ', 'E3 Jb ;sized f64 asize', (o) => o.branch(o.eq(o.reg(o.asize, 1), 0))),
  instruction('JMP', ['EB Jb ;sized f64', 'E9 Jz ;f64'], (o) => o.jumpRelative()),
  instruction('JMP', 'FF /4 Ev ;f64', (o) => o.jump(o.read(0))),
  instruction('CALL', 'E8 Jz ;f64', (o) => {
    o.push(o.bits, o.nextIp());
    o.jumpRelative();
  }),
  instruction('CALL', 'FF /2 Ev ;f64', (o) => {
    const target = o.read(0);
    o.push(o.bits, o.nextIp());
    o.jump(target);
  }),
  instruction('RET', 'C3 ;sized f64', (o) => o.jump(o.pop(o.bits))),
  instruction('RET', 'C2 Iw ;sized f64', (o) => {
    const target = o.pop(o.bits);
    o.call('dropStack', o.read(0));
    o.jump(target);
  }),

  instruction('JMPF', ['EA Av ;no64'], (o) => o.transfer('farJump', o.farSelector(), o.read(0), o.bits)),
  instruction('CALLF', ['9A Av ;no64'], (o) => o.transfer('farCall', o.farSelector(), o.read(0), o.bits)),
  instruction('JMPF', 'FF /5 Mp ;', (o) => {
    const { offset, selector } = farPointer(o);
    o.transfer('farJump', selector, offset, o.bits);
  }),
  instruction('CALLF', 'FF /3 Mp ;', (o) => {
    const { offset, selector } = farPointer(o);
    o.transfer('farCall', selector, offset, o.bits);
  }),
  instruction('RETF', 'CB ;', (o) => o.transfer('farReturn', o.bits, 0)),
  instruction('RETF', 'CA Iw ;sized', (o) => o.transfer('farReturn', o.bits, o.read(0))),
  instruction('IRET', 'CF ;', (o) => o.transfer('iret', o.bits)),
  instruction('INT', 'CD Ib ;nosize', (o) => o.transfer('interruptSoftware', o.read(0))),
  instruction('INT3', 'CC ;nosize', (o) => o.transfer('int3')),
  instruction('INT1', 'F1 ;nosize', (o) => o.transfer('int1')),
  instruction('INTO', 'CE ;no64 nosize', (o) => {
    o.if(o.flag('of'), () => o.transfer('into'));
  }),
  instruction('BOUND', '62 /r Gv,Mn ;no64 rare', (o) => {
    const bytes = o.bits / 8;
    const linear = o.address(1, 2 * bytes, 'read');
    const index = o.sx(o.bits, o.read(0));
    const lower = o.sx(o.bits, o.load(o.bits, linear));
    const upper = o.sx(o.bits, o.load(o.bits, o.add(linear, bytes)));
    o.raiseIf(o.either(o.lts(index, lower), o.lts(upper, index)), '#BR');
  }),
  instruction('UD', ['0F 0B ;nosize', '0F B9 /r Gn,En ;nosize', '0F FF /r Gn,En ;nosize'], (o) => o.raise('#UD')),
];

export const stack: Instruction[] = [
  instruction('PUSH', ['50+r Zv ;d64', 'FF /6 Ev ;d64', '68 Isz ;sized d64', '6A Isb ;sized d64'], (o) => o.push(o.bits, o.read(0))),
  instruction('POP', '58+r Zv ;d64', (o) => o.write(0, o.pop(o.bits))),
  instruction('POP', '8F /0 Ev ;d64 rare', (o) => {
    // The address of a memory destination is computed with RSP as it is after the pop; a fault restores it.
    const before = o.reg(64, 4);
    const value = o.pop(o.bits);
    if (!o.isMemory(0)) o.write(0, value);
    else o.restoring(4, before, () => o.write(0, value));
  }),
  instruction('PUSHA', '60 ;no64', (o) => void o.call('pushAll', o.bits)),
  instruction('POPA', '61 ;no64', (o) => void o.call('popAll', o.bits)),
  instruction('PUSHF', '9C ;d64', (o) => o.push(o.bits, o.call('pushf', o.bits))),
  instruction('POPF', '9D ;d64 end', (o) => {
    const before = o.reg(64, 4);
    const value = o.pop(o.bits);
    o.restoring(4, before, () => void o.call('popf', o.bits, value));
  }),
  instruction('ENTER', 'C8 Iw,Ib ;sized d64', (o) => void o.call('enter', o.bits, o.read(0), o.read(1))),
  instruction('LEAVE', 'C9 ;d64', (o) => {
    const before = o.reg(64, 4);
    o.call('stackFromFrame');
    o.restoring(4, before, () => o.setReg(o.bits, 5, o.pop(o.bits)));
  }),
  ...['06 ES', '0E CS', '16 SS', '1E DS'].map((text) => {
    const [opcode, name] = text.split(' ') as [string, 'ES' | 'CS' | 'SS' | 'DS'];
    return instruction('PUSH', `${opcode} ;no64`, (o) => o.push(o.bits, o.state(`${name.toLowerCase() as 'es'}Selector`)));
  }),
  ...['0F A0 fs', '0F A8 gs'].map((text) => {
    const name = text.slice(-2) as 'fs' | 'gs';
    return instruction('PUSH', `${text.slice(0, 5)} ;d64`, (o) => o.push(o.bits, o.state(`${name}Selector`)));
  }),
  ...(['07 no64', '17 no64', '1F no64', '0F A1 d64', '0F A9 d64'] as const).map((text, i) => {
    const segment = [0, 2, 3, 4, 5][i]!;
    const [, opcode, attribute] = /^(.*) (\S+)$/.exec(text)!;
    return instruction('POP', `${opcode} ;${attribute} end`, (o) => {
      const before = o.reg(64, 4);
      const selector = o.zx(16, o.pop(o.bits));
      o.restoring(4, before, () => void o.call('loadSegment', segment, selector));
    });
  }),
];
