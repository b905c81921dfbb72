import type { Node } from './code.js';
import { I32, I64 } from './opcodes.js';

type Opcode = readonly number[];

const unsigned = (v: bigint): bigint => BigInt.asUintN(64, v);
const signed = (v: bigint): bigint => BigInt.asIntN(64, v);
const MINUS_ONE = unsigned(-1n);

const constants64 = new Map<Opcode, (a: bigint, b: bigint) => bigint>([
  [I64.add, (a, b) => a + b],
  [I64.sub, (a, b) => a - b],
  [I64.mul, (a, b) => a * b],
  [I64.and, (a, b) => a & b],
  [I64.or, (a, b) => a | b],
  [I64.xor, (a, b) => a ^ b],
  [I64.shl, (a, b) => a << (b & 63n)],
  [I64.shrU, (a, b) => a >> (b & 63n)],
  [I64.shrS, (a, b) => signed(a) >> (b & 63n)],
]);
const comparisons = new Map<Opcode, (a: bigint, b: bigint) => boolean>([
  [I64.eq, (a, b) => a === b],
  [I64.ne, (a, b) => a !== b],
  [I64.ltU, (a, b) => a < b],
  [I64.leU, (a, b) => a <= b],
  [I64.ltS, (a, b) => signed(a) < signed(b)],
  [I64.leS, (a, b) => signed(a) <= signed(b)],
]);
/** By number of bits. */
export const ONES: readonly bigint[] = Array.from({ length: 65 }, (_, n) => (1n << BigInt(n)) - 1n);
const NEUTRAL_ZERO = new Set<Opcode>([I64.add, I64.sub, I64.or, I64.xor, I64.shl, I64.shrU, I64.shrS]);

/** What an operation with i64 result is known to give: a number, one of its operands, or null. */
export function fold64(op: Opcode, args: readonly Node[]): bigint | Node | null {
  const [a, b] = args;
  if (!a || !b) return op === I64.extendU && a!.constant !== null ? a!.constant : null;
  const compute = constants64.get(op);
  if (!compute) return null;
  if (a.constant !== null && b.constant !== null) return unsigned(compute(a.constant, b.constant));
  if (b.constant === 0n && NEUTRAL_ZERO.has(op)) return a;
  if (a.constant === 0n && (op === I64.add || op === I64.or || op === I64.xor)) return b;
  if (op !== I64.and) return null;
  if (b.constant === 0n || a.constant === 0n) return 0n;
  if (b.constant === MINUS_ONE || (b.constant !== null && keeps(a, b.constant))) return a;
  return null;
}

/** Whether the mask has all bits that the value may have. */
function keeps(value: Node, mask: bigint): boolean {
  const may = ONES[value.width]!;
  return value.width < 64 && (mask & may) === may;
}

/** What an operation with i32 result is known to give, or null. */
export function fold32(op: Opcode, args: readonly Node[]): bigint | null {
  const [a, b] = args;
  if (a!.constant === null) return null;
  if (!b) {
    if (op === I64.eqz || op === I32.eqz) return a!.constant === 0n ? 1n : 0n;
    return op === I32.wrap ? BigInt.asUintN(32, a!.constant) : null;
  }
  if (b.constant === null) return null;
  const compare = comparisons.get(op);
  if (compare) return compare(a!.constant, b.constant) ? 1n : 0n;
  if (op === I32.and) return a!.constant & b.constant;
  if (op === I32.or) return a!.constant | b.constant;
  if (op === I32.xor) return a!.constant ^ b.constant;
  return null;
}

/** Bits that the result of an i64 operation may have. */
export function widthOf(op: Opcode, args: readonly Node[]): number {
  if (op === I64.extendU) return 32;
  if (op === I64.popcnt || op === I64.clz || op === I64.ctz) return 7;
  const a = args[0]!.width;
  const b = args[1] ? args[1].width : 64;
  if (op === I64.and) return Math.min(a, b);
  if (op === I64.or || op === I64.xor) return Math.max(a, b);
  if (op === I64.add) return Math.min(64, Math.max(a, b) + 1);
  if (op === I64.mul) return Math.min(64, a + b);
  const shift = args[1]?.constant;
  if (op === I64.shrU)
    return shift === null || shift === undefined ? a : Math.max(0, a - Number(shift & 63n));
  if (op === I64.shl && shift !== null && shift !== undefined) return Math.min(64, a + Number(shift & 63n));
  return 64;
}
