import { instruction, type Instruction } from '../definition.js';
import type { Bits, Int, Ops } from '../ops.js';

/** BT, BTS, BTR, BTC: with a register as bit offset, a memory operand is a bit string (SDM vol. 2, 3.1.1.9). */
function bitTest(name: string, register: string, extension: number, change: ((o: Ops, a: Int, one: Int) => Int) | null): Instruction {
  const lock = change ? 'lock' : '';
  const flags = `${lock} undefined=of,sf,af,pf`;
  return instruction(name, [`0F ${register} /r Ev,Gv ;rare ${flags}`, `0F BA /${extension} Ev,Ib ;${flags}`], (o) => {
    const { bits } = o;
    const index = o.read(1);
    const bit = o.and(index, bits - 1);
    const string = o.isMemory(0) && o.width(1) !== 8;
    const one = o.shl(1, bit);
    let old: Int;
    if (string) {
      const linear = bitStringAddress(o, index);
      old = change ? o.updateAt(bits, linear, (a) => change(o, a, one)) : o.load(bits, linear);
    } else if (change) old = o.update(0, (a) => change(o, a, one));
    else old = o.read(0);
    o.setFlags({ cf: o.ne(o.and(o.shr(old, bit), 1), 0) });
  });
}

/** Linear address of the operand-sized piece of the bit string that holds bit `index`, a signed offset. */
function bitStringAddress(o: Ops, index: Int): Int {
  const { bits } = o;
  const shift = bits === 16 ? 4 : bits === 32 ? 5 : 6;
  const pieces = o.sar(o.sx(bits, index), shift);
  return o.addressBeyond(0, o.mul(pieces, bits / 8), bits / 8, 'write');
}

/** BMI1/2 and bit-scan instructions that count from either end. */
const scan = (name: string, opcode: string, attributes: string, count: (o: Ops, a: Int) => Int, whenZero: number | null): Instruction =>
  instruction(name, `${opcode} /r Gv,Ev ;${attributes}`, (o) => {
    const source = o.read(1);
    const result = count(o, source);
    if (whenZero === null) {
      // With a zero source the destination stays (AMD APM vol. 3: BSF, BSR), all of its 64 bits.
      o.if(o.ne(source, 0), () => o.write(0, result));
      o.setFlags({ zf: o.eq(source, 0) });
    } else {
      o.write(0, result);
      o.setFlags({ cf: o.eq(source, 0), zf: o.eq(result, 0) });
    }
  });

const leading = (o: Ops, a: Int): Int => o.sub(o.clz(a), 64 - o.bits);
const trailing = (o: Ops, a: Int): Int => o.ctz(o.bits === 64 ? a : o.or(a, 1n << BigInt(o.bits)));

/** Flags of BLSI, BLSR, BLSMSK and kin: SF, ZF of the result, OF clear. */
function lowestSet(name: string, extension: number, compute: (o: Ops, a: Int) => Int, carry: 'zero' | 'nonzero'): Instruction {
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
  bitTest('BT', 'A3', 4, null),
  bitTest('BTS', 'AB', 5, (o, a, one) => o.or(a, one)),
  bitTest('BTR', 'B3', 6, (o, a, one) => o.and(a, o.not(one))),
  bitTest('BTC', 'BB', 7, (o, a, one) => o.xor(a, one)),
  scan('BSF', '0F BC', 'undefined=cf,of,sf,af,pf', trailing, null),
  scan('BSR', '0F BD', 'undefined=cf,of,sf,af,pf', (o, a) => o.sub(63, o.clz(a)), null),
  scan('TZCNT', 'F3 0F BC', 'cpuid=BMI1 undefined=of,sf,af,pf', trailing, 0),
  scan('LZCNT', 'F3 0F BD', 'cpuid=LZCNT undefined=of,sf,af,pf', leading, 0),
  instruction('POPCNT', 'F3 0F B8 /r Gv,Ev ;cpuid=POPCNT', (o) => {
    const source = o.read(1);
    o.write(0, o.popcnt(source));
    o.setFlags({ zf: o.eq(source, 0), cf: o.bool(false), of: o.bool(false), sf: o.bool(false), af: o.bool(false), pf: o.bool(false) });
  }),
  instruction('BSWAP', '0F C8+r Zv ;', (o) => {
    if (o.bits === 16) {
      // Undefined by the manual; processors give zero.
      o.write(0, 0);
      return;
    }
    o.write(0, swapBytes(o, o.read(0), o.bits));
  }),
  instruction('MOVBE', '0F 38 F0 /r Gv,Mv ;cpuid=MOVBE', (o) => {
    o.write(0, swapBytes(o, o.read(1), o.bits));
  }),
  instruction('MOVBE', '0F 38 F1 /r Mv,Gv ;cpuid=MOVBE', (o) => {
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
  instruction('PDEP', 'VEX.F2.0F38 F5 /r Gy,By,Ey ;cpuid=BMI2', (o) => o.write(0, o.call('pdep', o.read(1), o.read(2)))),
  instruction('PEXT', 'VEX.F3.0F38 F5 /r Gy,By,Ey ;cpuid=BMI2', (o) => o.write(0, o.call('pext', o.read(1), o.read(2)))),
  instruction('RORX', 'VEX.F2.0F3A F0 /r Gy,Ey,Ib ;cpuid=BMI2', (o) => {
    const { bits } = o;
    const a = o.read(1);
    const n = o.and(o.read(2), bits - 1);
    o.write(0, o.or(o.shr(a, n), o.shl(a, o.and(o.sub(bits, n), bits - 1))));
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
