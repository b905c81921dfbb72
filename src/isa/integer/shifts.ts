import { instruction, type Instruction } from '../definition.js';
import type { Bits, Bool, Int, Ops } from '../ops.js';

/** The six encodings of number n in group 2, with what is undefined; OF is defined where the count is the constant 1. */
function encodings(n: number, undefinedFlags: string[]): string[] {
  const any = `;undefined=${['of', ...undefinedFlags].join(',')}`;
  const byOne = undefinedFlags.length > 0 ? `;undefined=${undefinedFlags.join(',')}` : ';';
  return [
    `C0 /${n} Eb,Ib ${any}`,
    `C1 /${n} Ev,Ib ${any}`,
    `D0 /${n} Eb,1 ${byOne}`,
    `D1 /${n} Ev,1 ${byOne}`,
    `D2 /${n} Eb,CL ${any}`,
    `D3 /${n} Ev,CL ${any}`,
  ];
}

/** Counts are taken modulo 32, or 64 with 64-bit operands. */
const countOf = (o: Ops, operand: number): Int => o.and(o.read(operand), o.bits === 64 ? 63 : 31);
const top = (o: Ops, bits: Bits, value: Int): Bool => o.bit(value, bits - 1);

/** Flags and destination change only if the count is not zero; memory is written in either case. */
function shift(
  name: string,
  numbers: number[],
  compute: (o: Ops, a: Int, n: Int) => { result: Int; cf: Bool; of: Bool },
): Instruction {
  return instruction(
    name,
    numbers.flatMap((number) => encodings(number, ['af'])),
    (o) => {
      const n = countOf(o, 1);
      const old = o.update(0, (a) => o.zx(o.bits, compute(o, a, n).result));
      o.if(o.ne(n, 0), () => {
        const { result, cf, of } = compute(o, old, n);
        o.flagsResult(o.bits, o.zx(o.bits, result), cf, of);
      });
    },
  );
}

const bitOut = (o: Ops, value: Int): Bool => o.ne(o.and(value, 1), 0);

/** Rotates: only CF and OF change. */
function rotate(name: string, number: number, left: boolean): Instruction {
  return instruction(name, encodings(number, []), (o) => {
    const { bits } = o;
    const masked = countOf(o, 1);
    const n = o.and(masked, bits - 1);
    const turn = (a: Int): Int => {
      const other = o.and(o.sub(bits, n), bits - 1);
      if (bits >= 32) return o.rotl(bits as 32 | 64, a, left ? n : other);
      return o.zx(bits, left ? o.or(o.shl(a, n), o.shr(a, other)) : o.or(o.shr(a, n), o.shl(a, other)));
    };
    const old = o.update(0, turn);
    o.if(o.ne(masked, 0), () => {
      const result = turn(old);
      const cf = left ? bitOut(o, result) : top(o, bits, result);
      const of = left ? o.differ(cf, top(o, bits, result)) : o.differ(cf, o.bit(result, bits - 2));
      o.setFlags({ cf, of });
    });
  });
}

/** Rotates through CF: a ring of bits + 1 places. */
function rotateCarry(name: string, number: number, left: boolean): Instruction {
  return instruction(name, encodings(number, []), (o) => {
    const { bits } = o;
    const carry = o.variable(o.toInt(o.flag('cf')));
    const masked = countOf(o, 1);
    const n = bits >= 32 ? masked : modulo(o, masked, bits + 1);
    const turn = (a: Int): Int => {
      // n places left in the ring are bits + 1 - n right; pieces: a, the carry, and what comes around.
      const c = o.get(carry);
      const moved = left ? shiftLeft(o, a, n) : shiftRight(o, a, n);
      const around = left ? shiftRight(o, a, o.sub(bits + 1, n)) : shiftLeft(o, a, o.sub(bits + 1, n));
      const placed = left ? o.shl(c, o.sub(n, 1)) : shiftLeft(o, c, o.sub(bits, n));
      return o.zx(bits, o.select(o.eq(n, 0), a, o.or(o.or(moved, around), placed)));
    };
    const old = o.update(0, turn);
    o.if(o.ne(n, 0), () => {
      const result = turn(old);
      const out = left ? o.shr(old, o.sub(bits, n)) : o.shr(old, o.sub(n, 1));
      const cf = bitOut(o, out);
      const of = left
        ? o.differ(cf, top(o, bits, result))
        : o.differ(top(o, bits, result), o.bit(result, bits - 2));
      o.setFlags({ cf, of });
    });
  });
}

/** Shifts by 0 to 64. */
const shiftLeft = (o: Ops, a: Int, n: Int): Int => o.select(o.ltu(n, 64), o.shl(a, n), 0);
const shiftRight = (o: Ops, a: Int, n: Int): Int => o.select(o.ltu(n, 64), o.shr(a, n), 0);

/** n modulo m for n below 32 and m of 9 or 17. */
function modulo(o: Ops, n: Int, m: number): Int {
  let rest = n;
  for (let times = Math.floor(31 / m); times > 0; times--)
    rest = o.select(o.ltu(rest, m), rest, o.sub(rest, m));
  return rest;
}

/** SHLD and SHRD: what a shift moves out of the source comes in behind the destination. */
function doubleShift(name: string, opcodes: [string, string], left: boolean): Instruction {
  const flags = 'undefined=of,af';
  return instruction(
    name,
    [`${opcodes[0]} /r Ev,Gv,Ib ;${flags}`, `${opcodes[1]} /r Ev,Gv,CL ;${flags}`],
    (o) => {
      const n = countOf(o, 2);
      const source = o.read(1);
      const parts = o.bits === 16 ? doubleShift16 : doubleShiftWide;
      const old = o.update(0, (a) =>
        o.zx(o.bits, o.select(o.eq(n, 0), a, parts(o, left, a, source, n).result)),
      );
      o.if(o.ne(n, 0), () => {
        const { result, out } = parts(o, left, old, source, n);
        const r = o.zx(o.bits, result);
        const cf = bitOut(o, out);
        o.flagsResult(o.bits, r, cf, o.differ(top(o, o.bits, r), left ? cf : o.bit(r, o.bits - 2)));
      });
    },
  );
}

/** Result, and the bit that left last in bit 0. */
type DoubleShift = (o: Ops, left: boolean, a: Int, source: Int, n: Int) => { result: Int; out: Int };

const doubleShiftWide: DoubleShift = (o, left, a, source, n) => {
  const rest = o.sub(o.bits, n);
  return left
    ? { result: o.or(o.shl(a, n), shiftRight(o, source, rest)), out: shiftRight(o, a, rest) }
    : { result: o.or(o.shr(a, n), shiftLeft(o, source, rest)), out: o.shr(a, o.sub(n, 1)) };
};

/** Counts above 16 are undefined; AMD's processors then go on into the source a second time, and clear CF. */
const doubleShift16: DoubleShift = (o, left, a, source, n) => {
  const pieces = left ? [a, source, source] : [source, source, a];
  const string = o.or(o.or(o.shl(pieces[0]!, 32), o.shl(pieces[1]!, 16)), pieces[2]!);
  const out = left ? o.shr(a, o.sub(16, n)) : o.shr(a, o.sub(n, 1));
  return {
    result: left ? o.shr(o.shl(string, n), 32) : o.shr(string, n),
    out: o.select(o.leu(n, 16), out, 0),
  };
};

export const shifts: Instruction[] = [
  rotate('ROL', 0, true),
  rotate('ROR', 1, false),
  rotateCarry('RCL', 2, true),
  rotateCarry('RCR', 3, false),
  shift('SHL', [4, 6], (o, a, n) => {
    const { bits } = o;
    const result = o.shl(a, n);
    // With 8 and 16 bits the count may be larger than the operand: then nothing is left to go out.
    const last = bits === 64 ? o.shr(a, o.and(o.sub(64, n), 63)) : o.shr(result, bits);
    const cf = bitOut(o, last);
    return { result, cf, of: o.differ(cf, top(o, bits, result)) };
  }),
  shift('SHR', [5], (o, a, n) => {
    const result = o.shr(a, n);
    // by one, this is the sign that went; by more, AMD's processors give the same bit
    return { result, cf: bitOut(o, o.shr(a, o.sub(n, 1))), of: o.bit(result, o.bits - 2) };
  }),
  shift('SAR', [7], (o, a, n) => {
    const value = o.sx(o.bits, a);
    return { result: o.sar(value, n), cf: bitOut(o, o.sar(value, o.sub(n, 1))), of: o.bool(false) };
  }),
  doubleShift('SHLD', ['0F A4', '0F A5'], true),
  doubleShift('SHRD', ['0F AC', '0F AD'], false),
];
