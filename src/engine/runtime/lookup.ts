import {
  BLOCK_ENTRY_BYTES, CS, FAULT_ADDRESS, S_FAULT, SS, EFLAGS_IF, EFLAGS_TF, G_BLOCKS, G_BLOCKS_MASK, JUMP_ENTRIES, JUMP_OTHER, LINE_INTR, LINE_NMI, MODE_LONG, PENDING_INTERRUPT, PENDING_NMI, PENDING_STEP,
  S_BUDGET, S_CODE_PAGE, S_EFLAGS, S_FAULT_COUNT, S_GLOBAL_KEY, S_JUMPS, S_JUMP_KEY, S_JUMP_REGIONS, S_LINE, S_LINK_FROM, S_LOOKUP, S_MODE, S_NMI_BLOCKED, S_PAGE_BASE,
  S_PAGE_BASE_FAR, S_PENDING, S_RECORD, S_RIP, S_SEG, S_SHADOW, S_SHADOW_NEXT, SEG_BASE, SEG_BYTES, SEG_LIMIT,
} from '../layout'; // prettier-ignore
import {
  B_PAGE, B_REGION, B_SECOND, HANDLER_BLOCK, HANDLER_REGION, NEIGHBOUR_BASE, NEIGHBOUR_DISTANCE, NEIGHBOUR_KEY, NEIGHBOUR_PAGE, R_HANDLER, R_LEFT, R_LENGTH,
  R_NEXT, R_SEGMENT, SITE_IMPORT, SITE_IMPORT_KEY, SITE_KEY, SITE_REGION, SITE_TARGET,
} from '../interpreter/record'; // prettier-ignore
import { deliverFault } from './exception';
import { GP, raiseWithError, STACK } from './fault';
import { decode } from './host';
import { fence } from './order';
import { ramAddress } from './physical';
import { codeKey, isFetched, noteCodePage, translateCode } from './tlb';
import { retired } from './retired';
import { forgetTime } from './tsc';

const MODE_BITS: u32 = 0xfff;
const CODE_SEGMENT: u32 = S_SEG + CS * SEG_BYTES;

/** Turns what may interrupt the CPU now into PENDING bits. */
export function notice(cpu: u32): void {
  const shadow = load<u32>(cpu + S_SHADOW_NEXT);
  if (shadow != 0) {
    store<u32>(cpu + S_SHADOW_NEXT, 0);
    store<i64>(cpu + S_SHADOW, retired(cpu));
  }
  const line = atomic.load<u32>(cpu + S_LINE);
  const flags = load<u32>(cpu + S_EFLAGS);
  let pending: u32 = 0;
  if ((line & LINE_INTR) != 0 && (flags & EFLAGS_IF) != 0) pending |= PENDING_INTERRUPT;
  if ((line & LINE_NMI) != 0 && load<u32>(cpu + S_NMI_BLOCKED) == 0) pending |= PENDING_NMI;
  if ((flags & EFLAGS_TF) != 0) pending |= PENDING_STEP;
  if (pending != 0) atomic.or<u32>(cpu + S_PENDING, pending);
}

function enter(cpu: u32, record: u32, rip: i64): u32 {
  const base = rip - <i64>load<u16>(record + R_NEXT);
  const page = load<u32>(record + B_PAGE);
  const from = load<u32>(cpu + S_LINK_FROM);
  if (from != 0) {
    store<u32>(cpu + S_LINK_FROM, 0);
    // A link holds wherever the page is mapped: both ends lie in it, at the same distance.
    if (page == load<u32>(cpu + S_CODE_PAGE) && base == load<i64>(cpu + S_PAGE_BASE) && load<u32>(record + B_SECOND) == 0)
      store<u32>(from, record);
  }
  store<u32>(cpu + S_CODE_PAGE, page);
  store<i64>(cpu + S_PAGE_BASE, base);
  store<i64>(cpu + S_PAGE_BASE_FAR, base + 0x10000);
  return record;
}

/** Record of the block at S_RIP, or 0: something is pending, the budget is used up (nothing of what follows is touched then), or fetching it faults (S_FAULT). */
export function lookup(cpu: u32): u32 {
  if ((load<u32>(cpu + S_SHADOW_NEXT) | load<u32>(cpu + S_LINE) | (load<u32>(cpu + S_EFLAGS) & EFLAGS_TF)) != 0) notice(cpu);
  if (atomic.load<u32>(cpu + S_PENDING) != 0 || load<i64>(cpu + S_BUDGET) <= 0) {
    store<u32>(cpu + S_LINK_FROM, 0);
    return 0;
  }
  const rip = load<i64>(cpu + S_RIP);
  const jump = firstPlace(cpu, rip);
  const place = placeOf(jump, rip);
  let record: u32 = 0;
  if (load<i64>(place) == rip) {
    const known = load<u32>(place + 12);
    if (isHead(known)) {
      if (keyOf(cpu, place) != 0) return enter(cpu, known, rip);
      if (((load<u32>(place + 8) ^ load<u32>(cpu + S_JUMP_KEY)) & MODE_BITS) == 0) record = known;
    }
  }
  const physical = fetchAddress(cpu, rip);
  if (physical < 0) return 0;
  noteCodePage(cpu, load<i64>(cpu + S_LOOKUP));
  const host = ramAddress(physical);
  // Of an older generation: it holds if the page is still there.
  if (record != 0 && load<u32>(record + B_PAGE) + load<u16>(record + R_NEXT) != host) record = 0;
  if (host != 0 && record == 0) record = find(cpu, host, load<u32>(cpu + S_MODE), load<i64>(cpu + S_LOOKUP));
  if (record == 0) {
    forgetTime(cpu);
    record = decode(cpu, host, <f64>physical, 0);
    if (record == 0) {
      store<u32>(cpu + S_LINK_FROM, 0);
      return 0;
    }
  }
  if (load<u32>(record + B_SECOND) == 0 && host != 0) {
    if (place != jump) {
      memory.copy(place, jump, 16);
      store<u32>(regionOf(cpu, place), 0);
    }
    store<u32>(regionOf(cpu, jump), 0);
    store<i64>(jump, rip);
    store<u32>(jump + 8, load<u32>(cpu + codeKey(cpu, load<i64>(cpu + S_LOOKUP))));
    store<u32>(jump + 12, record);
  }
  return enter(cpu, record, rip);
}

/** Record of a block of at most `limit` instructions at S_RIP that is used once, whatever is pending; 0: fetching it faults (S_FAULT). */
export function lookupExactly(cpu: u32, limit: u32): u32 {
  store<u32>(cpu + S_LINK_FROM, 0);
  const rip = load<i64>(cpu + S_RIP);
  const physical = fetchAddress(cpu, rip);
  if (physical < 0) return 0;
  const record = decode(cpu, ramAddress(physical), <f64>physical, limit);
  return record == 0 ? 0 : enter(cpu, record, rip);
}

/** Physical address of the instruction at `rip` (its linear address is left in S_LOOKUP), or negative with a fault raised. */
export function fetchAddress(cpu: u32, rip: i64): i64 {
  let linear = rip;
  if ((load<u32>(cpu + S_MODE) & MODE_LONG) == 0) {
    if (<u64>rip > load<u64>(cpu + CODE_SEGMENT + SEG_LIMIT)) {
      store<u32>(cpu + S_LINK_FROM, 0);
      raiseWithError(cpu, GP, 0);
      return -1;
    }
    linear = (rip + load<i64>(cpu + CODE_SEGMENT + SEG_BASE)) & 0xffffffff;
  }
  store<u32>(cpu + S_RECORD, 0);
  store<i64>(cpu + S_LOOKUP, linear);
  const physical = translateCode(cpu, linear);
  if (physical < 0) store<u32>(cpu + S_LINK_FROM, 0);
  return physical;
}

/** Whether the record still begins a block: it is not stale. */
// @ts-ignore: decorator
@inline
function isHead(record: u32): bool {
  const handler = load<u16>(record + R_HANDLER);
  return handler == HANDLER_BLOCK || handler == HANDLER_REGION;
}

function find(cpu: u32, host: u32, mode: u32, linear: i64): u32 {
  const table = load<u32>(G_BLOCKS);
  const mask = load<u32>(G_BLOCKS_MASK);
  let slot = hash(host, mode) & mask;
  let entry = table + slot * BLOCK_ENTRY_BYTES;
  while (load<u32>(entry) != 0) {
    if (load<u32>(entry) == host && load<u32>(entry + 4) == mode) {
      const record = load<u32>(entry + 8);
      if (!isHead(record)) return 0;
      const second = load<u32>(record + B_SECOND);
      if (second == 0) return record;
      const physical = translateCode(cpu, (linear & ~0xfff) + 0x1000);
      if (physical < 0) return 0;
      return ramAddress(physical) == second ? record : 0;
    }
    slot = (slot + 1) & mask;
    entry = table + slot * BLOCK_ENTRY_BYTES;
  }
  return 0;
}

/** Where the jump cache has an instruction pointer, or would have it. */
// @ts-ignore: decorator
@inline
function firstPlace(cpu: u32, rip: i64): u32 {
  return cpu + S_JUMPS + ((<u32>(rip ^ (rip >> 12)) & (JUMP_ENTRIES - 1)) << 4);
}
// @ts-ignore: decorator
@inline
function placeOf(first: u32, rip: i64): u32 {
  return load<i64>(first) == rip ? first : first ^ JUMP_OTHER;
}

/** Of a place in the jump cache: where its region is. */
// @ts-ignore: decorator
@inline
function regionOf(cpu: u32, place: u32): u32 {
  return cpu + S_JUMP_REGIONS + ((place - cpu - S_JUMPS) >> 2);
}

/** The key under which an entry of the jump cache holds now: S_JUMP_KEY or S_GLOBAL_KEY; 0: it does not. */
// @ts-ignore: decorator
@inline
function keyOf(cpu: u32, jump: u32): u32 {
  const key = load<u32>(jump + 8);
  if (key == load<u32>(cpu + S_JUMP_KEY)) return S_JUMP_KEY;
  return key == load<u32>(cpu + S_GLOBAL_KEY) ? S_GLOBAL_KEY : 0;
}

/** Notes what region the target of a call site is in, if it is translated; true: the one that the caller's module imports. */
export function bindSite(cpu: u32, site: u32, target: i64): bool {
  const jump = placeOf(firstPlace(cpu, target), target);
  const known = load<i64>(jump) == target ? keyOf(cpu, jump) : 0;
  if (known == 0) return false;
  const record = load<u32>(jump + 12);
  if (load<u16>(record + R_HANDLER) != HANDLER_REGION) return false;
  fence();
  const key = load<i64>(cpu + known);
  const region = load<u32>(record + B_REGION);
  const imported = region == load<u32>(site + SITE_IMPORT);
  store<i64>(site + SITE_TARGET, target);
  store<i64>(site + SITE_KEY, key);
  store<u32>(site + SITE_REGION, region);
  store<i64>(site + SITE_IMPORT_KEY, imported ? key : 0);
  return imported;
}

/** Whether a page beside a region's (NEIGHBOUR_ record) is what it was when that was translated; false as well if it was not fetched from yet. */
export function hasNeighbour(cpu: u32, record: u32, base: i64): bool {
  const linear = base + (<i64>load<i32>(record + NEIGHBOUR_DISTANCE) << 12);
  if ((load<u32>(cpu + S_MODE) & MODE_LONG) == 0 && <u64>linear > 0xffffffff) return false;
  if (!isFetched(cpu, linear)) return false;
  if (ramAddress(translateCode(cpu, linear)) != load<u32>(record + NEIGHBOUR_PAGE)) return false;
  noteCodePage(cpu, linear);
  store<i64>(record + NEIGHBOUR_BASE, base);
  store<i64>(record + NEIGHBOUR_KEY, load<i64>(cpu + codeKey(cpu, linear)));
  return true;
}

/** The same function as in code-cache.ts. */
// @ts-ignore: decorator
@inline
function hash(host: u32, mode: u32): u32 {
  return (host * 0x9e3779b1 + mode * 0x85ebca6b) >> 8;
}

/** The instruction of `record` faulted: gives the rest of the block back, and delivers. A fault counts as an instruction, so that endless faults use the budget up. */
export function faultAt(cpu: u32, record: u32): void {
  setRip(cpu, record);
  store<i64>(cpu + S_BUDGET, load<i64>(cpu + S_BUDGET) + <i64>load<u8>(record + R_LEFT) - 1);
  store<u32>(cpu + S_RECORD, 0);
  const fault = load<u32>(cpu + S_FAULT);
  if ((fault & FAULT_ADDRESS) != 0 && load<u8>(record + R_SEGMENT) == SS) store<u32>(cpu + S_FAULT, (fault & ~0xff) | STACK);
  deliver(cpu);
}

export function deliver(cpu: u32): void {
  store<i64>(cpu + S_FAULT_COUNT, load<i64>(cpu + S_FAULT_COUNT) + 1);
  deliverFault(cpu);
}

/** The instruction of `record` is done in part (REP) and will be run again; it counts once each time. */
export function repeatAgain(cpu: u32, record: u32): void {
  setRip(cpu, record);
  store<i64>(cpu + S_BUDGET, load<i64>(cpu + S_BUDGET) + <i64>load<u8>(record + R_LEFT) - 1);
}

/** The code of `record` was overwritten before it ran. */
export function staleAt(cpu: u32, record: u32): void {
  setRip(cpu, record);
  store<i64>(cpu + S_BUDGET, load<i64>(cpu + S_BUDGET) + <i64>load<u8>(record + R_LEFT));
}

function setRip(cpu: u32, record: u32): void {
  store<i64>(cpu + S_RIP, load<i64>(cpu + S_PAGE_BASE) + <i64>load<u16>(record + R_NEXT) - <i64>load<u8>(record + R_LENGTH));
}
