import { FS, GS, MODE_LONG, MODE_PROTECTED, S_MODE, S_SEG, SEG_ATTR, SEG_BASE, SEG_BYTES, SEG_LIMIT, SEG_NULL, SS } from '../layout';
import { BASE_MOFFS, R_ASIZE, R_BASE, R_DISPLACEMENT, R_IMM, R_INDEX, R_SCALE, R_SEGMENT } from '../interpreter/record';
import { GP, raiseWithError, STACK } from './fault';
import { isCanonical } from './tlb';

/**
 * Linear address of `bytes` bytes at an offset in a segment, checked as the mode demands (SDM vol. 3, 5.3 and 5.4);
 * raises #GP(0), or #SS(0) for the stack segment. `write`: 0 read, 1 write, 2 no check at all.
 */
export function segmentLinear(cpu: u32, segment: u32, offset: i64, bytes: u32, write: u32): i64 {
  const register = cpu + S_SEG + segment * SEG_BYTES;
  const mode = load<u32>(cpu + S_MODE);
  const vector = segment == SS ? STACK : GP;
  if (write == 2) {
    if ((mode & MODE_LONG) != 0) return segment == FS || segment == GS ? offset + load<i64>(register + SEG_BASE) : offset;
    return (offset + load<i64>(register + SEG_BASE)) & 0xffffffff;
  }
  if ((mode & MODE_LONG) != 0) {
    const linear = segment == FS || segment == GS ? offset + load<i64>(register + SEG_BASE) : offset;
    if (!isCanonical(cpu, linear)) raiseWithError(cpu, vector, 0);
    return linear;
  }
  const attributes = load<u32>(register + SEG_ATTR);
  if ((mode & MODE_PROTECTED) != 0) {
    // not present or null; code segments are never written and perhaps not read; data perhaps not written
    let bad = (attributes & SEG_NULL) != 0 || (attributes & 0x80) == 0;
    if ((attributes & 8) != 0) bad = bad || write != 0 || (attributes & 2) == 0;
    else bad = bad || (write != 0 && (attributes & 2) == 0);
    if (bad) {
      raiseWithError(cpu, vector, 0);
      return 0;
    }
  }
  const limit = load<i64>(register + SEG_LIMIT);
  const last = offset + <i64>bytes - 1;
  if ((attributes & 0xc) == 4) {
    // expand down: valid are the offsets above the limit
    const top: i64 = (attributes & 0x4000) != 0 ? 0xffffffff : 0xffff;
    if (offset <= limit || last > top) raiseWithError(cpu, vector, 0);
  } else if (last > limit && limit != 0xffffffff) {
    // In a segment of 4 GiB an access may wrap around: processors do, and flat code (MODE_FLAT) relies on no check.
    raiseWithError(cpu, vector, 0);
  }
  return (offset + load<i64>(register + SEG_BASE)) & 0xffffffff;
}

/** Linear address of the memory operand of a decoded record, with all checks; for the cases that the interpreter does not make itself. */
export function effectiveAddress(cpu: u32, record: u32, bytes: u32, write: u32): i64 {
  return effectiveAddressBeyond(cpu, record, 0, bytes, write);
}

/** The same for bytes `distance` behind the operand. */
export function effectiveAddressBeyond(cpu: u32, record: u32, distance: i64, bytes: u32, write: u32): i64 {
  const segment = <u32>load<u8>(record + R_SEGMENT);
  const mask = <i64>(<u64>0xffffffffffffffff >> <u64>load<u8>(record + R_ASIZE));
  let offset: i64;
  if (load<u16>(record + R_BASE) == BASE_MOFFS) offset = load<i64>(record + R_IMM);
  else {
    const base = load<i64>(cpu + <u32>load<u16>(record + R_BASE));
    const index = load<i64>(cpu + <u32>load<u16>(record + R_INDEX));
    offset = (base + (index << <i64>load<u8>(record + R_SCALE)) + <i64>load<i32>(record + R_DISPLACEMENT) + distance) & mask;
  }
  return segmentLinear(cpu, segment, offset, bytes, write);
}
