import {
  CS, DS, EFLAGS_NT, EFLAGS_VM, ES, FS, GS, LDTR, S_CPL, S_CR0, S_CR3, S_DR, S_EFLAGS, S_GPR, S_RIP, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_NULL, SEG_SELECTOR, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_P, ATTR_READABLE, ATTR_S, attributesOfDescriptor, baseOf, descriptorAddress, dplOf, limitOf, readDescriptor, setFromDescriptor,
  setNull, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { faulted, GP, NP, raiseWithError, TS } from './fault';
import { getEflags, setEflags } from './flags';
import { loadAs, probe, storeAs } from './memory';
import { CR0_TS, segment, updateMode } from './mode';
import { flushTlb } from './tlb';
import { AS_IMPLICIT } from './walk';

export const TASK_JUMP: u32 = 0;
export const TASK_CALL: u32 = 1;
export const TASK_IRET: u32 = 2;

const BUSY: u32 = 2;
const WIDE: u32 = 8;

function setBusy(cpu: u32, selector: u32, busy: bool): void {
  const at = descriptorAddress(cpu, selector, 8);
  if (at == -1) return;
  const byte = <u32>loadAs(cpu, at + 5, 1, true);
  if (!faulted(cpu)) storeAs(cpu, at + 5, 1, <i64>(busy ? byte | BUSY : byte & ~BUSY), true);
}

/** Where a field lies in a TSS of either width: index 0 EIP, 1 EFLAGS, 2-9 registers, 10-15 ES CS SS DS FS GS, 16 LDT (SDM vol. 3, 7.2.1, 7.6). */
function field(wide: bool, index: u32): i64 {
  return wide ? <i64>(0x20 + 4 * index) : <i64>(0x0e + 2 * (index >= 14 ? index - 2 : index));
}

/** Hardware task switch (SDM vol. 3, 7.3) to the TSS that `selector` names; `next` is the address that the old task goes on at. */
export function switchTask(cpu: u32, selector: u32, kind: u32, next: i64, ext: u32): void {
  const error = (selector & 0xfffc) | ext;
  const vector = kind == TASK_IRET ? TS : GP;
  if ((selector & 4) != 0 || (selector & 0xfffc) == 0) {
    raiseWithError(cpu, vector, error);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, vector);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  const type = attributes & 0x1f;
  const wanted: u32 = kind == TASK_IRET ? BUSY : 0;
  if ((type & 0x15) != 1 || (type & BUSY) != wanted) {
    raiseWithError(cpu, vector, error);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, error);
    return;
  }
  const wide = (type & WIDE) != 0;
  const limit = limitOf(descriptor);
  const least: i64 = wide ? 103 : 43;
  if (limit < least) {
    raiseWithError(cpu, TS, error);
    return;
  }
  const base = baseOf(descriptor);
  const old = segment(cpu, TR);
  const oldWide = (load<u32>(old + SEG_ATTR) & WIDE) != 0;
  const oldBase = load<i64>(old + SEG_BASE);
  const oldSelector = load<u32>(old + SEG_SELECTOR);
  const bytes: u32 = wide ? 4 : 2;
  const oldBytes: u32 = oldWide ? 4 : 2;

  // All of both TSSs must be reachable before anything changes.
  if (!probe(cpu, base, wide ? 104 : 44, true, AS_IMPLICIT)) return;
  if (!probe(cpu, oldBase, oldWide ? 104 : 44, true, AS_IMPLICIT)) return;

  let flags = getEflags(cpu);
  if (kind == TASK_IRET) flags &= ~EFLAGS_NT;
  storeAs(cpu, oldBase + field(oldWide, 0), oldBytes, next, true);
  storeAs(cpu, oldBase + field(oldWide, 1), oldBytes, <i64>flags, true);
  for (let i: u32 = 0; i < 8; i++) storeAs(cpu, oldBase + field(oldWide, 2 + i), oldBytes, load<i64>(cpu + S_GPR + 8 * i), true);
  const segments: u32 = oldWide ? 6 : 4;
  for (let i: u32 = 0; i < segments; i++)
    storeAs(cpu, oldBase + field(oldWide, 10 + i), 2, <i64>load<u32>(segment(cpu, i) + SEG_SELECTOR), true);
  if (kind != TASK_CALL) setBusy(cpu, oldSelector, false);
  if (kind == TASK_CALL) storeAs(cpu, base, 2, <i64>oldSelector, true);
  if (kind != TASK_IRET) setBusy(cpu, selector, true);

  const cr3 = wide ? loadAs(cpu, base + 0x1c, 4, true) : 0;
  const rip = loadAs(cpu, base + field(wide, 0), bytes, true);
  let newFlags = <u32>loadAs(cpu, base + field(wide, 1), bytes, true);
  if (kind == TASK_CALL) newFlags |= EFLAGS_NT;
  const trap = wide ? loadAs(cpu, base + 0x64, 2, true) & 1 : 0;
  const ldt = <u32>loadAs(cpu, base + field(wide, 16), 2, true) & 0xffff;
  for (let i: u32 = 0; i < 8; i++) {
    const value = loadAs(cpu, base + field(wide, 2 + i), bytes, true);
    store<i64>(cpu + S_GPR + 8 * i, wide ? value : value | 0xffff0000);
  }
  const es = selectorOf(cpu, base, wide, 0);
  const cs = selectorOf(cpu, base, wide, 1);
  const ss = selectorOf(cpu, base, wide, 2);
  const ds = selectorOf(cpu, base, wide, 3);
  const fs = wide ? selectorOf(cpu, base, wide, 4) : 0;
  const gs = wide ? selectorOf(cpu, base, wide, 5) : 0;

  setSegment(cpu, TR, selector, attributes | BUSY, base, limit);
  store<i64>(cpu + S_CR0, load<i64>(cpu + S_CR0) | CR0_TS);
  if (wide && (load<i64>(cpu + S_CR0) & 0x80000000) != 0 && cr3 != load<i64>(cpu + S_CR3)) {
    store<i64>(cpu + S_CR3, cr3);
    flushTlb(cpu, true);
  }
  setEflags(cpu, newFlags, wide ? 0x3fffff : 0x7fff);
  store<i64>(cpu + S_RIP, rip);
  // local breakpoints belong to the old task
  store<i64>(cpu + S_DR + 56, load<i64>(cpu + S_DR + 56) & ~0x55);

  // From here on faults are the new task's.
  setNull(cpu, LDTR, ldt);
  for (let i: u32 = 0; i < 6; i++) setNull(cpu, i, 0);
  if ((newFlags & EFLAGS_VM) != 0) {
    store<u32>(cpu + S_CPL, 3);
    setRealSegment(cpu, ES, es);
    setRealSegment(cpu, CS, cs);
    setRealSegment(cpu, SS, ss);
    setRealSegment(cpu, DS, ds);
    setRealSegment(cpu, FS, fs);
    setRealSegment(cpu, GS, gs);
    updateMode(cpu);
    return;
  }
  store<u32>(cpu + S_CPL, cs & 3);
  updateMode(cpu);
  if ((ldt & 0xfffc) != 0) {
    if ((ldt & 4) != 0) {
      raiseWithError(cpu, TS, ldt & 0xfffc);
      return;
    }
    const table = readDescriptor(cpu, ldt, TS);
    if (faulted(cpu)) return;
    if ((attributesOfDescriptor(table) & (0x1f | ATTR_P)) != (2 | ATTR_P)) {
      raiseWithError(cpu, TS, ldt & 0xfffc);
      return;
    }
    setSegment(cpu, LDTR, ldt, attributesOfDescriptor(table), baseOf(table), limitOf(table));
  }
  loadCode(cpu, cs);
  if (faulted(cpu)) return;
  const stack = stackDescriptor(cpu, ss, cs & 3, TS);
  if (faulted(cpu)) return;
  setFromDescriptor(cpu, SS, ss, stack);
  loadData(cpu, ES, es);
  if (!faulted(cpu)) loadData(cpu, DS, ds);
  if (!faulted(cpu)) loadData(cpu, FS, fs);
  if (!faulted(cpu)) loadData(cpu, GS, gs);
  updateMode(cpu);
  if (faulted(cpu)) return;
  if (<u64>rip > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (trap != 0) store<i64>(cpu + S_DR + 48, load<i64>(cpu + S_DR + 48) | 0x8000);
}

function selectorOf(cpu: u32, base: i64, wide: bool, n: u32): u32 {
  return <u32>loadAs(cpu, base + field(wide, 10 + n), 2, true) & 0xffff;
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
  setFromDescriptor(cpu, CS, selector, descriptor);
}

function loadData(cpu: u32, n: u32, selector: u32): void {
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
  setFromDescriptor(cpu, n, selector, descriptor);
}
