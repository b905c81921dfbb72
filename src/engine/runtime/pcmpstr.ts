/** PCMPxSTRx: the comparison of SDM vol. 2, 4.1 ("Imm8 control byte operation"). */
const WORDS: u32 = 1;
const SIGNED: u32 = 2;
/** Immediate bits 2-3: aggregation. */
const EQUAL_ANY: u32 = 0;
const EQUAL_EACH: u32 = 2;
const EQUAL_ORDERED: u32 = 3;
/** Immediate bits 4-5: polarity. */
const NEGATIVE: u32 = 0x10;
const MASKED: u32 = 0x20;
/** Bits of the result above the 16 of the comparison. */
const RESULT_ZF: u32 = 0x10000;
const RESULT_SF: u32 = 0x20000;

function element(string: u32, index: u32, immediate: u32): i32 {
  if (immediate & WORDS) {
    const at = string + 2 * index;
    return immediate & SIGNED ? <i32>load<i16>(at) : <i32>load<u16>(at);
  }
  const at = string + index;
  return immediate & SIGNED ? <i32>load<i8>(at) : <i32>load<u8>(at);
}

function implicitLength(string: u32, immediate: u32): u32 {
  const count: u32 = immediate & WORDS ? 8 : 16;
  for (let i: u32 = 0; i < count; i++) if (element(string, i, immediate) == 0) return i;
  return count;
}

function explicitLength(length: i64, immediate: u32): u32 {
  const count: u64 = immediate & WORDS ? 8 : 16;
  const absolute: u64 = length < 0 ? 0 - <u64>length : <u64>length;
  return <u32>min<u64>(absolute, count);
}

/** Whether position j of the second string matches; what lies behind the end of a string is invalid. */
function matches(a: u32, b: u32, immediate: u32, lengthA: u32, lengthB: u32, j: u32): bool {
  const count: u32 = immediate & WORDS ? 8 : 16;
  const aggregation = (immediate >> 2) & 3;
  if (aggregation == EQUAL_EACH) {
    if (j >= lengthA || j >= lengthB) return j >= lengthA && j >= lengthB;
    return element(a, j, immediate) == element(b, j, immediate);
  }
  if (aggregation == EQUAL_ORDERED) {
    for (let i: u32 = 0; i < lengthA && i + j < count; i++) {
      if (i + j >= lengthB) return false;
      if (element(a, i, immediate) != element(b, i + j, immediate)) return false;
    }
    return true;
  }
  if (j >= lengthB) return false;
  const value = element(b, j, immediate);
  if (aggregation == EQUAL_ANY) {
    for (let i: u32 = 0; i < lengthA; i++) if (element(a, i, immediate) == value) return true;
    return false;
  }
  // Ranges (1): pairs of lower and upper limit.
  for (let i: u32 = 0; i + 1 < lengthA; i += 2)
    if (element(a, i, immediate) <= value && value <= element(a, i + 1, immediate)) return true;
  return false;
}

function compareStrings(a: u32, b: u32, immediate: u32, lengthA: u32, lengthB: u32): i64 {
  const count: u32 = immediate & WORDS ? 8 : 16;
  let result: u32 = 0;
  for (let j: u32 = 0; j < count; j++) {
    let bit = matches(a, b, immediate, lengthA, lengthB, j);
    if (immediate & NEGATIVE && !(immediate & MASKED && j >= lengthB)) bit = !bit;
    if (bit) result |= 1 << j;
  }
  if (lengthB < count) result |= RESULT_ZF;
  if (lengthA < count) result |= RESULT_SF;
  return <i64>result;
}

export function pcmpestr(cpu: u32, a: i64, b: i64, immediate: i64, lengthA: i64, lengthB: i64): i64 {
  const control = <u32>immediate;
  const first = explicitLength(lengthA, control);
  return compareStrings(cpu + <u32>a, cpu + <u32>b, control, first, explicitLength(lengthB, control));
}

export function pcmpistr(cpu: u32, a: i64, b: i64, immediate: i64): i64 {
  const control = <u32>immediate;
  const first = implicitLength(cpu + <u32>a, control);
  return compareStrings(cpu + <u32>a, cpu + <u32>b, control, first, implicitLength(cpu + <u32>b, control));
}
