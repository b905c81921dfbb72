import {
  CS, DS, EFLAGS_AC, EFLAGS_DF, EFLAGS_ID, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, ES, FS, GS, MODE_LMA,
  MODE_LONG, MODE_PROTECTED, MODE_VM86, S_CPL, S_CR4, S_CSTAR, S_EFER, S_EFLAGS, S_GPR, S_LSTAR, S_MODE, S_NMI_BLOCKED, S_RIP, S_SFMASK, S_STAR, S_SYSENTER_CS,
  S_SYSENTER_EIP, S_SYSENTER_ESP, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_NULL, SEG_SELECTOR, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_L, ATTR_P, ATTR_S, attributesOfDescriptor, baseOf, descriptorAddress, dplOf, dropInaccessible, limitOf,
  markAccessed, readDescriptor, setFromDescriptor, setNull, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { innerStack, longStack, pushAt, roomBelow } from './exception';
import { faulted, GP, NP, raise, raiseWithError, STACK, TS, UD } from './fault';
import { getEflags, setEflags } from './flags';
import { loadAs } from './memory';
import { CR0_PE, segment, updateMode } from './mode';
import { peek, push, setStackPointer, stackMask } from './stack';
import { switchTask, TASK_CALL, TASK_IRET, TASK_JUMP } from './task';

const RAX: u32 = S_GPR;
const RCX: u32 = S_GPR + 8;
const RDX: u32 = S_GPR + 16;
const RSP: u32 = S_GPR + 32;
const R11: u32 = S_GPR + 88;
const ARITHMETIC: u32 = 0x8d5;
const EFER_SCE: i64 = 1;

// @ts-ignore: decorator
@inline
function isProtected(cpu: u32): bool {
  return (load<u32>(cpu + S_MODE) & MODE_PROTECTED) != 0;
}

function canonical(address: i64): bool {
  return (address << 16) >> 16 == address;
}

/** Checks an offset against what the code descriptor allows; raises #GP(0). */
function checkOffset(cpu: u32, descriptor: i64, offset: i64): void {
  const attributes = attributesOfDescriptor(descriptor);
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0 && (attributes & ATTR_L) != 0;
  if (long ? !canonical(offset) : <u64>offset > <u64>limitOf(descriptor)) raiseWithError(cpu, GP, 0);
}

/** Checks that in IA-32e mode L and D are not both set. */
function badSizeBits(cpu: u32, attributes: u32): bool {
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

function enterCode(cpu: u32, selector: u32, descriptor: i64, cpl: u32, offset: i64): void {
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
    switchTask(cpu, tss, call ? TASK_CALL : TASK_JUMP, next, 0);
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
    top = longStack(cpu, level);
    if (faulted(cpu)) return;
    top = pushAt(cpu, 0, top, -1, 8, oldSs, true);
    top = pushAt(cpu, 0, top, -1, 8, oldSp, true);
    top = pushAt(cpu, 0, top, -1, 8, oldCs, true);
    top = pushAt(cpu, 0, top, -1, 8, next, true);
    if (!faulted(cpu)) markAccessed(cpu, selector, code);
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

/** Loads CS:RIP, and SS:RSP if the level changes, as far RET and IRET do; `frame` is where SS:RSP lie above the top. Nothing changes on a fault. */
function returnTo(cpu: u32, selector: u32, offset: i64, bytes: u32, frame: u32, drop: u32, withStack: bool): void {
  const error = selector & 0xfffc;
  if (error == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const code = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(code);
  const cpl = load<u32>(cpu + S_CPL);
  const rpl = selector & 3;
  const conforming = (attributes & ATTR_CONFORMING) != 0;
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || rpl < cpl || (conforming ? dplOf(attributes) > rpl : dplOf(attributes) != rpl) || badSizeBits(cpu, attributes)) {
    raiseWithError(cpu, GP, error);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, error);
    return;
  }
  checkOffset(cpu, code, offset);
  if (faulted(cpu)) return;
  const changes = rpl > cpl || withStack;
  if (!changes) {
    markAccessed(cpu, selector, code);
    if (faulted(cpu)) return;
    const top = load<i64>(cpu + RSP) + <i64>(frame + drop);
    setStackPointer(cpu, top);
    enterCode(cpu, selector, code, rpl, offset);
    return;
  }
  const newSp = peek(cpu, bytes, frame + drop);
  if (faulted(cpu)) return;
  const newSs = <u32>peek(cpu, bytes, frame + drop + bytes) & 0xffff;
  if (faulted(cpu)) return;
  const toLong = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0 && (attributes & ATTR_L) != 0;
  let stack: i64 = 0;
  const nullStack = (newSs & 0xfffc) == 0;
  if (nullStack) {
    // A null SS is allowed for 64-bit code below level 3.
    if (!toLong || rpl == 3 || (newSs & 3) != rpl) {
      raiseWithError(cpu, GP, 0);
      return;
    }
  } else {
    stack = stackDescriptor(cpu, newSs, rpl, GP);
    if (faulted(cpu)) return;
    markAccessed(cpu, newSs, stack);
  }
  if (!faulted(cpu)) markAccessed(cpu, selector, code);
  if (faulted(cpu)) return;
  if (nullStack) setSegment(cpu, SS, newSs, SEG_NULL | (rpl << 5), 0, 0);
  else setFromDescriptor(cpu, SS, newSs, stack);
  enterCode(cpu, selector, code, rpl, offset);
  setStackPointer(cpu, newSp + <i64>drop);
  if (rpl > cpl) {
    dropInaccessible(cpu);
    updateMode(cpu);
  }
}

export function farReturn(cpu: u32, bits: i64, drop: i64, next: i64): void {
  const bytes = <u32>bits >> 3;
  const offset = peek(cpu, bytes, 0);
  if (faulted(cpu)) return;
  const selector = <u32>peek(cpu, bytes, bytes) & 0xffff;
  if (faulted(cpu)) return;
  if (!isProtected(cpu)) {
    if (<u64>offset > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
      raiseWithError(cpu, GP, 0);
      return;
    }
    setStackPointer(cpu, load<i64>(cpu + RSP) + <i64>(2 * bytes) + drop);
    setRealSegment(cpu, CS, selector);
    updateMode(cpu);
    store<i64>(cpu + S_RIP, offset);
    return;
  }
  returnTo(cpu, selector, offset, bytes, 2 * bytes, <u32>drop, false);
}

const FLAGS_16: u32 = ARITHMETIC | EFLAGS_TF | EFLAGS_DF | EFLAGS_NT;
const FLAGS_32: u32 = FLAGS_16 | EFLAGS_RF | EFLAGS_AC | EFLAGS_ID;

/** Flags that IRET may change at this level. */
function returnFlags(cpu: u32, bytes: u32, cpl: u32): u32 {
  let mask = bytes == 2 ? FLAGS_16 : FLAGS_32;
  if (cpl <= (load<u32>(cpu + S_EFLAGS) & EFLAGS_IOPL) >> 12) mask |= EFLAGS_IF;
  if (cpl == 0) mask |= bytes == 2 ? EFLAGS_IOPL : EFLAGS_IOPL | EFLAGS_VIF | EFLAGS_VIP;
  return mask;
}

const CR4_VME: i64 = 1;

export function iret(cpu: u32, bits: i64, next: i64): void {
  const bytes = <u32>bits >> 3;
  const mode = load<u32>(cpu + S_MODE);
  if (isProtected(cpu) && (mode & MODE_LMA) == 0 && (load<u32>(cpu + S_EFLAGS) & EFLAGS_NT) != 0) {
    // back to the task that is linked in the TSS
    const link = loadAs(cpu, load<i64>(segment(cpu, TR) + SEG_BASE), 2, true);
    if (!faulted(cpu)) switchTask(cpu, <u32>link & 0xffff, TASK_IRET, next, 0);
    if (!faulted(cpu)) store<u32>(cpu + S_NMI_BLOCKED, 0);
    return;
  }
  if ((mode & MODE_LMA) != 0 && (load<u32>(cpu + S_EFLAGS) & EFLAGS_NT) != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const offset = peek(cpu, bytes, 0);
  if (faulted(cpu)) return;
  const selector = <u32>peek(cpu, bytes, bytes) & 0xffff;
  if (faulted(cpu)) return;
  const flags = <u32>peek(cpu, bytes, 2 * bytes);
  if (faulted(cpu)) return;

  if (!isProtected(cpu)) {
    realReturn(cpu, bytes, selector, offset, flags);
    if (!faulted(cpu)) store<u32>(cpu + S_NMI_BLOCKED, 0);
    return;
  }
  const cpl = load<u32>(cpu + S_CPL);
  if (bytes == 4 && (flags & EFLAGS_VM) != 0 && cpl == 0 && (mode & MODE_LMA) == 0) {
    toVirtual8086(cpu, selector, offset, flags);
    if (!faulted(cpu)) store<u32>(cpu + S_NMI_BLOCKED, 0);
    return;
  }
  const mask = returnFlags(cpu, bytes, cpl);
  // 64-bit IRET pops SS:RSP always (SDM vol. 3, 6.14.3).
  returnTo(cpu, selector, offset, bytes, 3 * bytes, 0, (mode & MODE_LONG) != 0);
  if (faulted(cpu)) return;
  setEflags(cpu, flags, mask);
  store<u32>(cpu + S_NMI_BLOCKED, 0);
  updateMode(cpu);
}

/** IRET in real-address and virtual-8086 mode. */
function realReturn(cpu: u32, bytes: u32, selector: u32, offset: i64, image: u32): void {
  let flags = image;
  let mask = bytes == 2 ? FLAGS_16 | EFLAGS_IF | EFLAGS_IOPL : FLAGS_32 | EFLAGS_IF | EFLAGS_IOPL;
  if ((load<u32>(cpu + S_MODE) & MODE_VM86) != 0) {
    const current = load<u32>(cpu + S_EFLAGS);
    mask &= ~EFLAGS_IOPL;
    if ((current & EFLAGS_IOPL) != EFLAGS_IOPL) {
      const vme = (load<i64>(cpu + S_CR4) & CR4_VME) != 0 && bytes == 2;
      if (!vme || ((flags & EFLAGS_IF) != 0 && (current & EFLAGS_VIP) != 0) || (flags & EFLAGS_TF) != 0) {
        raiseWithError(cpu, GP, 0);
        return;
      }
      mask = (mask & ~EFLAGS_IF) | EFLAGS_VIF;
      flags = (flags & ~EFLAGS_VIF) | ((flags & EFLAGS_IF) != 0 ? EFLAGS_VIF : 0);
    }
  }
  if (<u64>offset > <u64>load<i64>(segment(cpu, CS) + SEG_LIMIT)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  setStackPointer(cpu, load<i64>(cpu + RSP) + <i64>(3 * bytes));
  setRealSegment(cpu, CS, selector);
  setEflags(cpu, flags, mask);
  updateMode(cpu);
  store<i64>(cpu + S_RIP, offset);
}

/** IRETD from level 0 with VM set: nine values on the stack (SDM vol. 3, 20.2.2). */
function toVirtual8086(cpu: u32, selector: u32, offset: i64, flags: u32): void {
  const newSp = peek(cpu, 4, 12);
  if (faulted(cpu)) return;
  peek(cpu, 4, 32);
  if (faulted(cpu)) return;
  const ss = <u32>peek(cpu, 4, 16);
  const es = <u32>peek(cpu, 4, 20);
  const ds = <u32>peek(cpu, 4, 24);
  const fs = <u32>peek(cpu, 4, 28);
  const gs = <u32>peek(cpu, 4, 32);
  if (faulted(cpu)) return;
  setEflags(cpu, flags, 0x3fffff);
  store<u32>(cpu + S_CPL, 3);
  setRealSegment(cpu, CS, selector);
  setRealSegment(cpu, SS, ss);
  setRealSegment(cpu, ES, es);
  setRealSegment(cpu, DS, ds);
  setRealSegment(cpu, FS, fs);
  setRealSegment(cpu, GS, gs);
  store<i64>(cpu + RSP, newSp);
  store<i64>(cpu + S_RIP, offset & 0xffff);
  updateMode(cpu);
}

// ---- system calls: flat segments that are not read from a table

function flatCode(cpu: u32, selector: u32, cpl: u32, long: bool): void {
  const attributes: u32 = 0x809b | (cpl << 5) | (long ? ATTR_L : ATTR_DB);
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, attributes, 0, 0xffffffff);
}
function flatStack(cpu: u32, selector: u32, cpl: u32): void {
  setSegment(cpu, SS, (selector & 0xfffc) | cpl, 0xc093 | (cpl << 5), 0, 0xffffffff);
}

export function syscall(cpu: u32, next: i64): void {
  if ((load<i64>(cpu + S_EFER) & EFER_SCE) == 0 || (load<u32>(cpu + S_MODE) & MODE_LMA) == 0) {
    raise(cpu, UD);
    return;
  }
  const star = load<i64>(cpu + S_STAR);
  const selector = <u32>(star >>> 32) & 0xffff;
  const flags = getEflags(cpu);
  store<i64>(cpu + RCX, next);
  store<i64>(cpu + R11, <i64>(flags & ~EFLAGS_RF));
  const long = (load<u32>(cpu + S_MODE) & MODE_LONG) != 0;
  setEflags(cpu, 0, <u32>load<i64>(cpu + S_SFMASK) | EFLAGS_RF);
  store<u32>(cpu + S_CPL, 0);
  flatCode(cpu, selector, 0, true);
  flatStack(cpu, selector + 8, 0);
  store<i64>(cpu + S_RIP, load<i64>(cpu + (long ? S_LSTAR : S_CSTAR)));
  updateMode(cpu);
}

export function sysret(cpu: u32, bits: i64, next: i64): void {
  if ((load<i64>(cpu + S_EFER) & EFER_SCE) == 0 || (load<u32>(cpu + S_MODE) & MODE_LONG) == 0) {
    raise(cpu, UD);
    return;
  }
  const target = load<i64>(cpu + RCX);
  if (bits == 64 && !canonical(target)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const selector = <u32>(load<i64>(cpu + S_STAR) >>> 48) & 0xffff;
  store<u32>(cpu + S_CPL, 3);
  setEflags(cpu, <u32>load<i64>(cpu + R11) & 0x3c7fd7, 0x3c7fd7 | EFLAGS_RF | EFLAGS_VM);
  if (bits == 64) {
    flatCode(cpu, selector + 16, 3, true);
    store<i64>(cpu + S_RIP, target);
  } else {
    flatCode(cpu, selector, 3, false);
    store<i64>(cpu + S_RIP, target & 0xffffffff);
  }
  flatStack(cpu, selector + 8, 3);
  updateMode(cpu);
}

export function sysenter(cpu: u32, next: i64): void {
  const cs = <u32>load<i64>(cpu + S_SYSENTER_CS) & 0xffff;
  if ((load<u32>(cpu + S_MODE) & (MODE_PROTECTED | MODE_VM86)) == 0 || (cs & 0xfffc) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0;
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~(EFLAGS_VM | EFLAGS_IF | EFLAGS_RF));
  store<u32>(cpu + S_CPL, 0);
  flatCode(cpu, cs, 0, long);
  flatStack(cpu, cs + 8, 0);
  const mask: i64 = long ? -1 : 0xffffffff;
  store<i64>(cpu + RSP, load<i64>(cpu + S_SYSENTER_ESP) & mask);
  store<i64>(cpu + S_RIP, load<i64>(cpu + S_SYSENTER_EIP) & mask);
  updateMode(cpu);
}

export function sysexit(cpu: u32, bits: i64, next: i64): void {
  const cs = <u32>load<i64>(cpu + S_SYSENTER_CS) & 0xffff;
  if ((load<u32>(cpu + S_MODE) & MODE_PROTECTED) == 0 || (cs & 0xfffc) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const rip = load<i64>(cpu + RDX);
  const rsp = load<i64>(cpu + RCX);
  const long = bits == 64;
  if (long && (!canonical(rip) || !canonical(rsp))) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<u32>(cpu + S_CPL, 3);
  flatCode(cpu, cs + (long ? 32 : 16), 3, long);
  flatStack(cpu, cs + (long ? 40 : 24), 3);
  const mask: i64 = long ? -1 : 0xffffffff;
  store<i64>(cpu + RSP, rsp & mask);
  store<i64>(cpu + S_RIP, rip & mask);
  updateMode(cpu);
}
