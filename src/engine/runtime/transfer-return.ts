import {
  CS, DS, EFLAGS_AC, EFLAGS_DF, EFLAGS_ID, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, ES, FS, GS, MODE_LMA,
  MODE_LONG, MODE_VM86, S_CPL, S_CR4, S_EFLAGS, S_GPR, S_MODE, S_NMI_BLOCKED, S_RIP, SEG_BASE, SEG_LIMIT, SEG_NULL, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_L, ATTR_P, ATTR_S, attributesOfDescriptor, dplOf, dropInaccessible, markAccessed, readDescriptor, setFromDescriptor,
  setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { deliverFault } from './exception';
import { faulted, GP, NP, raiseWithError } from './fault';
import { ARITHMETIC, setEflags } from './flags';
import { loadAs } from './memory';
import { CR4_VME, EFLAGS_ALL, segment, updateMode } from './mode';
import { peek, setStackPointer } from './stack';
import { switchTask, TASK_IRET } from './task';
import { badSizeBits, checkOffset, enterCode, isProtected } from './transfer';

const RSP: u32 = S_GPR + 32;

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
  const changes = rpl > cpl || withStack;
  if (!changes) {
    checkOffset(cpu, code, offset);
    if (faulted(cpu)) return;
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
  }
  checkOffset(cpu, code, offset);
  if (!faulted(cpu) && !nullStack) markAccessed(cpu, newSs, stack);
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

export function iret(cpu: u32, bits: i64, next: i64): void {
  const bytes = <u32>bits >> 3;
  const mode = load<u32>(cpu + S_MODE);
  if (isProtected(cpu) && (mode & MODE_LMA) == 0 && (load<u32>(cpu + S_EFLAGS) & EFLAGS_NT) != 0) {
    // back to the task that is linked in the TSS
    const link = loadAs(cpu, load<i64>(segment(cpu, TR) + SEG_BASE), 2, true);
    if (faulted(cpu)) return;
    if (!switchTask(cpu, <u32>link & 0xffff, TASK_IRET, next, 0)) return;
    store<u32>(cpu + S_NMI_BLOCKED, 0);
    // A fault in the task gone back to is not one of this instruction.
    if (faulted(cpu)) deliverFault(cpu);
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
  if (<u64>offset > 0xffff) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const newSp = peek(cpu, 4, 12);
  if (faulted(cpu)) return;
  const ss = <u32>peek(cpu, 4, 16);
  if (faulted(cpu)) return;
  const es = <u32>peek(cpu, 4, 20);
  if (faulted(cpu)) return;
  const ds = <u32>peek(cpu, 4, 24);
  if (faulted(cpu)) return;
  const fs = <u32>peek(cpu, 4, 28);
  if (faulted(cpu)) return;
  const gs = <u32>peek(cpu, 4, 32);
  if (faulted(cpu)) return;
  setEflags(cpu, flags, EFLAGS_ALL);
  store<u32>(cpu + S_CPL, 3);
  setRealSegment(cpu, CS, selector);
  setRealSegment(cpu, SS, ss);
  setRealSegment(cpu, ES, es);
  setRealSegment(cpu, DS, ds);
  setRealSegment(cpu, FS, fs);
  setRealSegment(cpu, GS, gs);
  store<i64>(cpu + RSP, newSp);
  store<i64>(cpu + S_RIP, offset);
  updateMode(cpu);
}
