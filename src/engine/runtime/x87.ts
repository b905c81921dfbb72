/** What the definitions of x87 instructions call. Register operands are numbers of ST(i), memory operands their bits. */
import { S_FCW, S_FPR, S_FPU_SKIP, S_FSW, S_FTW, S_FIP, S_FDP, S_FOP, S_FCS, S_FDS } from '../layout';
import {
  forgetDenormal, invalid, aExponent, aSign, aSignificand, add, BIAS, begin, bExponent, bSign, bSignificand, DE, divide, exceptions, IE, indefinite, INTEGER_BIT, isDenormal, isInfinity,
  isNan, isSignaling, isUnsupported, isZero, MAX_EXPONENT, multiply, normalizeA, normalizeB, PE, precision, roundPack, roundToInteger, roundingMode, rExponent, rSign,
  rSignificand, setA, setB, setR, signal, special1, special2, squareRoot, subtract, swapOperands, ZE, roundMagnitude, integerMagnitude, UE, OE, DOWN, NEAREST, UP, ZERO, roundedUp,
} from './f80'; // prettier-ignore
import {
  isEmpty, loadA, loadB, popStack, pushR, register, setConditions, setEmpty, setTop, settle, settleStore, stackFault, start, startKeepingC1, storeR, topOf,
} from './fpu'; // prettier-ignore
import {
  quickArithmetic, quickArithmeticFloat, quickBits, quickCompare, quickConditions, quickExchange, quickLoad, quickLoadRegister, quickStoreRegister, quickValue,
} from './x87-quick'; // prettier-ignore
import { beginNarrow, integerFromA, integerToB, narrowA, narrowUp, widenToB } from './x87-convert';

const C0: u32 = 0x100;
const C1: u32 = 0x200;
const C2: u32 = 0x400;
const C3: u32 = 0x4000;

/** Formats of memory operands, as definitions number them. */
const F32: i64 = 0;
const F64: i64 = 1;
const I32: i64 = 2;
const I16: i64 = 3;
const I64: i64 = 4;

function memoryToB(format: i64, bits: i64): void {
  if (format == F32) widenToB(bits & 0xffffffff, false);
  else if (format == F64) widenToB(bits, true);
  else integerToB(format == I16 ? (bits << 48) >> 48 : format == I32 ? (bits << 32) >> 32 : bits);
}

/** Operations by the reg field of D8 and DC: 0 ADD, 1 MUL, 4 SUB, 5 SUBR, 6 DIV, 7 DIVR. */
function operate(operation: u32): void {
  if (operation == 0) add();
  else if (operation == 1) multiply();
  else if (operation == 4) subtract();
  else if (operation == 6) divide();
  else {
    swapOperands();
    if (operation == 5) subtract();
    else divide();
  }
}

/** ST(target) = ST(target) op ST(source), then pops if asked. */
export function x87Arithmetic(cpu: u32, operation: i64, target: i64, source: i64, pop: i64): void {
  if (quickArithmetic(cpu, <u32>operation, <u32>target, <u32>source, pop != 0)) return;
  start(cpu);
  if (isEmpty(cpu, <u32>target) || isEmpty(cpu, <u32>source)) {
    if (!stackFault(cpu, false)) return;
  } else {
    loadA(cpu, <u32>target);
    loadB(cpu, <u32>source);
    operate(<u32>operation);
    if (!settle(cpu)) return;
  }
  storeR(cpu, <u32>target);
  if (pop != 0) popStack(cpu);
}

/** ST(0) = ST(0) op memory. */
export function x87ArithmeticMemory(cpu: u32, operation: i64, format: i64, bits: i64): void {
  if (format <= F64 && quickArithmeticFloat(cpu, <u32>operation, bits, format == F64)) return;
  start(cpu);
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) return;
  } else {
    loadA(cpu, 0);
    memoryToB(format, bits);
    operate(<u32>operation);
    if (!settle(cpu)) return;
  }
  storeR(cpu, 0);
}

/** C3 C2 C0 for A against B: in the order greater, less, equal, unordered. Quiet NaNs are invalid only for ordered comparisons. */
function compareOperands(quiet: bool): u32 {
  if (isUnsupported(aExponent, aSignificand) || isUnsupported(bExponent, bSignificand)) {
    forgetDenormal();
    signal(IE);
    return C3 | C2 | C0;
  }
  if (isNan(aExponent, aSignificand) || isNan(bExponent, bSignificand)) {
    forgetDenormal();
    if (!quiet || isSignaling(aExponent, aSignificand) || isSignaling(bExponent, bSignificand)) signal(IE);
    return C3 | C2 | C0;
  }
  if (isDenormal(aExponent, aSignificand) || isDenormal(bExponent, bSignificand)) signal(DE);
  if (isZero(aExponent, aSignificand) && isZero(bExponent, bSignificand)) return C3;
  if (aSign != bSign) return aSign != 0 ? C0 : 0;
  normalizeA();
  normalizeB();
  let less: bool;
  // zero keeps exponent 0 and lies below all others
  if (aSignificand == 0 || bSignificand == 0) {
    if (aSignificand == bSignificand) return C3;
    less = aSignificand == 0;
  } else if (aExponent != bExponent) less = aExponent < bExponent;
  else if (aSignificand != bSignificand) less = aSignificand < bSignificand;
  else return C3;
  return less != (aSign != 0) ? C0 : 0;
}

function popTimes(cpu: u32, times: i64): void {
  for (let i: i64 = 0; i < times; i++) popStack(cpu);
}

/** FCOM, FUCOM and kin with ST(i): conditions in the status word, `pops` values off. */
export function x87Compare(cpu: u32, i: i64, quiet: i64, pops: i64): void {
  if (quickCompare(cpu, <u32>i)) {
    setConditions(cpu, quickConditions);
    popTimes(cpu, pops);
    return;
  }
  start(cpu);
  if (isEmpty(cpu, 0) || isEmpty(cpu, <u32>i)) {
    const masked = stackFault(cpu, false);
    setConditions(cpu, C3 | C2 | C0);
    if (masked) popTimes(cpu, pops);
    return;
  }
  loadA(cpu, 0);
  loadB(cpu, <u32>i);
  finishCompare(cpu, compareOperands(quiet != 0), pops);
}

function finishCompare(cpu: u32, conditions: u32, pops: i64): void {
  setConditions(cpu, conditions);
  if (settle(cpu)) popTimes(cpu, pops);
}

export function x87CompareMemory(cpu: u32, format: i64, bits: i64, pops: i64): void {
  start(cpu);
  if (isEmpty(cpu, 0)) {
    const masked = stackFault(cpu, false);
    setConditions(cpu, C3 | C2 | C0);
    if (masked) popTimes(cpu, pops);
    return;
  }
  loadA(cpu, 0);
  memoryToB(format, bits);
  finishCompare(cpu, compareOperands(false), pops);
}

/** FTST: against +0. */
export function x87Test(cpu: u32): void {
  start(cpu);
  if (isEmpty(cpu, 0)) {
    stackFault(cpu, false);
    setConditions(cpu, C3 | C2 | C0);
    return;
  }
  loadA(cpu, 0);
  setB(0, 0, 0);
  finishCompare(cpu, compareOperands(false), 0);
}

/** FCOMI, FUCOMI: returns CF in bit 0, PF in bit 2, ZF in bit 6, whatever exceptions wait; those keep it only from popping. */
export function x87CompareFlags(cpu: u32, i: i64, quiet: i64, pops: i64): i64 {
  if (quickCompare(cpu, <u32>i)) {
    popTimes(cpu, pops);
    return flagsOf(quickConditions);
  }
  startKeepingC1(cpu);
  let conditions: u32 = C3 | C2 | C0;
  let goOn: bool;
  if (isEmpty(cpu, 0) || isEmpty(cpu, <u32>i)) goOn = stackFault(cpu, false);
  else {
    loadA(cpu, 0);
    loadB(cpu, <u32>i);
    conditions = compareOperands(quiet != 0);
    goOn = settle(cpu);
  }
  if (goOn) popTimes(cpu, pops);
  return flagsOf(conditions);
}

/** CF, PF and ZF of C0, C2 and C3. */
function flagsOf(conditions: u32): i64 {
  return <i64>(((conditions & C0) != 0 ? 1 : 0) | ((conditions & C2) != 0 ? 4 : 0) | ((conditions & C3) != 0 ? 0x40 : 0));
}

// ---- loads and stores

export function x87Load(cpu: u32, format: i64, bits: i64): void {
  if (format <= F64 && quickLoad(cpu, bits, format == F64)) return;
  start(cpu);
  memoryToB(format, bits);
  setA(bSign, bExponent, bSignificand);
  if (isSignaling(aExponent, aSignificand)) {
    signal(IE);
    setA(aSign, aExponent, aSignificand | 0x4000000000000000);
  }
  // A full stack is found before the operand is looked at; an unmasked denormal operand is loaded all the same.
  if (!isEmpty(cpu, 7)) begin(load<u32>(cpu + S_FCW));
  else if (!settle(cpu) && (exceptions & IE) != 0) return;
  setR(aSign, aExponent, aSignificand);
  pushR(cpu);
}

/** FLD m80: the bits as they are. */
export function x87LoadExtended(cpu: u32, significand: i64, signExponent: i64): void {
  start(cpu);
  setR(<u32>(signExponent >>> 15) & 1, <i32>signExponent & 0x7fff, <u64>significand);
  pushR(cpu);
}

export function x87LoadRegister(cpu: u32, i: i64): void {
  if (quickLoadRegister(cpu, <u32>i)) return;
  start(cpu);
  if (isEmpty(cpu, <u32>i)) {
    if (!stackFault(cpu, false)) return;
    setTop(cpu, topOf(cpu) - 1);
    storeR(cpu, 0);
    return;
  }
  loadA(cpu, <u32>i);
  setR(aSign, aExponent, aSignificand);
  pushR(cpu);
}

/** Bits of ST(0) in a format, with its exceptions noted; x87Stored tells whether to store them. */
export function x87Value(cpu: u32, format: i64, truncate: i64): i64 {
  if (format <= F64 && quickValue(cpu, format == F64)) return quickBits;
  start(cpu);
  if (isEmpty(cpu, 0)) {
    const masked = stackFault(cpu, false);
    store<u32>(cpu + S_FPU_SKIP, masked ? 0 : 1);
    if (format == F32) return 0xffc00000;
    if (format == F64) return <i64>0xfff8000000000000;
    return format == I16 ? 0x8000 : format == I32 ? 0x80000000 : i64.MIN_VALUE;
  }
  loadA(cpu, 0);
  let bits: i64;
  if (format == F32 || format == F64) {
    beginNarrow(load<u32>(cpu + S_FCW));
    bits = narrowA(format == F64);
    if (narrowUp) store<u32>(cpu + S_FSW, load<u32>(cpu + S_FSW) | C1);
  } else bits = integerFromA(format == I16 ? 16 : format == I32 ? 32 : 64, truncate != 0);
  settleStore(cpu);
  return bits;
}

/** 1 if the value just made may be stored. */
export function x87Stored(cpu: u32): i64 {
  return load<u32>(cpu + S_FPU_SKIP) == 0 ? 1 : 0;
}

export function x87Pop(cpu: u32, wanted: i64): void {
  if (wanted != 0) popStack(cpu);
}

/** Status word before x87Value, to be put back if the store faults. */
export function x87Status(cpu: u32): i64 {
  return <i64>load<u32>(cpu + S_FSW);
}

/** FSTP m80: significand and sign with exponent, never an exception but of the stack. */
export function x87Significand(cpu: u32): i64 {
  start(cpu);
  store<u32>(cpu + S_FPU_SKIP, 0);
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) store<u32>(cpu + S_FPU_SKIP, 1);
    return <i64>0xc000000000000000;
  }
  return load<i64>(register(cpu, 0));
}
export function x87SignExponent(cpu: u32): i64 {
  return isEmpty(cpu, 0) ? 0xffff : <i64>load<u16>(register(cpu, 0) + 8);
}

/** FST ST(i). */
export function x87StoreRegister(cpu: u32, i: i64, pop: i64): void {
  if (quickStoreRegister(cpu, <u32>i, pop != 0)) return;
  start(cpu);
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) return;
  } else {
    loadA(cpu, 0);
    setR(aSign, aExponent, aSignificand);
  }
  storeR(cpu, <u32>i);
  if (pop != 0) popStack(cpu);
}

/** D9 D8, an alias of FSTP that does not mind an empty register: it stores nothing then. */
export function x87StoreUnchecked(cpu: u32, i: i64): void {
  start(cpu);
  if (!isEmpty(cpu, 0)) {
    loadA(cpu, 0);
    setR(aSign, aExponent, aSignificand);
    storeR(cpu, <u32>i);
  }
  popStack(cpu);
}

export function x87Exchange(cpu: u32, i: i64): void {
  if (quickExchange(cpu, <u32>i)) return;
  start(cpu);
  const other = <u32>i;
  const firstEmpty = isEmpty(cpu, 0);
  const otherEmpty = isEmpty(cpu, other);
  if (firstEmpty || otherEmpty) {
    if (!stackFault(cpu, false)) return;
    // empty ones become the indefinite, and are exchanged
    if (firstEmpty) storeR(cpu, 0);
    if (otherEmpty) storeR(cpu, other);
  }
  loadA(cpu, 0);
  loadB(cpu, other);
  setR(bSign, bExponent, bSignificand);
  storeR(cpu, 0);
  setR(aSign, aExponent, aSignificand);
  storeR(cpu, other);
}

export function x87MoveIf(cpu: u32, i: i64, condition: i64): void {
  startKeepingC1(cpu);
  if (isEmpty(cpu, 0) || isEmpty(cpu, <u32>i)) {
    // the indefinite comes whatever the condition is
    if (stackFault(cpu, false)) storeR(cpu, 0);
    return;
  }
  if (condition == 0) return;
  loadA(cpu, <u32>i);
  setR(aSign, aExponent, aSignificand);
  storeR(cpu, 0);
}

/** Constants: 1, log2(10), log2(e), pi, log10(2), ln(2), 0: significand cut, and its next bits, so that each rounding is right (SDM vol. 1, 8.3.8). */
export function x87Constant(cpu: u32, n: i64): void {
  start(cpu);
  const mode = roundingMode();
  if (n == 0) setR(0, BIAS, INTEGER_BIT);
  else if (n == 1) setR(0, BIAS + 1, mode == UP ? 0xd49a784bcd1b8aff : 0xd49a784bcd1b8afe);
  else if (n == 2) setR(0, BIAS, mode == DOWN || mode == ZERO ? 0xb8aa3b295c17f0bb : 0xb8aa3b295c17f0bc);
  else if (n == 3) setR(0, BIAS + 1, mode == DOWN || mode == ZERO ? 0xc90fdaa22168c234 : 0xc90fdaa22168c235);
  else if (n == 4) setR(0, BIAS - 2, mode == DOWN || mode == ZERO ? 0x9a209a84fbcff798 : 0x9a209a84fbcff799);
  else if (n == 5) setR(0, BIAS - 1, mode == DOWN || mode == ZERO ? 0xb17217f7d1cf79ab : 0xb17217f7d1cf79ac);
  else setR(0, 0, 0);
  pushR(cpu);
}

// ---- one operand

/** FCHS, FABS: sign only, of whatever is there. */
export function x87Sign(cpu: u32, absolute: i64): void {
  start(cpu);
  if (isEmpty(cpu, 0)) {
    if (stackFault(cpu, false)) storeR(cpu, 0);
    return;
  }
  loadA(cpu, 0);
  setR(absolute != 0 ? 0 : aSign ^ 1, aExponent, aSignificand);
  storeR(cpu, 0);
}

/** FSQRT and FRNDINT. */
export function x87Root(cpu: u32): void {
  unary(cpu, 0);
}
export function x87Round(cpu: u32): void {
  unary(cpu, 1);
}

function unary(cpu: u32, what: u32): void {
  start(cpu);
  if (isEmpty(cpu, 0)) {
    if (stackFault(cpu, false)) storeR(cpu, 0);
    return;
  }
  loadA(cpu, 0);
  if (what == 0) squareRoot();
  else roundToInteger();
  if (settle(cpu)) storeR(cpu, 0);
}

/** FXAM: C3 C2 C0 by class, C1 the sign. */
export function x87Examine(cpu: u32): void {
  loadA(cpu, 0);
  let conditions: u32;
  if (isEmpty(cpu, 0)) conditions = C3 | C0;
  else if (isUnsupported(aExponent, aSignificand)) conditions = 0;
  else if (isNan(aExponent, aSignificand)) conditions = C0;
  else if (isInfinity(aExponent, aSignificand)) conditions = C2 | C0;
  else if (isZero(aExponent, aSignificand)) conditions = C3;
  else if (isDenormal(aExponent, aSignificand)) conditions = C3 | C2;
  else conditions = C2;
  setConditions(cpu, conditions | (aSign != 0 ? C1 : 0));
}

/** FXTRACT: exponent into ST(0), significand pushed. */
export function x87Extract(cpu: u32): void {
  start(cpu);
  if (isEmpty(cpu, 0) || !isEmpty(cpu, 7)) {
    const overflow = !isEmpty(cpu, 0);
    if (!stackFault(cpu, overflow)) return;
    storeR(cpu, 0);
    setTop(cpu, topOf(cpu) - 1);
    storeR(cpu, 0);
    return;
  }
  loadA(cpu, 0);
  if (special1()) {
    if (!settle(cpu)) return;
    storeR(cpu, 0);
    setTop(cpu, topOf(cpu) - 1);
    storeR(cpu, 0);
    return;
  }
  const sign = aSign;
  if (aSignificand == 0) {
    signal(ZE);
    if (!settle(cpu)) return;
    setR(1, MAX_EXPONENT, INTEGER_BIT);
    storeR(cpu, 0);
    setR(sign, 0, 0);
  } else if (isInfinity(aExponent, aSignificand)) {
    setR(0, MAX_EXPONENT, INTEGER_BIT);
    storeR(cpu, 0);
    setR(sign, MAX_EXPONENT, INTEGER_BIT);
  } else {
    if (!settle(cpu)) return;
    normalizeA();
    integerToB(<i64>(aExponent - BIAS));
    setR(bSign, bExponent, bSignificand);
    storeR(cpu, 0);
    setR(sign, BIAS, aSignificand);
  }
  setTop(cpu, topOf(cpu) - 1);
  storeR(cpu, 0);
}

/** FSCALE: ST(0) times two to the power of ST(1) cut to an integer. */
export function x87Scale(cpu: u32): void {
  start(cpu);
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (stackFault(cpu, false)) storeR(cpu, 0);
    return;
  }
  loadA(cpu, 0);
  loadB(cpu, 1);
  scale();
  if (settle(cpu)) storeR(cpu, 0);
}

function scale(): void {
  if (special2()) return;
  const sign = aSign;
  const aIsZero = aSignificand == 0;
  const aInfinite = isInfinity(aExponent, aSignificand);
  if (isInfinity(bExponent, bSignificand)) {
    if (bSign != 0 ? aInfinite : aIsZero) {
      invalid();
    } else if (bSign != 0) setR(sign, 0, 0);
    else setR(sign, MAX_EXPONENT, INTEGER_BIT);
    return;
  }
  if (aIsZero || aInfinite) {
    setR(sign, aExponent, aSignificand);
    return;
  }
  normalizeB();
  let by: i32 = 0;
  if (bSignificand != 0 && bExponent >= BIAS) {
    by = bExponent - BIAS > 16 ? 0x20000 : <i32>(bSignificand >> <u64>(63 - (bExponent - BIAS)));
    if (bSign != 0) by = -by;
  }
  normalizeA();
  roundPack(sign, aExponent + by, aSignificand, 0, 64);
}

/** FPREM (truncating) and FPREM1 (to nearest): exact remainder, or a reduction by up to 63 binary places with C2 set. */
export function x87Remainder(cpu: u32, nearest: i64): void {
  start(cpu);
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (stackFault(cpu, false)) storeR(cpu, 0);
    setConditions(cpu, load<u32>(cpu + S_FSW) & (C3 | C0));
    return;
  }
  loadA(cpu, 0);
  loadB(cpu, 1);
  quotientBits = 0;
  partial = false;
  const special = remainderOf(nearest != 0);
  if (!settle(cpu)) {
    setConditions(cpu, load<u32>(cpu + S_FSW) & (C3 | C0));
    return;
  }
  storeR(cpu, 0);
  if (special) {
    setConditions(cpu, load<u32>(cpu + S_FSW) & (C3 | C0));
    return;
  }
  if (partial) {
    setConditions(cpu, C2);
    return;
  }
  setConditions(cpu, ((quotientBits & 4) != 0 ? C0 : 0) | ((quotientBits & 2) != 0 ? C3 : 0) | ((quotientBits & 1) != 0 ? C1 : 0));
}

let quotientBits: u64 = 0;
let partial: bool = false;

/** True if there is no quotient: a NaN came in or out. */
function remainderOf(nearest: bool): bool {
  if (special2()) return true;
  if (isInfinity(aExponent, aSignificand) || bSignificand == 0) {
    invalid();
    return true;
  }
  divideOut(nearest);
  return false;
}

function divideOut(nearest: bool): void {
  if (aSignificand == 0 || isInfinity(bExponent, bSignificand)) {
    if (isDenormal(aExponent, aSignificand)) {
      normalizeA();
      roundPack(aSign, aExponent, aSignificand, 0, 64);
    } else setR(aSign, aExponent, aSignificand);
    return;
  }
  normalizeA();
  normalizeB();
  const sign = aSign;
  let distance = aExponent - bExponent;
  let rest = aSignificand;
  if (distance < 0 && !(nearest && distance == -1)) {
    roundPack(sign, aExponent, rest, 0, 64);
    return;
  }
  let steps = distance;
  if (distance >= 64) {
    // AMD reduces by 32 to 63 places a time, so that a multiple of 32 is left
    steps = 32 + (distance & 31);
    partial = true;
  }
  let carry: u64 = 0;
  let exponent = bExponent;
  if (distance >= 0) {
    for (let i = 0; i <= steps; i++) {
      if (i > 0) {
        carry = rest >> 63;
        rest <<= 1;
      }
      quotientBits <<= 1;
      if (carry != 0 || rest >= bSignificand) {
        rest -= bSignificand;
        carry = 0;
        quotientBits |= 1;
      }
    }
    if (partial) exponent = aExponent - steps;
  }
  let resultSign = sign;
  if (nearest && !partial) {
    // above half of the divisor, or at half with an odd quotient: one more
    let above: bool;
    let half = false;
    if (distance == -1) {
      above = rest > bSignificand;
      half = rest == bSignificand;
    } else {
      above = rest > bSignificand - rest;
      half = rest == bSignificand - rest;
    }
    if (above || (half && (quotientBits & 1) != 0)) {
      quotientBits++;
      resultSign ^= 1;
      if (distance == -1) {
        // divisor - rest / 2, at twice the scale: one bit more than 64
        const wideHigh: u64 = bSignificand >> 63;
        const low = bSignificand << 1;
        const difference = low - rest;
        const high = wideHigh - (low < rest ? 1 : 0);
        if (high != 0) {
          roundPack(resultSign, bExponent, INTEGER_BIT | (difference >> 1), difference << 63, 64);
          return;
        }
        rest = difference;
        exponent = bExponent - 1;
      } else rest = bSignificand - rest;
    } else if (distance == -1) {
      roundPack(sign, aExponent, rest, 0, 64);
      return;
    }
  }
  if (rest == 0) {
    setR(sign, 0, 0);
    return;
  }
  const shift = clz<u64>(rest);
  roundPack(resultSign, exponent - <i32>shift, rest << shift, 0, 64);
}

// ---- packed decimal

/** FBLD: 18 digits and a sign. */
export function x87LoadDecimal(cpu: u32, low: i64, high: i64): void {
  start(cpu);
  let value: u64 = 0;
  for (let i: i64 = 1; i >= 0; i--) value = value * 10 + <u64>((high >>> (4 * i)) & 15);
  for (let i: i64 = 15; i >= 0; i--) value = value * 10 + <u64>((low >>> (4 * i)) & 15);
  integerToB(<i64>value);
  setR((high & 0x8000) != 0 ? 1 : 0, bExponent, bSignificand);
  pushR(cpu);
}

/** FBSTP: digits 0 to 15; x87DecimalHigh gives the other two and the sign. */
let decimalHigh: i64 = 0;
export function x87DecimalLow(cpu: u32): i64 {
  start(cpu);
  decimalHigh = 0xffff;
  const indefiniteLow = <i64>0xc000000000000000;
  if (isEmpty(cpu, 0)) {
    store<u32>(cpu + S_FPU_SKIP, stackFault(cpu, false) ? 0 : 1);
    return indefiniteLow;
  }
  loadA(cpu, 0);
  const sign = aSign;
  const value = integerFromA(64, false);
  const magnitude: u64 = value < 0 ? 0 - <u64>value : <u64>value;
  if ((exceptions & IE) != 0 || magnitude > 999999999999999999) {
    if ((exceptions & IE) == 0) {
      begin(load<u32>(cpu + S_FCW));
      signal(IE);
    }
    settleStore(cpu);
    return indefiniteLow;
  }
  settleStore(cpu);
  let rest = magnitude;
  let digits: i64 = 0;
  for (let i: i64 = 0; i < 64; i += 4) {
    digits |= <i64>(rest % 10) << i;
    rest /= 10;
  }
  decimalHigh = <i64>(rest % 10) | <i64>((rest / 10) << 4) | (sign != 0 ? 0x8000 : 0);
  return digits;
}
export function x87DecimalHigh(cpu: u32): i64 {
  return decimalHigh;
}

// ---- control

export function x87Init(cpu: u32): void {
  store<u32>(cpu + S_FCW, 0x37f);
  store<u32>(cpu + S_FSW, 0);
  store<u32>(cpu + S_FTW, 0xffff);
  store<u32>(cpu + S_FOP, 0);
  store<i64>(cpu + S_FIP, 0);
  store<i64>(cpu + S_FDP, 0);
  store<u32>(cpu + S_FCS, 0);
  store<u32>(cpu + S_FDS, 0);
}

/** After a change of control or status word: ES and B follow from flags and masks. */
export function x87Summary(cpu: u32): void {
  const fsw = load<u32>(cpu + S_FSW) & 0x7f7f;
  const pending = fsw & ~load<u32>(cpu + S_FCW) & 0x3f;
  store<u32>(cpu + S_FSW, pending != 0 ? fsw | 0x8080 : fsw);
}

export function x87Free(cpu: u32, i: i64): void {
  start(cpu);
  setEmpty(cpu, <u32>i);
}

/** FINCSTP, FDECSTP. */
export function x87Turn(cpu: u32, by: i64): void {
  start(cpu);
  setTop(cpu, topOf(cpu) + <u32>by);
}
