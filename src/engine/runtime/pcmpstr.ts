/** PCMPxSTRx: the comparison of SDM vol. 2, 4.1 ("Imm8 control byte operation"). Strings as vectors, results as bit masks of elements. */
const WORDS: u32 = 1;
const SIGNED: u32 = 2;
/** Immediate bits 2-3: aggregation; 1 is ranges. */
const EQUAL_ANY: u32 = 0;
const EQUAL_EACH: u32 = 2;
const EQUAL_ORDERED: u32 = 3;
/** Immediate bits 4-5: polarity. */
const NEGATIVE: u32 = 0x10;
const MASKED: u32 = 0x20;
/** Bits of the result above the 16 of the comparison. */
const RESULT_ZF: u32 = 0x10000;
const RESULT_SF: u32 = 0x20000;

// @ts-ignore: decorator
@inline
function countOf(immediate: u32): u32 {
  return immediate & WORDS ? 8 : 16;
}

/** Elements that are equal. */
// @ts-ignore: decorator
@inline
function equal(a: v128, b: v128, immediate: u32): u32 {
  return immediate & WORDS ? i16x8.bitmask(i16x8.eq(a, b)) : i8x16.bitmask(i8x16.eq(a, b));
}

/** Elements of a that are at most those of b. */
function atMost(a: v128, b: v128, immediate: u32): u32 {
  if (immediate & WORDS) return i16x8.bitmask(immediate & SIGNED ? i16x8.le_s(a, b) : i16x8.le_u(a, b));
  return i8x16.bitmask(immediate & SIGNED ? i8x16.le_s(a, b) : i8x16.le_u(a, b));
}

/** Element `index` of the string at an address, in all places. */
// @ts-ignore: decorator
@inline
function repeated(string: u32, index: u32, immediate: u32): v128 {
  return immediate & WORDS ? i16x8.splat(load<i16>(string + 2 * index)) : i8x16.splat(load<i8>(string + index));
}

function implicitLength(string: v128, immediate: u32): u32 {
  return ctz<u32>(equal(string, i64x2.splat(0), immediate) | (1 << countOf(immediate)));
}

function explicitLength(length: i64, immediate: u32): u32 {
  const absolute: u64 = length < 0 ? 0 - <u64>length : <u64>length;
  return <u32>min<u64>(absolute, countOf(immediate));
}

/** Positions of the second string that match; what lies behind the end of a string is invalid. */
function matches(a: u32, b: v128, immediate: u32, lengthA: u32, validB: u32, all: u32): u32 {
  const aggregation = (immediate >> 2) & 3;
  if (aggregation == EQUAL_EACH) {
    const validA: u32 = (1 << lengthA) - 1;
    return (equal(v128.load(a), b, immediate) & validA & validB) | (all & ~(validA | validB));
  }
  let found: u32 = 0;
  if (aggregation == EQUAL_ANY) {
    for (let i: u32 = 0; i < lengthA; i++) found |= equal(repeated(a, i, immediate), b, immediate);
    return found & validB;
  }
  if (aggregation == EQUAL_ORDERED) {
    found = all;
    // Where the rest of the first string reaches over the end of the second's register, what there is of it counts.
    for (let i: u32 = 0; i < lengthA; i++) found &= ((equal(repeated(a, i, immediate), b, immediate) & validB) >> i) | (all & ~(all >> i));
    return found;
  }
  // Ranges: pairs of lower and upper limit.
  for (let i: u32 = 0; i + 1 < lengthA; i += 2)
    found |= atMost(repeated(a, i, immediate), b, immediate) & atMost(b, repeated(a, i + 1, immediate), immediate);
  return found & validB;
}

function compareStrings(a: u32, b: v128, immediate: u32, lengthA: u32, lengthB: u32): i64 {
  const count = countOf(immediate);
  const all: u32 = (1 << count) - 1;
  const validB: u32 = (1 << lengthB) - 1;
  let result = matches(a, b, immediate, lengthA, validB, all);
  if (immediate & NEGATIVE) result ^= immediate & MASKED ? validB : all;
  if (lengthB < count) result |= RESULT_ZF;
  if (lengthA < count) result |= RESULT_SF;
  return <i64>result;
}

export function pcmpestr(cpu: u32, a: i64, b: i64, immediate: i64, lengthA: i64, lengthB: i64): i64 {
  const control = <u32>immediate;
  const first = explicitLength(lengthA, control);
  return compareStrings(cpu + <u32>a, v128.load(cpu + <u32>b), control, first, explicitLength(lengthB, control));
}

export function pcmpistr(cpu: u32, a: i64, b: i64, immediate: i64): i64 {
  const control = <u32>immediate;
  const second = v128.load(cpu + <u32>b);
  const first = implicitLength(v128.load(cpu + <u32>a), control);
  return compareStrings(cpu + <u32>a, second, control, first, implicitLength(second, control));
}
