import { EFLAGS_DF, ES, S_EFLAGS, S_FAULT, S_GPR, S_PENDING } from '../layout';
import { faulted } from './fault';
import { setSubFlags } from './flags';
import { portIn, portOut } from './io';
import { fastRead, fastWrite, load16, load32, load64, load8, probeWrite, store16, store32, store64, store8 } from './memory';
import { fence } from './order';
import { segmentLinear } from './segment-access';
import { spendTime } from './tsc';

const RAX: u32 = S_GPR;
const RCX: u32 = S_GPR + 8;
const RDX: u32 = S_GPR + 16;
const RSI: u32 = S_GPR + 48;
const RDI: u32 = S_GPR + 56;
/** Elements per execution of a repeated instruction; interrupts come between executions. */
const MOST: i64 = 4096;

function mask(asize: i64): i64 {
  if (asize == 8) return -1;
  return asize == 4 ? 0xffffffff : 0xffff;
}

function setIndex(cpu: u32, register: u32, asize: i64, value: i64): void {
  if (asize == 2) store<u16>(cpu + register, <u16>value);
  else store<i64>(cpu + register, value & mask(asize));
}

/** Signed distance to the next element. */
function step(cpu: u32, size: i64): i64 {
  return (load<u32>(cpu + S_EFLAGS) & EFLAGS_DF) != 0 ? -size : size;
}

function loadSized(cpu: u32, linear: i64, size: i64): i64 {
  if (size == 1) return load8(cpu, linear);
  if (size == 2) return load16(cpu, linear);
  return size == 4 ? load32(cpu, linear) : load64(cpu, linear);
}
function storeSized(cpu: u32, linear: i64, size: i64, value: i64): void {
  if (size == 1) store8(cpu, linear, value);
  else if (size == 2) store16(cpu, linear, value);
  else if (size == 4) store32(cpu, linear, value);
  else store64(cpu, linear, value);
}

/** Something waits for the end of this instruction, or of this repetition: a trap, an interrupt, the run loop. */
// @ts-ignore: decorator
@inline
function awaited(cpu: u32): bool {
  return atomic.load<u32>(cpu + S_PENDING) != 0;
}

/** Repetitions to do now: 1 without REP or when something waits, 0 if the count is used up. */
function repetitions(cpu: u32, asize: i64, rep: i64): i64 {
  if (rep == 0) return 1;
  const count = load<i64>(cpu + RCX) & mask(asize);
  const most = awaited(cpu) ? 1 : MOST;
  return <u64>count > <u64>most ? most : count;
}

/** Takes `done` off the count; true when the instruction is finished. */
function finish(cpu: u32, asize: i64, rep: i64, done: i64): i64 {
  if (rep == 0) return 1;
  spendTime(cpu, done);
  const left = ((load<i64>(cpu + RCX) & mask(asize)) - done) & mask(asize);
  setIndex(cpu, RCX, asize, left);
  return left == 0 ? 1 : 0;
}

/** Elements upward from a linear address within its page. */
function upward(linear: i64, size: i64): i64 {
  return (0x1000 - (linear & 0xfff)) / size;
}

// @ts-ignore: decorator
@inline
function least(a: i64, b: i64): i64 {
  return a < b ? a : b;
}

export function movs(cpu: u32, size: i64, asize: i64, segment: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  let done: i64 = 0;
  while (done < todo) {
    const si = load<i64>(cpu + RSI) & mask(asize);
    const di = load<i64>(cpu + RDI) & mask(asize);
    const source = segmentLinear(cpu, <u32>segment, si, <u32>size, 0);
    if (faulted(cpu)) break;
    const target = segmentLinear(cpu, ES, di, <u32>size, 1);
    if (faulted(cpu)) break;
    // A run of elements inside a page of each, upward, with room in the offsets and in the segments.
    let run = by > 0 ? least(least(upward(source, size), upward(target, size)), todo - done) : 0;
    if (asize != 8 && run > 1) run = least(run, least((mask(asize) - si) / size, (mask(asize) - di) / size));
    if (run > 1) {
      const bytes = <u32>(run * size);
      const from = fastRead(cpu, source, bytes);
      const to = fastWrite(cpu, target, bytes);
      if (from != 0 && to != 0 && allows(cpu, <u32>segment, si, bytes, 0) && allows(cpu, ES, di, bytes, 1)) {
        copyRun(to, from, <u32>size, bytes);
        setIndex(cpu, RSI, asize, si + run * size);
        setIndex(cpu, RDI, asize, di + run * size);
        done += run;
        continue;
      }
    }
    const value = loadSized(cpu, source, size);
    if (faulted(cpu)) break;
    storeSized(cpu, target, size, value);
    if (faulted(cpu)) break;
    setIndex(cpu, RSI, asize, si + by);
    setIndex(cpu, RDI, asize, di + by);
    done++;
    if (awaited(cpu)) break;
  }
  return finish(cpu, asize, rep, done);
}

/** Whether a whole run lies inside a segment's limits; leaves no fault behind. */
function allows(cpu: u32, segment: u32, offset: i64, bytes: u32, write: u32): bool {
  segmentLinear(cpu, segment, offset, bytes, write);
  if (!faulted(cpu)) return true;
  store<u32>(cpu + S_FAULT, 0);
  return false;
}

/** Copies element by element, upward: where the target lies just above the source, what was written is read again. In what order, the manual leaves open (SDM vol. 3, 9.2.4). */
function copyRun(to: u32, from: u32, size: u32, bytes: u32): void {
  fence();
  if (to - from >= bytes) memory.copy(to, from, bytes);
  else copyElements(to, from, size, bytes);
  fence();
}

function copyElements(to: u32, from: u32, size: u32, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i += size) {
    if (size == 1) store<u8>(to + i, load<u8>(from + i));
    else if (size == 2) store<u16>(to + i, load<u16>(from + i));
    else if (size == 4) store<u32>(to + i, load<u32>(from + i));
    else store<i64>(to + i, load<i64>(from + i));
  }
}

/**
 * For translated code: REP MOVS between flat addresses, all of it or (false) nothing, where the interpreter must see to it.
 * The pieces are those that movs would take.
 */
export function moveWhole(cpu: u32, size: i64, from: i64, to: i64, count: i64): bool {
  const bytes = count * size;
  if (!isShort(cpu, to, count, bytes) || <u64>(from + bytes) < <u64>from) return false;
  for (let at: i64 = 0; at < bytes; ) {
    const piece = least(least(upward(from + at, 1), upward(to + at, 1)), bytes - at);
    const source = fastRead(cpu, from + at, <u32>piece);
    const target = fastWrite(cpu, to + at, <u32>piece);
    if (source == 0 || target == 0 || piece % size != 0 || target - source < <u32>piece) return false;
    at += piece;
  }
  fence();
  for (let at: i64 = 0; at < bytes; ) {
    const piece = least(least(upward(from + at, 1), upward(to + at, 1)), bytes - at);
    memory.copy(fastWrite(cpu, to + at, <u32>piece), fastRead(cpu, from + at, <u32>piece), <u32>piece);
    at += piece;
  }
  fence();
  spendTime(cpu, count);
  return true;
}

/** The same for REP STOS. */
export function fillWhole(cpu: u32, size: i64, value: i64, to: i64, count: i64): bool {
  const bytes = count * size;
  if (!isShort(cpu, to, count, bytes)) return false;
  for (let at: i64 = 0; at < bytes; ) {
    const piece = least(upward(to + at, 1), bytes - at);
    if (fastWrite(cpu, to + at, <u32>piece) == 0 || piece % size != 0) return false;
    at += piece;
  }
  for (let at: i64 = 0; at < bytes; ) {
    const piece = least(upward(to + at, 1), bytes - at);
    fillRun(fastWrite(cpu, to + at, <u32>piece), size, value, <u32>(piece / size));
    at += piece;
  }
  spendTime(cpu, count);
  return true;
}

/** Whether a repeated instruction goes upward, is done in one execution, and does not come around behind the last address. */
function isShort(cpu: u32, to: i64, count: i64, bytes: i64): bool {
  return (load<u32>(cpu + S_EFLAGS) & EFLAGS_DF) == 0 && <u64>count <= <u64>MOST && !awaited(cpu) && <u64>(to + bytes) >= <u64>to;
}

export function stos(cpu: u32, size: i64, asize: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  const value = load<i64>(cpu + RAX);
  let done: i64 = 0;
  while (done < todo) {
    const di = load<i64>(cpu + RDI) & mask(asize);
    const target = segmentLinear(cpu, ES, di, <u32>size, 1);
    if (faulted(cpu)) break;
    let run = by > 0 ? least(upward(target, size), todo - done) : 0;
    if (asize != 8 && run > 1) run = least(run, (mask(asize) - di) / size);
    if (run > 1) {
      const bytes = <u32>(run * size);
      const to = fastWrite(cpu, target, bytes);
      if (to != 0 && allows(cpu, ES, di, bytes, 1)) {
        fillRun(to, size, value, <u32>run);
        setIndex(cpu, RDI, asize, di + run * size);
        done += run;
        continue;
      }
    }
    storeSized(cpu, target, size, value);
    if (faulted(cpu)) break;
    setIndex(cpu, RDI, asize, di + by);
    done++;
    if (awaited(cpu)) break;
  }
  return finish(cpu, asize, rep, done);
}

function fillRun(to: u32, size: i64, value: i64, count: u32): void {
  const bytes = count * <u32>size;
  fence();
  if (size == 1) {
    memory.fill(to, <u8>value, bytes);
    return;
  }
  let pattern = value;
  if (size == 2) pattern = (value & 0xffff) * 0x0001000100010001;
  else if (size == 4) pattern = (value & 0xffffffff) * 0x0000000100000001;
  const wide = i64x2.splat(pattern);
  let i: u32 = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, wide);
  for (; i + 8 <= bytes; i += 8) store<i64>(to + i, pattern);
  for (; i < bytes; i += 2) store<u16>(to + i, <u16>(pattern >>> (8 * <i64>(i & 7))));
}

export function lods(cpu: u32, size: i64, asize: i64, segment: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  let done: i64 = 0;
  while (done < todo) {
    const si = load<i64>(cpu + RSI) & mask(asize);
    const source = segmentLinear(cpu, <u32>segment, si, <u32>size, 0);
    if (faulted(cpu)) break;
    const value = loadSized(cpu, source, size);
    if (faulted(cpu)) break;
    if (size == 1) store<u8>(cpu + RAX, <u8>value);
    else if (size == 2) store<u16>(cpu + RAX, <u16>value);
    else store<i64>(cpu + RAX, value);
    setIndex(cpu, RSI, asize, si + by);
    done++;
    if (awaited(cpu)) break;
  }
  return finish(cpu, asize, rep, done);
}

/** CMPS and SCAS end early by ZF: REPE (1) while equal, REPNE (2) while not. */
function goesOn(rep: i64, equal: bool): bool {
  return rep == 1 ? equal : !equal;
}

/** A fault leaves the flags as they were before the instruction, so they are set when the repetitions are over. */
export function cmps(cpu: u32, size: i64, asize: i64, segment: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  let done: i64 = 0;
  let ended = false;
  let a: i64 = 0;
  let b: i64 = 0;
  while (done < todo && !ended) {
    const si = load<i64>(cpu + RSI) & mask(asize);
    const di = load<i64>(cpu + RDI) & mask(asize);
    const source = segmentLinear(cpu, <u32>segment, si, <u32>size, 0);
    if (faulted(cpu)) break;
    a = loadSized(cpu, source, size);
    if (faulted(cpu)) break;
    const target = segmentLinear(cpu, ES, di, <u32>size, 0);
    if (faulted(cpu)) break;
    b = loadSized(cpu, target, size);
    if (faulted(cpu)) break;
    setIndex(cpu, RSI, asize, si + by);
    setIndex(cpu, RDI, asize, di + by);
    done++;
    if (rep != 0) ended = !goesOn(rep, a == b);
    if (awaited(cpu)) break;
  }
  return finishCompare(cpu, size, asize, rep, done, ended, a, b);
}

function finishCompare(cpu: u32, size: i64, asize: i64, rep: i64, done: i64, ended: bool, a: i64, b: i64): i64 {
  if (!faulted(cpu)) setSubFlags(cpu, a, b, <u32>size);
  const finished = finish(cpu, asize, rep, done);
  return ended ? 1 : finished;
}

export function scas(cpu: u32, size: i64, asize: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  const all: i64 = size == 8 ? -1 : (<i64>1 << (size * 8)) - 1;
  const a = load<i64>(cpu + RAX) & all;
  let done: i64 = 0;
  let ended = false;
  let b: i64 = 0;
  while (done < todo && !ended) {
    const di = load<i64>(cpu + RDI) & mask(asize);
    const target = segmentLinear(cpu, ES, di, <u32>size, 0);
    if (faulted(cpu)) break;
    b = loadSized(cpu, target, size);
    if (faulted(cpu)) break;
    setIndex(cpu, RDI, asize, di + by);
    done++;
    if (rep != 0) ended = !goesOn(rep, a == b);
    if (awaited(cpu)) break;
  }
  return finishCompare(cpu, size, asize, rep, done, ended, a, b);
}

export function ins(cpu: u32, size: i64, asize: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  let done: i64 = 0;
  while (done < todo) {
    const di = load<i64>(cpu + RDI) & mask(asize);
    const target = segmentLinear(cpu, ES, di, <u32>size, 1);
    if (faulted(cpu)) break;
    // The store must succeed, or the value read from the device is lost.
    probeWrite(cpu, target, <u32>size);
    if (faulted(cpu)) break;
    const value = portIn(cpu, load<i64>(cpu + RDX), size);
    if (faulted(cpu)) break;
    storeSized(cpu, target, size, value);
    if (faulted(cpu)) break;
    setIndex(cpu, RDI, asize, di + by);
    done++;
    if (awaited(cpu)) break;
  }
  return finish(cpu, asize, rep, done);
}

export function outs(cpu: u32, size: i64, asize: i64, segment: i64, rep: i64): i64 {
  const todo = repetitions(cpu, asize, rep);
  if (todo == 0) return 1;
  const by = step(cpu, size);
  let done: i64 = 0;
  while (done < todo) {
    const si = load<i64>(cpu + RSI) & mask(asize);
    const source = segmentLinear(cpu, <u32>segment, si, <u32>size, 0);
    if (faulted(cpu)) break;
    const value = loadSized(cpu, source, size);
    if (faulted(cpu)) break;
    portOut(cpu, load<i64>(cpu + RDX), size, value);
    if (faulted(cpu)) break;
    setIndex(cpu, RSI, asize, si + by);
    done++;
    if (awaited(cpu)) break;
  }
  return finish(cpu, asize, rep, done);
}
