import { instruction, type Instruction } from '../definition.js';
import type { Bits, Bool, Int, Ops } from '../ops.js';

const OPCODES = (n: number): string[] => [
  `C0 /${n} Eb,Ib ;`, `C1 /${n} Ev,Ib ;`, `D0 /${n} Eb,1 ;`, `D1 /${n} Ev,1 ;`, `D2 /${n} Eb,CL ;`, `D3 /${n} Ev,CL ;`,
]; // prettier-ignore

/** Counts are taken modulo 32, or 64 with 64-bit operands. */
const countOf = (o: Ops, operand: number): Int => o.and(o.read(operand), o.bits === 64 ? 63 : 31);
const top = (o: Ops, bits: Bits, value: Int): Bool => o.bit(value, bits - 1);

/** Flags and destination change only if the count is not zero; memory is written in either case. */
function shift(name: string, numbers: number[], compute: (o: Ops, a: Int, n: Int) => { result: Int; cf: Bool; of: Bool }): Instruction {
  const flags = 'undefined=of,af';
  return instruction(name, numbers.flatMap((n) => OPCODES(n).map((text) => text + flags)), (o) => {
    const n = countOf(o, 1);
    const old = o.update(0, (a) => o.zx(o.bits, compute(o, a, n).result));
    o.if(o.ne(n, 0), () => {
      const { result, cf, of } = compute(o, old, n);
      o.flagsResult(o.bits, o.zx(o.bits, result), cf, of);
    });
  });
}

/** A shift by up to 63 that gives zero from 64 on (wasm takes counts modulo 64). */
const bitOut = (o: Ops, value: Int): Bool => o.ne(o.and(value, 1), 0);

/** Rotates: only CF and OF change. */
function rotate(name: string, number: number, left: boolean): Instruction {
  return instruction(name, OPCODES(number).map((text) => text + 'undefined=of'), (o) => {
    const { bits } = o;
    const masked = countOf(o, 1);
    const n = o.and(masked, bits - 1);
    const turn = (a: Int): Int => {
      const other = o.and(o.sub(bits, n), bits - 1);
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
  return instruction(name, OPCODES(number).map((text) => text + 'undefined=of'), (o) => {
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
      const of = left ? o.differ(cf, top(o, bits, result)) : o.differ(top(o, bits, result), o.bit(result, bits - 2));
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
  for (let times = Math.floor(31 / m); times > 0; times--) rest = o.select(o.ltu(rest, m), rest, o.sub(rest, m));
  return rest;
}

/** SHLD and SHRD. For 16-bit operands a count above 16 is undefined; real processors go on with the bits of the pair. */
function doubleShift(name: string, opcodes: [string, string], left: boolean): Instruction {
  const flags = 'undefined=of,af';
  return instruction(name, [`${opcodes[0]} /r Ev,Gv,Ib ;${flags}`, `${opcodes[1]} /r Ev,Gv,CL ;${flags}`], (o) => {
    const { bits } = o;
    const n = countOf(o, 2);
    const source = o.read(1);
    const parts = (a: Int): { result: Int; out: Int } => {
      if (bits === 16) {
        // 16-bit: destination, source and destination again in one 48-bit string
        const ring = left ? o.or(o.or(o.shl(a, 32), o.shl(source, 16)), a) : o.or(o.or(o.shl(a, 32), o.shl(source, 16)), a);
        const moved = left ? o.shr(o.shl(ring, n), 32) : o.shr(ring, n);
        const out = left ? o.shr(ring, o.sub(48, n)) : o.shr(ring, o.sub(n, 1));
        return { result: moved, out };
      }
      const rest = o.sub(bits, n);
      const fill = left ? shiftRight(o, source, rest) : shiftLeft(o, source, rest);
      const moved = left ? o.shl(a, n) : o.shr(a, n);
      const out = left ? o.shr(a, o.and(rest, 63)) : o.shr(a, o.sub(n, 1));
      return { result: o.or(moved, fill), out };
    };
    const old = o.update(0, (a) => o.zx(bits, o.select(o.eq(n, 0), a, parts(a).result)));
    o.if(o.ne(n, 0), () => {
      const { result, out } = parts(old);
      const r = o.zx(bits, result);
      o.flagsResult(bits, r, bitOut(o, out), o.differ(top(o, bits, r), top(o, bits, old)));
    });
  });
}

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
  shift('SHR', [5], (o, a, n) => ({ result: o.shr(a, n), cf: bitOut(o, o.shr(a, o.sub(n, 1))), of: top(o, o.bits, a) })),
  shift('SAR', [7], (o, a, n) => {
    const value = o.sx(o.bits, a);
    return { result: o.sar(value, n), cf: bitOut(o, o.sar(value, o.sub(n, 1))), of: o.bool(false) };
  }),
  doubleShift('SHLD', ['0F A4', '0F A5'], true),
  doubleShift('SHRD', ['0F AC', '0F AD'], false),
];
