/** The x87 register stack and its exceptions (SDM vol. 1, 8.1 and 8.4). */
import { S_FCW, S_FPR, S_FSW, S_FTW, S_FPU_SKIP } from '../layout';
import {
  begin, exceptions, IE, DE, ZE, OE, UE, indefinite, isZero, MAX_EXPONENT, INTEGER_BIT, roundedUp, rExponent, rSign, rSignificand, setA, setB, setR,
} from './f80'; // prettier-ignore

const C1: u32 = 0x200;
const SF: u32 = 0x40;
const SUMMARY: u32 = 0x8080;
const CONDITIONS: u32 = 0x4700;
const ALL_MASKS: u32 = 0x3f;

export function topOf(cpu: u32): u32 {
  return (load<u32>(cpu + S_FSW) >> 11) & 7;
}
export function setTop(cpu: u32, top: u32): void {
  store<u32>(cpu + S_FSW, (load<u32>(cpu + S_FSW) & ~0x3800) | ((top & 7) << 11));
}
/** Address of ST(i). */
export function register(cpu: u32, i: u32): u32 {
  return cpu + S_FPR + 16 * ((topOf(cpu) + i) & 7);
}
export function isEmpty(cpu: u32, i: u32): bool {
  return ((load<u32>(cpu + S_FTW) >> (2 * ((topOf(cpu) + i) & 7))) & 3) == 3;
}
export function setTag(cpu: u32, i: u32, tag: u32): void {
  const shift = 2 * ((topOf(cpu) + i) & 7);
  store<u32>(cpu + S_FTW, (load<u32>(cpu + S_FTW) & ~(3 << shift)) | (tag << shift));
}
export function setEmpty(cpu: u32, i: u32): void {
  setTag(cpu, i, 3);
}

/** Starts an instruction that leaves C1 alone: exceptions are gathered under the control word. */
export function startKeepingC1(cpu: u32): void {
  begin(load<u32>(cpu + S_FCW));
}

/** Starts an instruction that clears C1, unless it sets it. */
export function start(cpu: u32): void {
  startKeepingC1(cpu);
  store<u32>(cpu + S_FSW, load<u32>(cpu + S_FSW) & ~C1);
}

export function loadA(cpu: u32, i: u32): void {
  const at = register(cpu, i);
  const exponent = <u32>load<u16>(at + 8);
  setA(exponent >> 15, <i32>(exponent & 0x7fff), load<u64>(at));
}
export function loadB(cpu: u32, i: u32): void {
  const at = register(cpu, i);
  const exponent = <u32>load<u16>(at + 8);
  setB(exponent >> 15, <i32>(exponent & 0x7fff), load<u64>(at));
}

/** Writes R to ST(i), with its tag. */
export function storeR(cpu: u32, i: u32): void {
  const at = register(cpu, i);
  store<u64>(at, rSignificand);
  store<u16>(at + 8, <u16>((rSign << 15) | <u32>rExponent));
  const special = rExponent == MAX_EXPONENT || (rSignificand & INTEGER_BIT) == 0;
  setTag(cpu, i, isZero(rExponent, rSignificand) ? 1 : special ? 2 : 0);
}

/**
 * Notes the exceptions of the instruction in the status word. True if its result is to be stored: no exception that
 * comes before the computation (invalid, denormal, zero divide) is unmasked.
 */
export function settle(cpu: u32): bool {
  const fcw = load<u32>(cpu + S_FCW);
  let flags = exceptions;
  const before = flags & (IE | DE | ZE) & ~fcw;
  if (before != 0) flags &= IE | DE | ZE;
  let fsw = load<u32>(cpu + S_FSW) | flags;
  if (before == 0 && roundedUp) fsw |= C1;
  if ((fsw & ~fcw & ALL_MASKS) != 0) fsw |= SUMMARY;
  store<u32>(cpu + S_FSW, fsw);
  return before == 0;
}

/** As settle, for a store to memory: unmasked overflow and underflow keep it from happening too. */
export function settleStore(cpu: u32): bool {
  const blocked = exceptions & (OE | UE) & ~load<u32>(cpu + S_FCW);
  const stored = settle(cpu) && blocked == 0;
  store<u32>(cpu + S_FPU_SKIP, stored ? 0 : 1);
  return stored;
}

/** Stack fault: invalid operation with SF; C1 tells overflow. True if masked: R is then the indefinite. */
export function stackFault(cpu: u32, overflow: bool): bool {
  const fcw = load<u32>(cpu + S_FCW);
  let fsw = load<u32>(cpu + S_FSW) | IE | SF;
  fsw = overflow ? fsw | C1 : fsw & ~C1;
  if ((fcw & IE) == 0) fsw |= SUMMARY;
  store<u32>(cpu + S_FSW, fsw);
  indefinite();
  return (fcw & IE) != 0;
}

/** Puts R on the stack; a full place is a stack overflow. */
export function pushR(cpu: u32): void {
  if (!isEmpty(cpu, 7)) {
    if (!stackFault(cpu, true)) return;
  }
  setTop(cpu, topOf(cpu) - 1);
  storeR(cpu, 0);
}

export function popStack(cpu: u32): void {
  setEmpty(cpu, 0);
  setTop(cpu, topOf(cpu) + 1);
}

/** C0 to C3 of the status word: the bits of 0x4700. */
export function setConditions(cpu: u32, bits: u32): void {
  store<u32>(cpu + S_FSW, (load<u32>(cpu + S_FSW) & ~CONDITIONS) | bits);
}
export function setR0(): void {
  setR(0, 0, 0);
}
