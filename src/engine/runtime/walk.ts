import { ACCESS_EXECUTE, ACCESS_WRITE, AS_SUPERVISOR_SMAP, AS_USER, CPUID_PHYSICAL_BITS, PAGE_CODE, PAGE_ROM, S_CR0, S_CR3, S_CR4, S_EFER } from '../layout';
import { raisePageFault } from './fault';
import { attributesOf, noticeCodeWrite, plainAddress } from './physical';

// Page-table entry bits (SDM vol. 3, tables 4-5 to 4-20)
const P: i64 = 1;
const RW: i64 = 2;
const US: i64 = 4;
const A: i64 = 0x20;
const D: i64 = 0x40;
const PS: i64 = 0x80;
const GLOBAL: i64 = 0x100;
const XD: i64 = <i64>0x8000000000000000;
/** Bits 12 to 51: the frame of an entry, of CR3, and of what `walk` returns. */
export const FRAME: i64 = 0x000ffffffffff000;
/** Bits above the physical addresses of this CPU are reserved. */
const RESERVED_HIGH: i64 = FRAME & ~((<i64>1 << CPUID_PHYSICAL_BITS) - 1);
/** PDPTE of PAE paging (table 4-8): bits 1, 2, 5 to 8 and 52 to 63. */
const RESERVED_PDPTE: i64 = <i64>0xfff00000000001e6;

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
const EFER_LMA: i64 = 0x400;
const EFER_NXE: i64 = 0x800;

/** Beside the AS_ numbers of layout.ts. The processor itself, in `probe`: one of the two supervisors, as SMAP says, whatever AC says. */
export const AS_IMPLICIT: u32 = 3;

/** What `walk` tells in the low bits of its result: the page is global, of 2 or 4 MiB, of 1 GiB. */
export const WALK_GLOBAL: i64 = 1;
export const WALK_LARGE: i64 = 4;
export const WALK_HUGE: i64 = 8;

/** Not to mark or raise anything: for debuggers. */
export const ACCESS_PEEK: u32 = 3;

/** Beside a result: the entry has changed under the walk, which starts again. */
const AGAIN: i64 = -2;

function fail(cpu: u32, linear: i64, access: u32, who: u32, bits: u32): i64 {
  if (access == ACCESS_PEEK) return -1;
  let error = bits;
  if (access == ACCESS_WRITE) error |= PF_W;
  if (who == AS_USER) error |= PF_U;
  if (access == ACCESS_EXECUTE) {
    const cr4 = load<i64>(cpu + S_CR4);
    const nx = (load<i64>(cpu + S_EFER) & EFER_NXE) != 0 && (cr4 & CR4_PAE) != 0;
    if (nx || (cr4 & CR4_SMEP) != 0) error |= PF_I;
  }
  raisePageFault(cpu, linear, error);
  return -1;
}

/** An entry; tables outside RAM read as all ones, as a bus without device does. */
// @ts-ignore: decorator
@inline
function entry64(physical: i64): i64 {
  const host = plainAddress(physical);
  return host != 0 ? atomic.load<i64>(host) : -1;
}
// @ts-ignore: decorator
@inline
function entry32(physical: i64): i64 {
  const host = plainAddress(physical);
  return host != 0 ? <i64>atomic.load<u32>(host) : 0xffffffff;
}

/** Sets accessed and dirty bits of the entry `old` at a physical address, if it is still the same (SDM vol. 3, 4.8); false if not. */
function mark(physical: i64, old: i64, bits: i64, bytes: u32): bool {
  if ((old & bits) == bits) return true;
  const host = plainAddress(physical);
  if (host == 0) return true;
  const attributes = load<u32>(attributesOf(host));
  if ((attributes & PAGE_ROM) != 0) return true;
  const same =
    bytes == 8
      ? atomic.cmpxchg<i64>(host, old, old | bits) == old
      : atomic.cmpxchg<u32>(host, <u32>old, <u32>(old | bits)) == <u32>old;
  if (same && (attributes & PAGE_CODE) != 0) noticeCodeWrite(host, bytes);
  return same;
}

/** Whether the rights of all levels together allow the access (SDM vol. 3, 4.6). */
function permitted(cpu: u32, access: u32, who: u32, entries: i64): bool {
  if (access == ACCESS_PEEK) return true;
  const user = (entries & US) != 0;
  const writable = (entries & RW) != 0;
  const noExecute = (entries & XD) != 0;
  if (who == AS_USER) {
    if (!user) return false;
    if (access == ACCESS_WRITE) return writable;
    return access != ACCESS_EXECUTE || !noExecute;
  }
  if (access == ACCESS_EXECUTE) return !noExecute && !(user && (load<i64>(cpu + S_CR4) & CR4_SMEP) != 0);
  if (user && who == AS_SUPERVISOR_SMAP) return false;
  return access != ACCESS_WRITE || writable || (load<i64>(cpu + S_CR0) & CR0_WP) == 0;
}

/**
 * Translates a linear address: the frame of its 4 KiB (bits 12 to 51) with WALK_ bits, or -1 with #PF raised. Accessed and
 * dirty bits are set when the access is allowed. The address is canonical, and 32 bits wide outside IA-32e mode.
 */
export function walk(cpu: u32, linear: i64, access: u32, who: u32): i64 {
  if ((load<i64>(cpu + S_CR0) & CR0_PG) == 0) return linear & 0xfffff000;
  const pae = (load<i64>(cpu + S_CR4) & CR4_PAE) != 0;
  let result: i64;
  do result = pae ? walk64(cpu, linear, access, who) : walk32(cpu, linear, access, who);
  while (result == AGAIN);
  return result;
}

/** PAE, 4-level and 5-level paging (SDM vol. 3, 4.4 and 4.5). */
function walk64(cpu: u32, linear: i64, access: u32, who: u32): i64 {
  const cr4 = load<i64>(cpu + S_CR4);
  const long = (load<i64>(cpu + S_EFER) & EFER_LMA) != 0;
  let reserved = RESERVED_HIGH;
  if ((load<i64>(cpu + S_EFER) & EFER_NXE) == 0) reserved |= XD;
  if (!long) reserved |= 0x7ff0000000000000;
  let level: u32 = 4;
  let table = load<i64>(cpu + S_CR3);
  if (long) {
    table &= FRAME;
    if ((cr4 & CR4_LA57) != 0) level = 5;
  } else {
    const pdpte = entry64((table & 0xffffffe0) + ((linear >>> 30) & 3) * 8);
    if ((pdpte & P) == 0) return fail(cpu, linear, access, who, 0);
    if ((pdpte & (RESERVED_PDPTE | RESERVED_HIGH)) != 0) return fail(cpu, linear, access, who, PF_P | PF_RSVD);
    table = pdpte & FRAME;
    level = 2;
  }

  let rights: i64 = RW | US;
  // Entries above the leaf that want their A bit: marked from the top once the access is known to be allowed.
  let path0: i64 = 0;
  let path1: i64 = 0;
  let path2: i64 = 0;
  let path3: i64 = 0;
  for (;;) {
    const shift = <i64>(12 + 9 * (level - 1));
    const at = table + ((linear >>> shift) & 511) * 8;
    const entry = entry64(at);
    if ((entry & P) == 0) return fail(cpu, linear, access, who, 0);
    const leaf = level == 1 || (level <= 3 && (entry & PS) != 0);
    let bad = reserved;
    if (level >= 4) bad |= PS;
    else if (leaf && level == 2) bad |= 0x1fe000;
    else if (leaf && level == 3) bad |= 0x3fffe000;
    if ((entry & bad) != 0) return fail(cpu, linear, access, who, PF_P | PF_RSVD);
    rights = (rights & (entry | XD)) | (entry & XD);
    if (!leaf) {
      if ((entry & A) == 0) {
        if (level == 5) path3 = at;
        else if (level == 4) path2 = at;
        else if (level == 3) path1 = at;
        else path0 = at;
      }
      table = entry & FRAME;
      level--;
      continue;
    }
    if (!permitted(cpu, access, who, rights)) return fail(cpu, linear, access, who, PF_P);
    if (access != ACCESS_PEEK) {
      if (!markAccessed(path3) || !markAccessed(path2) || !markAccessed(path1) || !markAccessed(path0)) return AGAIN;
      if (!mark(at, entry, access == ACCESS_WRITE ? A | D : A, 8)) return AGAIN;
    }
    const offset = (<i64>1 << shift) - 1;
    const size = level == 1 ? 0 : level == 2 ? WALK_LARGE : WALK_HUGE;
    const global = (cr4 & CR4_PGE) != 0 && (entry & GLOBAL) != 0 ? WALK_GLOBAL : 0;
    return ((((entry & ~offset) | (linear & offset)) & FRAME) | size) | global;
  }
}

/** Sets A of an entry above the leaf (0: none); false if it is not present any more. */
function markAccessed(at: i64): bool {
  if (at == 0) return true;
  const entry = entry64(at);
  return (entry & P) != 0 && mark(at, entry, A, 8);
}

/** 32-bit paging with 4 MiB pages of 40-bit addresses (PSE-36; SDM vol. 3, 4.3). */
function walk32(cpu: u32, linear: i64, access: u32, who: u32): i64 {
  const cr4 = load<i64>(cpu + S_CR4);
  const marks = access == ACCESS_WRITE ? A | D : A;
  const global: i64 = (cr4 & CR4_PGE) != 0 ? GLOBAL : 0;
  const directory = (load<i64>(cpu + S_CR3) & 0xfffff000) + ((linear >>> 22) & 1023) * 4;
  const pde = entry32(directory);
  if ((pde & P) == 0) return fail(cpu, linear, access, who, 0);
  if ((pde & PS) != 0 && (cr4 & CR4_PSE) != 0) {
    // bit 21 is reserved: physical addresses end at 40 bits
    if ((pde & 0x200000) != 0) return fail(cpu, linear, access, who, PF_P | PF_RSVD);
    if (!permitted(cpu, access, who, pde)) return fail(cpu, linear, access, who, PF_P);
    if (access != ACCESS_PEEK && !mark(directory, pde, marks, 4)) return AGAIN;
    const frame = (pde & 0xffc00000) | ((pde & 0x1fe000) << 19) | (linear & 0x3ff000);
    return frame | WALK_LARGE | ((pde & global) != 0 ? WALK_GLOBAL : 0);
  }
  const at = (pde & 0xfffff000) + ((linear >>> 12) & 1023) * 4;
  const pte = entry32(at);
  if ((pte & P) == 0) return fail(cpu, linear, access, who, 0);
  if (!permitted(cpu, access, who, pde & pte)) return fail(cpu, linear, access, who, PF_P);
  if (access != ACCESS_PEEK && !(mark(directory, pde, A, 4) && mark(at, pte, marks, 4))) return AGAIN;
  return (pte & 0xfffff000) | ((pte & global) != 0 ? WALK_GLOBAL : 0);
}
