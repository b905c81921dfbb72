import { instruction, type Instruction } from '../definition.js';
import type { ArithmeticFlag, Int, Ops } from '../ops.js';
import { forConditions, hexByte } from './conditions.js';

const RAX = 0;
const RBX = 3;
const DF = 0x400n;
const move = (o: Ops): void => o.write(0, o.read(1));

export const dataMovement: Instruction[] = [
  instruction(
    'MOV',
    ['88 /r Eb,Gb ;', '89 /r Ev,Gv ;', '8A /r Gb,Eb ;', '8B /r Gv,Ev ;', 'A0 AL,Ob ;', 'A1 rAX,Ov ;', 'A2 Ob,AL ;', 'A3 Ov,rAX ;',
     'B0+r Zb,Ib ;', 'B8+r Zv,Iv ;', 'C6 /0 Eb,Ib ;', 'C7 /0 Ev,Isz ;'], // prettier-ignore
    move,
  ),
  instruction('MOVNTI', 'NP 0F C3 /r My,Gy ;cpuid=SSE2', move),
  instruction('MOVZX', ['0F B6 /r Gv,Eb ;', '0F B7 /r Gv,Ew ;'], move),
  instruction('MOVSX', ['0F BE /r Gv,Eb ;', '0F BF /r Gv,Ew ;'], (o) =>
    o.write(0, o.sx(o.width(1) as 8 | 16, o.read(1))),
  ),
  // AMD's processors read 32 bits with a 16-bit destination too.
  instruction('MOVSXD', '63 /r Gv,Ed ;only64', (o) => o.write(0, o.sx(32, o.read(1)))),
  instruction('LEA', '8D /r Gv,Mn ;', (o) => o.write(0, o.offset(1))),
  instruction('XLAT', 'D7 ;nosize asize', (o) => {
    const offset = o.zx(o.asize, o.add(o.reg(o.asize, RBX), o.reg(8, RAX)));
    o.setReg(8, RAX, o.load(8, o.linear(o.segment(0), offset, 1, 'read')));
  }),
  ...forConditions((condition, cc) =>
    instruction(`SET${condition}`, `0F ${hexByte(0x90 + cc)} /r Eb ;`, (o) =>
      o.write(0, o.toInt(o.condition(cc))),
    ),
  ),
  ...forConditions((condition, cc) =>
    // The source is read in any case, and a 32-bit destination loses its upper half in any case.
    instruction(`CMOV${condition}`, `0F ${hexByte(0x40 + cc)} /r Gv,Ev ;`, (o) => {
      const source = o.read(1);
      o.write(0, o.select(o.condition(cc), source, o.read(0)));
    }),
  ),
];

export const flagInstructions: Instruction[] = [
  instruction('LAHF', '9F ;nosize', (o) => {
    const bit = (flag: ArithmeticFlag, n: number): Int => o.shl(o.toInt(o.flag(flag)), n);
    // bit 1 always reads one
    const flags = [bit('cf', 0), bit('pf', 2), bit('af', 4), bit('zf', 6), bit('sf', 7)].reduce(
      (all, one) => o.or(all, one),
      o.int(2),
    );
    o.setReg(16, RAX, o.or(o.reg(8, RAX), o.shl(flags, 8)));
  }),
  instruction('SAHF', '9E ;nosize', (o) => {
    const ah = o.shr(o.reg(16, RAX), 8);
    o.setFlags({ cf: o.bit(ah, 0), pf: o.bit(ah, 2), af: o.bit(ah, 4), zf: o.bit(ah, 6), sf: o.bit(ah, 7) });
  }),
  instruction('CLC', 'F8 ;nosize', (o) => o.setFlags({ cf: o.bool(false) })),
  instruction('STC', 'F9 ;nosize', (o) => o.setFlags({ cf: o.bool(true) })),
  instruction('CMC', 'F5 ;nosize', (o) => o.setFlags({ cf: o.negate(o.flag('cf')) })),
  instruction('CLD', 'FC ;nosize', (o) => o.setState('eflags', o.and(o.state('eflags'), ~DF))),
  instruction('STD', 'FD ;nosize', (o) => o.setState('eflags', o.or(o.state('eflags'), DF))),
];
