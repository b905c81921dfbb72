import { CPUID_PHYSICAL_BITS, EFLAGS_AC, S_CR0, S_CR3, S_CR4, S_EFER, S_EFLAGS, ACCESS_EXECUTE, ACCESS_WRITE } from '../layout';
import { raisePageFault } from './fault';
import { ramAddress, readPhysical32, readPhysical64 } from './physical';

// Page-table entry bits (SDM vol. 3, tables 4-5 to 4-20)
const P: i64 = 1;
const RW: i64 = 2;
const US: i64 = 4;
const A: i64 = 0x20;
const D: i64 = 0x40;
const PS: i64 = 0x80;
const GLOBAL: i64 = 0x100;
const PAT_LARGE: i64 = 0x1000;
const XD: i64 = <i64>0x8000000000000000;
const FRAME: i64 = 0x000ffffffffff000;
/** Bits above the physical addresses of this CPU are reserved. */
const RESERVED_HIGH: i64 = 0x000fffffffffffff & ~((<i64>1 << CPUID_PHYSICAL_BITS) - 1);

// Page-fault error code (SDM vol. 3, 4.7)
const PF_P: u32 = 1;
const PF_W: u32 = 2;
const PF_U: u32 = 4;
const PF_RSVD: u32 = 8;
const PF_I: u32 = 16;

const CR0_WP: i64 = 0x10000;
const CR0_PG: i64 = 0x80000000;
const CR4_PSE: i64 = 0x10;
const CR4_PAE: i64 = 0x20;
const CR4_PGE: i64 = 0x80;
const CR4_LA57: i64 = 0x1000;
const CR4_SMEP: i64 = 0x100000;
const CR4_SMAP: i64 = 0x200000;
const EFER_LMA: i64 = 0x400;
const EFER_NXE: i64 = 0x800;

/** Privilege of an access: user; supervisor, under SMAP if it is on (AC as it is); supervisor implicitly (AC counts as clear). */
export const AS_USER: u32 = 0;
export const AS_SUPERVISOR: u32 = 1;
export const AS_IMPLICIT: u32 = 2;

/** What the last walk found: bits WALK_ below; valid until the next walk of this instance. */
let found: u32 = 0;
export const WALK_WRITABLE: u32 = 1;
export const WALK_GLOBAL: u32 = 2;
export const WALK_USER: u32 = 4;
/** Also the D bit is set, so that a write entry may be kept. */
export const WALK_DIRTY: u32 = 8;

export function walkResult(): u32 {
  return found;
}

function fail(cpu: u32, linear: i64, access: u32, privilege: u32, bits: u32): i64 {
  let error = bits;
  if (access == ACCESS_WRITE) error |= PF_W;
  if (privilege == AS_USER) error |= PF_U;
  if (access == ACCESS_EXECUTE) {
    const nx = (load<i64>(cpu + S_EFER) & EFER_NXE) != 0 && (load<i64>(cpu + S_CR4) & CR4_PAE) != 0;
    if (nx || (load<i64>(cpu + S_CR4) & CR4_SMEP) != 0) error |= PF_I;
  }
  raisePageFault(cpu, linear, error);
  return -1;
}

/** Sets bits of an entry in RAM, atomically as the processor does. */
function mark64(entry: i64, bits: i64): void {
  const host = ramAddress(entry);
  if (host != 0) atomic.or<i64>(host, bits);
}
function mark32(entry: i64, bits: u32): void {
  const host = ramAddress(entry);
  if (host != 0) atomic.or<u32>(host, bits);
}

/** Whether the access is allowed by the rights of all levels; user and writable are those of all entries together. */
function permitted(cpu: u32, access: u32, privilege: u32, user: bool, writable: bool, noExecute: bool): bool {
  const cr4 = load<i64>(cpu + S_CR4);
  if (privilege == AS_USER) {
    if (!user) return false;
    if (access == ACCESS_WRITE) return writable;
    return access != ACCESS_EXECUTE || !noExecute;
  }
  if (access == ACCESS_EXECUTE) {
    if (user && (cr4 & CR4_SMEP) != 0) return false;
    return !noExecute;
  }
  if (user && (cr4 & CR4_SMAP) != 0) {
    if (privilege == AS_IMPLICIT || (load<u32>(cpu + S_EFLAGS) & EFLAGS_AC) == 0) return false;
  }
  return access != ACCESS_WRITE || writable || (load<i64>(cpu + S_CR0) & CR0_WP) == 0;
}

/** Physical address of a linear one, or -1 with #PF raised. Accessed and dirty bits are set; `walkResult` tells the rights. */
export function walk(cpu: u32, linear: i64, access: u32, privilege: u32): i64 {
  if ((load<i64>(cpu + S_CR0) & CR0_PG) == 0) {
    found = WALK_WRITABLE | WALK_USER | WALK_DIRTY;
    return linear & 0xffffffff;
  }
  const cr4 = load<i64>(cpu + S_CR4);
  if ((cr4 & CR4_PAE) == 0) return walk32(cpu, linear, access, privilege);

  const long = (load<i64>(cpu + S_EFER) & EFER_LMA) != 0;
  const nx = (load<i64>(cpu + S_EFER) & EFER_NXE) != 0;
  let level: u32 = long ? ((cr4 & CR4_LA57) != 0 ? 5 : 4) : 3;
  let table = load<i64>(cpu + S_CR3) & (long ? FRAME : 0xffffffe0);
  let user = true;
  let writable = true;
  let noExecute = false;
  for (;;) {
    const shift = <i64>(12 + 9 * (level - 1));
    const index = (linear >>> shift) & (!long && level == 3 ? 3 : 511);
    const at = table + index * 8;
    const entry = readPhysical64(cpu, at);
    if ((entry & P) == 0) return fail(cpu, linear, access, privilege, 0);
    let reserved = RESERVED_HIGH;
    if (!nx) reserved |= XD;
    if (!long) reserved |= 0x7ff0000000000000;
    if (!long && level == 3) {
      // PDPTE: no rights, bits 1-2 and 5-8 and 63 reserved (table 4-8)
      if ((entry & (reserved | XD | 0x1e6)) != 0) return fail(cpu, linear, access, privilege, PF_P | PF_RSVD);
      table = entry & FRAME;
      level = 2;
      continue;
    }
    const leaf = level == 1 || ((entry & PS) != 0 && level <= 3);
    if (level >= 4) reserved |= PS;
    else if (leaf && level == 2) reserved |= 0x1fe000;
    else if (leaf && level == 3) reserved |= 0x3fffe000;
    if ((entry & reserved) != 0) return fail(cpu, linear, access, privilege, PF_P | PF_RSVD);
    if ((entry & US) == 0) user = false;
    if ((entry & RW) == 0) writable = false;
    if ((entry & XD) != 0) noExecute = true;
    if (!leaf) {
      if ((entry & A) == 0) mark64(at, A);
      table = entry & FRAME;
      level--;
      continue;
    }
    if (!permitted(cpu, access, privilege, user, writable, noExecute)) return fail(cpu, linear, access, privilege, PF_P);
    const marks = access == ACCESS_WRITE ? A | D : A;
    if ((entry & marks) != marks) mark64(at, marks);
    const mask = (<i64>1 << shift) - 1;
    note(user, writable, (cr4 & CR4_PGE) != 0 && (entry & GLOBAL) != 0, ((entry | marks) & D) != 0);
    const frame = entry & FRAME & ~mask & ~(level > 1 ? PAT_LARGE : 0);
    return frame | (linear & mask);
  }
}

function note(user: bool, writable: bool, global: bool, dirty: bool): void {
  found = (writable ? WALK_WRITABLE : 0) | (global ? WALK_GLOBAL : 0) | (user ? WALK_USER : 0) | (dirty ? WALK_DIRTY : 0);
}

/** 32-bit paging (SDM vol. 3, 4.3), with 4 MiB pages and PSE-36. */
function walk32(cpu: u32, linear: i64, access: u32, privilege: u32): i64 {
  const cr4 = load<i64>(cpu + S_CR4);
  const at = (load<i64>(cpu + S_CR3) & 0xfffff000) + ((linear >>> 22) & 1023) * 4;
  const pde = <i64>readPhysical32(cpu, at);
  if ((pde & P) == 0) return fail(cpu, linear, access, privilege, 0);
  let user = (pde & US) != 0;
  let writable = (pde & RW) != 0;
  if ((pde & PS) != 0 && (cr4 & CR4_PSE) != 0) {
    // bit 21 is reserved: physical addresses end at 40 bits
    if ((pde & 0x200000) != 0) return fail(cpu, linear, access, privilege, PF_P | PF_RSVD);
    if (!permitted(cpu, access, privilege, user, writable, false)) return fail(cpu, linear, access, privilege, PF_P);
    const marks = access == ACCESS_WRITE ? A | D : A;
    if ((pde & marks) != marks) mark32(at, <u32>marks);
    note(user, writable, (cr4 & CR4_PGE) != 0 && (pde & GLOBAL) != 0, ((pde | marks) & D) != 0);
    return (pde & 0xffc00000) | ((pde & 0x1fe000) << 19) | (linear & 0x3fffff);
  }
  const entry = (pde & 0xfffff000) + ((linear >>> 12) & 1023) * 4;
  const pte = <i64>readPhysical32(cpu, entry);
  if ((pde & A) == 0) mark32(at, <u32>A);
  if ((pte & P) == 0) return fail(cpu, linear, access, privilege, 0);
  user = user && (pte & US) != 0;
  writable = writable && (pte & RW) != 0;
  if (!permitted(cpu, access, privilege, user, writable, false)) return fail(cpu, linear, access, privilege, PF_P);
  const marks = access == ACCESS_WRITE ? A | D : A;
  if ((pte & marks) != marks) mark32(entry, <u32>marks);
  note(user, writable, (cr4 & CR4_PGE) != 0 && (pte & GLOBAL) != 0, ((pte | marks) & D) != 0);
  return (pte & 0xfffff000) | (linear & 0xfff);
}
