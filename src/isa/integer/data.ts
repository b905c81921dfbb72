import { instruction, type Instruction } from '../definition.js';
import type { ConditionCode, Ops } from '../ops.js';

const move = (o: Ops): void => o.write(0, o.read(1));
const CONDITIONS = 'O NO B AE E NE BE A S NS P NP L GE LE G'.split(' ');
const hexByte = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** Instructions that are there once for each condition. */
function forConditions(base: number, make: (condition: string, opcode: string, cc: ConditionCode) => Instruction): Instruction[] {
  return CONDITIONS.map((condition, cc) => make(condition, hexByte(base + cc), cc as ConditionCode));
}

function exchange(o: Ops): void {
  const b = o.read(1);
  const a = o.update(0, () => b);
  o.write(1, a);
}

export const dataMovement: Instruction[] = [
  instruction(
    'MOV',
    ['88 /r Eb,Gb ;', '89 /r Ev,Gv ;', '8A /r Gb,Eb ;', '8B /r Gv,Ev ;', 'A0 AL,Ob ;', 'A1 rAX,Ov ;', 'A2 Ob,AL ;', 'A3 Ov,rAX ;',
     'B0+r Zb,Ib ;', 'B8+r Zv,Iv ;', 'C6 /0 Eb,Ib ;', 'C7 /0 Ev,Isz ;'], // prettier-ignore
    move,
  ),
  instruction('MOVNTI', 'NP 0F C3 /r My,Gy ;cpuid=SSE2', move),
  instruction('MOVZX', ['0F B6 /r Gv,Eb ;', '0F B7 /r Gv,Ew ;'], move),
  instruction('MOVSX', ['0F BE /r Gv,Eb ;', '0F BF /r Gv,Ew ;'], (o) => o.write(0, o.sx(o.width(1) as 8 | 16, o.read(1)))),
  instruction('MOVSXD', '63 /r Gv,Ez ;only64', (o) => o.write(0, o.sx(o.width(1) as 16 | 32, o.read(1)))),
  instruction('LEA', '8D /r Gv,Mn ;', (o) => o.write(0, o.offset(1))),
  instruction('XCHG', ['86 /r Eb,Gb ;locked', '87 /r Ev,Gv ;locked'], exchange),
  instruction('XCHG', '90+r Zv,rAX ;', (o) => {
    const a = o.read(0);
    const b = o.read(1);
    o.write(0, b);
    o.write(1, a);
  }),
  instruction('XLAT', 'D7 ;nosize asize', (o) => {
    const bits = o.asize;
    const offset = o.zx(bits, o.add(o.reg(bits, 3), o.reg(8, 0)));
    o.setReg(8, 0, o.load(8, o.linear(o.segment(0), offset, 1, 'read')));
  }),
  ...forConditions(0x90, (condition, opcode, cc) =>
    instruction(`SET${condition}`, `0F ${opcode} /r Eb ;`, (o) => o.write(0, o.toInt(o.condition(cc)))),
  ),
  ...forConditions(0x40, (condition, opcode, cc) =>
    // The source is read in any case, and a 32-bit destination loses its upper half in any case.
    instruction(`CMOV${condition}`, `0F ${opcode} /r Gv,Ev ;`, (o) => {
      const source = o.read(1);
      o.write(0, o.select(o.condition(cc), source, o.read(0)));
    }),
  ),

  instruction('LAHF', '9F ;nosize', (o) => {
    const bit = (flag: 'cf' | 'pf' | 'af' | 'zf' | 'sf', n: number) => o.shl(o.toInt(o.flag(flag)), n);
    const low = o.or(o.or(o.or(bit('cf', 0), bit('pf', 2)), o.or(bit('af', 4), bit('zf', 6))), o.or(bit('sf', 7), 2));
    o.setReg(16, 0, o.or(o.reg(8, 0), o.shl(low, 8)));
  }),
  instruction('SAHF', '9E ;nosize', (o) => {
    const ah = o.shr(o.reg(16, 0), 8);
    o.setFlags({ cf: o.bit(ah, 0), pf: o.bit(ah, 2), af: o.bit(ah, 4), zf: o.bit(ah, 6), sf: o.bit(ah, 7) });
  }),
  instruction('CLC', 'F8 ;nosize', (o) => o.setFlags({ cf: o.bool(false) })),
  instruction('STC', 'F9 ;nosize', (o) => o.setFlags({ cf: o.bool(true) })),
  instruction('CMC', 'F5 ;nosize', (o) => o.setFlags({ cf: o.negate(o.flag('cf')) })),
  instruction('CLD', 'FC ;nosize', (o) => o.setState('eflags', o.and(o.state('eflags'), ~0x400n))),
  instruction('STD', 'FD ;nosize', (o) => o.setState('eflags', o.or(o.state('eflags'), 0x400))),

  instruction('RDRAND', ['NP 0F C7 /6 Rv ;cpuid=RDRAND', '66 0F C7 /6 Rw ;cpuid=RDRAND'], randomNumber),
  instruction('RDSEED', ['NP 0F C7 /7 Rv ;cpuid=RDSEED', '66 0F C7 /7 Rw ;cpuid=RDSEED'], randomNumber),

  instruction('NOP', ['90 ;nosize', 'F3 90 ;nosize'], () => {}),
  // ENDBR and the reserved hints are NOPs with a ModRM byte; memory operands are not touched.
  instruction('NOP', ['0F 19 /r En ;nosize', '0F 1A /r En ;nosize', '0F 1B /r En ;nosize', '0F 1C /r En ;nosize', '0F 1D /r En ;nosize', '0F 1E /r En ;nosize', '0F 1F /r En ;nosize'], () => {}),
  instruction('PREFETCH', ['0F 18 /r En ;nosize', '0F 0D /r Mn ;nosize'], () => {}),
  instruction('CLFLUSH', ['NP 0F AE /7 Mb ;cpuid=CLFSH', '66 0F AE /7 Mb ;cpuid=CLFLUSHOPT', '66 0F AE /6 Mb ;cpuid=CLWB'], (o) => {
    o.load(8, o.address(0, 1, 'read'));
  }),
  instruction('FENCE', ['NP 0F AE /5 Rn ;nosize', 'NP 0F AE /6 Rn ;nosize', 'NP 0F AE /7 Rn ;nosize'], () => {}),
];

function randomNumber(o: Ops): void {
  o.write(0, o.call('random'));
  const no = o.bool(false);
  o.setFlags({ cf: o.bool(true), of: no, sf: no, zf: no, af: no, pf: no });
}
