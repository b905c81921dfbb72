/**
 * x87 arithmetic in the usual case: normal numbers, rounding to nearest, 53 or 64 bits of precision, all exceptions masked.
 * Each function does the whole of it, or gives false before it changed anything: then x87.ts does it by f80.ts.
 */
import { S_FCW, S_FPU_SKIP, S_FSW } from '../layout';
import { divideSignificands, quotientLow } from './f80';
import { isEmpty, popStack, register, setTag, setTop, topOf } from './fpu';
import { multiplyHigh } from './integer';

const C1: u32 = 0x200;
const PE: u32 = 0x20;
const BIAS: i32 = 0x3fff;
const MOST: u32 = 0x7ffe;
const TOP_BIT: u64 = 0x8000000000000000;

/** An exponent neither of a denormal nor of an infinity or NaN. */
// @ts-ignore: decorator
@inline
function isUsual(exponent: u32): bool {
  return exponent - 1 < MOST;
}
/** All exceptions masked and rounding to nearest, at 53 or 64 bits. */
// @ts-ignore: decorator
@inline
function isUsualControl(fcw: u32): bool {
  return (fcw & 0xe3f) == 0x23f;
}

/** The operands, once they are found to be usual: sign with exponent, and significand. */
let aHead: u32 = 0;
let aBody: u64 = 0;
let bHead: u32 = 0;
let bBody: u64 = 0;

/** ST(i) as B. */
function takeRegister(cpu: u32, i: u32): bool {
  if (isEmpty(cpu, i)) return false;
  const at = register(cpu, i);
  bHead = <u32>load<u16>(at + 8);
  bBody = load<u64>(at);
  return isUsual(bHead & 0x7fff) && (bBody & TOP_BIT) != 0;
}
/** ST(i) as A. */
function takeFirst(cpu: u32, i: u32): bool {
  if (!takeRegister(cpu, i)) return false;
  aHead = bHead;
  aBody = bBody;
  return true;
}
function takeFloat(bits: i64, wide: bool): bool {
  const exponent = <u32>(wide ? bits >>> 52 : bits >>> 23) & (wide ? 0x7ff : 0xff);
  if (exponent - 1 >= <u32>(wide ? 0x7fe : 0xfe)) return false;
  const sign = <u32>(wide ? bits >>> 63 : bits >>> 31) & 1;
  bHead = (sign << 15) | (exponent + (wide ? 0x3fff - 1023 : 0x3fff - 127));
  bBody = TOP_BIT | ((<u64>bits << <u64>(wide ? 11 : 40)) & ~TOP_BIT);
  return true;
}

/** ST(target) = ST(target) op ST(source), by the operation numbers of `operate` in x87.ts. */
export function quickArithmetic(cpu: u32, operation: u32, target: u32, source: u32, pop: bool): bool {
  if (!takeFirst(cpu, target) || !takeRegister(cpu, source) || !quickOperate(cpu, operation, target)) return false;
  if (pop) popStack(cpu);
  return true;
}

/** ST(0) = ST(0) op a 32- or 64-bit float. */
export function quickArithmeticFloat(cpu: u32, operation: u32, bits: i64, wide: bool): bool {
  return takeFirst(cpu, 0) && takeFloat(bits, wide) && quickOperate(cpu, operation, 0);
}

/** ST(target) = A op B; false if the control word or the result is not usual. */
function quickOperate(cpu: u32, operation: u32, target: u32): bool {
  const fcw = load<u32>(cpu + S_FCW);
  if (!isUsualControl(fcw)) return false;
  let xHead = aHead;
  let xBody = aBody;
  let yHead = bHead;
  let yBody = bBody;
  if (operation == 5 || operation == 7) {
    xHead = bHead;
    xBody = bBody;
    yHead = aHead;
    yBody = aBody;
  }
  let sign = (xHead ^ yHead) & 0x8000;
  let exponent: i32;
  let high: u64;
  let low: u64;
  if (operation == 1) {
    exponent = <i32>((xHead & 0x7fff) + (yHead & 0x7fff)) - BIAS + 1;
    high = multiplyHigh(xBody, yBody);
    low = xBody * yBody;
    if ((high & TOP_BIT) == 0) {
      high = (high << 1) | (low >> 63);
      low <<= 1;
      exponent--;
    }
  } else if (operation >= 6) {
    exponent = <i32>(xHead & 0x7fff) - <i32>(yHead & 0x7fff) + BIAS - (xBody < yBody ? 1 : 0);
    high = divideSignificands(xBody, yBody);
    low = quotientLow;
  } else {
    if (operation != 0) {
      yHead ^= 0x8000;
      sign ^= 0x8000;
    }
    if ((xHead & 0x7fff) < (yHead & 0x7fff) || ((xHead & 0x7fff) == (yHead & 0x7fff) && xBody < yBody)) {
      const head = xHead;
      const body = xBody;
      xHead = yHead;
      xBody = yBody;
      yHead = head;
      yBody = body;
    }
    exponent = <i32>(xHead & 0x7fff);
    const distance = (xHead & 0x7fff) - (yHead & 0x7fff);
    let shifted: u64 = 0;
    low = 1;
    if (distance == 0) {
      shifted = yBody;
      low = 0;
    } else if (distance < 64) {
      shifted = yBody >> distance;
      low = yBody << (64 - distance);
    } else if (distance == 64) low = yBody;
    else if (distance < 128) low = (yBody >> (distance - 64)) | (yBody << (128 - distance) != 0 ? 1 : 0);
    if (sign == 0) {
      high = xBody + shifted;
      if (high < xBody) {
        low = (high << 63) | (low >> 1) | (low & 1);
        high = (high >> 1) | TOP_BIT;
        exponent++;
      }
    } else {
      high = xBody - shifted - (low != 0 ? 1 : 0);
      low = 0 - low;
      if (high == 0) {
        high = low;
        low = 0;
        exponent -= 64;
        if (high == 0) return false;
      }
      const shift = clz<u64>(high);
      if (shift != 0) {
        high = (high << shift) | (low >> (64 - shift));
        low <<= shift;
        exponent -= <i32>shift;
      }
    }
    sign = xHead & 0x8000;
  }

  // round to nearest, ties to even
  let lost: bool;
  let up: bool;
  if ((fcw & 0x100) != 0) {
    lost = low != 0;
    up = low > TOP_BIT || (low == TOP_BIT && (high & 1) != 0);
    if (up) high++;
  } else {
    const below = (high << 53) | (low != 0 ? 1 : 0);
    lost = below != 0;
    up = below > TOP_BIT || (below == TOP_BIT && (high & 0x800) != 0);
    high = (high >> 11) << 11;
    if (up) high += 0x800;
  }
  if (high == 0) {
    high = TOP_BIT;
    exponent++;
  }
  if (!isUsual(<u32>exponent)) return false;
  put(cpu, target, sign | <u32>exponent, high, 0);
  note(cpu, lost, up);
  return true;
}

/** Writes ST(i). */
function put(cpu: u32, i: u32, head: u32, body: u64, tag: u32): void {
  const at = register(cpu, i);
  store<u64>(at, body);
  store<u16>(at + 8, <u16>head);
  setTag(cpu, i, tag);
}

/** The status word of an instruction that rounded, or did not. */
// @ts-ignore: decorator
@inline
function note(cpu: u32, lost: bool, up: bool): void {
  store<u32>(cpu + S_FSW, (load<u32>(cpu + S_FSW) & ~C1) | (lost ? PE : 0) | (up ? C1 : 0));
}

/** Pushes a 32- or 64-bit float: a normal number or a zero. */
export function quickLoad(cpu: u32, bits: i64, wide: bool): bool {
  if (!isEmpty(cpu, 7)) return false;
  if (takeFloat(bits, wide)) {
    pushB(cpu, 0);
    return true;
  }
  const sign: i64 = wide ? i64.MIN_VALUE : 0x80000000;
  if ((bits & ~sign) != 0) return false;
  bHead = bits == 0 ? 0 : 0x8000;
  bBody = 0;
  pushB(cpu, 1);
  return true;
}

/** Pushes a copy of ST(i), a normal number. */
export function quickLoadRegister(cpu: u32, i: u32): bool {
  if (!isEmpty(cpu, 7) || !takeRegister(cpu, i)) return false;
  pushB(cpu, 0);
  return true;
}

function pushB(cpu: u32, tag: u32): void {
  setTop(cpu, topOf(cpu) - 1);
  put(cpu, 0, bHead, bBody, tag);
  note(cpu, false, false);
}

/** ST(0) and ST(i) change places; normal numbers. */
export function quickExchange(cpu: u32, i: u32): bool {
  if (!takeFirst(cpu, 0) || !takeRegister(cpu, i)) return false;
  put(cpu, 0, bHead, bBody, 0);
  put(cpu, i, aHead, aBody, 0);
  note(cpu, false, false);
  return true;
}

/** ST(i) = ST(0), a normal number. */
export function quickStoreRegister(cpu: u32, i: u32, pop: bool): bool {
  if (!takeRegister(cpu, 0)) return false;
  put(cpu, i, bHead, bBody, 0);
  note(cpu, false, false);
  if (pop) popStack(cpu);
  return true;
}

/** Bits that `quickValue` made. */
export let quickBits: i64 = 0;

/** ST(0) as a 32- or 64-bit float, a normal number before and after. */
export function quickValue(cpu: u32, wide: bool): bool {
  const fcw = load<u32>(cpu + S_FCW);
  // Stores round by the rounding control, whatever the precision is.
  if ((fcw & 0xc3f) != 0x3f) return false;
  if (!takeRegister(cpu, 0)) return false;
  const drop: u64 = wide ? 11 : 40;
  const half: u64 = (<u64>1 << drop) >> 1;
  const rest = bBody & ((<u64>1 << drop) - 1);
  let kept = bBody >> drop;
  const up = rest > half || (rest == half && (kept & 1) != 0);
  if (up) kept++;
  let exponent = <i32>(bHead & 0x7fff) - BIAS + (wide ? 1023 : 127);
  if (kept >> (64 - drop) != 0) {
    kept >>= 1;
    exponent++;
  }
  if (<u32>(exponent - 1) >= <u32>(wide ? 0x7fe : 0xfe)) return false;
  const sign = <u64>(bHead >> 15);
  quickBits = wide
    ? <i64>((sign << 63) | (<u64>exponent << 52) | (kept & 0xfffffffffffff))
    : <i64>((sign << 31) | (<u64>exponent << 23) | (kept & 0x7fffff));
  store<u32>(cpu + S_FPU_SKIP, 0);
  note(cpu, rest != 0, up);
  return true;
}

/** C3 C2 C0 for normal numbers in ST(0) and ST(i). */
export let quickConditions: u32 = 0;
export function quickCompare(cpu: u32, i: u32): bool {
  if (!takeFirst(cpu, 0) || !takeRegister(cpu, i)) return false;
  const negative = (aHead & 0x8000) != 0;
  if (((aHead ^ bHead) & 0x8000) != 0) quickConditions = negative ? 0x100 : 0;
  else if (aHead == bHead && aBody == bBody) quickConditions = 0x4000;
  else quickConditions = (aHead < bHead || (aHead == bHead && aBody < bBody)) != negative ? 0x100 : 0;
  return true;
}
