import {
  CS, DS, EFLAGS_AC, EFLAGS_IF, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VM, ES, FAULT_HAS_ERROR, FS, GS, MODE_LMA, MODE_PROTECTED, MODE_VM86, PENDING_STEP,
  RUN_SHUTDOWN, S_CPL, S_CR2, S_EFLAGS, S_FAULT, S_FAULT_ADDRESS, S_FAULT_ERROR, S_GPR, S_IDTR, S_MODE, S_PENDING, S_RIP, S_RUN, SEG_ATTR, SEG_BASE,
  SEG_LIMIT, SEG_NULL, SEG_SELECTOR, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_L, ATTR_P, ATTR_S, attributesOfDescriptor, baseOf, dplOf, limitOf, markAccessed, readDescriptor, setFromDescriptor,
  setNull, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { addExt, innerStack, longPushFaulted, longStack, pushAt, roomBelow } from './exception-stack';
import { DE, DF, faulted, GP, NP, PF, raiseWithError, STACK, TS } from './fault';
import { getEflags } from './flags';
import { loadAs } from './memory';
import { segment, updateMode } from './mode';
import { push } from './stack';
import { switchTask, TASK_CALL } from './task';
import { forgetTime } from './tsc';

const RSP: u32 = S_GPR + 32;

/** Kinds of `deliverInterrupt`, as VMX numbers them (SDM vol. 3, 25.8.3). */
export const EXTERNAL: u32 = 0;
export const NMI: u32 = 2;
export const SOFTWARE: u32 = 4;
export const EXCEPTION: u32 = 6;

/** Delivers an interrupt or exception; the return address is S_RIP. Faults on the way are delivered instead, up to shutdown. */
export function deliverInterrupt(cpu: u32, vector: u32, type: u32, hasError: u32, error: u32): void {
  forgetTime(cpu);
  deliverOnce(cpu, vector, type == SOFTWARE, hasError != 0, error);
  if (faulted(cpu)) escalate(cpu, vector, type == EXCEPTION);
}

/** Delivers the fault that is in S_FAULT; S_RIP is the faulting instruction's. */
export function deliverFault(cpu: u32): void {
  const fault = load<u32>(cpu + S_FAULT);
  const vector = fault & 0xff;
  const error = load<u32>(cpu + S_FAULT_ERROR);
  store<u32>(cpu + S_FAULT, 0);
  if (vector == PF) store<i64>(cpu + S_CR2, load<i64>(cpu + S_FAULT_ADDRESS));
  // Faults push RF set, so that an instruction breakpoint does not hit twice (SDM vol. 3, 17.3.1.1).
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) | EFLAGS_RF);
  deliverOnce(cpu, vector, false, (fault & FAULT_HAS_ERROR) != 0, error);
  if (faulted(cpu)) escalate(cpu, vector, true);
}

/** Contributory exceptions: #DE, #TS, #NP, #SS, #GP (SDM vol. 3, table 6-4). */
function contributory(vector: u32): bool {
  return vector == DE || (vector >= TS && vector <= GP);
}

/** A fault came while `first` was delivered. */
function escalate(cpu: u32, first: u32, isException: bool): void {
  let before = isException ? first : 0xff;
  while (faulted(cpu)) {
    const fault = load<u32>(cpu + S_FAULT);
    const vector = fault & 0xff;
    const error = load<u32>(cpu + S_FAULT_ERROR);
    store<u32>(cpu + S_FAULT, 0);
    if (before == DF) {
      store<u32>(cpu + S_RUN, RUN_SHUTDOWN);
      atomic.or<u32>(cpu + S_PENDING, PENDING_STEP);
      return;
    }
    const double = (contributory(before) && contributory(vector)) || (before == PF && (vector == PF || contributory(vector)));
    if (vector == PF) store<i64>(cpu + S_CR2, load<i64>(cpu + S_FAULT_ADDRESS));
    if (double) {
      before = DF;
      deliverOnce(cpu, DF, false, true, 0);
    } else {
      before = vector;
      deliverOnce(cpu, vector, false, (fault & FAULT_HAS_ERROR) != 0, error);
    }
  }
}

/** One attempt; a fault on the way is left in S_FAULT. `software`: by INT n, INT3 or INTO. */
export function deliverOnce(cpu: u32, vector: u32, software: bool, hasError: bool, error: u32): void {
  const mode = load<u32>(cpu + S_MODE);
  if ((mode & (MODE_PROTECTED | MODE_VM86)) == 0) deliverReal(cpu, vector);
  else if ((mode & MODE_LMA) != 0) deliverLong(cpu, vector, software, hasError, error);
  else deliverProtected(cpu, vector, software, hasError, error);
}

/** Through the interrupt vector table of real-address mode (SDM vol. 3, 20.1.4). */
function deliverReal(cpu: u32, vector: u32): void {
  const at = vector * 4;
  if (at + 3 > load<u32>(cpu + S_IDTR + 8)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const entry = loadAs(cpu, load<i64>(cpu + S_IDTR) + <i64>at, 4, true);
  if (faulted(cpu)) return;
  const before = load<i64>(cpu + RSP);
  push(cpu, 16, <i64>getEflags(cpu));
  if (!faulted(cpu)) push(cpu, 16, <i64>load<u32>(segment(cpu, CS) + SEG_SELECTOR));
  if (!faulted(cpu)) push(cpu, 16, load<i64>(cpu + S_RIP));
  if (faulted(cpu)) {
    store<i64>(cpu + RSP, before);
    return;
  }
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~(EFLAGS_IF | EFLAGS_TF | EFLAGS_AC | EFLAGS_RF));
  setRealSegment(cpu, CS, <u32>(entry >>> 16) & 0xffff);
  store<i64>(cpu + S_RIP, entry & 0xffff);
  updateMode(cpu);
}

/** Error code that names a vector of the IDT: EXT for what no program asked for. */
function idtError(vector: u32, software: bool): u32 {
  return vector * 8 + 2 + (software ? 0 : 1);
}

function deliverProtected(cpu: u32, vector: u32, software: bool, hasError: bool, error: u32): void {
  const ext: u32 = software ? 0 : 1;
  if (vector * 8 + 7 > load<u32>(cpu + S_IDTR + 8)) {
    raiseWithError(cpu, GP, idtError(vector, software));
    return;
  }
  const gate = loadAs(cpu, load<i64>(cpu + S_IDTR) + <i64>(vector * 8), 8, true);
  if (faulted(cpu)) return;
  const gateAttributes = attributesOfDescriptor(gate);
  const type = gateAttributes & 0x1f;
  const isTask = type == 5;
  if (!isTask && type != 6 && type != 7 && type != 14 && type != 15) {
    raiseWithError(cpu, GP, idtError(vector, software));
    return;
  }
  if (software && dplOf(gateAttributes) < load<u32>(cpu + S_CPL)) {
    raiseWithError(cpu, GP, idtError(vector, software));
    return;
  }
  if ((gateAttributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, idtError(vector, software));
    return;
  }
  const selector = <u32>(gate >>> 16) & 0xffff;
  if (isTask) {
    const switched = switchTask(cpu, selector, TASK_CALL, load<i64>(cpu + S_RIP), ext);
    // INT n: a fault in the new task is not one of the instruction.
    if (software && switched && faulted(cpu)) deliverFault(cpu);
    if (!faulted(cpu) && hasError) {
      const wide = (load<u32>(segment(cpu, TR) + SEG_ATTR) & 8) != 0;
      push(cpu, wide ? 32 : 16, <i64>error);
    }
    return;
  }
  const wide = (type & 8) != 0;
  const offset = wide ? (gate & 0xffff) | ((gate >>> 32) & 0xffff0000) : gate & 0xffff;
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, GP, ext);
    return;
  }
  const code = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) {
    addExt(cpu, ext);
    return;
  }
  const attributes = attributesOfDescriptor(code);
  const cpl = load<u32>(cpu + S_CPL);
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || dplOf(attributes) > cpl) {
    raiseWithError(cpu, GP, (selector & 0xfffc) | ext);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, (selector & 0xfffc) | ext);
    return;
  }
  const flags = getEflags(cpu);
  const virtual8086 = (flags & EFLAGS_VM) != 0;
  const bytes: u32 = wide ? 4 : 2;
  const inner = (attributes & ATTR_CONFORMING) == 0 && dplOf(attributes) < cpl;
  if (virtual8086 && (!inner || dplOf(attributes) != 0)) {
    raiseWithError(cpu, GP, (selector & 0xfffc) | ext);
    return;
  }
  const oldSs = load<u32>(segment(cpu, SS) + SEG_SELECTOR);
  const oldSp = load<i64>(cpu + RSP);
  const oldCs = load<u32>(segment(cpu, CS) + SEG_SELECTOR);
  const newCpl = inner ? dplOf(attributes) : cpl;

  let base: i64;
  let top: i64;
  let mask: i64;
  let stack: i64 = 0;
  let newSs: u32 = oldSs;
  if (inner) {
    const pointer = innerStack(cpu, newCpl, ext);
    if (faulted(cpu)) return;
    newSs = <u32>(pointer >>> 32) & 0xffff;
    top = pointer & 0xffffffff;
    stack = stackDescriptor(cpu, newSs, newCpl, TS);
    if (faulted(cpu)) {
      addExt(cpu, ext);
      return;
    }
    base = baseOf(stack);
    mask = (attributesOfDescriptor(stack) & ATTR_DB) != 0 ? 0xffffffff : 0xffff;
    if (!roomBelow(top & mask, bytes * ((virtual8086 ? 9 : 5) + (hasError ? 1 : 0)), limitOf(stack), attributesOfDescriptor(stack))) {
      raiseWithError(cpu, STACK, (newSs & 0xfffc) | ext);
      return;
    }
  } else {
    base = load<i64>(segment(cpu, SS) + SEG_BASE);
    top = oldSp;
    const stackAttributes = load<u32>(segment(cpu, SS) + SEG_ATTR);
    mask = (stackAttributes & ATTR_DB) != 0 ? 0xffffffff : 0xffff;
    if (!roomBelow(top & mask, bytes * (hasError ? 4 : 3), load<i64>(segment(cpu, SS) + SEG_LIMIT), stackAttributes)) {
      raiseWithError(cpu, STACK, ext);
      return;
    }
  }
  const supervisor = newCpl != 3;
  if (virtual8086) {
    for (let i: u32 = 0; i < 4; i++) {
      const n: u32 = i == 0 ? GS : i == 1 ? FS : i == 2 ? DS : ES;
      top = pushAt(cpu, base, top, mask, bytes, <i64>load<u32>(segment(cpu, n) + SEG_SELECTOR), supervisor);
    }
  }
  if (inner) {
    top = pushAt(cpu, base, top, mask, bytes, <i64>oldSs, supervisor);
    top = pushAt(cpu, base, top, mask, bytes, oldSp, supervisor);
  }
  top = pushAt(cpu, base, top, mask, bytes, <i64>flags, supervisor);
  top = pushAt(cpu, base, top, mask, bytes, <i64>oldCs, supervisor);
  top = pushAt(cpu, base, top, mask, bytes, load<i64>(cpu + S_RIP), supervisor);
  if (hasError) top = pushAt(cpu, base, top, mask, bytes, <i64>error, supervisor);
  if (faulted(cpu)) return;
  markAccessed(cpu, selector, code);
  if (inner && !faulted(cpu)) markAccessed(cpu, newSs, stack);
  if (faulted(cpu)) return;

  let cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM;
  if ((type & 1) == 0) cleared |= EFLAGS_IF;
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~cleared);
  store<u32>(cpu + S_CPL, newCpl);
  setFromDescriptor(cpu, CS, (selector & 0xfffc) | newCpl, code);
  if (inner) setFromDescriptor(cpu, SS, newSs, stack);
  if (virtual8086) {
    setNull(cpu, GS, 0);
    setNull(cpu, FS, 0);
    setNull(cpu, DS, 0);
    setNull(cpu, ES, 0);
  }
  updateMode(cpu);
  if (mask == 0xffff) store<u16>(cpu + RSP, <u16>top);
  else store<i64>(cpu + RSP, top & mask);
  store<i64>(cpu + S_RIP, offset);
}

function deliverLong(cpu: u32, vector: u32, software: bool, hasError: bool, error: u32): void {
  const ext: u32 = software ? 0 : 1;
  if (vector * 16 + 15 > load<u32>(cpu + S_IDTR + 8)) {
    raiseWithError(cpu, GP, idtError(vector, software));
    return;
  }
  const at = load<i64>(cpu + S_IDTR) + <i64>(vector * 16);
  const gate = loadAs(cpu, at, 8, true);
  if (faulted(cpu)) return;
  const upper = loadAs(cpu, at + 8, 8, true);
  if (faulted(cpu)) return;
  const gateAttributes = attributesOfDescriptor(gate);
  const type = gateAttributes & 0x1f;
  const cpl = load<u32>(cpu + S_CPL);
  if ((type != 14 && type != 15) || (software && dplOf(gateAttributes) < cpl)) {
    raiseWithError(cpu, GP, idtError(vector, software));
    return;
  }
  if ((gateAttributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, idtError(vector, software));
    return;
  }
  const selector = <u32>(gate >>> 16) & 0xffff;
  const offset = (gate & 0xffff) | ((gate >>> 32) & 0xffff0000) | (upper << 32);
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, GP, ext);
    return;
  }
  const code = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) {
    addExt(cpu, ext);
    return;
  }
  const attributes = attributesOfDescriptor(code);
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || dplOf(attributes) > cpl || (attributes & (ATTR_L | ATTR_DB)) != ATTR_L) {
    raiseWithError(cpu, GP, (selector & 0xfffc) | ext);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, (selector & 0xfffc) | ext);
    return;
  }
  const inner = (attributes & ATTR_CONFORMING) == 0 && dplOf(attributes) < cpl;
  const newCpl = inner ? dplOf(attributes) : cpl;
  const ist = <u32>(gate >>> 32) & 7;
  let top = load<i64>(cpu + RSP);
  if (ist != 0) top = longStack(cpu, 2 + ist, ext);
  else if (inner) top = longStack(cpu, newCpl, ext);
  if (faulted(cpu)) return;
  top &= ~15;
  const supervisor = newCpl != 3;
  const flags = getEflags(cpu);
  top = pushAt(cpu, 0, top, -1, 8, <i64>load<u32>(segment(cpu, SS) + SEG_SELECTOR), supervisor);
  top = pushAt(cpu, 0, top, -1, 8, load<i64>(cpu + RSP), supervisor);
  top = pushAt(cpu, 0, top, -1, 8, <i64>flags, supervisor);
  top = pushAt(cpu, 0, top, -1, 8, <i64>load<u32>(segment(cpu, CS) + SEG_SELECTOR), supervisor);
  top = pushAt(cpu, 0, top, -1, 8, load<i64>(cpu + S_RIP), supervisor);
  if (hasError) top = pushAt(cpu, 0, top, -1, 8, <i64>error, supervisor);
  if (longPushFaulted(cpu, ext)) return;
  markAccessed(cpu, selector, code);
  if (faulted(cpu)) return;

  let cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM;
  if ((type & 1) == 0) cleared |= EFLAGS_IF;
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~cleared);
  store<u32>(cpu + S_CPL, newCpl);
  setFromDescriptor(cpu, CS, (selector & 0xfffc) | newCpl, code);
  if (inner) setSegment(cpu, SS, newCpl, SEG_NULL | (newCpl << 5), 0, 0);
  updateMode(cpu);
  store<i64>(cpu + RSP, top);
  store<i64>(cpu + S_RIP, offset);
}
