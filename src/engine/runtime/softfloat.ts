/**
 * IEEE 754 arithmetic in integers, as SSE does it (SDM vol. 1, 4.8, 4.9 and 11.5): every rounding mode, denormals,
 * flush to zero, and exceptions. It is exact and obvious, not fast: the entry points take native arithmetic where that
 * gives the same (sse-arithmetic.ts).
 *
 * Functions are generic in the format F (f32 or f64); values are bit patterns in the low bits of a u64.
 * Exceptions are collected at S_EXCEPTIONS; sse-exceptions.ts decides what comes of them.
 */
import { S_MXCSR, S_TEMP } from '../layout';

/** u32: exception flags of the instruction at work. The temporary slots behind the binder's four belong to helpers. */
export const S_EXCEPTIONS: u32 = S_TEMP + 64;

/** MXCSR (SDM vol. 1, 10.2.3). */
export const IE: u32 = 1;
export const DE: u32 = 2;
export const ZE: u32 = 4;
export const OE: u32 = 8;
export const UE: u32 = 16;
export const PE: u32 = 32;
export const MXCSR_DAZ: u32 = 0x40;
export const MXCSR_OM: u32 = 0x400;
export const MXCSR_UM: u32 = 0x800;
export const MXCSR_RC_SHIFT: u32 = 13;
export const MXCSR_FTZ: u32 = 0x8000;

/** Rounding control. */
export const NEAREST: u32 = 0;
export const DOWN: u32 = 1;
export const UP: u32 = 2;
export const TRUNCATE: u32 = 3;

// ---- the two formats
// @ts-ignore: decorator
@inline
function fractionBits<F>(): i32 {
  return sizeof<F>() == 8 ? 52 : 23;
}
// @ts-ignore: decorator
@inline
function exponentMask<F>(): i32 {
  return sizeof<F>() == 8 ? 0x7ff : 0xff;
}
// @ts-ignore: decorator
@inline
function bias<F>(): i32 {
  return exponentMask<F>() >> 1;
}
// @ts-ignore: decorator
@inline
function signBit<F>(): u64 {
  return (<u64>1) << (sizeof<F>() * 8 - 1);
}
// @ts-ignore: decorator
@inline
function infinity<F>(): u64 {
  return (<u64>exponentMask<F>()) << fractionBits<F>();
}
// @ts-ignore: decorator
@inline
function quietBit<F>(): u64 {
  return (<u64>1) << (fractionBits<F>() - 1);
}
// @ts-ignore: decorator
@inline
function magnitude<F>(x: u64): u64 {
  return x & (signBit<F>() - 1);
}
// @ts-ignore: decorator
@inline
function isNegative<F>(x: u64): bool {
  return (x & signBit<F>()) != 0;
}
// @ts-ignore: decorator
@inline
export function isNan<F>(x: u64): bool {
  return magnitude<F>(x) > infinity<F>();
}
// @ts-ignore: decorator
@inline
function isSignaling<F>(x: u64): bool {
  return isNan<F>(x) && (x & quietBit<F>()) == 0;
}
// @ts-ignore: decorator
@inline
function isInfinite<F>(x: u64): bool {
  return magnitude<F>(x) == infinity<F>();
}
// @ts-ignore: decorator
@inline
function isZero<F>(x: u64): bool {
  return magnitude<F>(x) == 0;
}
// @ts-ignore: decorator
@inline
function isDenormal<F>(x: u64): bool {
  return magnitude<F>(x) - 1 < (<u64>1 << fractionBits<F>()) - 1;
}
// @ts-ignore: decorator
@inline
function signed<F>(negative: bool, magnitude: u64): u64 {
  return negative ? magnitude | signBit<F>() : magnitude;
}

/** Significand of a finite number that is not zero, its highest one at bit 63. */
function significand<F>(x: u64): u64 {
  const fraction = x & ((<u64>1 << fractionBits<F>()) - 1);
  if (magnitude<F>(x) < <u64>1 << fractionBits<F>()) return fraction << clz(fraction);
  return (fraction | (<u64>1 << fractionBits<F>())) << (63 - fractionBits<F>());
}

/** Power of two of that highest one. */
function exponent<F>(x: u64): i32 {
  const field = <i32>(magnitude<F>(x) >> fractionBits<F>());
  if (field == 0) return 1 - bias<F>() - fractionBits<F>() + 63 - <i32>clz(magnitude<F>(x));
  return field - bias<F>();
}

// ---- control and exceptions
// @ts-ignore: decorator
@inline
function mxcsr(cpu: u32): u32 {
  return load<u32>(cpu + S_MXCSR);
}

export function roundingControl(cpu: u32): u32 {
  return (mxcsr(cpu) >> MXCSR_RC_SHIFT) & 3;
}

export function signal(cpu: u32, flags: u32): void {
  store<u32>(cpu + S_EXCEPTIONS, load<u32>(cpu + S_EXCEPTIONS) | flags);
}

/** The operand as the instruction sees it: with MXCSR.DAZ, denormals are zeros of their sign. */
export function input<F>(cpu: u32, x: u64): u64 {
  return mxcsr(cpu) & MXCSR_DAZ && isDenormal<F>(x) ? x & signBit<F>() : x;
}

function noteDenormal<F>(cpu: u32, x: u64): void {
  if (isDenormal<F>(x)) signal(cpu, DE);
}

/** The default NaN ("real indefinite") of an invalid operation. */
function invalid<F>(cpu: u32): u64 {
  signal(cpu, IE);
  return signBit<F>() | infinity<F>() | quietBit<F>();
}

/** Result when an operand is a NaN: the first NaN, made quiet (SDM vol. 1, table 4-7). */
function propagate<F>(cpu: u32, a: u64, b: u64): u64 {
  if (isSignaling<F>(a) || isSignaling<F>(b)) signal(cpu, IE);
  return (isNan<F>(a) ? a : b) | quietBit<F>();
}

// ---- rounding
/** Whether to round the magnitude up; `rest` is what is cut off, as a fraction of 2^64 of the last place. */
function roundsUp(control: u32, negative: bool, odd: bool, rest: u64): bool {
  const half: u64 = 1 << 63;
  if (control == NEAREST) return rest > half || (rest == half && odd);
  if (control == DOWN) return negative && rest != 0;
  if (control == UP) return !negative && rest != 0;
  return false;
}

/** x >> count, with a one in the lowest bit if any one was shifted out. */
function shiftRightSticky(x: u64, count: i32): u64 {
  if (count == 0) return x;
  if (count > 63) return x != 0 ? 1 : 0;
  return (x >> count) | (x << (64 - count) != 0 ? 1 : 0);
}

/** The number `significand` (bit 63 set, bit 0 sticky) * 2^(exponent - 63) in format F. */
function round<F>(cpu: u32, negative: bool, exponent: i32, significand: u64): u64 {
  const control = roundingControl(cpu);
  const cut = 63 - fractionBits<F>();
  let rest = significand << (64 - cut);
  let kept = significand >> cut;
  if (roundsUp(control, negative, (kept & 1) != 0, rest)) kept++;
  const carried = kept >> (fractionBits<F>() + 1) != 0;
  const field = exponent + bias<F>() + (carried ? 1 : 0);

  if (field >= exponentMask<F>()) {
    signal(cpu, mxcsr(cpu) & MXCSR_OM || rest != 0 ? OE | PE : OE);
    const toInfinity = control == NEAREST || control == (negative ? DOWN : UP);
    return signed<F>(negative, toInfinity ? infinity<F>() : infinity<F>() - 1);
  }
  if (field <= 0) {
    // Tiny: judged after rounding as if the exponent had no limit.
    if (!(mxcsr(cpu) & MXCSR_UM)) {
      signal(cpu, rest != 0 ? UE | PE : UE);
      return 0;
    }
    if (mxcsr(cpu) & MXCSR_FTZ) {
      signal(cpu, UE | PE);
      return signed<F>(negative, 0);
    }
    const tiny = shiftRightSticky(significand, 1 - bias<F>() - exponent);
    rest = tiny << (64 - cut);
    kept = tiny >> cut;
    if (rest != 0) signal(cpu, UE | PE);
    if (roundsUp(control, negative, (kept & 1) != 0, rest)) kept++;
    return signed<F>(negative, kept);
  }
  if (rest != 0) signal(cpu, PE);
  // A carry leaves all fraction bits zero, and has been counted in the exponent.
  const fraction = kept & ((<u64>1 << fractionBits<F>()) - 1);
  return signed<F>(negative, (<u64>field << fractionBits<F>()) | fraction);
}

// ---- arithmetic
/** a + b, or a - b if `subtract`. */
export function softAdd<F>(cpu: u32, a: u64, b: u64, subtract: bool): u64 {
  a = input<F>(cpu, a);
  b = input<F>(cpu, b);
  if (isNan<F>(a) || isNan<F>(b)) return propagate<F>(cpu, a, b);
  if (subtract) b ^= signBit<F>();
  const opposite = isNegative<F>(a) != isNegative<F>(b);
  if (isInfinite<F>(a) && isInfinite<F>(b) && opposite) return invalid<F>(cpu);
  noteDenormal<F>(cpu, a);
  noteDenormal<F>(cpu, b);
  if (isInfinite<F>(a)) return a;
  if (isInfinite<F>(b)) return b;
  const zero = signed<F>(roundingControl(cpu) == DOWN, 0);
  if (isZero<F>(a)) {
    if (isZero<F>(b)) return opposite ? zero : a;
    return round<F>(cpu, isNegative<F>(b), exponent<F>(b), significand<F>(b));
  }
  if (isZero<F>(b)) return round<F>(cpu, isNegative<F>(a), exponent<F>(a), significand<F>(a));

  if (magnitude<F>(a) < magnitude<F>(b)) {
    const swap = a;
    a = b;
    b = swap;
  }
  const power = exponent<F>(a);
  // One bit of room for the carry: the lowest bits of both are zero.
  const large = significand<F>(a) >> 1;
  const small = shiftRightSticky(significand<F>(b) >> 1, power - exponent<F>(b));
  const sum = opposite ? large - small : large + small;
  if (sum == 0) return zero;
  const shift = <i32>clz(sum);
  return round<F>(cpu, isNegative<F>(a), power + 1 - shift, sum << shift);
}

/** High half of the 128-bit product. */
function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

export function softMultiply<F>(cpu: u32, a: u64, b: u64): u64 {
  a = input<F>(cpu, a);
  b = input<F>(cpu, b);
  if (isNan<F>(a) || isNan<F>(b)) return propagate<F>(cpu, a, b);
  if ((isInfinite<F>(a) && isZero<F>(b)) || (isZero<F>(a) && isInfinite<F>(b))) return invalid<F>(cpu);
  noteDenormal<F>(cpu, a);
  noteDenormal<F>(cpu, b);
  const negative = isNegative<F>(a) != isNegative<F>(b);
  if (isInfinite<F>(a) || isInfinite<F>(b)) return signed<F>(negative, infinity<F>());
  if (isZero<F>(a) || isZero<F>(b)) return signed<F>(negative, 0);
  const x = significand<F>(a);
  const y = significand<F>(b);
  const high = multiplyHigh(x, y);
  const low = x * y;
  const shift = <i32>clz(high);
  const product = shift == 0 ? high : (high << 1) | (low >> 63);
  const sticky: u64 = low << shift != 0 ? 1 : 0;
  return round<F>(cpu, negative, exponent<F>(a) + exponent<F>(b) + 1 - shift, product | sticky);
}

export function softDivide<F>(cpu: u32, a: u64, b: u64): u64 {
  a = input<F>(cpu, a);
  b = input<F>(cpu, b);
  if (isNan<F>(a) || isNan<F>(b)) return propagate<F>(cpu, a, b);
  if ((isInfinite<F>(a) && isInfinite<F>(b)) || (isZero<F>(a) && isZero<F>(b))) return invalid<F>(cpu);
  const negative = isNegative<F>(a) != isNegative<F>(b);
  if (isZero<F>(b) && !isInfinite<F>(a)) {
    signal(cpu, ZE);
    return signed<F>(negative, infinity<F>());
  }
  noteDenormal<F>(cpu, a);
  noteDenormal<F>(cpu, b);
  if (isInfinite<F>(a)) return signed<F>(negative, infinity<F>());
  if (isZero<F>(a) || isInfinite<F>(b)) return signed<F>(negative, 0);

  // Long division, a bit at a time; the first bit of the quotient is a one. The lowest bits of both are zero.
  const divisor = significand<F>(b) >> 1;
  let rest = significand<F>(a) >> 1;
  let power = exponent<F>(a) - exponent<F>(b);
  if (rest < divisor) {
    rest <<= 1;
    power--;
  }
  let quotient: u64 = 0;
  for (let i = 0; i < 64; i++) {
    quotient <<= 1;
    if (rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
    rest <<= 1;
  }
  return round<F>(cpu, negative, power, quotient | (rest != 0 ? 1 : 0));
}

export function softSquareRoot<F>(cpu: u32, a: u64): u64 {
  a = input<F>(cpu, a);
  if (isNan<F>(a)) return propagate<F>(cpu, a, a);
  if (isZero<F>(a)) return a;
  if (isNegative<F>(a)) return invalid<F>(cpu);
  noteDenormal<F>(cpu, a);
  if (isInfinite<F>(a)) return a;
  const power = exponent<F>(a);
  // Radicand with two bits before the binary point, taken two bits at a time: 61 bits of the root.
  let radicand = power & 1 ? significand<F>(a) : significand<F>(a) >> 1;
  let root: u64 = 0;
  let rest: u64 = 0;
  for (let i = 0; i < 61; i++) {
    rest = (rest << 2) | (radicand >> 62);
    radicand <<= 2;
    const trial = (root << 2) | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  return round<F>(cpu, false, power >> 1, (root << 3) | (rest != 0 ? 1 : 0));
}

// ---- comparison
export const LESS: u32 = 0;
export const EQUAL: u32 = 1;
export const GREATER: u32 = 2;
export const UNORDERED: u32 = 3;

/** `quiet`: only a signaling NaN is invalid, else any NaN. */
export function softCompare<F>(cpu: u32, a: u64, b: u64, quiet: bool): u32 {
  a = input<F>(cpu, a);
  b = input<F>(cpu, b);
  if (isNan<F>(a) || isNan<F>(b)) {
    if (!quiet || isSignaling<F>(a) || isSignaling<F>(b)) signal(cpu, IE);
    return UNORDERED;
  }
  noteDenormal<F>(cpu, a);
  noteDenormal<F>(cpu, b);
  if (a == b || (isZero<F>(a) && isZero<F>(b))) return EQUAL;
  if (isNegative<F>(a) != isNegative<F>(b)) return isNegative<F>(a) ? LESS : GREATER;
  return magnitude<F>(a) < magnitude<F>(b) != isNegative<F>(a) ? LESS : GREATER;
}

/** MIN and MAX give the second operand if either is a NaN or both are zeros. */
export function softMinMax<F>(cpu: u32, a: u64, b: u64, max: bool): u64 {
  a = input<F>(cpu, a);
  b = input<F>(cpu, b);
  const order = softCompare<F>(cpu, a, b, false);
  return order == (max ? GREATER : LESS) ? a : b;
}

// ---- conversion
/** Integer part of |x|, for x not zero and below 2^64. */
function integerPart<F>(x: u64): u64 {
  const power = exponent<F>(x);
  return power < 0 ? 0 : significand<F>(x) >> (63 - power);
}
/** What is behind the binary point, as a fraction of 2^64; if that is below a half, only whether it is zero is exact. */
function fractionPart<F>(x: u64): u64 {
  const power = exponent<F>(x);
  if (power < -1) return 1;
  if (power == 63) return 0;
  return significand<F>(x) << (power + 1);
}

/** To a signed integer of `bits` (32 or 64); the "integer indefinite" if it does not fit. */
export function softToInteger<F>(cpu: u32, x: u64, control: u32, bits: u32): u64 {
  x = input<F>(cpu, x);
  if (isZero<F>(x)) return 0;
  const limit: u64 = <u64>1 << (bits - 1);
  const negative = isNegative<F>(x);
  if (isNan<F>(x) || isInfinite<F>(x) || exponent<F>(x) > 63) {
    signal(cpu, IE);
    return limit;
  }
  let kept = integerPart<F>(x);
  const rest = fractionPart<F>(x);
  if (roundsUp(control, negative, (kept & 1) != 0, rest)) kept++;
  if (kept > limit || (kept == limit && !negative)) {
    signal(cpu, IE);
    return limit;
  }
  if (rest != 0) signal(cpu, PE);
  return negative ? 0 - kept : kept;
}

export function softFromInteger<F>(cpu: u32, value: i64): u64 {
  if (value == 0) return 0;
  const negative = value < 0;
  const absolute: u64 = negative ? 0 - <u64>value : <u64>value;
  const shift = <i32>clz(absolute);
  return round<F>(cpu, negative, 63 - shift, absolute << shift);
}

/** ROUNDPS and its kin: no denormal exception; `exact`: no precision exception. */
export function softRoundToIntegral<F>(cpu: u32, x: u64, control: u32, exact: bool): u64 {
  x = input<F>(cpu, x);
  if (isNan<F>(x)) return propagate<F>(cpu, x, x);
  if (isZero<F>(x) || isInfinite<F>(x) || exponent<F>(x) >= fractionBits<F>()) return x;
  const negative = isNegative<F>(x);
  let kept = integerPart<F>(x);
  const rest = fractionPart<F>(x);
  if (rest == 0) return x;
  if (!exact) signal(cpu, PE);
  if (roundsUp(control, negative, (kept & 1) != 0, rest)) kept++;
  if (kept == 0) return signed<F>(negative, 0);
  const shift = <i32>clz(kept);
  const fraction = (kept << shift) >> (63 - fractionBits<F>());
  const field = <u64>(63 - shift + bias<F>());
  return signed<F>(negative, (field << fractionBits<F>()) + fraction - (<u64>1 << fractionBits<F>()));
}

/** f32 to f64: exact. */
export function softWiden(cpu: u32, x: u64): u64 {
  x = input<f32>(cpu, x);
  const negative = isNegative<f32>(x);
  if (isNan<f32>(x)) {
    const quiet = propagate<f32>(cpu, x, x);
    return signed<f64>(negative, infinity<f64>() | ((quiet & 0x7fffff) << 29));
  }
  noteDenormal<f32>(cpu, x);
  if (isInfinite<f32>(x)) return signed<f64>(negative, infinity<f64>());
  if (isZero<f32>(x)) return signed<f64>(negative, 0);
  const field = <u64>(exponent<f32>(x) + bias<f64>());
  return signed<f64>(negative, (field << 52) | ((significand<f32>(x) << 1) >> 12));
}

/** f64 to f32. */
export function softNarrow(cpu: u32, x: u64): u64 {
  x = input<f64>(cpu, x);
  const negative = isNegative<f64>(x);
  if (isNan<f64>(x)) {
    const quiet = propagate<f64>(cpu, x, x);
    return signed<f32>(negative, infinity<f32>() | ((quiet >> 29) & 0x7fffff));
  }
  noteDenormal<f64>(cpu, x);
  if (isInfinite<f64>(x)) return signed<f32>(negative, infinity<f32>());
  if (isZero<f64>(x)) return signed<f32>(negative, 0);
  return round<f32>(cpu, negative, exponent<f64>(x), significand<f64>(x));
}
