/** Locked accesses that are not one atomic instruction of WebAssembly on a TLB entry. */
import { ACCESS_WRITE, G_LOCK, PAGE_CODE, PAGE_ROM, S_GPR, S_MMU, S_PENDING, S_WATCH } from '../layout';
import { faulted } from './fault';
import { load64, probeWrite, store64, wrap } from './memory';
import { fence } from './order';
import { attributesOf, noticeCodeWrite } from './physical';
import { PLACE_DEVICE, resolve } from './tlb';

const RAX: u32 = S_GPR;
const RCX: u32 = S_GPR + 8;
const RDX: u32 = S_GPR + 16;
const RBX: u32 = S_GPR + 24;

/**
 * Address in this memory of bytes for a locked access: aligned, in RAM, and nobody looks at it. 0: the access is to be done in parts
 * (it is not atomic then), or S_FAULT is set. Who writes there calls `noticeLocked` behind it.
 */
export function lockedPlace(cpu: u32, linear: i64, bytes: u32): u32 {
  probeWrite(cpu, linear, bytes);
  if (faulted(cpu) || (<u32>linear & (bytes - 1)) != 0 || load<u32>(cpu + S_WATCH) != 0) return 0;
  const place = resolve(cpu, wrap(cpu, linear), ACCESS_WRITE, load<u32>(cpu + S_MMU));
  if (place < 0 || (place & PLACE_DEVICE) != 0) return 0;
  return (load<u32>(attributesOf(<u32>place)) & PAGE_ROM) != 0 ? 0 : <u32>place;
}

/** Bytes at an address that `lockedPlace` gave were written. */
export function noticeLocked(cpu: u32, host: u32, bytes: u32): void {
  fence();
  if ((load<u32>(attributesOf(host)) & PAGE_CODE) != 0) noticeCodeWrite(host, bytes);
}

/** MFENCE: no later load before an earlier store. Other accesses are in order without it. */
export function memoryFence(cpu: u32): void {
  // Any locked operation is a fence, to the compiler as well.
  atomic.or<u32>(cpu + S_PENDING, 0);
  fence();
}

export function cmpxchg8b(cpu: u32, linear: i64): i64 {
  const host = lockedPlace(cpu, linear, 8);
  if (faulted(cpu)) return 0;
  const expected = <i64>load<u32>(cpu + RAX) | (<i64>load<u32>(cpu + RDX) << 32);
  const wanted = <i64>load<u32>(cpu + RBX) | (<i64>load<u32>(cpu + RCX) << 32);
  let old: i64;
  if (host != 0) {
    old = atomic.cmpxchg<i64>(host, expected, wanted);
    noticeLocked(cpu, host, 8);
  } else {
    old = load64(cpu, linear);
    if (!faulted(cpu)) store64(cpu, linear, old == expected ? wanted : old);
    if (faulted(cpu)) return 0;
  }
  fence();
  if (old == expected) return 1;
  store<i64>(cpu + RAX, old & 0xffffffff);
  store<i64>(cpu + RDX, old >>> 32);
  return 0;
}

export function cmpxchg16b(cpu: u32, linear: i64): i64 {
  const host = lockedPlace(cpu, linear, 16);
  if (faulted(cpu)) return 0;
  const expectedLow = load<i64>(cpu + RAX);
  const expectedHigh = load<i64>(cpu + RDX);
  let low: i64;
  let high: i64;
  if (host != 0) {
    // WebAssembly has no exchange of 128 bits: CMPXCHG16B of all CPUs take turns.
    while (atomic.cmpxchg<u32>(G_LOCK, 0, 1) != 0) {}
    const equal = exchangePair(host, expectedLow, expectedHigh, load<i64>(cpu + RBX), load<i64>(cpu + RCX));
    low = atomic.load<i64>(host);
    high = atomic.load<i64>(host + 8);
    atomic.store<u32>(G_LOCK, 0);
    fence();
    noticeLocked(cpu, host, 16);
    if (equal) return 1;
    // Another CPU stored what is expected in the meantime: any other value says that it was not there.
    if (low == expectedLow && high == expectedHigh) return cmpxchg16b(cpu, linear);
  } else {
    low = load64(cpu, linear);
    if (faulted(cpu)) return 0;
    high = load64(cpu, linear + 8);
    if (faulted(cpu)) return 0;
    const equal = low == expectedLow && high == expectedHigh;
    store64(cpu, linear, equal ? load<i64>(cpu + RBX) : low);
    store64(cpu, linear + 8, equal ? load<i64>(cpu + RCX) : high);
    fence();
    if (equal) return 1;
  }
  store<i64>(cpu + RAX, low);
  store<i64>(cpu + RDX, high);
  return 0;
}

/** Exchanges one half after the other, so that no store of another CPU to either is lost; takes the first back if the second has changed. */
function exchangePair(host: u32, expectedLow: i64, expectedHigh: i64, low: i64, high: i64): bool {
  if (atomic.load<i64>(host + 8) != expectedHigh) return false;
  if (atomic.cmpxchg<i64>(host, expectedLow, low) != expectedLow) return false;
  if (atomic.cmpxchg<i64>(host + 8, expectedHigh, high) == expectedHigh) return true;
  atomic.cmpxchg<i64>(host, low, expectedLow);
  return false;
}
