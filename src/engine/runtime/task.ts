import {
  CS, DS, EFLAGS_NT, EFLAGS_VM, ES, FS, GS, LDTR, PENDING_TRAP, S_CPL, S_CR0, S_CR3, S_DR, S_GPR, S_PENDING, S_RIP, S_WATCH_HIT, SEG_ATTR,
  SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_P, ATTR_READABLE, ATTR_S, attributesOfDescriptor, baseOf, descriptorAddress, dplOf, limitOf, markAccessed, readDescriptor,
  setFromDescriptor, setNull, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { addExt } from './exception-stack';
import { faulted, GP, NP, raiseWithError, TS } from './fault';
import { getEflags, setEflags } from './flags';
import { loadAs, probe, storeAs } from './memory';
import { CR0_PG, CR0_TS, EFLAGS_ALL, segment, updateMode } from './mode';
import { flushTlb } from './tlb';
import { AS_IMPLICIT } from './walk';

export const TASK_JUMP: u32 = 0;
export const TASK_CALL: u32 = 1;
export const TASK_IRET: u32 = 2;

// Bits of the type of a TSS descriptor
const BUSY: u32 = 2;
const WIDE: u32 = 8;
const DR7: u32 = S_DR + 56;
const DR7_LOCAL: i64 = 0x155;
const DR6_BT: u32 = 0x8000;

/** Whether the busy bit of a TSS descriptor can be written; if not, the fault is raised. */
function busyWritable(cpu: u32, selector: u32): bool {
  const at = descriptorAddress(cpu, selector, 8);
  return at == -1 || probe(cpu, at + 5, 1, true, AS_IMPLICIT);
}

function setBusy(cpu: u32, selector: u32, busy: bool): void {
  const at = descriptorAddress(cpu, selector, 8);
  if (at == -1) return;
  const byte = <u32>loadAs(cpu, at + 5, 1, true);
  storeAs(cpu, at + 5, 1, <i64>(busy ? byte | BUSY : byte & ~BUSY), true);
}

/** Where a field lies in a TSS of either width: index 0 EIP, 1 EFLAGS, 2-9 registers, 10-15 ES CS SS DS FS GS, 16 LDT (SDM vol. 3, 7.2.1, 7.6). */
function field(wide: bool, index: u32): i64 {
  return wide ? <i64>(0x20 + 4 * index) : <i64>(0x0e + 2 * (index >= 14 ? index - 2 : index));
}

/**
 * Hardware task switch (SDM vol. 3, 7.3) to the TSS that `selector` names; `next` is the address that the old task goes on
 * at, `ext` the EXT bit of error codes. False: a fault was raised and nothing has changed. True: the new task is there; a
 * fault that is raised then is the new task's own.
 */
export function switchTask(cpu: u32, selector: u32, kind: u32, next: i64, ext: u32): bool {
  const error = (selector & 0xfffc) | ext;
  const vector = kind == TASK_IRET ? TS : GP;
  const at = (selector & 4) != 0 || (selector & 0xfffc) == 0 ? -1 : descriptorAddress(cpu, selector, 8);
  if (at == -1) return refuse(cpu, vector, error);
  const descriptor = loadAs(cpu, at, 8, true);
  if (faulted(cpu)) return false;
  const attributes = attributesOfDescriptor(descriptor);
  const type = attributes & 0x1f;
  const wanted: u32 = kind == TASK_IRET ? BUSY : 0;
  if ((type & 0x15) != 1 || (type & BUSY) != wanted) return refuse(cpu, vector, error);
  if ((attributes & ATTR_P) == 0) return refuse(cpu, NP, error);
  const wide = (type & WIDE) != 0;
  const limit = limitOf(descriptor);
  const least: i64 = wide ? 103 : 43;
  if (limit < least) return refuse(cpu, TS, error);

  const base = baseOf(descriptor);
  const old = segment(cpu, TR);
  const oldWide = (load<u32>(old + SEG_ATTR) & WIDE) != 0;
  const oldBase = load<i64>(old + SEG_BASE);
  const oldSelector = load<u32>(old + SEG_SELECTOR);
  const oldBytes: u32 = oldWide ? 4 : 2;
  const leaves = kind != TASK_CALL && (oldSelector & 0xfffc) != 0;
  // All that is written or read must be reachable before anything changes.
  if (!probe(cpu, base, wide ? 104 : 44, kind == TASK_CALL, AS_IMPLICIT)) return false;
  if (!probe(cpu, oldBase + field(oldWide, 0), oldWide ? 64 : 28, true, AS_IMPLICIT)) return false;
  if (leaves && !busyWritable(cpu, oldSelector)) return false;
  if (kind != TASK_IRET && !busyWritable(cpu, selector)) return false;

  let flags = getEflags(cpu);
  if (kind == TASK_IRET) flags &= ~EFLAGS_NT;
  storeAs(cpu, oldBase + field(oldWide, 0), oldBytes, next, true);
  storeAs(cpu, oldBase + field(oldWide, 1), oldBytes, <i64>flags, true);
  for (let i: u32 = 0; i < 8; i++) storeAs(cpu, oldBase + field(oldWide, 2 + i), oldBytes, load<i64>(cpu + S_GPR + 8 * i), true);
  const segments: u32 = oldWide ? 6 : 4;
  for (let i: u32 = 0; i < segments; i++)
    storeAs(cpu, oldBase + field(oldWide, 10 + i), 2, <i64>load<u32>(segment(cpu, i) + SEG_SELECTOR), true);
  if (leaves) setBusy(cpu, oldSelector, false);
  if (kind == TASK_CALL) storeAs(cpu, base, 2, <i64>oldSelector, true);
  if (kind != TASK_IRET) setBusy(cpu, selector, true);

  setSegment(cpu, TR, selector, attributes | BUSY, base, limit);
  store<i64>(cpu + S_CR0, load<i64>(cpu + S_CR0) | CR0_TS);
  // local breakpoints belong to the old task
  store<i64>(cpu + DR7, load<i64>(cpu + DR7) & ~DR7_LOCAL);
  enterTask(cpu, base, wide, kind == TASK_CALL);
  if (faulted(cpu)) addExt(cpu, ext);
  return true;
}

function refuse(cpu: u32, vector: u32, error: u32): bool {
  raiseWithError(cpu, vector, error);
  return false;
}

/** Loads all that the TSS holds; selectors first, so that a fault in loading a segment finds the new task (SDM vol. 3, 7.3, step 12). */
function enterTask(cpu: u32, base: i64, wide: bool, nested: bool): void {
  const bytes: u32 = wide ? 4 : 2;
  const cr3 = wide ? loadAs(cpu, base + 0x1c, 4, true) : 0;
  const rip = loadAs(cpu, base + field(wide, 0), bytes, true);
  let flags = <u32>loadAs(cpu, base + field(wide, 1), bytes, true);
  if (nested) flags |= EFLAGS_NT;
  const trap = wide ? loadAs(cpu, base + 0x64, 2, true) & 1 : 0;
  const ldt = <u32>loadAs(cpu, base + field(wide, 16), 2, true) & 0xffff;
  for (let i: u32 = 0; i < 8; i++) {
    const value = loadAs(cpu, base + field(wide, 2 + i), bytes, true);
    store<i64>(cpu + S_GPR + 8 * i, wide ? value : value | 0xffff0000);
  }
  // A 16-bit TSS has no FS and GS: they become null.
  for (let i: u32 = 0; i < 6; i++) {
    const selector = wide || i < 4 ? <u32>loadAs(cpu, base + field(wide, 10 + i), 2, true) : 0;
    setNull(cpu, i, selector);
  }
  setNull(cpu, LDTR, ldt);
  const cs = load<u32>(segment(cpu, CS) + SEG_SELECTOR);
  setEflags(cpu, flags, EFLAGS_ALL);
  const virtual8086 = (flags & EFLAGS_VM) != 0;
  store<u32>(cpu + S_CPL, virtual8086 ? 3 : cs & 3);
  store<i64>(cpu + S_RIP, rip);
  if (wide && (load<i64>(cpu + S_CR0) & CR0_PG) != 0) {
    store<i64>(cpu + S_CR3, cr3);
    flushTlb(cpu, true);
  }
  updateMode(cpu);

  loadTable(cpu, ldt);
  if (!faulted(cpu)) {
    if (virtual8086) for (let i: u32 = 0; i < 6; i++) setRealSegment(cpu, i, load<u32>(segment(cpu, i) + SEG_SELECTOR));
    else loadSegments(cpu);
  }
  updateMode(cpu);
  if (faulted(cpu)) return;
  if (<u64>rip > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (trap != 0) {
    // #DB before the first instruction of the task
    store<u32>(cpu + S_WATCH_HIT, load<u32>(cpu + S_WATCH_HIT) | DR6_BT);
    atomic.or<u32>(cpu + S_PENDING, PENDING_TRAP);
  }
}

function loadTable(cpu: u32, selector: u32): void {
  if ((selector & 0xfffc) == 0) return;
  const at = (selector & 4) != 0 ? -1 : descriptorAddress(cpu, selector, 8);
  const descriptor = at == -1 ? 0 : loadAs(cpu, at, 8, true);
  if (faulted(cpu)) return;
  if ((attributesOfDescriptor(descriptor) & (0x1f | ATTR_P)) != (2 | ATTR_P)) {
    raiseWithError(cpu, TS, selector & 0xfffc);
    return;
  }
  setSegment(cpu, LDTR, selector, attributesOfDescriptor(descriptor), baseOf(descriptor), limitOf(descriptor));
}

function loadSegments(cpu: u32): void {
  loadCode(cpu, load<u32>(segment(cpu, CS) + SEG_SELECTOR));
  if (faulted(cpu)) return;
  const ss = load<u32>(segment(cpu, SS) + SEG_SELECTOR);
  const stack = stackDescriptor(cpu, ss, load<u32>(cpu + S_CPL), TS);
  if (!faulted(cpu)) markAccessed(cpu, ss, stack);
  if (faulted(cpu)) return;
  setFromDescriptor(cpu, SS, ss, stack);
  loadData(cpu, DS);
  if (!faulted(cpu)) loadData(cpu, ES);
  if (!faulted(cpu)) loadData(cpu, FS);
  if (!faulted(cpu)) loadData(cpu, GS);
}

function loadCode(cpu: u32, selector: u32): void {
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, TS, 0);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, TS);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  const rpl = selector & 3;
  const conforming = (attributes & ATTR_CONFORMING) != 0;
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || (conforming ? dplOf(attributes) > rpl : dplOf(attributes) != rpl)) {
    raiseWithError(cpu, TS, selector & 0xfffc);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, selector & 0xfffc);
    return;
  }
  markAccessed(cpu, selector, descriptor);
  if (!faulted(cpu)) setFromDescriptor(cpu, CS, selector, descriptor);
}

function loadData(cpu: u32, n: u32): void {
  const selector = load<u32>(segment(cpu, n) + SEG_SELECTOR);
  if ((selector & 0xfffc) == 0) return;
  const descriptor = readDescriptor(cpu, selector, TS);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  const isCode = (attributes & ATTR_CODE) != 0;
  const conforming = isCode && (attributes & ATTR_CONFORMING) != 0;
  const tooHigh = !conforming && (load<u32>(cpu + S_CPL) > dplOf(attributes) || (selector & 3) > dplOf(attributes));
  if ((attributes & ATTR_S) == 0 || (isCode && (attributes & ATTR_READABLE) == 0) || tooHigh) {
    raiseWithError(cpu, TS, selector & 0xfffc);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, selector & 0xfffc);
    return;
  }
  markAccessed(cpu, selector, descriptor);
  if (!faulted(cpu)) setFromDescriptor(cpu, n, selector, descriptor);
}
