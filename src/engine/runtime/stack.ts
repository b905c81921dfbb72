import { MODE_LONG, MODE_SS32, S_GPR, S_MODE, SS } from '../layout';
import { faulted } from './fault';
import { load16, load32, load64, probeWrite, store16, store32, store64 } from './memory';
import { segmentLinear } from './segment-access';

const RSP: u32 = S_GPR + 4 * 8;
const RBP: u32 = S_GPR + 5 * 8;

/** Which bits of RSP are the stack pointer: 16, 32 or 64 (SS.B, 64-bit mode). */
export function stackMask(cpu: u32): i64 {
  const mode = load<u32>(cpu + S_MODE);
  if ((mode & MODE_LONG) != 0) return -1;
  return (mode & MODE_SS32) != 0 ? 0xffffffff : 0xffff;
}

/** RSP with the stack pointer's bits replaced; a 32-bit pointer clears the upper half. */
export function setStackPointer(cpu: u32, value: i64): void {
  const mask = stackMask(cpu);
  if (mask == 0xffff) store<u16>(cpu + RSP, <u16>value);
  else store<i64>(cpu + RSP, value & mask);
}

function loadSized(cpu: u32, linear: i64, bytes: u32): i64 {
  if (bytes == 2) return load16(cpu, linear);
  return bytes == 4 ? load32(cpu, linear) : load64(cpu, linear);
}
function storeSized(cpu: u32, linear: i64, bytes: u32, value: i64): void {
  if (bytes == 2) store16(cpu, linear, value);
  else if (bytes == 4) store32(cpu, linear, value);
  else store64(cpu, linear, value);
}

export function push(cpu: u32, bits: i64, value: i64): void {
  const bytes = <u32>bits >> 3;
  const top = (load<i64>(cpu + RSP) - <i64>bytes) & stackMask(cpu);
  const linear = segmentLinear(cpu, SS, top, bytes, 1);
  if (faulted(cpu)) return;
  storeSized(cpu, linear, bytes, value);
  if (!faulted(cpu)) setStackPointer(cpu, top);
}

export function pop(cpu: u32, bits: i64): i64 {
  const bytes = <u32>bits >> 3;
  const top = load<i64>(cpu + RSP) & stackMask(cpu);
  const linear = segmentLinear(cpu, SS, top, bytes, 0);
  if (faulted(cpu)) return 0;
  const value = loadSized(cpu, linear, bytes);
  if (!faulted(cpu)) setStackPointer(cpu, top + <i64>bytes);
  return value;
}

/** Value `offset` bytes above the top, not popped. */
export function peek(cpu: u32, bytes: u32, offset: u32): i64 {
  const top = (load<i64>(cpu + RSP) + <i64>offset) & stackMask(cpu);
  const linear = segmentLinear(cpu, SS, top, bytes, 0);
  return faulted(cpu) ? 0 : loadSized(cpu, linear, bytes);
}

export function dropStack(cpu: u32, bytes: i64): void {
  setStackPointer(cpu, load<i64>(cpu + RSP) + bytes);
}

export function stackFromFrame(cpu: u32): void {
  setStackPointer(cpu, load<i64>(cpu + RBP));
}

/** PUSHA: eight registers, with SP as before. Checked as a whole first, so that a fault changes nothing. */
export function pushAll(cpu: u32, bits: i64): void {
  const bytes = <u32>bits >> 3;
  const mask = stackMask(cpu);
  const old = load<i64>(cpu + RSP);
  for (let i: u32 = 1; i <= 8; i++) {
    const linear = segmentLinear(cpu, SS, (old - <i64>(i * bytes)) & mask, bytes, 1);
    if (faulted(cpu)) return;
    probeWrite(cpu, linear, bytes);
    if (faulted(cpu)) return;
  }
  for (let i: u32 = 0; i < 8; i++) {
    const linear = segmentLinear(cpu, SS, (old - <i64>((i + 1) * bytes)) & mask, bytes, 1);
    storeSized(cpu, linear, bytes, i == 4 ? old : load<i64>(cpu + S_GPR + 8 * i));
  }
  setStackPointer(cpu, old - <i64>(8 * bytes));
}

/** POPA: all but SP. */
export function popAll(cpu: u32, bits: i64): void {
  const bytes = <u32>bits >> 3;
  for (let i: u32 = 0; i < 8; i++) {
    peek(cpu, bytes, i * bytes);
    if (faulted(cpu)) return;
  }
  for (let i: u32 = 0; i < 8; i++) {
    const register = 7 - i;
    if (register == 4) continue;
    const value = peek(cpu, bytes, i * bytes);
    if (bytes == 2) store<u16>(cpu + S_GPR + 8 * register, <u16>value);
    else store<i64>(cpu + S_GPR + 8 * register, value);
  }
  setStackPointer(cpu, load<i64>(cpu + RSP) + <i64>(8 * bytes));
}

/** ENTER size, level (SDM vol. 2). */
export function enter(cpu: u32, bits: i64, size: i64, nesting: i64): void {
  const bytes = <u32>bits >> 3;
  const level = <u32>nesting & 31;
  const oldSp = load<i64>(cpu + RSP);
  const oldBp = load<i64>(cpu + RBP);
  const mask = stackMask(cpu);
  push(cpu, bits, oldBp);
  if (faulted(cpu)) return;
  // as wide as the operand, not as the stack pointer
  const frame = load<i64>(cpu + RSP);
  let bp = oldBp;
  for (let i: u32 = 1; i < level; i++) {
    bp -= <i64>bytes;
    const linear = segmentLinear(cpu, SS, bp & mask, bytes, 0);
    let value: i64 = 0;
    if (!faulted(cpu)) value = loadSized(cpu, linear, bytes);
    if (!faulted(cpu)) push(cpu, bits, value);
    if (faulted(cpu)) {
      store<i64>(cpu + RSP, oldSp);
      return;
    }
  }
  if (level > 0) push(cpu, bits, frame);
  const top = (load<i64>(cpu + RSP) - (size & 0xffff)) & mask;
  if (!faulted(cpu)) {
    // The last byte that the frame reaches must be writable.
    const linear = segmentLinear(cpu, SS, top, bytes, 1);
    if (!faulted(cpu)) probeWrite(cpu, linear, bytes);
  }
  if (faulted(cpu)) {
    store<i64>(cpu + RSP, oldSp);
    return;
  }
  setStackPointer(cpu, top);
  if (bytes == 2) store<u16>(cpu + RBP, <u16>frame);
  else store<i64>(cpu + RBP, bytes == 4 ? frame & 0xffffffff : frame);
}
