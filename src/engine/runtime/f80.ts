/**
 * 80-bit floating point: exact results, rounded as the control word says, with the exceptions of SDM vol. 1, 8.5.
 *
 * Operands and results are passed in the globals below (AssemblyScript has no cheap tuples): A and B are operands, R is
 * the result, each a sign, a biased exponent and a significand with explicit integer bit. `exceptions` gathers the flags
 * of the status word, `roundedUp` what C1 shall tell.
 */
import { divideWide, multiplyHigh, wideRest } from './integer';

export let aSign: u32 = 0;
export let aExponent: i32 = 0;
export let aSignificand: u64 = 0;
export let bSign: u32 = 0;
export let bExponent: i32 = 0;
export let bSignificand: u64 = 0;
export let rSign: u32 = 0;
export let rExponent: i32 = 0;
export let rSignificand: u64 = 0;
export let exceptions: u32 = 0;
export let roundedUp: bool = false;
/** Control word in force: rounding and precision control, masks. */
let control: u32 = 0x37f;

export const IE: u32 = 1;
export const DE: u32 = 2;
export const ZE: u32 = 4;
export const OE: u32 = 8;
export const UE: u32 = 0x10;
export const PE: u32 = 0x20;

export const BIAS: i32 = 0x3fff;
export const MAX_EXPONENT: i32 = 0x7fff;
export const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;
/** What unmasked overflow and underflow move the exponent by (SDM vol. 1, 8.5.4). */
const WRAP: i32 = 24576;

export const NEAREST: u32 = 0;
export const DOWN: u32 = 1;
export const UP: u32 = 2;
export const ZERO: u32 = 3;

export function begin(controlWord: u32): void {
  control = controlWord;
  exceptions = 0;
  roundedUp = false;
}

export function signal(bits: u32): void {
  exceptions |= bits;
}

export function roundingMode(): u32 {
  return (control >> 10) & 3;
}

/** Bits of the significand by precision control; the reserved value is as 64. */
export function precision(): u32 {
  const pc = (control >> 8) & 3;
  return pc == 0 ? 24 : pc == 2 ? 53 : 64;
}

export function setA(sign: u32, exponent: i32, significand: u64): void {
  aSign = sign;
  aExponent = exponent;
  aSignificand = significand;
}
export function setB(sign: u32, exponent: i32, significand: u64): void {
  bSign = sign;
  bExponent = exponent;
  bSignificand = significand;
}
export function setR(sign: u32, exponent: i32, significand: u64): void {
  rSign = sign;
  rExponent = exponent;
  rSignificand = significand;
}
export function swapOperands(): void {
  const sign = aSign;
  const exponent = aExponent;
  const significand = aSignificand;
  setA(bSign, bExponent, bSignificand);
  setB(sign, exponent, significand);
}

/** The denormal-operand flag of an operand does not show where a NaN or an invalid operation decides. */
export function forgetDenormal(): void {
  exceptions &= ~DE;
}

/** An invalid operation: IE, and the indefinite as result. */
export function invalid(): void {
  forgetDenormal();
  exceptions |= IE;
  indefinite();
}

/** The real indefinite: what invalid operations give. */
export function indefinite(): void {
  setR(1, MAX_EXPONENT, INTEGER_BIT | QUIET);
}

// ---- classes

export function isNan(exponent: i32, significand: u64): bool {
  return exponent == MAX_EXPONENT && significand << 1 != 0;
}
export function isSignaling(exponent: i32, significand: u64): bool {
  return isNan(exponent, significand) && (significand & QUIET) == 0;
}
export function isInfinity(exponent: i32, significand: u64): bool {
  return exponent == MAX_EXPONENT && significand << 1 == 0;
}
export function isZero(exponent: i32, significand: u64): bool {
  return exponent == 0 && significand == 0;
}
/** Encodings that the x87 refuses: unnormals, pseudo-NaNs, pseudo-infinities (SDM vol. 1, 8.2.2). */
export function isUnsupported(exponent: i32, significand: u64): bool {
  return exponent != 0 && (significand & INTEGER_BIT) == 0;
}
export function isDenormal(exponent: i32, significand: u64): bool {
  return exponent == 0 && significand != 0;
}

/** Takes unsupported operands and NaNs out of an operation with two operands: true if R is its result already. */
export function special2(): bool {
  if (isUnsupported(aExponent, aSignificand) || isUnsupported(bExponent, bSignificand)) {
    invalid();
    return true;
  }
  const aNan = isNan(aExponent, aSignificand);
  const bNan = isNan(bExponent, bSignificand);
  if (!aNan && !bNan) {
    if (isDenormal(aExponent, aSignificand) || isDenormal(bExponent, bSignificand)) exceptions |= DE;
    return false;
  }
  forgetDenormal();
  const aSignals = isSignaling(aExponent, aSignificand);
  const bSignals = isSignaling(bExponent, bSignificand);
  if (aSignals || bSignals) exceptions |= IE;
  // Table 4-7: a quiet NaN before a signaling one, else the larger significand, else the positive one.
  let first: bool;
  if (!bNan) first = true;
  else if (!aNan) first = false;
  else if (aSignals != bSignals) first = bSignals;
  else if (aSignificand << 1 != bSignificand << 1) first = aSignificand << 1 > bSignificand << 1;
  else first = aSign == 0;
  if (first) setR(aSign, MAX_EXPONENT, aSignificand | QUIET);
  else setR(bSign, MAX_EXPONENT, bSignificand | QUIET);
  return true;
}

/** The same for one operand, A. */
export function special1(): bool {
  if (isUnsupported(aExponent, aSignificand)) {
    invalid();
    return true;
  }
  if (isNan(aExponent, aSignificand)) {
    if (isSignaling(aExponent, aSignificand)) exceptions |= IE;
    setR(aSign, MAX_EXPONENT, aSignificand | QUIET);
    return true;
  }
  if (isDenormal(aExponent, aSignificand)) exceptions |= DE;
  return false;
}

/** Gives denormal operands a set integer bit and the exponent that goes with it. Zero stays. */
export function normalizeA(): void {
  if (aExponent == 0 && aSignificand != 0) {
    const shift = <i32>clz<u64>(aSignificand);
    aSignificand <<= <u64>shift;
    aExponent = 1 - shift;
  }
}
export function normalizeB(): void {
  if (bExponent == 0 && bSignificand != 0) {
    const shift = <i32>clz<u64>(bSignificand);
    bSignificand <<= <u64>shift;
    bExponent = 1 - shift;
  }
}

// ---- rounding

/** Whether the magnitude hi:lo, cut behind its `drop` lowest bits of hi, is rounded up. */
function goesUp(sign: u32, hi: u64, lo: u64, drop: u32): bool {
  const below = drop == 0 ? 0 : hi << (64 - drop);
  const guard: u64 = drop == 0 ? lo : below | (lo != 0 ? 1 : 0);
  if (guard == 0) return false;
  const mode = roundingMode();
  if (mode == NEAREST) {
    if (guard != INTEGER_BIT) return guard > INTEGER_BIT;
    return ((hi >> drop) & 1) != 0;
  }
  return mode == UP ? sign == 0 : mode == DOWN ? sign != 0 : false;
}

function inexact(hi: u64, lo: u64, drop: u32): bool {
  return lo != 0 || (drop != 0 && hi << (64 - drop) != 0);
}

/** hi:lo shifted right, what falls out kept as a sticky lowest bit. */
let shiftedHigh: u64 = 0;
let shiftedLow: u64 = 0;
function shiftRight(hi: u64, lo: u64, count: u32): void {
  if (count == 0) {
    shiftedHigh = hi;
    shiftedLow = lo;
  } else if (count < 64) {
    shiftedHigh = hi >> count;
    shiftedLow = (hi << (64 - count)) | (lo >> count) | (lo << (64 - count) != 0 ? 1 : 0);
  } else if (count == 64) {
    shiftedHigh = 0;
    shiftedLow = hi | (lo != 0 ? 1 : 0);
  } else if (count < 128) {
    shiftedHigh = 0;
    shiftedLow = (hi >> (count - 64)) | (hi << (128 - count) != 0 || lo != 0 ? 1 : 0);
  } else {
    shiftedHigh = 0;
    shiftedLow = (hi | lo) != 0 ? 1 : 0;
  }
}

/**
 * Rounds the number sign, exponent, hi:lo (integer bit of hi set) to `bits` of significand and puts it into R.
 * The exponent is biased and may lie outside of its range.
 */
export function roundPack(sign: u32, biased: i32, hi: u64, lo: u64, bits: u32): void {
  const drop = 64 - bits;
  let exponent = biased;
  const up = goesUp(sign, hi, lo, drop);
  const ulp = <u64>1 << drop;
  let kept = (hi >> drop) << drop;
  if (exponent <= 0) {
    // tiny, unless rounding as if the exponent had no bounds makes it the smallest normal number
    const carries = up && kept + ulp == 0;
    const tiny = !(exponent == 0 && carries);
    if ((control & UE) != 0) {
      shiftRight(hi, lo, <u32>(1 - exponent));
      const dh = shiftedHigh;
      const dl = shiftedLow;
      const dUp = goesUp(sign, dh, dl, drop);
      const lost = inexact(dh, dl, drop);
      kept = (dh >> drop) << drop;
      if (dUp) kept += ulp;
      if (lost) {
        exceptions |= PE;
        if (tiny) exceptions |= UE;
        roundedUp = dUp;
      }
      setR(sign, (kept & INTEGER_BIT) != 0 ? 1 : 0, kept);
      return;
    }
    if (tiny) {
      exceptions |= UE;
      if (exponent + WRAP <= 0) {
        // FSCALE may underflow by more than the moved exponent can tell
        exceptions |= PE;
        setR(sign, 0, 0);
        return;
      }
      exponent += WRAP;
    }
  }
  const lost = inexact(hi, lo, drop);
  if (up) {
    kept += ulp;
    if (kept == 0) {
      kept = INTEGER_BIT;
      exponent++;
    }
  }
  if (exponent >= MAX_EXPONENT) {
    exceptions |= OE;
    // FSCALE may overflow by more than the moved exponent can tell: infinity then, whatever the rounding (SDM vol. 1, 8.5.4)
    const massive = (control & OE) == 0 && exponent - WRAP >= MAX_EXPONENT;
    if ((control & OE) != 0 || massive) {
      exceptions |= PE;
      const mode = roundingMode();
      if (massive || mode == NEAREST || (mode == UP && sign == 0) || (mode == DOWN && sign != 0)) {
        roundedUp = true;
        setR(sign, MAX_EXPONENT, INTEGER_BIT);
      } else {
        roundedUp = false;
        setR(sign, MAX_EXPONENT - 1, (<u64>0xffffffffffffffff >> drop) << drop);
      }
      return;
    }
    exponent -= WRAP;
  }
  if (lost) {
    exceptions |= PE;
    roundedUp = up;
  }
  setR(sign, exponent, kept);
}

/** The same for a number whose highest one may be anywhere in hi:lo; not zero. */
export function normalizeRoundPack(sign: u32, biased: i32, high: u64, low: u64, bits: u32): void {
  let hi = high;
  let lo = low;
  let exponent = biased;
  if (hi == 0) {
    hi = lo;
    lo = 0;
    exponent -= 64;
  }
  const shift = clz<u64>(hi);
  if (shift != 0) {
    hi = (hi << shift) | (lo >> (64 - shift));
    lo <<= shift;
    exponent -= <i32>shift;
  }
  roundPack(sign, exponent, hi, lo, bits);
}

// ---- arithmetic: A op B into R, at the precision of the control word

export function add(): void {
  if (special2()) return;
  addNumbers();
}

export function subtract(): void {
  if (special2()) return;
  bSign ^= 1;
  addNumbers();
}

function addNumbers(): void {
  const aInfinite = isInfinity(aExponent, aSignificand);
  const bInfinite = isInfinity(bExponent, bSignificand);
  if (aInfinite || bInfinite) {
    if (aInfinite && bInfinite && aSign != bSign) {
      invalid();
    } else setR(aInfinite ? aSign : bSign, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  const aIsZero = aSignificand == 0;
  const bIsZero = bSignificand == 0;
  if (aIsZero && bIsZero) {
    setR(aSign == bSign ? aSign : roundingMode() == DOWN ? 1 : 0, 0, 0);
    return;
  }
  normalizeA();
  normalizeB();
  if (aIsZero) {
    roundPack(bSign, bExponent, bSignificand, 0, precision());
    return;
  }
  if (bIsZero) {
    roundPack(aSign, aExponent, aSignificand, 0, precision());
    return;
  }
  if (aExponent < bExponent || (aExponent == bExponent && aSignificand < bSignificand)) swapOperands();
  shiftRight(bSignificand, 0, <u32>(aExponent - bExponent));
  let hi = aSignificand;
  let lo: u64 = 0;
  let exponent = aExponent;
  if (aSign == bSign) {
    lo = shiftedLow;
    hi += shiftedHigh;
    if (hi < aSignificand) {
      lo = (lo >> 1) | (hi << 63) | (lo & 1);
      hi = (hi >> 1) | INTEGER_BIT;
      exponent++;
    }
    roundPack(aSign, exponent, hi, lo, precision());
    return;
  }
  lo = 0 - shiftedLow;
  hi = hi - shiftedHigh - (shiftedLow != 0 ? 1 : 0);
  if ((hi | lo) == 0) {
    setR(roundingMode() == DOWN ? 1 : 0, 0, 0);
    return;
  }
  normalizeRoundPack(aSign, exponent, hi, lo, precision());
}

export function multiply(): void {
  if (special2()) return;
  const sign = aSign ^ bSign;
  const aInfinite = isInfinity(aExponent, aSignificand);
  const bInfinite = isInfinity(bExponent, bSignificand);
  if (aInfinite || bInfinite) {
    if (isZero(aExponent, aSignificand) || isZero(bExponent, bSignificand)) {
      invalid();
    } else setR(sign, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  if (aSignificand == 0 || bSignificand == 0) {
    setR(sign, 0, 0);
    return;
  }
  normalizeA();
  normalizeB();
  normalizeRoundPack(sign, aExponent + bExponent - BIAS + 1, multiplyHigh(aSignificand, bSignificand), aSignificand * bSignificand, precision());
}

export function divide(): void {
  if (special2()) return;
  const sign = aSign ^ bSign;
  const aInfinite = isInfinity(aExponent, aSignificand);
  const bInfinite = isInfinity(bExponent, bSignificand);
  const aIsZero = aSignificand == 0;
  const bIsZero = bSignificand == 0;
  if ((aInfinite && bInfinite) || (aIsZero && bIsZero)) {
    invalid();
    return;
  }
  if (aInfinite) {
    setR(sign, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  if (bIsZero) {
    exceptions = (exceptions & ~DE) | ZE;
    setR(sign, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  if (bInfinite || aIsZero) {
    setR(sign, 0, 0);
    return;
  }
  normalizeA();
  normalizeB();
  const exponent = aExponent - bExponent + BIAS - (aSignificand < bSignificand ? 1 : 0);
  const hi = divideSignificands(aSignificand, bSignificand);
  roundPack(sign, exponent, hi, quotientLow, precision());
}

/** a / b of two significands with their integer bits, brought to the same form; the next bits, the last of them sticky, are in `quotientLow`. */
export let quotientLow: u64 = 0;
export function divideSignificands(a: u64, b: u64): u64 {
  if (a >= b) {
    // one bit before the point
    const fraction = divideWide(a - b, 0, b);
    quotientLow = (fraction << 63) | (wideRest != 0 ? 1 : 0);
    return INTEGER_BIT | (fraction >> 1);
  }
  const quotient = divideWide(a, 0, b);
  // the next bit, and whether anything is left behind it
  const rest = wideRest;
  const guard = rest >= b - rest;
  const left = guard ? rest - (b - rest) : rest;
  quotientLow = (guard ? INTEGER_BIT : 0) | (left != 0 ? 1 : 0);
  return quotient;
}

/** Square root of A into R. */
export function squareRoot(): void {
  if (special1()) return;
  if (aSignificand == 0) {
    setR(aSign, 0, 0);
    return;
  }
  if (aSign != 0) {
    invalid();
    return;
  }
  if (isInfinity(aExponent, aSignificand)) {
    setR(0, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  normalizeA();
  // radicand of 128 bits whose root has 64: an even exponent, and one or two bits before the point
  const e = aExponent - BIAS;
  const odd = (e & 1) != 0;
  const high = odd ? aSignificand : aSignificand >> 1;
  const low: u64 = odd ? 0 : aSignificand << 63;
  // As a double it is right to 2^12; one of Newton's steps makes it right to one.
  let root: u64 = <u64>(sqrt<f64>(<f64>high) * 4294967296.0);
  const offHigh = <i64>(high - multiplyHigh(root, root) - (low < root * root ? 1 : 0));
  const off = <f64>offHigh * 18446744073709551616.0 + <f64>(low - root * root);
  const step = <i64>floor<f64>(off / (2.0 * <f64>root));
  root = step > 0 && root + <u64>step < root ? u64.MAX_VALUE : root + <u64>step;
  let rest: u64 = 0;
  let restHigh: u64 = 0;
  for (;;) {
    rest = low - root * root;
    restHigh = high - multiplyHigh(root, root) - (low < root * root ? 1 : 0);
    if (<i64>restHigh < 0) root--;
    else if (restHigh > root >> 63 || (restHigh == root >> 63 && rest > root << 1)) root++;
    else break;
  }
  // The root's next bit: rest > root means that the true root lies above the middle.
  const above = restHigh != 0 || rest > root;
  const lo: u64 = (restHigh | rest) == 0 ? 0 : above ? INTEGER_BIT | 1 : 1;
  roundPack(0, (e >> 1) + BIAS, root, lo, precision());
}

/** A rounded to an integer by the rounding control, into R. */
export function roundToInteger(): void {
  if (special1()) return;
  if (aSignificand == 0 || aExponent >= BIAS + 63) {
    setR(aSign, aExponent, aSignificand);
    return;
  }
  normalizeA();
  roundMagnitude();
  if (integerMagnitude == 0) {
    setR(aSign, 0, 0);
    return;
  }
  const shift = clz<u64>(integerMagnitude);
  setR(aSign, BIAS + 63 - <i32>shift, integerMagnitude << shift);
}

/** |A| rounded to an integer below 2^64; A is normalized and smaller than 2^64. */
export let integerMagnitude: u64 = 0;
export function roundMagnitude(): void {
  const e = aExponent - BIAS;
  shiftRight(aSignificand, 0, e >= 63 ? 0 : e < -65 ? 128 : <u32>(63 - e));
  const up = goesUp(aSign, shiftedHigh, shiftedLow, 0);
  integerMagnitude = shiftedHigh + (up ? 1 : 0);
  if (shiftedLow != 0) {
    exceptions |= PE;
    roundedUp = up;
  }
}
