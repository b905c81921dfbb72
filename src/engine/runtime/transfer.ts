import {
  CS, MODE_LMA, MODE_PROTECTED, S_CPL, S_GPR, S_MODE, S_RIP, SEG_LIMIT, SEG_NULL, SEG_SELECTOR, SS,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_L, ATTR_P, ATTR_S, attributesOfDescriptor, baseOf, descriptorAddress, dplOf, limitOf, markAccessed,
  readDescriptor, setFromDescriptor, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { deliverFault } from './exception';
import { innerStack, longPushFaulted, longStack, pushAt, roomBelow } from './exception-stack';
import { faulted, GP, NP, raiseWithError, STACK, TS } from './fault';
import { loadAs } from './memory';
import { canonical, segment, updateMode } from './mode';
import { peek, push } from './stack';
import { switchTask, TASK_CALL, TASK_JUMP } from './task';

const RSP: u32 = S_GPR + 32;

// @ts-ignore: decorator
@inline
export function isProtected(cpu: u32): bool {
  return (load<u32>(cpu + S_MODE) & MODE_PROTECTED) != 0;
}

/** Checks an offset against what the code descriptor allows; raises #GP(0). */
export function checkOffset(cpu: u32, descriptor: i64, offset: i64): void {
  const attributes = attributesOfDescriptor(descriptor);
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0 && (attributes & ATTR_L) != 0;
  if (long ? !canonical(cpu, offset) : <u64>offset > <u64>limitOf(descriptor)) raiseWithError(cpu, GP, 0);
}

/** Checks that in IA-32e mode L and D are not both set. */
export function badSizeBits(cpu: u32, attributes: u32): bool {
  return (load<u32>(cpu + S_MODE) & MODE_LMA) != 0 && (attributes & (ATTR_L | ATTR_DB)) == (ATTR_L | ATTR_DB);
}

/** A code descriptor for a direct far jump or call at the current level (SDM vol. 3, 5.8.1); raises #GP or #NP. */
function checkCode(cpu: u32, selector: u32, attributes: u32): void {
  const error = selector & 0xfffc;
  const cpl = load<u32>(cpu + S_CPL);
  const conforming = (attributes & ATTR_CONFORMING) != 0;
  if ((conforming ? dplOf(attributes) > cpl : (selector & 3) > cpl || dplOf(attributes) != cpl) || badSizeBits(cpu, attributes)) {
    raiseWithError(cpu, GP, error);
    return;
  }
  if ((attributes & ATTR_P) == 0) raiseWithError(cpu, NP, error);
}

export function enterCode(cpu: u32, selector: u32, descriptor: i64, cpl: u32, offset: i64): void {
  store<u32>(cpu + S_CPL, cpl);
  setFromDescriptor(cpu, CS, (selector & 0xfffc) | cpl, descriptor);
  updateMode(cpu);
  store<i64>(cpu + S_RIP, offset);
}

export function farJump(cpu: u32, target: i64, offset: i64, bits: i64, next: i64): void {
  const selector = <u32>target & 0xffff;
  if (!isProtected(cpu)) {
    if (<u64>offset > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
      raiseWithError(cpu, GP, 0);
      return;
    }
    setRealSegment(cpu, CS, selector);
    updateMode(cpu);
    store<i64>(cpu + S_RIP, offset);
    return;
  }
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  if ((attributes & ATTR_S) == 0) {
    throughGate(cpu, selector, descriptor, bits, next, false);
    return;
  }
  if ((attributes & ATTR_CODE) == 0) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  checkCode(cpu, selector, attributes);
  if (!faulted(cpu)) checkOffset(cpu, descriptor, offset);
  if (!faulted(cpu)) markAccessed(cpu, selector, descriptor);
  if (!faulted(cpu)) enterCode(cpu, selector, descriptor, load<u32>(cpu + S_CPL), offset);
}

export function farCall(cpu: u32, target: i64, offset: i64, bits: i64, next: i64): void {
  const selector = <u32>target & 0xffff;
  const oldCs = <i64>load<u32>(segment(cpu, CS) + SEG_SELECTOR);
  const before = load<i64>(cpu + RSP);
  if (!isProtected(cpu)) {
    if (<u64>offset > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
      raiseWithError(cpu, GP, 0);
      return;
    }
    push(cpu, bits, oldCs);
    if (!faulted(cpu)) push(cpu, bits, next);
    if (faulted(cpu)) {
      store<i64>(cpu + RSP, before);
      return;
    }
    setRealSegment(cpu, CS, selector);
    updateMode(cpu);
    store<i64>(cpu + S_RIP, offset);
    return;
  }
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  if ((attributes & ATTR_S) == 0) {
    throughGate(cpu, selector, descriptor, bits, next, true);
    return;
  }
  if ((attributes & ATTR_CODE) == 0) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  checkCode(cpu, selector, attributes);
  if (!faulted(cpu)) checkOffset(cpu, descriptor, offset);
  if (faulted(cpu)) return;
  push(cpu, bits, oldCs);
  if (!faulted(cpu)) push(cpu, bits, next);
  if (!faulted(cpu)) markAccessed(cpu, selector, descriptor);
  if (faulted(cpu)) {
    store<i64>(cpu + RSP, before);
    return;
  }
  enterCode(cpu, selector, descriptor, load<u32>(cpu + S_CPL), offset);
}

/** A far jump or call to a call gate, task gate or TSS. */
function throughGate(cpu: u32, selector: u32, descriptor: i64, bits: i64, next: i64, call: bool): void {
  const error = selector & 0xfffc;
  const attributes = attributesOfDescriptor(descriptor);
  const cpl = load<u32>(cpu + S_CPL);
  const type = attributes & 0xf;
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0;
  const isTask = !long && (type == 1 || type == 9 || type == 5);
  const isGate = type == 12 || (!long && type == 4);
  if ((!isTask && !isGate) || dplOf(attributes) < cpl || dplOf(attributes) < (selector & 3)) {
    raiseWithError(cpu, GP, error);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, error);
    return;
  }
  if (isTask) {
    const tss = type == 5 ? <u32>(descriptor >>> 16) & 0xffff : selector;
    // A fault in the new task is not one of this instruction.
    if (switchTask(cpu, tss, call ? TASK_CALL : TASK_JUMP, next, 0) && faulted(cpu)) deliverFault(cpu);
    return;
  }
  callGate(cpu, selector, descriptor, next, call);
}

/** Call gates (SDM vol. 3, 5.8.3 and 5.8.4); in IA-32e mode 16 bytes long and always to 64-bit code. */
function callGate(cpu: u32, gateSelector: u32, gate: i64, next: i64, call: bool): void {
  const gateAttributes = attributesOfDescriptor(gate);
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0;
  const cpl = load<u32>(cpu + S_CPL);
  const selector = <u32>(gate >>> 16) & 0xffff;
  let offset = (gateAttributes & 8) != 0 ? (gate & 0xffff) | ((gate >>> 32) & 0xffff0000) : gate & 0xffff;
  if (long) {
    const at = descriptorAddress(cpu, gateSelector, 16);
    if (at == -1) {
      raiseWithError(cpu, GP, gateSelector & 0xfffc);
      return;
    }
    const upper = loadAs(cpu, at + 8, 8, true);
    if (faulted(cpu)) return;
    if ((upper & 0x1f0000000000) != 0) {
      raiseWithError(cpu, GP, gateSelector & 0xfffc);
      return;
    }
    offset |= upper << 32;
  }
  if ((selector & 0xfffc) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const code = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(code);
  const conforming = (attributes & ATTR_CONFORMING) != 0;
  let bad = (attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || dplOf(attributes) > cpl;
  if (!call && !conforming) bad = bad || dplOf(attributes) != cpl;
  if (long) bad = bad || (attributes & (ATTR_L | ATTR_DB)) != ATTR_L;
  if (bad) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, selector & 0xfffc);
    return;
  }
  checkOffset(cpu, code, offset);
  if (faulted(cpu)) return;
  if (!call) {
    markAccessed(cpu, selector, code);
    if (!faulted(cpu)) enterCode(cpu, selector, code, cpl, offset);
    return;
  }
  const oldCs = <i64>load<u32>(segment(cpu, CS) + SEG_SELECTOR);
  const oldSs = <i64>load<u32>(segment(cpu, SS) + SEG_SELECTOR);
  const oldSp = load<i64>(cpu + RSP);
  const bytes: u32 = long ? 8 : (gateAttributes & 8) != 0 ? 4 : 2;
  if (conforming || dplOf(attributes) == cpl) {
    push(cpu, <i64>bytes * 8, oldCs);
    if (!faulted(cpu)) push(cpu, <i64>bytes * 8, next);
    if (!faulted(cpu)) markAccessed(cpu, selector, code);
    if (faulted(cpu)) {
      store<i64>(cpu + RSP, oldSp);
      return;
    }
    enterCode(cpu, selector, code, cpl, offset);
    return;
  }
  const level = dplOf(attributes);
  let top: i64;
  if (long) {
    top = longStack(cpu, level, 0);
    if (faulted(cpu)) return;
    top = pushAt(cpu, 0, top, -1, 8, oldSs, true);
    top = pushAt(cpu, 0, top, -1, 8, oldSp, true);
    top = pushAt(cpu, 0, top, -1, 8, oldCs, true);
    top = pushAt(cpu, 0, top, -1, 8, next, true);
    if (longPushFaulted(cpu, 0)) return;
    markAccessed(cpu, selector, code);
    if (faulted(cpu)) return;
    setSegment(cpu, SS, level, SEG_NULL | (level << 5), 0, 0);
    enterCode(cpu, selector, code, level, offset);
    store<i64>(cpu + RSP, top);
    return;
  }
  const pointer = innerStack(cpu, level, 0);
  if (faulted(cpu)) return;
  const newSs = <u32>(pointer >>> 32) & 0xffff;
  const stack = stackDescriptor(cpu, newSs, level, TS);
  if (faulted(cpu)) return;
  const count = <u32>(gate >>> 32) & 31;
  const stackAttributes = attributesOfDescriptor(stack);
  const mask: i64 = (stackAttributes & ATTR_DB) != 0 ? 0xffffffff : 0xffff;
  top = pointer & 0xffffffff;
  if (!roomBelow(top & mask, bytes * (4 + count), limitOf(stack), stackAttributes)) {
    raiseWithError(cpu, STACK, newSs & 0xfffc);
    return;
  }
  const base = baseOf(stack);
  const supervisor = level != 3;
  top = pushAt(cpu, base, top, mask, bytes, oldSs, supervisor);
  top = pushAt(cpu, base, top, mask, bytes, oldSp, supervisor);
  for (let i = count; i > 0; i--) {
    const value = peek(cpu, bytes, (i - 1) * bytes);
    if (faulted(cpu)) return;
    top = pushAt(cpu, base, top, mask, bytes, value, supervisor);
  }
  top = pushAt(cpu, base, top, mask, bytes, oldCs, supervisor);
  top = pushAt(cpu, base, top, mask, bytes, next, supervisor);
  if (!faulted(cpu)) markAccessed(cpu, newSs, stack);
  if (!faulted(cpu)) markAccessed(cpu, selector, code);
  if (faulted(cpu)) return;
  setFromDescriptor(cpu, SS, newSs, stack);
  enterCode(cpu, selector, code, level, offset);
  if (mask == 0xffff) store<u16>(cpu + RSP, <u16>top);
  else store<i64>(cpu + RSP, top & mask);
}
