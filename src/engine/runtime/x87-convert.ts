/** Between 80 bits and the formats of memory: 32- and 64-bit floats, integers, packed decimal. */
import { S_FCW } from '../layout';
import {
  aExponent, aSign, aSignificand, begin, BIAS, exceptions, IE, INTEGER_BIT, integerMagnitude, isDenormal, isInfinity, isNan, isSignaling, isUnsupported, isZero,
  MAX_EXPONENT, normalizeA, OE, PE, roundedUp, roundingMode, roundMagnitude, setA, setB, setR, signal, UE, DE, NEAREST, UP, DOWN, rExponent, rSignificand, rSign, roundPack,
} from './f80'; // prettier-ignore

/** Widens a float (bits of the format) into B. Denormals are noted, signaling NaNs stay signaling. */
export function widenToB(bits: i64, wide: bool): void {
  const exponentBits: i64 = wide ? 11 : 8;
  const fractionBits: i64 = wide ? 52 : 23;
  const sign = <u32>(bits >>> (exponentBits + fractionBits)) & 1;
  const exponent = <i32>((bits >>> fractionBits) & ((<i64>1 << exponentBits) - 1));
  const fraction = <u64>(bits & ((<i64>1 << fractionBits) - 1)) << <u64>(63 - fractionBits);
  const most: i32 = wide ? 0x7ff : 0xff;
  const bias: i32 = wide ? 1023 : 127;
  if (exponent == most) setB(sign, MAX_EXPONENT, INTEGER_BIT | fraction);
  else if (exponent == 0) {
    if (fraction == 0) setB(sign, 0, 0);
    else {
      signal(DE);
      const shift = clz<u64>(fraction);
      setB(sign, BIAS - bias + 1 - <i32>shift, fraction << shift);
    }
  } else setB(sign, exponent - bias + BIAS, INTEGER_BIT | fraction);
}

/** A signed integer into B, exactly. */
export function integerToB(value: i64): void {
  if (value == 0) {
    setB(0, 0, 0);
    return;
  }
  const magnitude: u64 = value < 0 ? 0 - <u64>value : <u64>value;
  const shift = clz<u64>(magnitude);
  setB(value < 0 ? 1 : 0, BIAS + 63 - <i32>shift, magnitude << shift);
}

/** A as a float of 32 or 64 bits, rounded; exceptions are gathered. */
export function narrowA(wide: bool): i64 {
  const fractionBits: i64 = wide ? 52 : 23;
  const exponentBits: i64 = wide ? 11 : 8;
  const most: i64 = wide ? 0x7ff : 0xff;
  const signBit = <i64>aSign << (exponentBits + fractionBits);
  const quiet = <i64>1 << (fractionBits - 1);
  if (isUnsupported(aExponent, aSignificand)) {
    signal(IE);
    return (<i64>1 << (exponentBits + fractionBits)) | (most << fractionBits) | quiet;
  }
  if (isNan(aExponent, aSignificand)) {
    if (isSignaling(aExponent, aSignificand)) signal(IE);
    const fraction = <i64>((aSignificand << 1) >> <u64>(64 - fractionBits));
    return signBit | (most << fractionBits) | quiet | fraction;
  }
  if (isInfinity(aExponent, aSignificand)) return signBit | (most << fractionBits);
  if (isZero(aExponent, aSignificand)) return signBit;
  normalizeA();
  return signBit | roundNarrow(aExponent - BIAS, aSignificand, <u32>fractionBits, wide ? 1023 : 127, most);
}

/** Rounds a normalized significand with an unbiased exponent into exponent and fraction of a format. */
function roundNarrow(unbiased: i32, significand: u64, fractionBits: u32, bias: i32, most: i64): i64 {
  const bits = fractionBits + 1;
  let exponent = unbiased + bias;
  const fcw = narrowControl;
  if (exponent <= 0) {
    // tiny unless it rounds to the smallest normal number
    const drop = 64 - bits;
    const up = upNarrow(significand, drop);
    const carries = exponent == 0 && up && ((significand >> drop) + 1) >> bits != 0;
    const tiny = !carries;
    const shift = <u32>(1 - exponent);
    const whole = shift >= 64 ? 0 : significand >> shift;
    const lostAbove: u64 = shift >= 64 ? (significand != 0 ? 1 : 0) : shift == 0 ? 0 : significand << (64 - shift) != 0 ? 1 : 0;
    const value = whole | lostAbove;
    const lost = (value & ((<u64>1 << drop) - 1)) != 0;
    if ((fcw & UE) == 0 && tiny) {
      signal(UE);
      return 0;
    }
    const dUp = upNarrow(value, drop);
    const kept = (value >> drop) + (dUp ? 1 : 0);
    if (lost) {
      signal(PE);
      if (tiny) signal(UE);
      noteUp(dUp);
    }
    return <i64>kept;
  }
  const drop = 64 - bits;
  const up = upNarrow(significand, drop);
  const lost = (significand & ((<u64>1 << drop) - 1)) != 0;
  let kept = (significand >> drop) + (up ? 1 : 0);
  if (kept >> bits != 0) {
    kept >>= 1;
    exponent++;
  }
  if (<i64>exponent >= most) {
    signal(OE);
    if ((fcw & OE) == 0) return 0;
    signal(PE);
    const mode = roundingMode();
    const infinite = mode == NEAREST || (mode == UP && aSign == 0) || (mode == DOWN && aSign != 0);
    noteUp(infinite);
    return infinite ? most << <i64>fractionBits : (most << <i64>fractionBits) - 1;
  }
  if (lost) {
    signal(PE);
    noteUp(up);
  }
  return (<i64>exponent << <i64>fractionBits) | (<i64>kept & ((<i64>1 << <i64>fractionBits) - 1));
}

/** Masks in force while narrowing, and C1 of the result. */
let narrowControl: u32 = 0;
export let narrowUp: bool = false;
export function beginNarrow(fcw: u32): void {
  narrowControl = fcw;
  narrowUp = false;
}
function noteUp(up: bool): void {
  narrowUp = up;
}
function upNarrow(value: u64, drop: u32): bool {
  const rest = value & ((<u64>1 << drop) - 1);
  if (rest == 0) return false;
  const mode = roundingMode();
  if (mode == NEAREST) {
    const half = <u64>1 << (drop - 1);
    return rest > half || (rest == half && ((value >> drop) & 1) != 0);
  }
  return mode == UP ? aSign == 0 : mode == DOWN ? aSign != 0 : false;
}

/** A as a signed integer of so many bits; the integer indefinite with IE if it does not fit. */
export function integerFromA(bits: i64, truncate: bool): i64 {
  const indefinite = <i64>1 << (bits - 1);
  if (isUnsupported(aExponent, aSignificand) || aExponent == MAX_EXPONENT) {
    signal(IE);
    return indefinite;
  }
  if (isZero(aExponent, aSignificand)) return 0;
  normalizeA();
  if (aExponent >= BIAS + 64) {
    signal(IE);
    return indefinite;
  }
  const before = exceptions;
  if (truncate) begin(0xf7f);
  roundMagnitude();
  if (truncate && before != 0) signal(before);
  const most = <u64>indefinite - (aSign != 0 ? 0 : 1);
  if (integerMagnitude > most) {
    begin(0x37f);
    signal(before | IE);
    return indefinite;
  }
  return aSign != 0 ? -(<i64>integerMagnitude) : <i64>integerMagnitude;
}
