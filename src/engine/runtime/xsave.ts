import {
  MODE_LONG, S_CR0, S_CR4, S_FCS, S_FCW, S_FDP, S_FDS, S_FIP, S_FOP, S_FPR, S_FSW, S_FTW, S_GPR, S_MMU, S_MODE, S_MXCSR, S_XCR0, S_XMM, XMM_BYTES,
} from '../layout'; // prettier-ignore
import { GP, MF, NM, raise, raiseWithError, UD } from './fault';
import { load16, load32, load64, load8, probe, store16, store32, store64, store8 } from './memory';
import { x87Init } from './x87';
import { canonical, CR0_EM, CR0_MP, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE } from './mode';

const RCX: u32 = S_GPR + 8;
const MXCSR_MASK: u32 = 0xffff;
const X87: i64 = 1;
const SSE: i64 = 2;
const LEGACY_BYTES: u32 = 512;
const HEADER: i64 = 512;

/** Before each x87, MMX or SSE instruction: kinds of helpers/system.ts (SDM vol. 3, table 13-1 and 14-1). */
export function fpuCheck(cpu: u32, kind: i64): void {
  const cr0 = load<i64>(cpu + S_CR0);
  if (kind == 1 || kind == 2) {
    if ((cr0 & CR0_EM) != 0 || (kind == 2 && (load<i64>(cpu + S_CR4) & CR4_OSFXSR) == 0)) {
      raise(cpu, UD);
      return;
    }
    if ((cr0 & CR0_TS) != 0) {
      raise(cpu, NM);
      return;
    }
  } else if ((cr0 & (CR0_EM | CR0_TS)) != 0) {
    raise(cpu, NM);
    return;
  }
  if ((kind == 0 || kind == 1) && (load<u32>(cpu + S_FSW) & 0x80) != 0) raise(cpu, MF);
}

/** WAIT: #NM if CR0.MP and CR0.TS are both set, then #MF if an exception waits. */
export function waitCheck(cpu: u32): void {
  const both = CR0_MP | CR0_TS;
  if ((load<i64>(cpu + S_CR0) & both) == both) raise(cpu, NM);
  else if ((load<u32>(cpu + S_FSW) & 0x80) != 0) raise(cpu, MF);
}

/** The eight tags in one bit each: set where the register is not empty (SDM vol. 1, 10.5.1). */
function abridgedTags(cpu: u32): u32 {
  const tags = load<u32>(cpu + S_FTW);
  let short: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) if (((tags >> (2 * i)) & 3) != 3) short |= 1 << i;
  return short;
}

/** The tag of a physical register by its contents: 0 valid, 1 zero, 2 special. */
export function tagOf(cpu: u32, register: u32): u32 {
  const at = cpu + S_FPR + 16 * register;
  const exponent = <u32>load<u16>(at + 8) & 0x7fff;
  const significand = load<i64>(at);
  if (exponent == 0 && significand == 0) return 1;
  if (exponent == 0 || exponent == 0x7fff || significand >= 0) return 2;
  return 0;
}

function setTags(cpu: u32, abridged: u32): void {
  let tags: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) tags |= ((abridged >> i) & 1 ? tagOf(cpu, i) : 3) << (2 * i);
  store<u32>(cpu + S_FTW, tags);
}

function saveX87(cpu: u32, at: i64, wide: bool): void {
  store16(cpu, at, <i64>load<u32>(cpu + S_FCW));
  store16(cpu, at + 2, <i64>load<u32>(cpu + S_FSW));
  store8(cpu, at + 4, <i64>abridgedTags(cpu));
  store8(cpu, at + 5, 0);
  store16(cpu, at + 6, <i64>load<u32>(cpu + S_FOP));
  const fip = load<i64>(cpu + S_FIP);
  const fdp = load<i64>(cpu + S_FDP);
  if (wide) {
    store64(cpu, at + 8, fip);
    store64(cpu, at + 16, fdp);
  } else {
    store32(cpu, at + 8, fip);
    store32(cpu, at + 12, <i64>load<u32>(cpu + S_FCS));
    store32(cpu, at + 16, fdp);
    store32(cpu, at + 20, <i64>load<u32>(cpu + S_FDS));
  }
  const top = (load<u32>(cpu + S_FSW) >> 11) & 7;
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + S_FPR + 16 * ((top + i) & 7);
    store64(cpu, at + <i64>(32 + 16 * i), load<i64>(register));
    store64(cpu, at + <i64>(40 + 16 * i), <i64>load<u16>(register + 8));
  }
}

function loadX87(cpu: u32, at: i64, wide: bool): void {
  const fsw = <u32>load16(cpu, at + 2);
  store<u32>(cpu + S_FCW, (<u32>load16(cpu, at) & 0x1f3f) | 0x40);
  store<u32>(cpu + S_FOP, <u32>load16(cpu, at + 6) & 0x7ff);
  if (wide) {
    store<i64>(cpu + S_FIP, load64(cpu, at + 8));
    store<i64>(cpu + S_FDP, load64(cpu, at + 16));
  } else {
    store<i64>(cpu + S_FIP, load32(cpu, at + 8));
    store<u32>(cpu + S_FCS, <u32>load16(cpu, at + 12));
    store<i64>(cpu + S_FDP, load32(cpu, at + 16));
    store<u32>(cpu + S_FDS, <u32>load16(cpu, at + 20));
  }
  const top = (fsw >> 11) & 7;
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + S_FPR + 16 * ((top + i) & 7);
    store<i64>(register, load64(cpu, at + <i64>(32 + 16 * i)));
    store<u16>(register + 8, <u16>load16(cpu, at + <i64>(40 + 16 * i)));
  }
  // ES and B follow from the flags and the masks.
  const pending = fsw & ~load<u32>(cpu + S_FCW) & 0x3f;
  store<u32>(cpu + S_FSW, (fsw & 0x7f7f) | (pending != 0 ? 0x8080 : 0));
  setTags(cpu, <u32>load8(cpu, at + 4));
}

function xmmCount(cpu: u32): u32 {
  return (load<u32>(cpu + S_MODE) & MODE_LONG) != 0 ? 16 : 8;
}

function saveXmm(cpu: u32, at: i64): void {
  const count = xmmCount(cpu);
  for (let i: u32 = 0; i < count; i++) {
    const register = cpu + S_XMM + XMM_BYTES * i;
    store64(cpu, at + <i64>(160 + 16 * i), load<i64>(register));
    store64(cpu, at + <i64>(168 + 16 * i), load<i64>(register + 8));
  }
}

function loadXmm(cpu: u32, at: i64): void {
  const count = xmmCount(cpu);
  for (let i: u32 = 0; i < count; i++) {
    const register = cpu + S_XMM + XMM_BYTES * i;
    store<i64>(register, load64(cpu, at + <i64>(160 + 16 * i)));
    store<i64>(register + 8, load64(cpu, at + <i64>(168 + 16 * i)));
  }
}

/** #UD and #NM, which come before faults of the address: 1 for the XSAVE family, 0 for FXSAVE and FXRSTOR. */
export function stateCheck(cpu: u32, extended: i64): void {
  const cr0 = load<i64>(cpu + S_CR0);
  if (extended != 0 && (load<i64>(cpu + S_CR4) & CR4_OSXSAVE) == 0) raise(cpu, UD);
  else if ((cr0 & CR0_TS) != 0 || (extended == 0 && (cr0 & CR0_EM) != 0)) raise(cpu, NM);
}

/** Whether the area is (at a canonical address, or probe refuses it) aligned and may be accessed; if not, the fault is raised. */
function ready(cpu: u32, at: i64, alignment: i64, bytes: u32, write: bool): bool {
  if ((at & (alignment - 1)) != 0 && canonical(cpu, at)) {
    raiseWithError(cpu, GP, 0);
    return false;
  }
  return probe(cpu, at, bytes, write, load<u32>(cpu + S_MMU));
}

export function fxsave(cpu: u32, at: i64, wide: i64): void {
  if (!ready(cpu, at, 16, LEGACY_BYTES, true)) return;
  saveX87(cpu, at, wide != 0);
  store32(cpu, at + 24, <i64>load<u32>(cpu + S_MXCSR));
  store32(cpu, at + 28, MXCSR_MASK);
  if ((load<i64>(cpu + S_CR4) & CR4_OSFXSR) != 0) saveXmm(cpu, at);
}

export function fxrstor(cpu: u32, at: i64, wide: i64): void {
  if (!ready(cpu, at, 16, LEGACY_BYTES, false)) return;
  const mxcsr = <u32>load32(cpu, at + 24);
  const sse = (load<i64>(cpu + S_CR4) & CR4_OSFXSR) != 0;
  if (sse && (mxcsr & ~MXCSR_MASK) != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  loadX87(cpu, at, wide != 0);
  if (!sse) return;
  store<u32>(cpu + S_MXCSR, mxcsr);
  loadXmm(cpu, at);
}

/** Components that are not in their initial state (XINUSE). */
function inUse(cpu: u32): i64 {
  let used: i64 = 0;
  if (load<u32>(cpu + S_FCW) != 0x37f || load<u32>(cpu + S_FSW) != 0 || load<u32>(cpu + S_FTW) != 0xffff) used |= X87;
  if (load<u32>(cpu + S_FOP) != 0 || load<i64>(cpu + S_FIP) != 0 || load<i64>(cpu + S_FDP) != 0 || load<u32>(cpu + S_FCS) != 0 || load<u32>(cpu + S_FDS) != 0) used |= X87;
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + S_FPR + 16 * i;
    if (load<i64>(register) != 0 || load<u16>(register + 8) != 0) used |= X87;
  }
  for (let i: u32 = 0; i < 16; i++) {
    const register = cpu + S_XMM + XMM_BYTES * i;
    if (load<i64>(register) != 0 || load<i64>(register + 8) != 0) used |= SSE;
  }
  return used;
}

export function xsave(cpu: u32, at: i64, wide: i64, mask: i64, kind: i64): void {
  if (!ready(cpu, at, 64, LEGACY_BYTES + 64, true)) return;
  const asked = mask & load<i64>(cpu + S_XCR0);
  const used = inUse(cpu);
  // XSAVEOPT and XSAVEC leave out what is in its initial state.
  const saved = kind == 0 ? asked : asked & used;
  if ((saved & X87) != 0) saveX87(cpu, at, wide != 0);
  // MXCSR goes with SSE even when the registers are in their initial state
  if ((asked & SSE) != 0 && (kind != 2 || (saved & SSE) != 0 || load<u32>(cpu + S_MXCSR) != 0x1f80)) {
    store32(cpu, at + 24, <i64>load<u32>(cpu + S_MXCSR));
    store32(cpu, at + 28, MXCSR_MASK);
  }
  let present = asked & used;
  if (kind == 2 && (asked & SSE) != 0 && load<u32>(cpu + S_MXCSR) != 0x1f80) present |= SSE;
  if ((saved & SSE) != 0 || (kind == 2 && (present & SSE) != 0)) saveXmm(cpu, at);
  if (kind == 2) {
    store64(cpu, at + HEADER, present);
    store64(cpu, at + HEADER + 8, asked | <i64>0x8000000000000000);
    return;
  }
  const old = load64(cpu, at + HEADER);
  store64(cpu, at + HEADER, (old & ~asked) | present);
}

export function xrstor(cpu: u32, at: i64, wide: i64, mask: i64): void {
  if (!ready(cpu, at, 64, LEGACY_BYTES + 64, false)) return;
  const xcr0 = load<i64>(cpu + S_XCR0);
  const present = load64(cpu, at + HEADER);
  const compaction = load64(cpu, at + HEADER + 8);
  const compact = compaction < 0;
  let bad = (present & ~xcr0) != 0;
  if (compact) bad = bad || (compaction & 0x7fffffffffffffff & ~xcr0) != 0 || (present & ~compaction) != 0;
  else bad = bad || compaction != 0;
  const headerEnd: i64 = compact ? 64 : 24;
  for (let i: i64 = 16; i < headerEnd; i += 8) bad = bad || load64(cpu, at + HEADER + i) != 0;
  const asked = mask & xcr0;
  const mxcsr = <u32>load32(cpu, at + 24);
  const loadsMxcsr = (asked & SSE) != 0 && (!compact || (present & SSE) != 0);
  if (bad || (loadsMxcsr && (mxcsr & ~MXCSR_MASK) != 0)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if ((asked & X87) != 0) {
    if ((present & X87) != 0) loadX87(cpu, at, wide != 0);
    else initX87(cpu);
  }
  if ((asked & SSE) != 0) {
    store<u32>(cpu + S_MXCSR, loadsMxcsr ? mxcsr : 0x1f80);
    if ((present & SSE) != 0) loadXmm(cpu, at);
    else clearXmm(cpu);
  }
}

function clearXmm(cpu: u32): void {
  const count = xmmCount(cpu);
  for (let i: u32 = 0; i < count; i++) memory.fill(cpu + S_XMM + XMM_BYTES * i, 0, 16);
}

/** x87 state as after FNINIT with cleared registers. */
export function initX87(cpu: u32): void {
  x87Init(cpu);
  memory.fill(cpu + S_FPR, 0, 128);
}

/** What XCR0 may enable; x87 cannot be left out. */
const XCR0_SUPPORTED: i64 = X87 | SSE;

/** XCR0, or (ECX = 1) those of its components that are in use. */
export function xgetbv(cpu: u32): i64 {
  const index = load<u32>(cpu + RCX);
  if ((load<i64>(cpu + S_CR4) & CR4_OSXSAVE) == 0) {
    raise(cpu, UD);
    return 0;
  }
  if (index > 1) {
    raiseWithError(cpu, GP, 0);
    return 0;
  }
  const xcr0 = load<i64>(cpu + S_XCR0);
  return index == 0 ? xcr0 : xcr0 & inUse(cpu);
}

export function xsetbv(cpu: u32, index: i64, value: i64): void {
  if ((load<i64>(cpu + S_CR4) & CR4_OSXSAVE) == 0) {
    raise(cpu, UD);
    return;
  }
  if (index != 0 || (value & ~XCR0_SUPPORTED) != 0 || (value & X87) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_XCR0, value);
}
