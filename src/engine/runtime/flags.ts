import { FLAGS_ADD, FLAGS_SUB, FLAGS_WORDS, S_EFLAGS, S_FLAG_C, S_FLAG_KIND, S_FLAG_S, S_FLAG_Z } from '../layout';

const CF: u32 = 1;
const PF: u32 = 4;
const AF: u32 = 0x10;
const ZF: u32 = 0x40;
const SF: u32 = 0x80;
const OF: u32 = 0x800;
export const ARITHMETIC: u32 = CF | PF | AF | ZF | SF | OF;

/** All of EFLAGS as the guest sees it. */
export function getEflags(cpu: u32): u32 {
  const s = load<i64>(cpu + S_FLAG_S);
  const c = load<i64>(cpu + S_FLAG_C);
  let flags = load<u32>(cpu + S_EFLAGS);
  if (c < 0) flags |= CF;
  if ((popcnt<i64>(s & 0xff) & 1) == 0) flags |= PF;
  if ((c & 8) != 0) flags |= AF;
  if (load<i64>(cpu + S_FLAG_Z) == 0) flags |= ZF;
  if (s < 0) flags |= SF;
  if ((c ^ (c << 1)) < 0) flags |= OF;
  return flags;
}

/** Sets the flags in `mask`; bit 1 always reads one. Who changes AC, VM, TF or IF calls updateMode after it. */
export function setEflags(cpu: u32, value: u32, mask: u32): void {
  putEflags(cpu, (getEflags(cpu) & ~mask) | (value & mask) | 2);
}
/** All of EFLAGS. */
export function putEflags(cpu: u32, flags: u32): void {
  store<u32>(cpu + S_EFLAGS, flags & ~ARITHMETIC);
  store<i64>(cpu + S_FLAG_Z, (flags & ZF) != 0 ? 0 : 1);
  store<i64>(cpu + S_FLAG_S, ((flags & SF) != 0 ? <i64>0x8000000000000000 : 0) | ((flags & PF) != 0 ? 0 : 1));
  const carry = (flags & CF) != 0;
  const overflow = (flags & OF) != 0;
  store<i64>(
    cpu + S_FLAG_C,
    (carry ? <i64>0x8000000000000000 : 0) | (carry != overflow ? <i64>0x4000000000000000 : 0) | ((flags & AF) != 0 ? 8 : 0),
  );
}

/** The flag words of a result of 64 - `up` bits and the carries out of each of its bits. */
// @ts-ignore: decorator
@inline
function setWords(cpu: u32, r: i64, carries: i64, up: i64): void {
  const result = (r << up) >> up;
  store<i64>(cpu + S_FLAG_Z, result);
  store<i64>(cpu + S_FLAG_S, result);
  // The copy that is not shifted keeps AF at bit 3.
  store<i64>(cpu + S_FLAG_C, up == 0 ? carries : (carries << up) | (carries & 8));
}

// @ts-ignore: decorator
@inline
function borrows(a: i64, b: i64, r: i64): i64 {
  return (~a & b) | ((~a | b) & r);
}

/** Flags as SUB of `bytes` bytes sets them: of a - b, both zero-extended. */
export function setSubFlags(cpu: u32, a: i64, b: i64, bytes: u32): void {
  const r = a - b;
  setWords(cpu, r, borrows(a, b, r), 64 - <i64>(bytes * 8));
}

/** Turns what translated code left of an addition or subtraction into the three flag words. */
export function settleFlags(cpu: u32): void {
  const kind = load<u32>(cpu + S_FLAG_KIND);
  if (kind == FLAGS_WORDS) return;
  store<u32>(cpu + S_FLAG_KIND, FLAGS_WORDS);
  const a = load<i64>(cpu + S_FLAG_S);
  const b = load<i64>(cpu + S_FLAG_C);
  const r = load<i64>(cpu + S_FLAG_Z);
  const up: i64 = 64 - (8 << <i64>((kind - <u32>FLAGS_SUB) & 3));
  setWords(cpu, r, kind >= <u32>FLAGS_ADD ? (a & b) | ((a | b) & ~r) : borrows(a, b, r), up);
}
