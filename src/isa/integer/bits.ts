import { instruction, type Instruction } from '../definition.js';
import type { Bits, Int, Ops } from '../ops.js';

type BitChange = (o: Ops, a: Int, one: Int) => Int;

const bitAttributes = (change: BitChange | null): string => `${change ? 'lock' : ''} undefined=of,sf,af,pf`;

/** BT, BTS, BTR, BTC within an operand: the bit number is taken modulo its size. */
function bitInOperand(name: string, encodings: [string, string], change: BitChange | null): Instruction {
  return instruction(
    name,
    encodings.map((text) => `0F ${text} ;${bitAttributes(change)}`),
    (o) => {
      const one = o.shl(1, o.and(o.read(1), o.bits - 1));
      const old = change ? o.update(0, (a) => change(o, a, one)) : o.read(0);
      o.setFlags({ cf: o.ne(o.and(old, one), 0) });
    },
  );
}

/** With the bit number in a register, a memory operand is a bit string around its address (SDM vol. 2, 3.1.1.9). */
function bitInString(name: string, opcode: string, change: BitChange | null): Instruction {
  return instruction(name, `0F ${opcode} /r Mv,Gv ;rare ${bitAttributes(change)}`, (o) => {
    const { bits } = o;
    const index = o.read(1);
    // the operand-sized piece that holds the bit; its number is signed
    const shift = bits === 16 ? 4 : bits === 32 ? 5 : 6;
    const distance = o.mul(o.sar(o.sx(bits, index), shift), bits / 8);
    const linear = o.addressBeyond(0, distance, bits / 8, change ? 'write' : 'read');
    const one = o.shl(1, o.and(index, bits - 1));
    const old = change ? o.updateAt(bits, linear, (a) => change(o, a, one)) : o.load(bits, linear);
    o.setFlags({ cf: o.ne(o.and(old, one), 0) });
  });
}

const set: BitChange = (o, a, one) => o.or(a, one);
const reset: BitChange = (o, a, one) => o.and(a, o.not(one));
const complement: BitChange = (o, a, one) => o.xor(a, one);

/**
 * BSF, BSR. With a zero source the destination stays, all of its 64 bits (AMD APM vol. 3; so do Intel's). Flags but ZF
 * are undefined; AMD's processors clear them and set PF by the number found.
 */
const scan = (name: string, opcode: string, find: (o: Ops, a: Int) => Int): Instruction =>
  instruction(name, `0F ${opcode} /r Gv,Ev ;undefined=cf,of,sf,af,pf`, (o) => {
    const source = o.read(1);
    const none = o.eq(source, 0);
    const found = find(o, source);
    o.if(o.negate(none), () => o.write(0, found));
    const clear = o.bool(false);
    const odd = o.bit(o.popcnt(o.select(none, 0, found)), 0);
    o.setFlags({ zf: none, pf: o.negate(odd), cf: clear, of: clear, sf: clear, af: clear });
  });

/** TZCNT, LZCNT: the operand size for a zero source. */
const count = (name: string, opcode: string, cpuid: string, find: (o: Ops, a: Int) => Int): Instruction =>
  instruction(name, `F3 0F ${opcode} /r Gv,Ev ;cpuid=${cpuid} undefined=of,sf,af,pf`, (o) => {
    const source = o.read(1);
    const found = find(o, source);
    o.write(0, found);
    const clear = o.bool(false);
    o.setFlags({ cf: o.eq(source, 0), zf: o.eq(found, 0), sf: clear, af: clear, pf: clear });
  });

const leading = (o: Ops, a: Int): Int => o.sub(o.clz(a), 64 - o.bits);
const trailing = (o: Ops, a: Int): Int => o.ctz(o.bits === 64 ? a : o.or(a, 1n << BigInt(o.bits)));

/** Flags of BLSI, BLSR, BLSMSK and kin: SF, ZF of the result, OF clear. */
function lowestSet(
  name: string,
  extension: number,
  compute: (o: Ops, a: Int) => Int,
  carry: 'zero' | 'nonzero',
): Instruction {
  return instruction(name, `VEX.NP.0F38 F3 /${extension} By,Ey ;cpuid=BMI1 undefined=af,pf`, (o) => {
    const a = o.read(1);
    const r = o.zx(o.bits, compute(o, a));
    o.write(0, r);
    o.flagsResult(o.bits, r, carry === 'zero' ? o.eq(a, 0) : o.ne(a, 0), o.bool(false));
  });
}

function shiftX(name: string, prefix: string, shift: (o: Ops, a: Int, n: Int) => Int): Instruction {
  return instruction(name, `VEX.${prefix}.0F38 F7 /r Gy,Ey,By ;cpuid=BMI2`, (o) => {
    o.write(0, shift(o, o.read(1), o.and(o.read(2), o.bits - 1)));
  });
}

export const bitInstructions: Instruction[] = [
  bitInOperand('BT', ['A3 /r Rv,Gv', 'BA /4 Ev,Ib'], null),
  bitInOperand('BTS', ['AB /r Rv,Gv', 'BA /5 Ev,Ib'], set),
  bitInOperand('BTR', ['B3 /r Rv,Gv', 'BA /6 Ev,Ib'], reset),
  bitInOperand('BTC', ['BB /r Rv,Gv', 'BA /7 Ev,Ib'], complement),
  bitInString('BT', 'A3', null),
  bitInString('BTS', 'AB', set),
  bitInString('BTR', 'B3', reset),
  bitInString('BTC', 'BB', complement),
  scan('BSF', 'BC', trailing),
  scan('BSR', 'BD', (o, a) => o.sub(63, o.clz(a))),
  count('TZCNT', 'BC', 'BMI1', trailing),
  count('LZCNT', 'BD', 'LZCNT', leading),
  instruction('POPCNT', 'F3 0F B8 /r Gv,Ev ;cpuid=POPCNT', (o) => {
    const source = o.read(1);
    o.write(0, o.popcnt(source));
    o.setFlags({
      zf: o.eq(source, 0),
      cf: o.bool(false),
      of: o.bool(false),
      sf: o.bool(false),
      af: o.bool(false),
      pf: o.bool(false),
    });
  }),
  instruction('BSWAP', '0F C8+r Zv ;', (o) => {
    if (o.bits === 16) {
      // Undefined by the manual; processors give zero.
      o.write(0, 0);
      return;
    }
    o.write(0, swapBytes(o, o.read(0), o.bits));
  }),
  instruction('MOVBE', ['0F 38 F0 /r Gv,Mv ;cpuid=MOVBE', '0F 38 F1 /r Mv,Gv ;cpuid=MOVBE'], (o) => {
    o.write(0, swapBytes(o, o.read(1), o.bits));
  }),
  instruction('CRC32', 'F2 0F 38 F0 /r Gy,Eb ;cpuid=SSE4.2', (o) => {
    o.write(0, o.call('crc32', o.read(0), o.read(1), 8));
  }),
  instruction('CRC32', 'F2 0F 38 F1 /r Gy,Ev ;cpuid=SSE4.2', (o) => {
    o.write(0, o.call('crc32', o.read(0), o.read(1), o.bits));
  }),

  instruction('ANDN', 'VEX.NP.0F38 F2 /r Gy,By,Ey ;cpuid=BMI1 undefined=af,pf', (o) => {
    const r = o.and(o.zx(o.bits, o.not(o.read(1))), o.read(2));
    o.write(0, r);
    o.flagsLogic(o.bits, r);
  }),
  instruction('BEXTR', 'VEX.NP.0F38 F7 /r Gy,Ey,By ;cpuid=BMI1 undefined=af,sf,pf', (o) => {
    const control = o.read(2);
    const start = o.and(control, 0xff);
    const length = o.and(o.shr(control, 8), 0xff);
    const from = o.select(o.ltu(start, 64), o.shr(o.read(1), start), 0);
    const r = o.zx(o.bits, o.select(o.ltu(length, 64), o.and(from, o.sub(o.shl(1, length), 1)), from));
    o.write(0, r);
    o.flagsResult(o.bits, r, o.bool(false), o.bool(false));
  }),
  lowestSet('BLSR', 1, (o, a) => o.and(a, o.sub(a, 1)), 'zero'),
  lowestSet('BLSMSK', 2, (o, a) => o.xor(a, o.sub(a, 1)), 'zero'),
  lowestSet('BLSI', 3, (o, a) => o.and(a, o.sub(0, a)), 'nonzero'),
  instruction('BZHI', 'VEX.NP.0F38 F5 /r Gy,Ey,By ;cpuid=BMI2 undefined=af,pf', (o) => {
    const n = o.and(o.read(2), 0xff);
    const a = o.read(1);
    const inside = o.ltu(n, o.bits);
    const r = o.select(inside, o.and(a, o.sub(o.shl(1, n), 1)), a);
    o.write(0, r);
    o.flagsResult(o.bits, r, o.negate(inside), o.bool(false));
  }),
  instruction('MULX', 'VEX.F2.0F38 F6 /r Gy,By,Ey ;cpuid=BMI2', (o) => {
    const a = o.reg(o.bits, 2);
    const b = o.read(2);
    const low = o.mul(a, b);
    const high = o.bits === 64 ? o.call('umulh', a, b) : o.shr(low, 32);
    // The low half first: with one register for both, the high half stays.
    o.write(1, low);
    o.write(0, high);
  }),
  instruction('PDEP', 'VEX.F2.0F38 F5 /r Gy,By,Ey ;cpuid=BMI2', (o) =>
    o.write(0, o.call('pdep', o.read(1), o.read(2))),
  ),
  instruction('PEXT', 'VEX.F3.0F38 F5 /r Gy,By,Ey ;cpuid=BMI2', (o) =>
    o.write(0, o.call('pext', o.read(1), o.read(2))),
  ),
  instruction('RORX', 'VEX.F2.0F3A F0 /r Gy,Ey,Ib ;cpuid=BMI2', (o) => {
    const bits = o.bits as 32 | 64;
    o.write(0, o.rotl(bits, o.read(1), o.sub(bits, o.read(2))));
  }),
  shiftX('SHLX', '66', (o, a, n) => o.shl(a, n)),
  shiftX('SHRX', 'F2', (o, a, n) => o.shr(a, n)),
  shiftX('SARX', 'F3', (o, a, n) => o.sar(o.sx(o.bits, a), n)),
];

function swapBytes(o: Ops, value: Int, bits: Bits): Int {
  let result = o.int(0);
  for (let i = 0; i < bits; i += 8) {
    const byte = o.and(o.shr(value, i), 0xff);
    result = o.or(result, o.shl(byte, bits - 8 - i));
  }
  return result;
}
