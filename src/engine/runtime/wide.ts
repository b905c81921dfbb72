/**
 * Floating point with 128 bits of significand, for the transcendental instructions: their results must be right in all but
 * the last of 64 bits. A number lies at an address: u64 high, u64 low, i32 exponent, u32 sign; its value is
 * high:low / 2^127 * 2^exponent, the highest bit set; zero has high = 0. Results are cut, not rounded.
 */
import { multiplyHigh } from './integer';

const LOW: u32 = 8;
const EXPONENT: u32 = 16;
const SIGN: u32 = 20;
export const WIDE_BYTES: u32 = 24;
const TOP: u64 = 0x8000000000000000;

export function set(at: u32, sign: u32, exponent: i32, high: u64, low: u64): void {
  store<u64>(at, high);
  store<u64>(at + LOW, low);
  store<i32>(at + EXPONENT, exponent);
  store<u32>(at + SIGN, sign);
}
export function copy(to: u32, from: u32): void {
  set(to, load<u32>(from + SIGN), load<i32>(from + EXPONENT), load<u64>(from), load<u64>(from + LOW));
}
export function one(at: u32): void {
  set(at, 0, 0, TOP, 0);
}
export function isZero(at: u32): bool {
  return load<u64>(at) == 0;
}
export function signOf(at: u32): u32 {
  return load<u32>(at + SIGN);
}
export function exponentOf(at: u32): i32 {
  return load<i32>(at + EXPONENT);
}
export function highOf(at: u32): u64 {
  return load<u64>(at);
}
export function lowOf(at: u32): u64 {
  return load<u64>(at + LOW);
}
export function negate(at: u32): void {
  store<u32>(at + SIGN, load<u32>(at + SIGN) ^ 1);
}
/** Times a power of two. */
export function scale(at: u32, by: i32): void {
  store<i32>(at + EXPONENT, load<i32>(at + EXPONENT) + by);
}

function setNormalized(to: u32, sign: u32, exponent: i32, high: u64, low: u64): void {
  let hi = high;
  let lo = low;
  let e = exponent;
  if (hi == 0) {
    hi = lo;
    lo = 0;
    e -= 64;
  }
  if (hi == 0) {
    set(to, 0, 0, 0, 0);
    return;
  }
  const shift = clz<u64>(hi);
  if (shift != 0) {
    hi = (hi << shift) | (lo >> (64 - shift));
    lo <<= shift;
  }
  set(to, sign, e - <i32>shift, hi, lo);
}

export function multiply(to: u32, a: u32, b: u32): void {
  if (isZero(a) || isZero(b)) {
    set(to, 0, 0, 0, 0);
    return;
  }
  const ah = load<u64>(a);
  const al = load<u64>(a + LOW);
  const bh = load<u64>(b);
  const bl = load<u64>(b + LOW);
  let high = multiplyHigh(ah, bh);
  let low = ah * bh;
  const first = multiplyHigh(ah, bl);
  const second = multiplyHigh(al, bh);
  low += first;
  if (low < first) high++;
  low += second;
  if (low < second) high++;
  setNormalized(to, signOf(a) ^ signOf(b), exponentOf(a) + exponentOf(b) + 1, high, low);
}

export function add(to: u32, a: u32, b: u32): void {
  if (isZero(a)) {
    copy(to, b);
    return;
  }
  if (isZero(b)) {
    copy(to, a);
    return;
  }
  let x = a;
  let y = b;
  const aSmaller =
    exponentOf(a) < exponentOf(b) ||
    (exponentOf(a) == exponentOf(b) && (highOf(a) < highOf(b) || (highOf(a) == highOf(b) && lowOf(a) < lowOf(b))));
  if (aSmaller) {
    x = b;
    y = a;
  }
  const distance = exponentOf(x) - exponentOf(y);
  let yh = highOf(y);
  let yl = lowOf(y);
  if (distance >= 128) {
    yh = 0;
    yl = 0;
  } else if (distance >= 64) {
    yl = yh >> <u64>(distance - 64);
    yh = 0;
  } else if (distance > 0) {
    yl = (yl >> <u64>distance) | (yh << <u64>(64 - distance));
    yh >>= <u64>distance;
  }
  const xh = highOf(x);
  const xl = lowOf(x);
  const sign = signOf(x);
  const exponent = exponentOf(x);
  if (sign == signOf(y)) {
    let low = xl + yl;
    const carry: u64 = low < xl ? 1 : 0;
    let high = xh + yh + carry;
    if (high < xh || (carry != 0 && high == xh)) {
      low = (low >> 1) | (high << 63);
      high = (high >> 1) | TOP;
      set(to, sign, exponent + 1, high, low);
    } else set(to, sign, exponent, high, low);
    return;
  }
  setNormalized(to, sign, exponent, xh - yh - (xl < yl ? 1 : 0), xl - yl);
}

/** a / n for 0 < n < 2^32. */
export function divideSmall(to: u32, a: u32, n: u64): void {
  if (isZero(a)) {
    set(to, 0, 0, 0, 0);
    return;
  }
  const high = highOf(a);
  const low = lowOf(a);
  const q3 = (high >> 32) / n;
  let rest = (high >> 32) % n;
  let piece = (rest << 32) | (high & 0xffffffff);
  const q2 = piece / n;
  rest = piece % n;
  piece = (rest << 32) | (low >> 32);
  const q1 = piece / n;
  rest = piece % n;
  piece = (rest << 32) | (low & 0xffffffff);
  const q0 = piece / n;
  setNormalized(to, signOf(a), exponentOf(a), (q3 << 32) | q2, (q1 << 32) | q0);
}

/** a / b, bit by bit. */
export function divide(to: u32, a: u32, b: u32): void {
  if (isZero(a)) {
    set(to, 0, 0, 0, 0);
    return;
  }
  let rh = highOf(a);
  let rl = lowOf(a);
  const bh = highOf(b);
  const bl = lowOf(b);
  let qh: u64 = 0;
  let ql: u64 = 0;
  let carry: u64 = 0;
  const sign = signOf(a) ^ signOf(b);
  const exponent = exponentOf(a) - exponentOf(b);
  for (let i = 0; i < 128; i++) {
    qh = (qh << 1) | (ql >> 63);
    ql <<= 1;
    if (carry != 0 || rh > bh || (rh == bh && rl >= bl)) {
      rh = rh - bh - (rl < bl ? 1 : 0);
      rl -= bl;
      ql |= 1;
    }
    carry = rh >> 63;
    rh = (rh << 1) | (rl >> 63);
    rl <<= 1;
  }
  setNormalized(to, sign, exponent, qh, ql);
}

/** An integer. */
export function integer(to: u32, value: i32): void {
  const magnitude: u64 = value < 0 ? <u64>-(<i64>value) : <u64>value;
  setNormalized(to, value < 0 ? 1 : 0, 63, magnitude, 0);
}
