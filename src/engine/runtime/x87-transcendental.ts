/** F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN (SDM vol. 1, 8.3.7 and vol. 2), by series in wide arithmetic. */
import { S_FSW, S_WIDE } from '../layout';
import {
  aExponent, aSign, aSignificand, BIAS, bExponent, bSign, bSignificand, DE, forgetDenormal, INTEGER_BIT, invalid, isDenormal, isInfinity, isNan, isUnsupported, MAX_EXPONENT, normalizeA, normalizeB,
  PE, roundPack, setB, setR, signal, special1, special2, swapOperands, ZE, rExponent, rSign, rSignificand,
} from './f80'; // prettier-ignore
import { isEmpty, loadA, loadB, popStack, setConditions, setTop, settle, stackFault, start, storeR, topOf } from './fpu';
import { multiplyHigh } from './integer';
import * as wide from './wide';

const F2XM1: i64 = 0;
const FSIN: i64 = 1;
const FCOS: i64 = 2;
const FSINCOS: i64 = 3;
const FPTAN: i64 = 4;
const FPATAN: i64 = 5;
const FYL2X: i64 = 6;

const C2: u32 = 0x400;

// 128-bit constants: significands of pi (exponent 1), ln 2 (exponent -1), 2 / ln 2 (exponent 1)
const PI_HIGH: u64 = 0xc90fdaa22168c234;
const PI_LOW: u64 = 0xc4c6628b80dc1cd1;
/** Arguments are reduced by pi of 66 bits, as by x87 processors (SDM vol. 1, 8.3.8). */
const PI_66_LOW: u64 = 0xc000000000000000;
const LN2_HIGH: u64 = 0xb17217f7d1cf79ab;
const LN2_LOW: u64 = 0xc9e3b39803f2f6af;
const LOG2E_HIGH: u64 = 0xb8aa3b295c17f0bb;
const LOG2E_LOW: u64 = 0xbe87fed0691d3e89;
/** atan(k / 8) for k = 1 to 8: high, low, and the exponents. */
const ATAN: StaticArray<u64> = [
  0xfeadd4d5617b6e32, 0xc897989f3e888ef7, 0xfadbafc96406eb15, 0x6dc79ef5f7a217e5, 0xb7b0ca0f26f78473, 0x8aa32122dcfe4483,
  0xed63382b0dda7b45, 0x6fe445ecbc3a8d03, 0x8f005d5ef7f59f9b, 0x5c835e1665c43747, 0xa4bc7d1934f70924, 0x19a87f2a457dac9e,
  0xb8053e2bc2319e73, 0xcb2da55210a4443d, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1,
]; // prettier-ignore
const ATAN_EXPONENT: StaticArray<i32> = [-4, -3, -2, -2, -1, -1, -1, -1];

// Terms after which what is left does not reach the 128th bit of the largest argument
const EXP_TERMS: u64 = 34;
const LOG_TERMS: u64 = 26;
const SINE_TERMS: u64 = 16;
const ATAN_TERMS: u64 = 18;

/** Scratch numbers of a CPU. */
function slot(cpu: u32, n: u32): u32 {
  return cpu + S_WIDE + wide.WIDE_BYTES * n;
}

/** Rounds a number that is not exact into R. */
function give(at: u32): void {
  if (wide.isZero(at)) {
    setR(0, 0, 0);
    return;
  }
  roundPack(wide.signOf(at), wide.exponentOf(at) + BIAS, wide.highOf(at), wide.lowOf(at) | 1, 64);
}

function fromA(at: u32): void {
  wide.set(at, aSign, aExponent - BIAS, aSignificand, 0);
}
function fromB(at: u32): void {
  wide.set(at, bSign, bExponent - BIAS, bSignificand, 0);
}

export function x87Transcendental(cpu: u32, operation: i64): void {
  start(cpu);
  if (operation >= FPATAN) binary(cpu, operation);
  else if (operation == F2XM1) {
    if (isEmpty(cpu, 0)) {
      if (stackFault(cpu, false)) storeR(cpu, 0);
      return;
    }
    loadA(cpu, 0);
    powerMinusOne(cpu);
    if (settle(cpu)) storeR(cpu, 0);
  } else trigonometric(cpu, operation);
}

/** 2^x - 1 for |x| up to 1; outside the manual leaves the result undefined: here x itself. */
function powerMinusOne(cpu: u32): void {
  if (special1()) return;
  if (aSignificand == 0) {
    setR(aSign, 0, 0);
    return;
  }
  if (isInfinity(aExponent, aSignificand)) {
    if (aSign != 0) setR(1, BIAS, INTEGER_BIT);
    else setR(0, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  normalizeA();
  if (aExponent >= BIAS) {
    // exactly 1 and -1 are inside
    signal(PE);
    if (aExponent == BIAS && aSignificand == INTEGER_BIT) setR(aSign, aSign != 0 ? BIAS - 1 : BIAS, INTEGER_BIT);
    else setR(aSign, aExponent, aSignificand);
    return;
  }
  const y = slot(cpu, 0);
  const sum = slot(cpu, 1);
  const constant = slot(cpu, 2);
  const unit = slot(cpu, 3);
  fromA(y);
  wide.set(constant, 0, -1, LN2_HIGH, LN2_LOW);
  wide.multiply(y, y, constant);
  // (e^y - 1) / y = 1 + y/2 (1 + y/3 (1 + ...))
  wide.one(unit);
  wide.one(sum);
  for (let k: u64 = EXP_TERMS; k >= 2; k--) {
    wide.multiply(sum, sum, y);
    wide.divideSmall(sum, sum, k);
    wide.add(sum, sum, unit);
  }
  wide.multiply(sum, sum, y);
  give(sum);
}

// ---- sine and cosine

/** Reduces A to r in [-pi/4, pi/4] at slot 0 and gives the quadrant. */
function reduce(cpu: u32): u32 {
  const r = slot(cpu, 0);
  const e = aExponent - BIAS;
  if (e < -1) {
    fromA(r);
    return 0;
  }
  // x = q * pi/2 + r by long division of the significand by pi of 128 bits: rest in units of 2^(e - 127)
  let high: u64 = aSignificand;
  let low: u64 = 0;
  let carry: u64 = 0;
  let quotient: u32 = 0;
  // pi/2 has exponent 0
  for (let i = e; ; i--) {
    quotient <<= 1;
    if (i >= 0 && (carry != 0 || high > PI_HIGH || (high == PI_HIGH && low >= PI_66_LOW))) {
      high = high - PI_HIGH - (low < PI_66_LOW ? 1 : 0);
      low -= PI_66_LOW;
      quotient |= 1;
    }
    if (i <= 0) {
      if (i < 0) quotient >>= 1;
      break;
    }
    carry = high >> 63;
    high = (high << 1) | (low >> 63);
    low <<= 1;
  }
  const scale: i32 = e >= 0 ? 0 : e;
  if (high == 0 && low == 0) wide.set(r, 0, 0, 0, 0);
  else {
    wide.set(r, 0, scale, high, low);
    const unit = slot(cpu, 1);
    wide.set(unit, 0, 0, 0, 0);
    wide.add(r, r, unit);
    renormalize(r);
  }
  // nearer to the next multiple
  const half = slot(cpu, 1);
  wide.set(half, 1, -1, PI_HIGH, PI_66_LOW);
  const difference = slot(cpu, 2);
  wide.add(difference, r, half);
  if (!wide.isZero(difference) && wide.signOf(difference) == 0) {
    wide.scale(half, 1);
    wide.add(r, r, half);
    quotient++;
  }
  if (aSign != 0) {
    wide.negate(r);
    quotient = 0 - quotient;
  }
  return quotient & 3;
}

function renormalize(at: u32): void {
  let high = wide.highOf(at);
  let low = wide.lowOf(at);
  let exponent = wide.exponentOf(at);
  if (high == 0) {
    high = low;
    low = 0;
    exponent -= 64;
  }
  if (high == 0) {
    wide.set(at, 0, 0, 0, 0);
    return;
  }
  const shift = clz<u64>(high);
  if (shift != 0) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  wide.set(at, wide.signOf(at), exponent - <i32>shift, high, low);
}

/** Sine (odd terms) or cosine of slot 0 into `to`; slots 2 to 4 are used. */
function series(cpu: u32, to: u32, sine: bool): void {
  const r = slot(cpu, 0);
  const square = slot(cpu, 2);
  const unit = slot(cpu, 3);
  wide.multiply(square, r, r);
  wide.negate(square);
  wide.one(unit);
  wide.one(to);
  for (let k: u64 = SINE_TERMS; k >= 1; k--) {
    wide.multiply(to, to, square);
    wide.divideSmall(to, to, sine ? 2 * k * (2 * k + 1) : 2 * k * (2 * k - 1));
    wide.add(to, to, unit);
  }
  if (sine) wide.multiply(to, to, r);
}

/** One of sine and cosine by quadrant: sin(q * 90 degrees + r). */
function quadrant(cpu: u32, to: u32, q: u32): void {
  series(cpu, to, (q & 1) == 0);
  if ((q & 2) != 0) wide.negate(to);
}

function trigonometric(cpu: u32, operation: i64): void {
  const pushes = operation == FSINCOS || operation == FPTAN;
  if (isEmpty(cpu, 0) || (pushes && !isEmpty(cpu, 7))) {
    const masked = stackFault(cpu, !isEmpty(cpu, 0));
    setConditions(cpu, conditionsWithoutC2(cpu));
    if (!masked) return;
    storeR(cpu, 0);
    if (pushes) {
      setTop(cpu, topOf(cpu) - 1);
      storeR(cpu, 0);
    }
    return;
  }
  loadA(cpu, 0);
  const special = special1();
  if (!special && isInfinity(aExponent, aSignificand)) invalid();
  else if (!special && aExponent >= BIAS + 63) {
    // out of range: nothing changes but C2
    setConditions(cpu, conditionsWithoutC2(cpu) | C2);
    return;
  } else if (!special) {
    setConditions(cpu, conditionsWithoutC2(cpu));
    compute(cpu, operation);
    return;
  }
  setConditions(cpu, conditionsWithoutC2(cpu));
  if (!settle(cpu)) return;
  storeR(cpu, 0);
  if (pushes) {
    setTop(cpu, topOf(cpu) - 1);
    storeR(cpu, 0);
  }
}

function conditionsWithoutC2(cpu: u32): u32 {
  return load<u32>(cpu + S_FSW) & 0x4300;
}

function compute(cpu: u32, operation: i64): void {
  if (aSignificand == 0) {
    // exact: the zero itself, and one
    const sign = aSign;
    if (operation == FCOS) setR(0, BIAS, INTEGER_BIT);
    else setR(sign, 0, 0);
    if (!settle(cpu)) return;
    storeR(cpu, 0);
    if (operation == FSINCOS || operation == FPTAN) {
      setR(0, BIAS, INTEGER_BIT);
      setTop(cpu, topOf(cpu) - 1);
      storeR(cpu, 0);
    }
    return;
  }
  normalizeA();
  const q = reduce(cpu);
  const first = slot(cpu, 4);
  const second = slot(cpu, 5);
  if (operation == FSIN || operation == FSINCOS) {
    quadrant(cpu, first, q);
    give(first);
  } else if (operation == FCOS) {
    quadrant(cpu, first, q + 1);
    give(first);
  } else {
    quadrant(cpu, first, q);
    quadrant(cpu, second, q + 1);
    wide.divide(first, first, second);
    give(first);
  }
  if (operation == FSINCOS) {
    // both are rounded before either is stored, so that their exceptions count together
    const sign = rSign;
    const exponent = rExponent;
    const significand = rSignificand;
    quadrant(cpu, second, q + 1);
    give(second);
    const cosineSign = rSign;
    const cosineExponent = rExponent;
    const cosineSignificand = rSignificand;
    if (!settle(cpu)) return;
    setR(sign, exponent, significand);
    storeR(cpu, 0);
    setTop(cpu, topOf(cpu) - 1);
    setR(cosineSign, cosineExponent, cosineSignificand);
    storeR(cpu, 0);
    return;
  }
  if (!settle(cpu)) return;
  storeR(cpu, 0);
  if (operation == FPTAN) {
    setR(0, BIAS, INTEGER_BIT);
    setTop(cpu, topOf(cpu) - 1);
    storeR(cpu, 0);
  }
}

// ---- two operands: ST(0) is A, ST(1) is B; the result goes to ST(1), then one is popped

function binary(cpu: u32, operation: i64): void {
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (!stackFault(cpu, false)) return;
  } else {
    loadA(cpu, 0);
    loadB(cpu, 1);
    if (operation == FPATAN) arcTangent(cpu);
    else logarithm(cpu, operation != FYL2X);
    if (!settle(cpu)) return;
  }
  storeR(cpu, 1);
  popStack(cpu);
}

/** atanh series: 2 atanh(z) / z * z with z at slot 0 into slot 1: 2 (z + z^3/3 + z^5/5 ...) without the 2. */
function oddSeries(cpu: u32, terms: u64, alternating: bool): void {
  const z = slot(cpu, 0);
  const sum = slot(cpu, 1);
  const square = slot(cpu, 2);
  const unit = slot(cpu, 3);
  const part = slot(cpu, 4);
  wide.multiply(square, z, z);
  if (alternating) wide.negate(square);
  wide.one(unit);
  wide.divideSmall(sum, unit, 2 * terms + 1);
  for (let k: i64 = <i64>terms - 1; k >= 0; k--) {
    wide.multiply(sum, sum, square);
    wide.divideSmall(part, unit, 2 * <u64>k + 1);
    wide.add(sum, sum, part);
  }
  wide.multiply(sum, sum, z);
}

/** B * log2(A), or B * log2(A + 1). */
function logarithm(cpu: u32, plusOne: bool): void {
  if (special2()) return;
  const sign = aSign ^ bSign;
  const bIsZero = bSignificand == 0;
  const bInfinite = isInfinity(bExponent, bSignificand);
  const aIsZero = aSignificand == 0;
  const aInfinite = isInfinity(aExponent, aSignificand);
  if (plusOne) {
    if (aIsZero) {
      if (bInfinite) invalid();
      else setR(sign, 0, 0);
      return;
    }
    if (aInfinite) {
      if (aSign != 0 || bIsZero) invalid();
      else setR(bSign, MAX_EXPONENT, INTEGER_BIT);
      return;
    }
    if (bInfinite) {
      setR(sign, MAX_EXPONENT, INTEGER_BIT);
      return;
    }
    if (bIsZero) {
      setR(sign, 0, 0);
      return;
    }
  } else {
    if (aIsZero) {
      if (bIsZero) invalid();
      else if (bInfinite) setR(bSign ^ 1, MAX_EXPONENT, INTEGER_BIT);
      else {
        forgetDenormal();
        signal(ZE);
        setR(bSign ^ 1, MAX_EXPONENT, INTEGER_BIT);
      }
      return;
    }
    if (aSign != 0) {
      invalid();
      return;
    }
    const isOne = aExponent == BIAS && aSignificand == INTEGER_BIT;
    const belowOne = aExponent < BIAS;
    if (aInfinite) {
      if (bIsZero) invalid();
      else setR(bSign, MAX_EXPONENT, INTEGER_BIT);
      return;
    }
    if (bInfinite) {
      if (isOne) invalid();
      else setR(belowOne ? bSign ^ 1 : bSign, MAX_EXPONENT, INTEGER_BIT);
      return;
    }
    if (isOne || bIsZero) {
      setR(belowOne ? bSign ^ 1 : bSign, 0, 0);
      return;
    }
  }
  normalizeA();
  normalizeB();
  const z = slot(cpu, 0);
  const sum = slot(cpu, 1);
  const numerator = slot(cpu, 5);
  const denominator = slot(cpu, 6);
  let exponent: i32 = 0;
  if (plusOne) {
    if (aSign != 0 && aExponent >= BIAS) {
      // at or below -1 the manual leaves the result undefined
      invalid();
      return;
    }
    // z = x / (2 + x)
    fromA(numerator);
    wide.one(denominator);
    wide.scale(denominator, 1);
    wide.add(denominator, denominator, numerator);
    if (aExponent >= BIAS - 1) {
      // large: by way of 1 + x
      wide.one(denominator);
      wide.add(denominator, denominator, numerator);
      exponent = splitAt(cpu, denominator);
    }
  } else {
    fromA(denominator);
    exponent = splitAt(cpu, denominator);
  }
  if (!plusOne || aExponent >= BIAS - 1) {
    // m is at slot 6: z = (m - 1) / (m + 1)
    const unit = slot(cpu, 3);
    wide.one(unit);
    wide.add(sum, denominator, unit);
    wide.negate(unit);
    wide.add(numerator, denominator, unit);
    wide.copy(denominator, sum);
  }
  wide.divide(z, numerator, denominator);
  oddSeries(cpu, LOG_TERMS, false);
  const constant = slot(cpu, 2);
  wide.set(constant, 0, 1, LOG2E_HIGH, LOG2E_LOW);
  wide.multiply(sum, sum, constant);
  wide.integer(constant, exponent);
  wide.add(sum, sum, constant);
  fromB(constant);
  wide.multiply(sum, sum, constant);
  // log2 of a power of two is exact
  if (!plusOne && aSignificand == INTEGER_BIT) exactProduct(exponent);
  else give(sum);
}

/** Brings the number at `at` between sqrt(1/2) and sqrt(2) and gives the power of two taken out. */
function splitAt(cpu: u32, at: u32): i32 {
  let exponent = wide.exponentOf(at);
  if (wide.highOf(at) >= 0xb504f333f9de6484) exponent++;
  wide.scale(at, -exponent);
  return exponent;
}

/** B times a small integer, rounded once. */
function exactProduct(n: i32): void {
  // processors call it inexact all the same
  signal(PE);
  const magnitude: u64 = n < 0 ? <u64>-n : <u64>n;
  const shift = clz<u64>(magnitude);
  const m = magnitude << shift;
  const low = bSignificand * m;
  const high = multiplyHigh(bSignificand, m);
  const exponent = bExponent + 63 - <i32>shift + 1;
  if (high >> 63 != 0) roundPack(bSign ^ (n < 0 ? 1 : 0), exponent, high, low, 64);
  else roundPack(bSign ^ (n < 0 ? 1 : 0), exponent - 1, (high << 1) | (low >> 63), low << 1, 64);
}

/** Angle of the point (A, B): atan(B / A) in the right quadrant (SDM vol. 2, table 3-29). */
function arcTangent(cpu: u32): void {
  if (special2()) return;
  const sign = bSign;
  const aIsZero = aSignificand == 0;
  const bIsZero = bSignificand == 0;
  const aInfinite = isInfinity(aExponent, aSignificand);
  const bInfinite = isInfinity(bExponent, bSignificand);
  const result = slot(cpu, 1);
  if (bIsZero || (aInfinite && !bInfinite)) {
    if (aSign == 0) setR(sign, 0, 0);
    else {
      wide.set(result, sign, 1, PI_HIGH, PI_LOW);
      give(result);
    }
    return;
  }
  if (aIsZero || bInfinite) {
    if (aInfinite) {
      // pi/4 or 3 pi/4
      wide.set(result, sign, -1, PI_HIGH, PI_LOW);
      if (aSign != 0) {
        const three = slot(cpu, 2);
        wide.integer(three, 3);
        wide.multiply(result, result, three);
      }
    } else wide.set(result, sign, 0, PI_HIGH, PI_LOW);
    give(result);
    return;
  }
  normalizeA();
  normalizeB();
  const x = slot(cpu, 5);
  const y = slot(cpu, 6);
  fromA(x);
  fromB(y);
  const left = aSign != 0;
  wide.set(x, 0, wide.exponentOf(x), wide.highOf(x), 0);
  wide.set(y, 0, wide.exponentOf(y), wide.highOf(y), 0);
  const steep = bExponent > aExponent || (bExponent == aExponent && bSignificand > aSignificand);
  const t = slot(cpu, 0);
  if (steep) wide.divide(t, x, y);
  else wide.divide(t, y, x);
  // the multiple of 1/8 next to t
  const e = wide.exponentOf(t);
  let k: u32 = 0;
  if (e >= -4) k = <u32>((wide.highOf(t) >> <u64>(59 - e)) + 1) >> 1;
  if (k != 0) {
    // u = (t - k/8) / (1 + t k/8)
    const eighth = slot(cpu, 2);
    const product = slot(cpu, 3);
    const unit = slot(cpu, 4);
    wide.integer(eighth, <i32>k);
    wide.scale(eighth, -3);
    wide.multiply(product, t, eighth);
    wide.one(unit);
    wide.add(product, product, unit);
    wide.negate(eighth);
    wide.add(t, t, eighth);
    wide.divide(t, t, product);
  }
  oddSeries(cpu, ATAN_TERMS, true);
  if (k != 0) {
    const base = slot(cpu, 2);
    wide.set(base, 0, unchecked(ATAN_EXPONENT[k - 1]), unchecked(ATAN[2 * (k - 1)]), unchecked(ATAN[2 * (k - 1) + 1]));
    wide.add(result, result, base);
  }
  const turn = slot(cpu, 2);
  if (steep) {
    // pi/2 - angle
    wide.negate(result);
    wide.set(turn, 0, 0, PI_HIGH, PI_LOW);
    wide.add(result, result, turn);
  }
  if (left) {
    wide.negate(result);
    wide.set(turn, 0, 1, PI_HIGH, PI_LOW);
    wide.add(result, result, turn);
  }
  if (sign != 0) wide.negate(result);
  // a quotient of powers of two may be exact where the angle is small, but the angle never is
  give(result);
}
