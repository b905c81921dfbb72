import { instruction, type Instruction } from '../definition.js';
import type { Bool, Int, Ops } from '../ops.js';

/** AL and AH, for adjustments after BCD arithmetic (SDM vol. 2: AAA, AAS, DAA, DAS, AAM, AAD). */
const al = (o: Ops): Int => o.reg(8, 0);

const needsLow = (o: Ops, value: Int): Bool => o.either(o.ltu(9, o.and(value, 15)), o.flag('af'));

function adjustDecimal(name: string, opcode: string, sign: 1 | -1): Instruction {
  return instruction(name, `${opcode} ;no64 nosize undefined=of`, (o) => {
    const old = al(o);
    const low = needsLow(o, old);
    const high = o.either(o.ltu(0x99, old), o.flag('cf'));
    const step = (value: Int, c: Bool, by: number): Int =>
      o.select(c, sign === 1 ? o.add(value, by) : o.sub(value, by), value);
    const first = step(old, low, 6);
    const result = o.zx(8, step(first, high, 0x60));
    // DAS also carries when the low adjustment borrows.
    const borrow = sign === -1 ? o.both(low, o.ltu(old, 6)) : o.bool(false);
    const cf = o.either(high, borrow);
    o.setReg(8, 0, result);
    o.flagsResult(8, result, cf, o.bool(false));
    o.setFlags({ af: low });
  });
}

function adjustAscii(name: string, opcode: string, sign: 1 | -1): Instruction {
  return instruction(name, `${opcode} ;no64 nosize undefined=of,sf,zf,pf`, (o) => {
    const adjust = needsLow(o, al(o));
    const ax = o.reg(16, 0);
    const moved = sign === 1 ? o.add(ax, 0x106) : o.sub(ax, 0x106);
    o.setReg(16, 0, o.and(o.select(adjust, moved, ax), 0xff0f));
    o.setFlags({ af: adjust, cf: adjust });
  });
}

export const decimal: Instruction[] = [
  adjustDecimal('DAA', '27', 1),
  adjustDecimal('DAS', '2F', -1),
  adjustAscii('AAA', '37', 1),
  adjustAscii('AAS', '3F', -1),
  instruction('AAM', 'D4 Ib ;no64 undefined=of,af,cf', (o) => {
    const base = o.read(0);
    const value = al(o);
    const quotient = o.call('divide', 16, 0, value, base);
    const remainder = o.call('remainder');
    o.setReg(16, 0, o.or(o.shl(o.zx(8, quotient), 8), remainder));
    o.flagsLogic(8, o.zx(8, remainder));
  }),
  instruction('AAD', 'D5 Ib ;no64 undefined=of,af,cf', (o) => {
    const sum = o.zx(8, o.add(al(o), o.mul(o.shr(o.reg(16, 0), 8), o.read(0))));
    o.setReg(16, 0, sum);
    o.flagsLogic(8, sum);
  }),
  instruction('SALC', 'D6 ;no64 nosize', (o) => {
    o.setReg(8, 0, o.sub(0, o.toInt(o.flag('cf'))));
  }),
];
