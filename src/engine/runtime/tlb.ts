import {
  ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE, AS_SUPERVISOR, AS_SUPERVISOR_SMAP, CODE_TLB_ENTRIES, CPU_BASE, CPU_BYTES, FAULT_ADDRESS, G_CPUS, JUMP_ENTRIES, JUMP_REGIONS_BYTES, PAGE_CODE, PAGE_ROM,
  CODE_PAGES_BYTES, S_CODE_PAGES, S_CODE_TLB, S_CR4, S_DR, S_EFER, S_GLOBAL_KEY, S_JUMPS, S_JUMP_KEY, S_JUMP_REGIONS, S_MMU, S_TLB, S_TLB_FILLED, S_TLB_HUGE, S_TLB_LARGE, S_TLB_LOCAL,
  MOST_TLB_LOCAL, S_TLB_NONE, S_WATCH, TLB_LARGE_BYTES, TLB_BYTES, TLB_DIRTY, TLB_ENTRIES, TLB_ENTRY_BYTES, TLB_GLOBAL, TLB_GROUPS, TLB_GROUP_BYTES, TLB_INDEX_MASK, TLB_OTHER,
} from '../layout'; // prettier-ignore
import { GP, raiseWithError } from './fault';
import { fullFence } from './host';
import { attributesOf, plainAddress } from './physical';
import { ACCESS_PEEK, FRAME, walk, WALK_GLOBAL, WALK_HUGE, WALK_LARGE } from './walk';

const ENTRY: u32 = TLB_ENTRY_BYTES;
const CODE_ROW: u32 = CODE_TLB_ENTRIES * ENTRY;
const CODE_INDEX_MASK: u32 = CODE_ROW - ENTRY;
const GROUP: u32 = TLB_GROUP_BYTES;
const GROUPS: u32 = TLB_GROUPS;
const FILLED_BYTES: u32 = GROUPS / 8;
const CODE_GROUPS: u32 = (3 * CODE_ROW) / GROUP;
const S_CODE_TLB_FILLED: u32 = S_TLB_FILLED + 6 * FILLED_BYTES;
/** Above the mode bits of a key. */
const GENERATION: i64 = 0x1000;
const CR4_LA57: i64 = 0x1000;
const CR4_SMAP: i64 = 0x200000;
const EFER_LMA: i64 = 0x400;

/** Where an access goes, as `resolve` tells it: an address in this memory; a physical one with this bit: a device; negative: it faulted. */
export const PLACE_DEVICE: i64 = 0x4000000000000000;

/** Accesses of the processor itself, to descriptor tables, the TSS and so on: supervisor ones whatever AC says (SDM vol. 3, 4.6). */
export function implicitAccess(cpu: u32): u32 {
  return (load<i64>(cpu + S_CR4) & CR4_SMAP) != 0 ? AS_SUPERVISOR_SMAP : AS_SUPERVISOR;
}

/** Whether the bits above the linear addresses of the paging mode repeat the highest of these. */
// @ts-ignore: decorator
@inline
export function isCanonical(cpu: u32, linear: i64): bool {
  if ((load<i64>(cpu + S_EFER) & EFER_LMA) == 0) return true;
  const up: i64 = (load<i64>(cpu + S_CR4) & CR4_LA57) != 0 ? 7 : 16;
  return (linear << up) >> up == linear;
}

/** Whether a debug register may point into the page: then its accesses are all checked. */
function watched(cpu: u32, linear: i64): bool {
  if (load<u32>(cpu + S_WATCH) == 0) return false;
  for (let i: u32 = 0; i < 4; i++) if (((load<i64>(cpu + S_DR + 8 * i) ^ linear) & ~0xfff) == 0) return true;
  return false;
}

/**
 * Where a byte that is read or written lies, or -1 with the fault raised. A translation that every access of that kind
 * to the page may take is kept in the TLB of `who` (AS_ of walk.ts).
 */
export function resolve(cpu: u32, linear: i64, access: u32, who: u32): i64 {
  const index = (<u32>linear >> 8) & TLB_INDEX_MASK;
  const table = who * 2;
  const read = cpu + S_TLB + table * TLB_BYTES + index;
  if (((load<i64>(read ^ TLB_OTHER) ^ linear) & ~0xfff) == 0) exchange(cpu, table, index);
  if (((load<i64>(read) ^ linear) & ~0xfff) == 0 && (access == ACCESS_READ || (load<u32>(read + 12) & TLB_DIRTY) != 0)) {
    const addend = load<u32>(read + 8);
    if (access != ACCESS_READ) keepWritable(cpu, table, index, linear, addend, load<u32>(read + 12) & ~TLB_DIRTY);
    return <i64>(<u32>linear + addend);
  }
  if (!isCanonical(cpu, linear)) {
    raiseWithError(cpu, GP | FAULT_ADDRESS, 0);
    return -1;
  }
  const found = walk(cpu, linear, access, who);
  if (found < 0) return -1;
  const physical = (found & FRAME) | (linear & 0xfff);
  const host = plainAddress(physical);
  if (host == 0) return physical | PLACE_DEVICE;
  if (!watched(cpu, linear)) keep(cpu, linear, host & ~0xfff, <u32>found & 0xfff, access, who);
  return <i64>host;
}

/** Puts a translation to the RAM page `page` into the TLBs of `who`: for reading always, for writing if nothing looks at the stores. */
function keep(cpu: u32, linear: i64, page: u32, flags: u32, access: u32, who: u32): void {
  const index = (<u32>linear >> 8) & TLB_INDEX_MASK;
  const table = who * 2;
  const addend = page - <u32>(linear & ~0xfff);
  insert(cpu, table, index, linear, addend, access == ACCESS_WRITE ? flags | TLB_DIRTY : flags);
  if ((flags & <u32>(WALK_LARGE | WALK_HUGE)) != 0) noteLarge(cpu, linear, flags);
  if (access == ACCESS_WRITE) keepWritable(cpu, table, index, linear, addend, flags);
}

/** The entry for writing, unless something looks at the stores. */
function keepWritable(cpu: u32, table: u32, index: u32, linear: i64, addend: u32, flags: u32): void {
  const attributes = attributesOf(<u32>(linear & ~0xfff) + addend);
  if ((load<u32>(attributes) & (PAGE_CODE | PAGE_ROM)) != 0) return;
  insert(cpu, table + 1, index, linear, addend, flags);
  // Another thread may just have found code in the page, and looked at this entry before it was written.
  if ((atomic.load<u32>(attributes) & PAGE_CODE) != 0) empty(cpu + S_TLB + (table + 1) * TLB_BYTES + index, index);
}

/** Puts an entry into its first place; what is there goes to its other one. */
function insert(cpu: u32, table: u32, index: u32, linear: i64, addend: u32, flags: u32): void {
  const entry = cpu + S_TLB + table * TLB_BYTES + index;
  if (((load<i64>(entry) ^ linear) & ~0xfff) != 0) exchange(cpu, table, index);
  note(cpu, table, index, entry, flags);
  put(entry, linear, addend, flags);
}

/** The entries of both places change them. */
function exchange(cpu: u32, table: u32, index: u32): void {
  const first = cpu + S_TLB + table * TLB_BYTES + index;
  const second = first ^ TLB_OTHER;
  const tag = load<i64>(first);
  const addend = load<u32>(first + 8);
  const flags = load<u32>(first + 12);
  move(cpu, table, first, index, load<i64>(second), load<u32>(second + 8), load<u32>(second + 12));
  move(cpu, table, second, index ^ TLB_OTHER, tag, addend, flags);
}

function move(cpu: u32, table: u32, entry: u32, index: u32, tag: i64, addend: u32, flags: u32): void {
  if ((tag & 0xfff) != 0) {
    empty(entry, index);
    return;
  }
  note(cpu, table, index, entry, flags);
  put(entry, tag, addend, flags);
  // As in keepWritable: another thread may have looked for it while it was nowhere.
  if ((table & 1) != 0 && (atomic.load<u32>(attributesOf(<u32>tag + addend)) & PAGE_CODE) != 0) empty(entry, index);
}

// @ts-ignore: decorator
@inline
function put(entry: u32, linear: i64, addend: u32, flags: u32): void {
  store<u32>(entry + 8, addend);
  store<u32>(entry + 12, flags);
  atomic.store<i64>(entry, linear & ~0xfff);
}

/** Where the bits of the groups of one of the six TLBs are. */
// @ts-ignore: decorator
@inline
function filledOf(cpu: u32, table: u32): u32 {
  return cpu + S_TLB_FILLED + table * FILLED_BYTES;
}
// @ts-ignore: decorator
@inline
function noteGroup(filled: u32, group: u32): void {
  const byte = filled + group / 8;
  store<u8>(byte, load<u8>(byte) | (<u8>1 << <u8>(group & 7)));
}
/** Number of the first group from `group` on that may have entries; `groups` if there is none. */
function nextFilled(filled: u32, group: u32, groups: u32): u32 {
  for (let at = group; at < groups; at = (at & ~63) + 64) {
    const bits = load<i64>(filled + (at >> 6) * 8) >>> <i64>(at & 63);
    if (bits != 0) return at + <u32>ctz<i64>(bits);
  }
  return groups;
}

/** An entry is put there next: other threads that see it see its group as well. */
// @ts-ignore: decorator
@inline
function note(cpu: u32, table: u32, index: u32, entry: u32, flags: u32): void {
  noteGroup(filledOf(cpu, table), index / GROUP);
  if ((flags & TLB_GLOBAL) == 0) noteLocal(cpu, entry);
}

/** A change of CR3 shall drop this entry. */
function noteLocal(cpu: u32, entry: u32): void {
  const count = load<u32>(cpu + S_TLB_LOCAL);
  store<u32>(cpu + S_TLB_LOCAL, count + 1);
  if (count < <u32>MOST_TLB_LOCAL) store<u32>(cpu + S_TLB_LOCAL + 4 + 4 * count, entry - cpu);
}

/** Remembers that there are entries of a larger page: INVLPG of any address there drops them all. */
function noteLarge(cpu: u32, linear: i64, flags: u32): void {
  if ((flags & <u32>WALK_HUGE) != 0) {
    store<i64>(cpu + S_TLB_HUGE, load<i64>(cpu + S_TLB_HUGE) | hugeBit(linear));
    return;
  }
  // Both halves of a 4 MiB page.
  const bits = largeBits(cpu, linear);
  store<u8>(bits, load<u8>(bits) | (<u8>3 << <u8>(largeBit(linear) & 6)));
}
// @ts-ignore: decorator
@inline
function hugeBit(linear: i64): i64 {
  return <i64>1 << ((linear >>> 30) & 63);
}
/** Byte of S_TLB_LARGE for the 2 MiB of an address, and the bit in it. */
// @ts-ignore: decorator
@inline
function largeBits(cpu: u32, linear: i64): u32 {
  return cpu + S_TLB_LARGE + ((<u32>(linear >>> 24) ^ <u32>(linear >>> 36)) & (TLB_LARGE_BYTES - 1));
}
// @ts-ignore: decorator
@inline
function largeBit(linear: i64): u32 {
  return <u32>(linear >>> 21) & 7;
}
function mayBeLarge(cpu: u32, linear: i64): bool {
  return (load<i64>(cpu + S_TLB_HUGE) & hugeBit(linear)) != 0 || ((load<u8>(largeBits(cpu, linear)) >> <u8>largeBit(linear)) & 1) != 0;
}

/**
 * An entry that no linear address finds: it is not canonical, and its index bits are those of neither entry that
 * may be its other place (a guest may well use addresses that are not canonical).
 */
// @ts-ignore: decorator
@inline
function emptyTag(index: u32): i64 {
  return <i64>0x8000000000000fff | (<i64>(index ^ ((TLB_ENTRIES / 4) * ENTRY)) << 8);
}

// @ts-ignore: decorator
@inline
function empty(entry: u32, index: u32): void {
  atomic.store<i64>(entry, emptyTag(index));
}

/** Physical address of an instruction byte, or -1 with #PF or #GP raised. */
export function translateCode(cpu: u32, linear: i64): i64 {
  const page = linear & ~0xfff;
  const row = load<u32>(cpu + S_MMU);
  const index = (<u32>linear >> 8) & CODE_INDEX_MASK;
  const entry = codeEntry(cpu, linear);
  if (load<i64>(entry) == page) return (load<i64>(entry + 8) & FRAME) | (linear & 0xfff);
  if (!isCanonical(cpu, linear)) {
    raiseWithError(cpu, GP, 0);
    return -1;
  }
  const found = walk(cpu, linear, ACCESS_EXECUTE, row);
  if (found < 0) return -1;
  store<i64>(entry, page);
  store<i64>(entry + 8, found);
  noteGroup(cpu + S_CODE_TLB_FILLED, (row * CODE_ROW + index) / GROUP);
  if ((found & WALK_GLOBAL) == 0) noteLocal(cpu, entry);
  if ((found & (WALK_LARGE | WALK_HUGE)) != 0) noteLarge(cpu, linear, <u32>found);
  return (found & FRAME) | (linear & 0xfff);
}

// @ts-ignore: decorator
@inline
function codeEntry(cpu: u32, linear: i64): u32 {
  return cpu + S_CODE_TLB + load<u32>(cpu + S_MMU) * CODE_ROW + ((<u32>linear >> 8) & CODE_INDEX_MASK);
}

/** Whether translateCode knows the page of a linear address without a walk. */
export function isFetched(cpu: u32, linear: i64): bool {
  return load<i64>(codeEntry(cpu, linear)) == (linear & ~0xfff);
}

/** The key for code at a linear address that translateCode has just found: S_GLOBAL_KEY or S_JUMP_KEY. */
export function codeKey(cpu: u32, linear: i64): u32 {
  return (load<i64>(codeEntry(cpu, linear) + 8) & WALK_GLOBAL) != 0 ? S_GLOBAL_KEY : S_JUMP_KEY;
}

/** Physical address as a supervisor reads it, or -1; marks, raises and keeps nothing: for debuggers. */
export function peekPhysical(cpu: u32, linear: i64): i64 {
  if (!isCanonical(cpu, linear)) return -1;
  const found = walk(cpu, linear, ACCESS_PEEK, AS_SUPERVISOR);
  return found < 0 ? -1 : (found & FRAME) | (linear & 0xfff);
}

/** All TLBs as after power-up. */
export function resetTlb(cpu: u32): void {
  for (let index: u32 = 0; index < <u32>TLB_BYTES; index += ENTRY) {
    for (let table: u32 = 0; table < 6; table++) empty(cpu + S_TLB + table * TLB_BYTES + index, index);
    empty(cpu + S_TLB_NONE + index, index);
  }
  memory.fill(cpu + S_CODE_TLB, 0xff, 3 * CODE_ROW);
  forgetNotes(cpu);
  emptyJumpCache(cpu);
  if (load<i64>(cpu + S_JUMP_KEY) == 0) store<i64>(cpu + S_JUMP_KEY, GENERATION);
  newGeneration(cpu);
}

/** No entry of the jump cache and no call site matches any more. */
export function newGeneration(cpu: u32): void {
  raiseGeneration(cpu, cpu + S_JUMP_KEY);
  raiseGeneration(cpu, cpu + S_GLOBAL_KEY);
  memory.fill(cpu + S_CODE_PAGES, 0, CODE_PAGES_BYTES);
}

/** Generations are odd in S_JUMP_KEY and even in S_GLOBAL_KEY; 0 is that of empty entries. */
function raiseGeneration(cpu: u32, at: u32): void {
  let next = load<i64>(at) + 2 * GENERATION;
  // The jump cache keeps 32 bits of it.
  if (<u32>next < <u32>(2 * GENERATION)) {
    emptyJumpCache(cpu);
    if (<u32>next < <u32>GENERATION) next += 2 * GENERATION;
  }
  store<i64>(at, next);
}

/** Code is run from the page of this linear address: if its translation goes, so does the generation. */
// @ts-ignore: decorator
@inline
export function noteCodePage(cpu: u32, linear: i64): void {
  const byte = codePageByte(cpu, linear);
  store<u8>(byte, load<u8>(byte) | (<u8>1 << <u8>codePageBit(linear)));
}
// @ts-ignore: decorator
@inline
function codePageByte(cpu: u32, linear: i64): u32 {
  return cpu + S_CODE_PAGES + (<u32>(linear >> 15) & (CODE_PAGES_BYTES - 1));
}
// @ts-ignore: decorator
@inline
function codePageBit(linear: i64): u32 {
  return <u32>(linear >> 12) & 7;
}

/**
 * Forgets translations; with `keepGlobal` those of global pages stay. Needed after any change of CR3, CR0.PG/WP,
 * CR4.PSE/PAE/PGE/LA57/SMEP/SMAP/PCIDE, EFER.NXE/LMA, A20 and of the debug registers.
 */
export function flushTlb(cpu: u32, keepGlobal: bool): void {
  if (keepGlobal) {
    const count = load<u32>(cpu + S_TLB_LOCAL);
    if (count > <u32>MOST_TLB_LOCAL) flushAllLocal(cpu);
    else for (let i: u32 = 0; i < count; i++) flushLocal(cpu, load<u32>(cpu + S_TLB_LOCAL + 4 + 4 * i));
    store<u32>(cpu + S_TLB_LOCAL, 0);
    raiseGeneration(cpu, cpu + S_JUMP_KEY);
    return;
  }
  for (let table: u32 = 0; table < 6; table++) {
    const entries = cpu + S_TLB + table * TLB_BYTES;
    const filled = filledOf(cpu, table);
    for (let group = nextFilled(filled, 0, GROUPS); group < GROUPS; group = nextFilled(filled, group + 1, GROUPS))
      memory.copy(entries + group * GROUP, cpu + S_TLB_NONE + group * GROUP, GROUP);
  }
  const code = cpu + S_CODE_TLB_FILLED;
  for (let group = nextFilled(code, 0, CODE_GROUPS); group < CODE_GROUPS; group = nextFilled(code, group + 1, CODE_GROUPS))
    memory.fill(cpu + S_CODE_TLB + group * GROUP, 0xff, GROUP);
  forgetNotes(cpu);
  newGeneration(cpu);
}

/** There are no entries. */
function forgetNotes(cpu: u32): void {
  memory.fill(cpu + S_TLB_FILLED, 0, 6 * FILLED_BYTES + 16);
  store<u32>(cpu + S_TLB_LOCAL, 0);
  store<i64>(cpu + S_TLB_HUGE, 0);
  memory.fill(cpu + S_TLB_LARGE, 0, TLB_LARGE_BYTES);
}

/** Empties the entry at this offset, in any TLB, unless it is that of a global page by now. */
function flushLocal(cpu: u32, offset: u32): void {
  const entry = cpu + offset;
  if (offset < <u32>S_TLB) {
    if ((load<i64>(entry + 8) & WALK_GLOBAL) == 0) store<i64>(entry, -1);
  } else if ((load<i64>(entry) & 0xfff) == 0 && (load<u32>(entry + 12) & TLB_GLOBAL) == 0) empty(entry, (offset - S_TLB) & (TLB_BYTES - 1));
}

function flushAllLocal(cpu: u32): void {
  for (let table: u32 = 0; table < 6; table++) flushLocalGroups(cpu, filledOf(cpu, table), GROUPS, S_TLB + table * TLB_BYTES);
  flushLocalGroups(cpu, cpu + S_CODE_TLB_FILLED, CODE_GROUPS, S_CODE_TLB);
}

/** Those of the TLB at offset `tlb` that are in groups whose bits are set. */
function flushLocalGroups(cpu: u32, filled: u32, groups: u32, tlb: u32): void {
  for (let group = nextFilled(filled, 0, groups); group < groups; group = nextFilled(filled, group + 1, groups)) {
    const start = tlb + group * GROUP;
    for (let offset = start; offset < start + GROUP; offset += ENTRY) flushLocal(cpu, offset);
  }
}

/** Forgets the translation of the page of a linear address (INVLPG), all of it if it is a large one. */
export function flushPage(cpu: u32, linear: i64): void {
  const index = (<u32>linear >> 8) & TLB_INDEX_MASK;
  for (let table: u32 = 0; table < 6; table++) {
    const entry = cpu + S_TLB + table * TLB_BYTES + index;
    if (((load<i64>(entry) ^ linear) & ~0xfff) == 0) empty(entry, index);
    if (((load<i64>(entry ^ TLB_OTHER) ^ linear) & ~0xfff) == 0) empty(entry ^ TLB_OTHER, index ^ TLB_OTHER);
  }
  const code = (<u32>linear >> 8) & CODE_INDEX_MASK;
  for (let row: u32 = 0; row < 3; row++) {
    const entry = cpu + S_CODE_TLB + row * CODE_ROW + code;
    if (load<i64>(entry) == (linear & ~0xfff)) store<i64>(entry, -1);
  }
  const large = mayBeLarge(cpu, linear);
  if (large) flushLarge(cpu, linear);
  // Systems do this for each page of data that they copy or take away.
  if (large || ((load<u8>(codePageByte(cpu, linear)) >> <u8>codePageBit(linear)) & 1) != 0) newGeneration(cpu);
}

/** Whether an entry for the page `page` belongs to a large page that has the same note as one that holds `linear`. */
// @ts-ignore: decorator
@inline
function sharesLarge(page: i64, flags: u32, linear: i64): bool {
  if ((flags & <u32>WALK_HUGE) != 0) return hugeBit(page) == hugeBit(linear);
  return (flags & <u32>WALK_LARGE) != 0 && largeBits(0, page) == largeBits(0, linear) && ((largeBit(page) ^ largeBit(linear)) & 6) == 0;
}

/**
 * Drops the entries of large pages that may hold `linear`, and with them the note, so that it is not done for each page where there was a
 * large one once (Linux makes small ones of its huge page of zeros when it is written).
 */
function flushLarge(cpu: u32, linear: i64): void {
  store<i64>(cpu + S_TLB_HUGE, load<i64>(cpu + S_TLB_HUGE) & ~hugeBit(linear));
  const bits = largeBits(cpu, linear);
  store<u8>(bits, load<u8>(bits) & ~(<u8>3 << <u8>(largeBit(linear) & 6)));
  for (let table: u32 = 0; table < 6; table++) {
    const entries = cpu + S_TLB + table * TLB_BYTES;
    const filled = filledOf(cpu, table);
    for (let group = nextFilled(filled, 0, GROUPS); group < GROUPS; group = nextFilled(filled, group + 1, GROUPS)) {
      for (let index = group * GROUP; index < (group + 1) * GROUP; index += ENTRY)
        if (sharesLarge(load<i64>(entries + index), load<u32>(entries + index + 12), linear)) empty(entries + index, index);
    }
  }
  const code = cpu + S_CODE_TLB_FILLED;
  for (let group = nextFilled(code, 0, CODE_GROUPS); group < CODE_GROUPS; group = nextFilled(code, group + 1, CODE_GROUPS)) {
    const start = cpu + S_CODE_TLB + group * GROUP;
    for (let entry = start; entry < start + GROUP; entry += ENTRY)
      if (sharesLarge(load<i64>(entry), load<u32>(entry + 8), linear)) store<i64>(entry, -1);
  }
}

/** The RAM page at `host` now holds decoded code (its attributes say so already): no CPU may write it by the fast path. */
export function protectCodePage(host: u32): void {
  const page = host & ~0xfff;
  const cpus = load<u32>(G_CPUS);
  // The attributes are seen before the entries are looked at: who puts one there meanwhile finds them (keepWritable).
  fullFence();
  for (let i: u32 = 0; i < cpus; i++) {
    const cpu = CPU_BASE + i * CPU_BYTES;
    for (let table: u32 = 1; table < 6; table += 2) {
      const entries = cpu + S_TLB + table * TLB_BYTES;
      const filled = filledOf(cpu, table);
      for (let group = nextFilled(filled, 0, GROUPS); group < GROUPS; group = nextFilled(filled, group + 1, GROUPS)) {
        for (let index = group * GROUP; index < (group + 1) * GROUP; index += ENTRY) {
          const tag = load<i64>(entries + index);
          if ((tag & 0xfff) == 0 && <u32>tag + load<u32>(entries + index + 8) == page) empty(entries + index, index);
        }
      }
    }
  }
}

/** It holds records no more. */
export function emptyJumpCache(cpu: u32): void {
  memory.fill(cpu + S_JUMPS, 0, JUMP_ENTRIES * ENTRY);
  memory.fill(cpu + S_JUMP_REGIONS, 0, JUMP_REGIONS_BYTES);
}
