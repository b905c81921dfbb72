import {
  ACCESS_READ, ACCESS_WRITE, AS_USER, EFLAGS_AC, MODE_LMA, MODE_LONG, S_CPL, S_CR0, S_EFLAGS, S_MMU, S_MODE, S_FAULT, S_ACROSS, S_TLB_NONE, S_TLB_READ, S_TLB_WRITE, S_WATCH, TLB_INDEX_MASK, TLB_OTHER,
} from '../layout'; // prettier-ignore
import { AC, faulted, raiseWithError } from './fault';
import { watch } from './memory-watch';
import { canonical } from './mode';
import { fence, loadGuest, storeGuest } from './order';
import { readDevice, readRam, writeDevice, writeRam } from './physical';
import { implicitAccess, PLACE_DEVICE, resolve } from './tlb';
import { AS_IMPLICIT } from './walk';

const CR0_AM: i64 = 0x40000;

// ---- fast path

// @ts-ignore: decorator
@inline
function hit(cpu: u32, table: u32, linear: i64, bytes: i64): u32 {
  return inEntry(entryOf(cpu, table, linear), linear, bytes);
}
// @ts-ignore: decorator
@inline
function entryOf(cpu: u32, table: u32, linear: i64): u32 {
  return load<u32>(cpu + table) + ((<u32>linear >> 8) & TLB_INDEX_MASK);
}
/** Address in this memory if the entry is that of all the bytes, or 0. */
// @ts-ignore: decorator
@inline
function inEntry(entry: u32, linear: i64, bytes: i64): u32 {
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

/**
 * Address in this memory of bytes that translated code is about to read (write), where the first place of the TLB does not
 * have them. 0: the interpreter must see to it; nothing has happened then.
 */
export function findPlace(cpu: u32, linear: i64, bytes: u32, write: bool): u32 {
  const table: u32 = write ? S_TLB_WRITE : S_TLB_READ;
  const other = inEntry(entryOf(cpu, table, linear) ^ TLB_OTHER, linear, <i64>bytes);
  if (other != 0) return other;
  if (load<u32>(cpu + table) == cpu + S_TLB_NONE) return 0;
  if ((<u32>linear & 0xfff) + bytes > 0x1000) return write ? 0 : across(cpu, linear, bytes);
  if (resolve(cpu, linear, write ? ACCESS_WRITE : ACCESS_READ, load<u32>(cpu + S_MMU)) < 0) {
    store<u32>(cpu + S_FAULT, 0);
    return 0;
  }
  return hit(cpu, table, linear, <i64>bytes);
}

/** A copy of bytes in two pages of RAM, or 0 as above. */
function across(cpu: u32, linear: i64, bytes: u32): u32 {
  if (load<u32>(cpu + S_WATCH) != 0) return 0;
  const who = load<u32>(cpu + S_MMU);
  const first = resolve(cpu, linear, ACCESS_READ, who);
  const second = first < 0 ? first : resolve(cpu, nextPage(cpu, linear), ACCESS_READ, who);
  if (second < 0) {
    store<u32>(cpu + S_FAULT, 0);
    return 0;
  }
  if (((first | second) & PLACE_DEVICE) != 0) return 0;
  const here: u32 = 0x1000 - (<u32>linear & 0xfff);
  const copy = cpu + S_ACROSS;
  for (let i: u32 = 0; i < bytes; i++) store<u8>(copy + i, loadGuest<u8>(i < here ? <u32>first + i : <u32>second + (i - here)));
  return copy;
}

export function load8(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 1);
  return host != 0 ? <i64>loadGuest<u8>(host) : loadChecked(cpu, linear, 1);
}
export function load16(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 2);
  return host != 0 ? <i64>loadGuest<u16>(host) : loadChecked(cpu, linear, 2);
}
export function load32(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 4);
  return host != 0 ? <i64>loadGuest<u32>(host) : loadChecked(cpu, linear, 4);
}
export function load64(cpu: u32, linear: i64): i64 {
  const host = hit(cpu, S_TLB_READ, linear, 8);
  return host != 0 ? loadGuest<i64>(host) : loadChecked(cpu, linear, 8);
}
export function store8(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 1);
  if (host != 0) storeGuest<u8>(host, <u8>value);
  else storeChecked(cpu, linear, 1, value);
}
export function store16(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 2);
  if (host != 0) storeGuest<u16>(host, <u16>value);
  else storeChecked(cpu, linear, 2, value);
}
export function store32(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 4);
  if (host != 0) storeGuest<u32>(host, <u32>value);
  else storeChecked(cpu, linear, 4, value);
}
export function store64(cpu: u32, linear: i64, value: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 8);
  if (host != 0) storeGuest<i64>(host, value);
  else storeChecked(cpu, linear, 8, value);
}

/** 16 bytes between memory and a slot of the CPU block; all are checked before any is written. */
export function loadSlot(cpu: u32, slot: u32, linear: i64): void {
  const host = hit(cpu, S_TLB_READ, linear, 16);
  if (host != 0) {
    v128.store(cpu + slot, v128.load(host));
    fence();
    return;
  }
  const at = wrap(cpu, linear);
  if (refused(cpu, at, 16)) return;
  const who = load<u32>(cpu + S_MMU);
  const low = loadAt(cpu, at, 8, who);
  if (faulted(cpu)) return;
  const high = loadAt(cpu, wrap(cpu, at + 8), 8, who);
  if (faulted(cpu)) return;
  store<i64>(cpu + slot, low);
  store<i64>(cpu + slot + 8, high);
}
export function storeSlot(cpu: u32, slot: u32, linear: i64): void {
  const host = hit(cpu, S_TLB_WRITE, linear, 16);
  if (host != 0) {
    fence();
    v128.store(host, v128.load(cpu + slot));
    return;
  }
  const who = load<u32>(cpu + S_MMU);
  if (!probe(cpu, linear, 16, true, who)) return;
  const at = wrap(cpu, linear);
  storeAt(cpu, at, 8, load<i64>(cpu + slot), who);
  storeAt(cpu, wrap(cpu, at + 8), 8, load<i64>(cpu + slot + 8), who);
}

/** Accesses of the processor itself (descriptor tables, TSS, stacks of another level), of 1, 2, 4 or 8 bytes: supervisor ones without regard to AC, or as user. */
export function loadAs(cpu: u32, linear: i64, bytes: u32, supervisor: bool): i64 {
  return loadAt(cpu, wrapImplicit(cpu, linear), bytes, supervisor ? implicitAccess(cpu) : AS_USER);
}
export function storeAs(cpu: u32, linear: i64, bytes: u32, value: i64, supervisor: bool): void {
  storeAt(cpu, wrapImplicit(cpu, linear), bytes, value, supervisor ? implicitAccess(cpu) : AS_USER);
}

// ---- slow path

/** Linear addresses of code are 32 bits wide outside 64-bit mode; those of descriptor tables outside IA-32e mode. */
// @ts-ignore: decorator
@inline
export function wrap(cpu: u32, linear: i64): i64 {
  return (load<u32>(cpu + S_MODE) & MODE_LONG) != 0 ? linear : linear & 0xffffffff;
}
// @ts-ignore: decorator
@inline
function wrapImplicit(cpu: u32, linear: i64): i64 {
  return (load<u32>(cpu + S_MODE) & MODE_LMA) != 0 ? linear : linear & 0xffffffff;
}

/** Address of the page behind that of `linear`. */
function nextPage(cpu: u32, linear: i64): i64 {
  const next = (linear | 0xfff) + 1;
  return next == 0x100000000 ? wrap(cpu, next) : next;
}

/** Alignment check (SDM vol. 3, 6.15, interrupt 17); it comes before page faults, and behind whether the address is canonical. True: #AC was raised. */
function refused(cpu: u32, linear: i64, bytes: u32): bool {
  if ((linear & <i64>(bytes - 1)) == 0 || load<u32>(cpu + S_CPL) != 3) return false;
  if ((load<u32>(cpu + S_EFLAGS) & EFLAGS_AC) == 0 || (load<i64>(cpu + S_CR0) & CR0_AM) == 0) return false;
  if (!canonical(cpu, linear)) return false;
  raiseWithError(cpu, AC, 0);
  return true;
}

function loadChecked(cpu: u32, linear: i64, bytes: u32): i64 {
  const at = wrap(cpu, linear);
  return refused(cpu, at, bytes) ? 0 : loadAt(cpu, at, bytes, load<u32>(cpu + S_MMU));
}

function storeChecked(cpu: u32, linear: i64, bytes: u32, value: i64): void {
  const at = wrap(cpu, linear);
  if (!refused(cpu, at, bytes)) storeAt(cpu, at, bytes, value, load<u32>(cpu + S_MMU));
}

function loadPlace(cpu: u32, place: i64, bytes: u32): i64 {
  if ((place & PLACE_DEVICE) != 0) return readDevice(cpu, place & ~PLACE_DEVICE, bytes);
  return readRam(<u32>place, bytes);
}

function storePlace(cpu: u32, place: i64, bytes: u32, value: i64): void {
  if ((place & PLACE_DEVICE) != 0) writeDevice(cpu, place & ~PLACE_DEVICE, bytes, value);
  else writeRam(<u32>place, bytes, value);
}

function loadAt(cpu: u32, linear: i64, bytes: u32, who: u32): i64 {
  const first = resolve(cpu, linear, ACCESS_READ, who);
  if (first < 0) return 0;
  const here: u32 = 0x1000 - (<u32>linear & 0xfff);
  let value: i64 = 0;
  if (bytes <= here) value = loadPlace(cpu, first, bytes);
  else {
    const second = resolve(cpu, nextPage(cpu, linear), ACCESS_READ, who);
    if (second < 0) return 0;
    for (let i: u32 = 0; i < bytes; i++) {
      const byte = i < here ? loadPlace(cpu, first + <i64>i, 1) : loadPlace(cpu, second + <i64>(i - here), 1);
      value |= byte << <i64>(8 * i);
    }
  }
  watch(cpu, linear, bytes, false);
  return value;
}

function storeAt(cpu: u32, linear: i64, bytes: u32, value: i64, who: u32): void {
  const first = resolve(cpu, linear, ACCESS_WRITE, who);
  if (first < 0) return;
  const here: u32 = 0x1000 - (<u32>linear & 0xfff);
  if (bytes <= here) storePlace(cpu, first, bytes, value);
  else {
    const second = resolve(cpu, nextPage(cpu, linear), ACCESS_WRITE, who);
    if (second < 0) return;
    for (let i: u32 = 0; i < bytes; i++) {
      const byte = value >>> <i64>(8 * i);
      if (i < here) storePlace(cpu, first + <i64>i, 1, byte);
      else storePlace(cpu, second + <i64>(i - here), 1, byte);
    }
  }
  watch(cpu, linear, bytes, true);
}

// ---- checks ahead of an access

/** Raises the fault that a write of `bytes` bytes by the current code would raise, if any. Accessed and dirty bits are set. */
export function probeWrite(cpu: u32, linear: i64, bytes: u32): void {
  if (hit(cpu, S_TLB_WRITE, linear, <i64>bytes) == 0) probe(cpu, linear, bytes, true, load<u32>(cpu + S_MMU));
}

/** Whether `who` (AS_ of walk.ts, or what S_MMU says for the current code) may access `bytes` bytes; if not, the fault is raised. */
export function probe(cpu: u32, linear: i64, bytes: u32, write: bool, who: u32): bool {
  if (who == AS_IMPLICIT) return reachable(cpu, wrapImplicit(cpu, linear), bytes, write, implicitAccess(cpu));
  const at = wrap(cpu, linear);
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && refused(cpu, at, bytes)) return false;
  return reachable(cpu, at, bytes, write, who);
}

function reachable(cpu: u32, linear: i64, bytes: u32, write: bool, who: u32): bool {
  const access: u32 = write ? ACCESS_WRITE : ACCESS_READ;
  let at = linear;
  let left = bytes;
  while (resolve(cpu, at, access, who) >= 0) {
    const here: u32 = 0x1000 - (<u32>at & 0xfff);
    if (left <= here) return true;
    left -= here;
    at = nextPage(cpu, at);
  }
  return false;
}
