/**
 * x87 arithmetic in the usual case: normal numbers, rounding to nearest, 53 or 64 bits of precision, all exceptions masked.
 * Each function does the whole of it, or gives false before it changed anything: then x87.ts does it by f80.ts.
 */
import { S_FCW, S_FPR, S_FPU_SKIP, S_FSW, S_FTW } from '../layout';
import { divideWide, multiplyHigh, wideRest } from './integer';

const C1: u32 = 0x200;
const PE: u32 = 0x20;
const EMPTY: u32 = 3;
const BIAS: i32 = 0x3fff;
const MOST: u32 = 0x7ffe;
const TOP_BIT: u64 = 0x8000000000000000;

// @ts-ignore: decorator
@inline
function placeOf(fsw: u32, i: u32): u32 {
  return ((fsw >> 11) + i) & 7;
}
// @ts-ignore: decorator
@inline
function tagOf(ftw: u32, place: u32): u32 {
  return (ftw >> (2 * place)) & 3;
}
// @ts-ignore: decorator
@inline
function withTag(ftw: u32, place: u32, tag: u32): u32 {
  return (ftw & ~(3 << (2 * place))) | (tag << (2 * place));
}
// @ts-ignore: decorator
@inline
function registerAt(cpu: u32, place: u32): u32 {
  return cpu + S_FPR + 16 * place;
}
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

/** The operands of `quickOperate`, once they are found to be usual: sign with exponent, and significand. */
let aHead: u32 = 0;
let aBody: u64 = 0;
let bHead: u32 = 0;
let bBody: u64 = 0;

function takeRegister(at: u32): bool {
  bHead = <u32>load<u16>(at + 8);
  bBody = load<u64>(at);
  return isUsual(bHead & 0x7fff) && (bBody & TOP_BIT) != 0;
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
  const fcw = load<u32>(cpu + S_FCW);
  if (!isUsualControl(fcw)) return false;
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const to = placeOf(fsw, target);
  const from = placeOf(fsw, source);
  if (tagOf(ftw, to) == EMPTY || tagOf(ftw, from) == EMPTY) return false;
  if (!takeRegister(registerAt(cpu, to))) return false;
  aHead = bHead;
  aBody = bBody;
  if (!takeRegister(registerAt(cpu, from))) return false;
  if (!quickOperate(cpu, operation, registerAt(cpu, to), fcw, fsw)) return false;
  store<u32>(cpu + S_FTW, withTag(ftw, to, 0));
  if (pop) quickPop(cpu);
  return true;
}

/** ST(0) = ST(0) op a 32- or 64-bit float. */
export function quickArithmeticFloat(cpu: u32, operation: u32, bits: i64, wide: bool): bool {
  const fcw = load<u32>(cpu + S_FCW);
  if (!isUsualControl(fcw)) return false;
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const to = placeOf(fsw, 0);
  if (tagOf(ftw, to) == EMPTY) return false;
  if (!takeRegister(registerAt(cpu, to))) return false;
  aHead = bHead;
  aBody = bBody;
  if (!takeFloat(bits, wide)) return false;
  if (!quickOperate(cpu, operation, registerAt(cpu, to), fcw, fsw)) return false;
  store<u32>(cpu + S_FTW, withTag(ftw, to, 0));
  return true;
}

/** A op B to the register at `to`; false if the result is no normal number. */
function quickOperate(cpu: u32, operation: u32, to: u32, fcw: u32, fsw: u32): bool {
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
    exponent = <i32>(xHead & 0x7fff) - <i32>(yHead & 0x7fff) + BIAS;
    if (xBody >= yBody) {
      const fraction = divideWide(xBody - yBody, 0, yBody);
      high = TOP_BIT | (fraction >> 1);
      low = (fraction << 63) | (wideRest != 0 ? 1 : 0);
    } else {
      high = divideWide(xBody, 0, yBody);
      exponent--;
      // the next bit, and whether anything is left behind it
      const rest = wideRest;
      const guard = rest >= yBody - rest;
      low = (guard ? TOP_BIT : 0) | (rest != 0 && rest + rest != yBody ? 1 : 0);
    }
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
  store<u64>(to, high);
  store<u16>(to + 8, <u16>(sign | <u32>exponent));
  store<u32>(cpu + S_FSW, (fsw & ~C1) | (lost ? PE : 0) | (up ? C1 : 0));
  return true;
}

function quickPop(cpu: u32): void {
  const fsw = load<u32>(cpu + S_FSW);
  store<u32>(cpu + S_FTW, withTag(load<u32>(cpu + S_FTW), placeOf(fsw, 0), EMPTY));
  store<u32>(cpu + S_FSW, (fsw & ~0x3800) | ((fsw + 0x800) & 0x3800));
}

/** Pushes a 32- or 64-bit float: a normal number or a zero. */
export function quickLoad(cpu: u32, bits: i64, wide: bool): bool {
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const to = placeOf(fsw, 7);
  if (tagOf(ftw, to) != EMPTY) return false;
  let tag: u32 = 0;
  if (!takeFloat(bits, wide)) {
    const sign: i64 = wide ? i64.MIN_VALUE : 0x80000000;
    if ((bits & ~sign) != 0) return false;
    bHead = bits == 0 ? 0 : 0x8000;
    bBody = 0;
    tag = 1;
  }
  pushQuick(cpu, fsw, ftw, to, tag);
  return true;
}

/** Pushes a copy of ST(i). */
export function quickLoadRegister(cpu: u32, i: u32): bool {
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const from = placeOf(fsw, i);
  const to = placeOf(fsw, 7);
  const tag = tagOf(ftw, from);
  if (tagOf(ftw, to) != EMPTY || tag == EMPTY) return false;
  if (!takeRegister(registerAt(cpu, from))) return false;
  pushQuick(cpu, fsw, ftw, to, 0);
  return true;
}

function pushQuick(cpu: u32, fsw: u32, ftw: u32, to: u32, tag: u32): void {
  const at = registerAt(cpu, to);
  store<u64>(at, bBody);
  store<u16>(at + 8, <u16>bHead);
  store<u32>(cpu + S_FTW, withTag(ftw, to, tag));
  store<u32>(cpu + S_FSW, (fsw & ~(0x3800 | C1)) | (to << 11));
}

/** ST(0) and ST(i) change places; any values. */
export function quickExchange(cpu: u32, i: u32): bool {
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const first = placeOf(fsw, 0);
  const other = placeOf(fsw, i);
  if (!takeRegister(registerAt(cpu, first))) return false;
  const head = bHead;
  const body = bBody;
  if (!takeRegister(registerAt(cpu, other))) return false;
  if (tagOf(ftw, first) == EMPTY || tagOf(ftw, other) == EMPTY) return false;
  store<u64>(registerAt(cpu, first), bBody);
  store<u16>(registerAt(cpu, first) + 8, <u16>bHead);
  store<u64>(registerAt(cpu, other), body);
  store<u16>(registerAt(cpu, other) + 8, <u16>head);
  store<u32>(cpu + S_FTW, withTag(withTag(ftw, first, 0), other, 0));
  store<u32>(cpu + S_FSW, fsw & ~C1);
  return true;
}

/** ST(i) = ST(0), a normal number. */
export function quickStoreRegister(cpu: u32, i: u32, pop: bool): bool {
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const first = placeOf(fsw, 0);
  const to = placeOf(fsw, i);
  if (tagOf(ftw, first) == EMPTY || !takeRegister(registerAt(cpu, first))) return false;
  store<u64>(registerAt(cpu, to), bBody);
  store<u16>(registerAt(cpu, to) + 8, <u16>bHead);
  store<u32>(cpu + S_FTW, withTag(ftw, to, 0));
  store<u32>(cpu + S_FSW, fsw & ~C1);
  if (pop) quickPop(cpu);
  return true;
}

/** Bits that `quickValue` made. */
export let quickBits: i64 = 0;

/** ST(0) as a 32- or 64-bit float, a normal number before and after. */
export function quickValue(cpu: u32, wide: bool): bool {
  const fcw = load<u32>(cpu + S_FCW);
  // Stores round by the rounding control, whatever the precision is.
  if ((fcw & 0xc3f) != 0x3f) return false;
  const fsw = load<u32>(cpu + S_FSW);
  const first = placeOf(fsw, 0);
  if (tagOf(load<u32>(cpu + S_FTW), first) == EMPTY || !takeRegister(registerAt(cpu, first))) return false;
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
  store<u32>(cpu + S_FSW, (fsw & ~C1) | (rest != 0 ? PE : 0) | (up ? C1 : 0));
  return true;
}

/** C3 C2 C0 for normal numbers in ST(0) and ST(i). */
export let quickConditions: u32 = 0;
export function quickCompare(cpu: u32, i: u32): bool {
  const fsw = load<u32>(cpu + S_FSW);
  const ftw = load<u32>(cpu + S_FTW);
  const first = placeOf(fsw, 0);
  const other = placeOf(fsw, i);
  if (tagOf(ftw, first) == EMPTY || tagOf(ftw, other) == EMPTY) return false;
  if (!takeRegister(registerAt(cpu, first))) return false;
  aHead = bHead;
  aBody = bBody;
  if (!takeRegister(registerAt(cpu, other))) return false;
  const negative = (aHead & 0x8000) != 0;
  if (((aHead ^ bHead) & 0x8000) != 0) quickConditions = negative ? 0x100 : 0;
  else if (aHead == bHead && aBody == bBody) quickConditions = 0x4000;
  else quickConditions = (aHead < bHead || (aHead == bHead && aBody < bBody)) != negative ? 0x100 : 0;
  return true;
}
