import {
  ACCESS_READ, ACCESS_WRITE, CS, DS, EFLAGS_AC, FS, GS, MODE_LONG, MODE_PROTECTED, MODE_SS32, PENDING_TRAP, S_CPL, S_CR0, S_DR, S_EFLAGS, S_GPR, S_MODE,
  S_PENDING, S_SEG, S_TLB_NONE, S_TLB_READ, S_TLB_WRITE, S_WATCH, S_WATCH_HIT, SEG_ATTR, SEG_BASE, SEG_BYTES, SEG_LIMIT, SEG_NULL, SS, TLB_INDEX_MASK,
} from '../layout'; // prettier-ignore
import {
  BASE_MOFFS, R_ASIZE, R_BASE, R_DISPLACEMENT, R_IMM, R_INDEX, R_SCALE, R_SEGMENT,
} from '../interpreter/record'; // prettier-ignore
import { AC, faulted, GP, raiseWithError, STACK } from './fault';
import { readPhysical16, readPhysical32, readPhysical64, readPhysical8, writePhysical } from './physical';
import { currentPrivilege, isCanonical, translate } from './tlb';
import { AS_IMPLICIT, AS_USER, walk } from './walk';

const CR0_AM: i64 = 0x40000;

// ---- fast path

// @ts-ignore: decorator
@inline
function hit(cpu: u32, table: u32, linear: i64, bytes: i64): u32 {
  const entry = load<u32>(cpu + table) + ((<u32>linear >> 8) & TLB_INDEX_MASK);
  if (((load<i64>(entry) ^ (linear + bytes - 1)) & ~0xfff) != 0) return 0;
  return <u32>linear + load<u32>(entry + 8);
}

/** Address in this memory of bytes that may be read (written) now by the fast path, or 0. */
export function fastRead(cpu: u32, linear: i64, bytes: u32): u32 {
  return hit(cpu, S_TLB_READ, linear, <i64>bytes);
}
export function fastWrite(cpu: u32, linear: i64, bytes: u32): u32 {
  return hit(cpu, S_TLB_WRITE, linear, <i64>bytes);
}

export function load8(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 1);
  return host != 0 ? <i64>load<u8>(host) : slowLoad(cpu, linear, 1, currentPrivilege(cpu));
}
export function load16(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 2);
  return host != 0 ? <i64>load<u16>(host) : slowLoad(cpu, linear, 2, currentPrivilege(cpu));
}
export function load32(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 4);
  return host != 0 ? <i64>load<u32>(host) : slowLoad(cpu, linear, 4, currentPrivilege(cpu));
}
export function load64(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 8);
  return host != 0 ? load<i64>(host) : slowLoad(cpu, linear, 8, currentPrivilege(cpu));
}
export function store8(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 1);
  if (host != 0) store<u8>(host, <u8>value);
  else slowStore(cpu, linear, 1, value, currentPrivilege(cpu));
}
export function store16(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 2);
  if (host != 0) store<u16>(host, <u16>value);
  else slowStore(cpu, linear, 2, value, currentPrivilege(cpu));
}
export function store32(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 4);
  if (host != 0) store<u32>(host, <u32>value);
  else slowStore(cpu, linear, 4, value, currentPrivilege(cpu));
}
export function store64(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 8);
  if (host != 0) store<i64>(host, value);
  else slowStore(cpu, linear, 8, value, currentPrivilege(cpu));
}

/** 16 bytes between memory and a slot of the CPU block; both halves are checked before either is written. */
export function loadSlot(cpu: u32, slot: u32, linear: i64): void {
  const low = load64(cpu, linear);
  if (faulted(cpu)) return;
  const high = load64(cpu, linear + 8);
  if (faulted(cpu)) return;
  store<i64>(cpu + slot, low);
  store<i64>(cpu + slot + 8, high);
}
export function storeSlot(cpu: u32, slot: u32, linear: i64): void {
  probeWrite(cpu, linear, 16);
  if (faulted(cpu)) return;
  store64(cpu, linear, load<i64>(cpu + slot));
  store64(cpu, linear + 8, load<i64>(cpu + slot + 8));
}

/** Accesses of the processor itself (descriptor tables, TSS, stacks of another level): supervisor ones without regard to AC, or as user. */
export function loadAs(cpu: u32, linear: i64, bytes: u32, supervisor: bool): i64 {
  return slowLoad(cpu, linear, bytes, supervisor ? AS_IMPLICIT : AS_USER);
}
export function storeAs(cpu: u32, linear: i64, bytes: u32, value: i64, supervisor: bool): void {
  slowStore(cpu, linear, bytes, value, supervisor ? AS_IMPLICIT : AS_USER);
}

// ---- slow path

/** Linear addresses are 32 bits wide outside 64-bit mode. */
// @ts-ignore: decorator
@inline
function wrap(cpu: u32, linear: i64): i64 {
  return (load<u32>(cpu + S_MODE) & MODE_LONG) != 0 ? linear : linear & 0xffffffff;
}

function misaligned(cpu: u32, linear: i64, bytes: u32): bool {
  if ((linear & <i64>(bytes - 1)) == 0 || load<u32>(cpu + S_CPL) != 3) return false;
  return (load<u32>(cpu + S_EFLAGS) & EFLAGS_AC) != 0 && (load<i64>(cpu + S_CR0) & CR0_AM) != 0;
}

/** Notes data breakpoints that the access touches (SDM vol. 3, 17.2.5). */
function watch(cpu: u32, linear: i64, bytes: u32, write: bool): void {
  const dr7 = <u32>load<i64>(cpu + S_DR + 56);
  let hits: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (((dr7 >> (2 * i)) & 3) == 0) continue;
    const kind = (dr7 >> (16 + 4 * i)) & 3;
    if (kind != 3 && !(kind == 1 && write)) continue;
    const code = (dr7 >> (18 + 4 * i)) & 3;
    const length: i64 = code == 2 ? 8 : <i64>code + 1;
    const start = load<i64>(cpu + S_DR + 8 * i) & ~(length - 1);
    if (linear < start + length && start < linear + <i64>bytes) hits |= 1 << i;
  }
  if (hits == 0) return;
  store<u32>(cpu + S_WATCH_HIT, load<u32>(cpu + S_WATCH_HIT) | hits);
  atomic.or<u32>(cpu + S_PENDING, PENDING_TRAP);
}

function readPiece(cpu: u32, physical: i64, bytes: u32): i64 {
  if (bytes == 1) return <i64>readPhysical8(cpu, physical);
  if (bytes == 2) return <i64>readPhysical16(cpu, physical);
  if (bytes == 4) return <i64>readPhysical32(cpu, physical);
  return readPhysical64(cpu, physical);
}

function slowLoad(cpu: u32, at: i64, bytes: u32, privilege: u32): i64 {
  const linear = wrap(cpu, at);
  if (misaligned(cpu, linear, bytes)) {
    raiseWithError(cpu, AC, 0);
    return 0;
  }
  const first = translate(cpu, linear, ACCESS_READ, privilege);
  if (first < 0) return 0;
  const here = 0x1000 - <u32>(linear & 0xfff);
  let value: i64;
  if (bytes <= here) value = readPiece(cpu, first, bytes);
  else {
    const second = translate(cpu, wrap(cpu, linear + <i64>here), ACCESS_READ, privilege);
    if (second < 0) return 0;
    value = 0;
    for (let i: u32 = 0; i < bytes; i++) {
      const physical = i < here ? first + <i64>i : second + <i64>(i - here);
      value |= <i64>readPhysical8(cpu, physical) << <i64>(8 * i);
    }
  }
  if (load<u32>(cpu + S_WATCH) != 0) watch(cpu, linear, bytes, false);
  return value;
}

function slowStore(cpu: u32, at: i64, bytes: u32, value: i64, privilege: u32): void {
  const linear = wrap(cpu, at);
  if (misaligned(cpu, linear, bytes)) {
    raiseWithError(cpu, AC, 0);
    return;
  }
  const first = translate(cpu, linear, ACCESS_WRITE, privilege);
  if (first < 0) return;
  const here = 0x1000 - <u32>(linear & 0xfff);
  if (bytes <= here) writePhysical(cpu, first, bytes, value);
  else {
    const second = translate(cpu, wrap(cpu, linear + <i64>here), ACCESS_WRITE, privilege);
    if (second < 0) return;
    for (let i: u32 = 0; i < bytes; i++) {
      const physical = i < here ? first + <i64>i : second + <i64>(i - here);
      writePhysical(cpu, physical, 1, value >>> <i64>(8 * i));
    }
  }
  if (load<u32>(cpu + S_WATCH) != 0) watch(cpu, linear, bytes, true);
}

/** Raises the fault that a write of `bytes` bytes would raise, if any; changes nothing. */
export function probeWrite(cpu: u32, at: i64, bytes: u32): void {
  if (hit(cpu, S_TLB_WRITE, at, <i64>bytes) != 0) return;
  probe(cpu, at, bytes, true, currentPrivilege(cpu));
}

/** As probeWrite, for reads too and for another privilege (AS_ of walk.ts). */
export function probe(cpu: u32, at: i64, bytes: u32, write: bool, privilege: u32): bool {
  const linear = wrap(cpu, at);
  if ((bytes == 2 || bytes == 4 || bytes == 8) && misaligned(cpu, linear, bytes)) {
    raiseWithError(cpu, AC, 0);
    return false;
  }
  const access: u32 = write ? ACCESS_WRITE : ACCESS_READ;
  const last = linear + <i64>bytes - 1;
  for (let page = linear & ~0xfff; page <= last; page += 0x1000) {
    const check = page < linear ? linear : page;
    if (!isCanonical(cpu, wrap(cpu, check))) {
      raiseWithError(cpu, GP, 0);
      return false;
    }
    if (walk(cpu, wrap(cpu, check), access, privilege) < 0) return false;
  }
  return true;
}

// ---- segments

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
    if ((linear << 16) >> 16 != linear) raiseWithError(cpu, vector, 0);
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
  } else if (last > limit) raiseWithError(cpu, vector, 0);
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
