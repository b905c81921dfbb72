import {
  CS, EFLAGS_IF, EFLAGS_RF, EFLAGS_VM, MODE_LMA, MODE_LONG, MODE_PROTECTED, MODE_VM86, S_CPL, S_EFER, S_EFLAGS, S_GPR, S_LSTAR, S_MODE, S_RIP, S_SFMASK, S_STAR,
  S_SYSENTER_CS, S_SYSENTER_EIP, S_SYSENTER_ESP, SS,
} from '../layout'; // prettier-ignore
import { ATTR_DB, ATTR_L, setSegment } from './descriptor';
import { GP, raise, raiseWithError, UD } from './fault';
import { getEflags, putEflags, setEflags } from './flags';
import { canonical, EFER_SCE, EFLAGS_ALL, updateMode } from './mode';

const RCX: u32 = S_GPR + 8;
const RDX: u32 = S_GPR + 16;
const RSP: u32 = S_GPR + 32;
const R11: u32 = S_GPR + 88;

// ---- system calls: flat segments that are not read from a table

function flatCode(cpu: u32, selector: u32, cpl: u32, long: bool): void {
  const attributes: u32 = 0x809b | (cpl << 5) | (long ? ATTR_L : ATTR_DB);
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, attributes, 0, 0xffffffff);
}
function flatStack(cpu: u32, selector: u32, cpl: u32): void {
  setSegment(cpu, SS, (selector & 0xfffc) | cpl, 0xc093 | (cpl << 5), 0, 0xffffffff);
}

export function syscall(cpu: u32, next: i64): void {
  // In 64-bit mode only, as on Intel.
  if ((load<i64>(cpu + S_EFER) & EFER_SCE) == 0 || (load<u32>(cpu + S_MODE) & MODE_LONG) == 0) {
    raise(cpu, UD);
    return;
  }
  const star = load<i64>(cpu + S_STAR);
  const selector = <u32>(star >>> 32) & 0xffff;
  const flags = getEflags(cpu);
  store<i64>(cpu + RCX, next);
  store<i64>(cpu + R11, <i64>(flags & ~EFLAGS_RF));
  putEflags(cpu, (flags & ~(<u32>load<i64>(cpu + S_SFMASK) | EFLAGS_RF)) | 2);
  store<u32>(cpu + S_CPL, 0);
  flatCode(cpu, selector, 0, true);
  flatStack(cpu, selector + 8, 0);
  store<i64>(cpu + S_RIP, load<i64>(cpu + S_LSTAR));
  updateMode(cpu);
}

export function sysret(cpu: u32, bits: i64, next: i64): void {
  if ((load<i64>(cpu + S_EFER) & EFER_SCE) == 0 || (load<u32>(cpu + S_MODE) & MODE_LONG) == 0) {
    raise(cpu, UD);
    return;
  }
  const target = load<i64>(cpu + RCX);
  if (bits == 64 && !canonical(cpu, target)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const selector = <u32>(load<i64>(cpu + S_STAR) >>> 48) & 0xffff;
  store<u32>(cpu + S_CPL, 3);
  setEflags(cpu, <u32>load<i64>(cpu + R11) & ~(EFLAGS_RF | EFLAGS_VM), EFLAGS_ALL);
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
  if (long && (!canonical(cpu, rip) || !canonical(cpu, rsp))) {
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
