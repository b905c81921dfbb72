import { S_REMAINDER } from '../layout';
import { DE, raise } from './fault';
import { random as boardRandom } from './host';

/** High 64 bits of an unsigned product. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const low = al * bl;
  const mid = ah * bl + (low >> 32);
  const mid2 = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (mid2 >> 32);
}

export function umulh(cpu: u32, a: i64, b: i64): i64 {
  return <i64>multiplyHigh(<u64>a, <u64>b);
}

export function imulh(cpu: u32, a: i64, b: i64): i64 {
  let high = <i64>multiplyHigh(<u64>a, <u64>b);
  if (a < 0) high -= b;
  if (b < 0) high -= a;
  return high;
}

/** What `divideWide` left. */
export let wideRest: u64 = 0;

/** high:low / divisor, where high < divisor; the rest is in `wideRest`. (Knuth, TAOCP vol. 2, 4.3.1, algorithm D, with digits of 32 bits.) */
export function divideWide(high: u64, low: u64, divisor: u64): u64 {
  const shift = clz<u64>(divisor);
  const normal = divisor << shift;
  const first = shift == 0 ? high : (high << shift) | (low >> (64 - shift));
  const rest = low << shift;
  const upper = divideDigit(first, rest >> 32, normal);
  const lower = divideDigit(wideRest, rest & 0xffffffff, normal);
  wideRest >>= shift;
  return (upper << 32) | lower;
}

/** (high * 2^32 + next) / divisor, which has its highest bit set. */
function divideDigit(high: u64, next: u64, divisor: u64): u64 {
  const top = divisor >> 32;
  const bottom = divisor & 0xffffffff;
  let digit = high / top;
  let rest = high - digit * top;
  while (digit > 0xffffffff || digit * bottom > ((rest << 32) | next)) {
    digit--;
    rest += top;
    if (rest > 0xffffffff) break;
  }
  wideRest = ((high << 32) | next) - digit * divisor;
  return digit;
}

/** Quotient of a 128-bit number by 64 bits, where high < divisor; the remainder is left in S_REMAINDER. */
function divide128(cpu: u32, high: u64, low: u64, divisor: u64): u64 {
  const quotient = high == 0 ? low / divisor : divideWide(high, low, divisor);
  store<u64>(cpu + S_REMAINDER, high == 0 ? low % divisor : wideRest);
  return quotient;
}

/** DIV: (high:low of `bits` bits each) by `divisor`; #DE for zero or a quotient that does not fit. */
export function divide(cpu: u32, bits: i64, high: i64, low: i64, divisor: i64): i64 {
  if (divisor == 0) {
    raise(cpu, DE);
    return 0;
  }
  if (bits == 64) {
    if (<u64>high >= <u64>divisor) {
      raise(cpu, DE);
      return 0;
    }
    return <i64>divide128(cpu, <u64>high, <u64>low, <u64>divisor);
  }
  const mask = (<i64>1 << bits) - 1;
  const dividend = <u64>(((high & mask) << bits) | (low & mask));
  const quotient = dividend / <u64>divisor;
  if (quotient > <u64>mask) {
    raise(cpu, DE);
    return 0;
  }
  store<u64>(cpu + S_REMAINDER, dividend % <u64>divisor);
  return <i64>quotient;
}

/** IDIV, likewise. */
export function idivide(cpu: u32, bits: i64, high: i64, low: i64, divisor: i64): i64 {
  const up = 64 - bits;
  const by = (divisor << up) >> up;
  if (by == 0) {
    raise(cpu, DE);
    return 0;
  }
  if (bits == 64) {
    const negative = high < 0;
    let l = <u64>low;
    let h = <u64>high;
    if (negative) {
      l = ~l + 1;
      h = ~h + (l == 0 ? 1 : 0);
    }
    const d = by < 0 ? 0 - <u64>by : <u64>by;
    if (h >= d) {
      raise(cpu, DE);
      return 0;
    }
    const q = divide128(cpu, h, l, d);
    const minus = negative != by < 0;
    if (minus ? q > 0x8000000000000000 : q > 0x7fffffffffffffff) {
      raise(cpu, DE);
      return 0;
    }
    if (negative) store<i64>(cpu + S_REMAINDER, -load<i64>(cpu + S_REMAINDER));
    return minus ? -(<i64>q) : <i64>q;
  }
  const mask = (<i64>1 << bits) - 1;
  const wide = ((high & mask) << bits) | (low & mask);
  const dividend = bits == 32 ? wide : (wide << (64 - 2 * bits)) >> (64 - 2 * bits);
  if (dividend == i64.MIN_VALUE && by == -1) {
    raise(cpu, DE);
    return 0;
  }
  const quotient = dividend / by;
  if ((quotient << up) >> up != quotient) {
    raise(cpu, DE);
    return 0;
  }
  store<i64>(cpu + S_REMAINDER, dividend % by);
  return quotient;
}

/** Remainder of the division just done. */
export function remainder(cpu: u32): i64 {
  return load<i64>(cpu + S_REMAINDER);
}

export function pdep(cpu: u32, source: i64, mask: i64): i64 {
  let result: i64 = 0;
  let rest = mask;
  for (let k: i64 = 0; rest != 0; k++) {
    const lowest = rest & -rest;
    if (((source >> k) & 1) != 0) result |= lowest;
    rest ^= lowest;
  }
  return result;
}

export function pext(cpu: u32, source: i64, mask: i64): i64 {
  let result: i64 = 0;
  let rest = mask;
  for (let k: i64 = 0; rest != 0; k++) {
    const lowest = rest & -rest;
    if ((source & lowest) != 0) result |= <i64>1 << k;
    rest ^= lowest;
  }
  return result;
}

/** CRC32 with the polynomial 11EDC6F41H, reflected. */
export function crc32(cpu: u32, crc: i64, data: i64, bits: i64): i64 {
  let c = <u32>crc;
  for (let i: i64 = 0; i < bits; i += 8) {
    c ^= <u32>(data >>> i) & 0xff;
    for (let k = 0; k < 8; k++) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78 : 0);
  }
  return <i64>c;
}

export function random(cpu: u32): i64 {
  return boardRandom(cpu);
}
