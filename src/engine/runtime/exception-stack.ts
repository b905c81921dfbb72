import { FAULT_ADDRESS, S_FAULT, S_FAULT_ERROR, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, TR } from '../layout';
import { ATTR_DB } from './descriptor';
import { faulted, GP, raiseWithError, STACK, TS } from './fault';
import { loadAs, storeAs } from './memory';
import { segment } from './mode';

/** Whether `bytes` bytes below `top` lie in a stack segment. */
export function roomBelow(top: i64, bytes: u32, limit: i64, attributes: u32): bool {
  const mask: i64 = (attributes & ATTR_DB) != 0 ? 0xffffffff : 0xffff;
  const low = (top - <i64>bytes) & mask;
  const high = (top - 1) & mask;
  if (low > high) return false;
  if ((attributes & 0xc) == 4) return low > limit;
  return high <= limit;
}

/** Pushes without changing RSP; gives the new top. Nothing more is written once a fault is pending. */
export function pushAt(cpu: u32, base: i64, top: i64, mask: i64, bytes: u32, value: i64, supervisor: bool): i64 {
  const next = mask == 0xffff ? (top & ~0xffff) | ((top - <i64>bytes) & 0xffff) : (top - <i64>bytes) & mask;
  if (!faulted(cpu)) storeAs(cpu, base + (next & mask), bytes, value, supervisor);
  return next;
}

/** After pushes in IA-32e mode: whether one faulted. A top of stack that is not canonical is #SS(`error`). */
export function longPushFaulted(cpu: u32, error: u32): bool {
  if (!faulted(cpu)) return false;
  if ((load<u32>(cpu + S_FAULT) & FAULT_ADDRESS) != 0) raiseWithError(cpu, STACK, error);
  return true;
}

/** Adds the EXT bit to a fault whose error code is a selector; that of a page fault is none. */
export function addExt(cpu: u32, ext: u32): void {
  const vector = load<u32>(cpu + S_FAULT) & 0xff;
  if (vector >= TS && vector <= GP) store<u32>(cpu + S_FAULT_ERROR, load<u32>(cpu + S_FAULT_ERROR) | ext);
}

/** SS:ESP of a level from the TSS: selector in the upper half (SDM vol. 3, 7.2.1). `ext`: the EXT bit of the error code. */
export function innerStack(cpu: u32, level: u32, ext: u32): i64 {
  const register = segment(cpu, TR);
  const wide = (load<u32>(register + SEG_ATTR) & 8) != 0;
  const at = wide ? 4 + 8 * level : 2 + 4 * level;
  const size: u32 = wide ? 6 : 4;
  if (<i64>(at + size - 1) > load<i64>(register + SEG_LIMIT)) {
    raiseWithError(cpu, TS, (load<u32>(register + SEG_SELECTOR) & 0xfffc) | ext);
    return 0;
  }
  const base = load<i64>(register + SEG_BASE) + <i64>at;
  const pointer = loadAs(cpu, base, wide ? 4 : 2, true);
  if (faulted(cpu)) return 0;
  const selector = loadAs(cpu, base + (wide ? 4 : 2), 2, true);
  return (selector << 32) | pointer;
}

/** RSP0-2 (index 0-2) or IST1-7 (index 3 on) of the 64-bit TSS (SDM vol. 3, 7.7). */
export function longStack(cpu: u32, index: u32, ext: u32): i64 {
  const register = segment(cpu, TR);
  const at = index < 3 ? 4 + 8 * index : 0x24 + 8 * (index - 3);
  if (<i64>(at + 7) > load<i64>(register + SEG_LIMIT)) {
    raiseWithError(cpu, TS, (load<u32>(register + SEG_SELECTOR) & 0xfffc) | ext);
    return 0;
  }
  return loadAs(cpu, load<i64>(register + SEG_BASE) + <i64>at, 8, true);
}
