import {
  CS, DS, EFLAGS_VM, ES, FS, GS, LDTR, S_CPL, S_EFLAGS, S_GDTR, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_NULL, SEG_SELECTOR,
} from '../layout'; // prettier-ignore
import { faulted, raiseWithError, STACK } from './fault';
import { loadAs, storeAs } from './memory';
import { segment } from './mode';

// Attribute bits: descriptor bits 40 to 55 (SDM vol. 3, 3.4.5)
export const ATTR_ACCESSED: u32 = 1;
export const ATTR_WRITABLE: u32 = 2;
export const ATTR_READABLE: u32 = 2;
export const ATTR_CONFORMING: u32 = 4;
export const ATTR_CODE: u32 = 8;
export const ATTR_S: u32 = 0x10;
export const ATTR_P: u32 = 0x80;
export const ATTR_L: u32 = 0x2000;
export const ATTR_DB: u32 = 0x4000;
export const ATTR_G: u32 = 0x8000;

export function dplOf(attributes: u32): u32 {
  return (attributes >> 5) & 3;
}

/** Linear address of the descriptor that a selector names, or -1 if it lies outside its table (no fault is raised). */
export function descriptorAddress(cpu: u32, selector: u32, bytes: u32): i64 {
  const index = selector & 0xfff8;
  let base: i64;
  let limit: i64;
  if ((selector & 4) != 0) {
    const table = segment(cpu, LDTR);
    if ((load<u32>(table + SEG_ATTR) & SEG_NULL) != 0) return -1;
    base = load<i64>(table + SEG_BASE);
    limit = load<i64>(table + SEG_LIMIT);
  } else {
    base = load<i64>(cpu + S_GDTR);
    limit = <i64>load<u32>(cpu + S_GDTR + 8);
  }
  if (<i64>index + <i64>bytes - 1 > limit) return -1;
  return base + <i64>index;
}

export function attributesOfDescriptor(descriptor: i64): u32 {
  return <u32>(descriptor >>> 40) & 0xffff;
}
export function baseOf(descriptor: i64): i64 {
  return ((descriptor >>> 16) & 0xffffff) | ((descriptor >>> 32) & 0xff000000);
}
export function limitOf(descriptor: i64): i64 {
  const limit = (descriptor & 0xffff) | ((descriptor >>> 32) & 0xf0000);
  return (attributesOfDescriptor(descriptor) & ATTR_G) != 0 ? (limit << 12) | 0xfff : limit;
}

/** Reads the descriptor of a selector; raises `vector`(selector) if it is outside its table. */
export function readDescriptor(cpu: u32, selector: u32, vector: u32): i64 {
  const at = descriptorAddress(cpu, selector, 8);
  if (at == -1) {
    raiseWithError(cpu, vector, selector & 0xfffc);
    return 0;
  }
  return loadAs(cpu, at, 8, true);
}

/** Sets the accessed bit of a code or data descriptor in its table, if it is not set. */
export function markAccessed(cpu: u32, selector: u32, descriptor: i64): void {
  if ((attributesOfDescriptor(descriptor) & ATTR_ACCESSED) != 0) return;
  const at = descriptorAddress(cpu, selector, 8);
  storeAs(cpu, at + 5, 1, (descriptor >>> 40) | 1, true);
}

export function setSegment(cpu: u32, n: u32, selector: u32, attributes: u32, base: i64, limit: i64): void {
  const register = segment(cpu, n);
  store<u32>(register + SEG_SELECTOR, selector & 0xffff);
  store<u32>(register + SEG_ATTR, attributes);
  store<i64>(register + SEG_BASE, base);
  store<i64>(register + SEG_LIMIT, limit);
}

export function setFromDescriptor(cpu: u32, n: u32, selector: u32, descriptor: i64): void {
  setSegment(cpu, n, selector, attributesOfDescriptor(descriptor) | ATTR_ACCESSED, baseOf(descriptor), limitOf(descriptor));
}

export function setNull(cpu: u32, n: u32, selector: u32): void {
  // Base and limit stay as far as code can tell; FS and GS bases are cleared as on AMD and Intel alike by a null selector load.
  setSegment(cpu, n, selector, SEG_NULL, 0, 0);
}

/** A segment of real-address or virtual-8086 mode. */
export function setRealSegment(cpu: u32, n: u32, selector: u32): void {
  const virtual8086 = (load<u32>(cpu + S_EFLAGS) & EFLAGS_VM) != 0;
  const register = segment(cpu, n);
  store<u32>(register + SEG_SELECTOR, selector & 0xffff);
  store<i64>(register + SEG_BASE, <i64>(selector & 0xffff) << 4);
  if (virtual8086) {
    store<u32>(register + SEG_ATTR, 0xf3);
    store<i64>(register + SEG_LIMIT, 0xffff);
  } else store<u32>(register + SEG_ATTR, n == CS ? 0x9b : 0x93 | (load<u32>(register + SEG_ATTR) & ATTR_DB));
}

/** Checks a selector for SS at privilege `cpl` and gives its descriptor; raises #GP, #SS, or #TS when `vector` is that. */
export function stackDescriptor(cpu: u32, selector: u32, cpl: u32, vector: u32): i64 {
  const error = selector & 0xfffc;
  if (error == 0) {
    raiseWithError(cpu, vector, 0);
    return 0;
  }
  const descriptor = readDescriptor(cpu, selector, vector);
  if (faulted(cpu)) return 0;
  const attributes = attributesOfDescriptor(descriptor);
  if ((selector & 3) != cpl || (attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE) || dplOf(attributes) != cpl) {
    raiseWithError(cpu, vector, error);
    return 0;
  }
  if ((attributes & ATTR_P) == 0) raiseWithError(cpu, STACK, error);
  return descriptor;
}

/** After a change to an outer level: data segments that the new level may not use become null (SDM vol. 3, 5.8.6). */
export function dropInaccessible(cpu: u32): void {
  const cpl = load<u32>(cpu + S_CPL);
  for (let i = 0; i < 4; i++) {
    const n: u32 = i == 0 ? ES : i == 1 ? DS : i == 2 ? FS : GS;
    const attributes = load<u32>(segment(cpu, n) + SEG_ATTR);
    if ((attributes & SEG_NULL) != 0) continue;
    const conforming = (attributes & (ATTR_CODE | ATTR_CONFORMING)) == (ATTR_CODE | ATTR_CONFORMING);
    if (!conforming && dplOf(attributes) < cpl) setNull(cpu, n, 0);
  }
}

