import {
  ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE, CODE_TLB_ENTRIES, CPU_BASE, CPU_BYTES, G_CPUS, JUMP_ENTRIES, MODE_LONG, PAGE_CODE, PAGE_MMIO, PAGE_ROM, S_CODE_TLB,
  S_CPL, S_DR, S_JUMPS, S_JUMP_KEY, S_MMU, S_MODE, S_TLB, S_TLB_NONE, S_TLB_READ, S_TLB_USED, S_TLB_WRITE, S_WATCH, TLB_BYTES, TLB_INDEX_MASK,
} from '../layout'; // prettier-ignore
import { GP, raiseWithError } from './fault';
import { attributesOf, ramAddress } from './physical';
import { AS_SUPERVISOR, AS_USER, walk, walkResult, WALK_DIRTY, WALK_GLOBAL } from './walk';

/** A tag that no linear address matches: it is not canonical. */
const EMPTY: i64 = <i64>0x8000000000000fff;
const MODE_BITS: u32 = 0xfff;
const ENTRY: u32 = 16;
const CODE_ROW: u32 = CODE_TLB_ENTRIES * ENTRY;

/** Privilege of the accesses that the current instruction makes itself. */
// @ts-ignore: decorator
@inline
export function currentPrivilege(cpu: u32): u32 {
  return load<u32>(cpu + S_CPL) == 3 ? AS_USER : AS_SUPERVISOR;
}

// @ts-ignore: decorator
@inline
export function isCanonical(cpu: u32, linear: i64): bool {
  return (linear << 16) >> 16 == linear || (load<u32>(cpu + S_MODE) & MODE_LONG) == 0;
}

function watched(cpu: u32, linear: i64): bool {
  if (load<u32>(cpu + S_WATCH) == 0) return false;
  for (let i: u32 = 0; i < 4; i++) if (((load<i64>(cpu + S_DR + 8 * i) ^ linear) & ~0xfff) == 0) return true;
  return false;
}

/** Keeps a translation for the fast path, if every access of that kind to the page may take it. */
export function fill(cpu: u32, linear: i64, physical: i64, access: u32): void {
  const host = ramAddress(physical) & ~0xfff;
  const read = load<u32>(cpu + S_TLB_READ);
  if (host == 0 || read == cpu + S_TLB_NONE || watched(cpu, linear)) return;
  const attributes = load<u32>(attributesOf(host));
  if ((attributes & PAGE_MMIO) != 0) return;
  const page = linear & ~0xfff;
  const index = (<u32>linear >> 8) & TLB_INDEX_MASK;
  const flags = walkResult() & WALK_GLOBAL ? 1 : 0;
  const addend = host - <u32>page;
  const mmu = load<u32>(cpu + S_MMU);
  store<u32>(cpu + S_TLB_USED, load<u32>(cpu + S_TLB_USED) | (1 << mmu));
  if (access == ACCESS_READ) put(read + index, page, addend, flags);
  else if ((attributes & (PAGE_CODE | PAGE_ROM)) == 0 && (walkResult() & WALK_DIRTY) != 0) put(load<u32>(cpu + S_TLB_WRITE) + index, page, addend, flags);
}

function put(entry: u32, page: i64, addend: u32, flags: u32): void {
  store<i64>(entry, page);
  store<u32>(entry + 8, addend);
  store<u32>(entry + 12, flags);
}

/** Physical address of an instruction byte, or -1 with #PF or #GP raised. */
export function translateCode(cpu: u32, linear: i64): i64 {
  const page = linear & ~0xfff;
  const entry = cpu + S_CODE_TLB + load<u32>(cpu + S_MMU) * CODE_ROW + ((<u32>(linear >>> 12) & (CODE_TLB_ENTRIES - 1)) << 4);
  if (load<i64>(entry) == page) return load<i64>(entry + 8) | (linear & 0xfff);
  if (!isCanonical(cpu, linear)) {
    raiseWithError(cpu, GP, 0);
    return -1;
  }
  const physical = walk(cpu, linear, ACCESS_EXECUTE, currentPrivilege(cpu));
  if (physical < 0) return -1;
  store<i64>(entry, page);
  store<i64>(entry + 8, physical & ~0xfff);
  return physical;
}

/** Marks `bytes` of entries empty. */
function clear(from: u32, bytes: u32): void {
  for (let at = from; at < from + bytes; at += ENTRY) store<i64>(at, EMPTY);
}

/** All TLBs as after power-up. */
export function resetTlb(cpu: u32): void {
  clear(cpu + S_TLB, 6 * TLB_BYTES);
  clear(cpu + S_TLB_NONE, TLB_BYTES);
  clear(cpu + S_CODE_TLB, 3 * CODE_ROW);
  memory.fill(cpu + S_JUMPS, 0, JUMP_ENTRIES * ENTRY);
  store<u32>(cpu + S_TLB_USED, 0);
}

/** The next generation of the jump cache: none of its entries matches any more. */
function newGeneration(cpu: u32): void {
  const key = load<u32>(cpu + S_JUMP_KEY);
  const generation = (key >> 12) + 1;
  if (generation >= 1 << 20) memory.fill(cpu + S_JUMPS, 0, JUMP_ENTRIES * ENTRY);
  store<u32>(cpu + S_JUMP_KEY, (generation << 12) | (key & MODE_BITS));
}

/** Forgets translations. Global ones may stay (`keepGlobal`), but need not: they are dropped too. */
export function flushTlb(cpu: u32, keepGlobal: bool): void {
  const used = load<u32>(cpu + S_TLB_USED);
  for (let mmu: u32 = 0; mmu < 3; mmu++) {
    if ((used & (1 << mmu)) != 0) clear(cpu + S_TLB + mmu * 2 * TLB_BYTES, 2 * TLB_BYTES);
  }
  store<u32>(cpu + S_TLB_USED, 0);
  clear(cpu + S_CODE_TLB, 3 * CODE_ROW);
  newGeneration(cpu);
}

/** Forgets the translation of one page (INVLPG). */
export function flushPage(cpu: u32, linear: i64): void {
  const index = (<u32>linear >> 8) & TLB_INDEX_MASK;
  for (let table: u32 = 0; table < 6; table++) store<i64>(cpu + S_TLB + table * TLB_BYTES + index, EMPTY);
  const code = (<u32>(linear >>> 12) & (CODE_TLB_ENTRIES - 1)) << 4;
  for (let mmu: u32 = 0; mmu < 3; mmu++) store<i64>(cpu + S_CODE_TLB + mmu * CODE_ROW + code, EMPTY);
  newGeneration(cpu);
}

/** The RAM page at `host` now holds decoded code: no CPU may write it by the fast path. */
export function protectCodePage(host: u32): void {
  const cpus = load<u32>(G_CPUS);
  for (let i: u32 = 0; i < cpus; i++) {
    const cpu = CPU_BASE + i * CPU_BYTES;
    const used = load<u32>(cpu + S_TLB_USED);
    for (let mmu: u32 = 0; mmu < 3; mmu++) {
      if ((used & (1 << mmu)) == 0) continue;
      const table = cpu + S_TLB + (mmu * 2 + 1) * TLB_BYTES;
      for (let entry = table; entry < table + TLB_BYTES; entry += ENTRY)
        if (<u32>load<i64>(entry) + load<u32>(entry + 8) == host) store<i64>(entry, EMPTY);
    }
  }
}

/** Physical address for an access, or -1 with the fault raised; the translation is kept for the fast path. */
export function translate(cpu: u32, linear: i64, access: u32, privilege: u32): i64 {
  if (!isCanonical(cpu, linear)) {
    raiseWithError(cpu, GP, 0);
    return -1;
  }
  const physical = walk(cpu, linear, access, privilege);
  if (physical >= 0 && privilege == currentPrivilege(cpu)) {
    fill(cpu, linear, physical, ACCESS_READ);
    if (access == ACCESS_WRITE) fill(cpu, linear, physical, ACCESS_WRITE);
  }
  return physical;
}
