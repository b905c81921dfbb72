import {
  EFLAGS_IF, GS, MODE_LONG, PENDING_EXIT, PENDING_STEP, RUN_HALTED, S_CPL, S_CR4, S_EFLAGS, S_GPR, S_KERNEL_GS_BASE, S_MODE, S_PAUSES, S_PENDING, S_RUN,
  SEG_BASE,
} from '../layout'; // prettier-ignore
import { cpuidBit, ECX } from './cpuid';
import { GP, raise, raiseWithError, UD } from './fault';
import { hypercall as boardHypercall } from './host';
import { CR4_FSGSBASE, CR4_TSD, CR4_UMIP, segment } from './mode';
import { forgetTime, timeStamp } from './tsc';

const HYPERVISOR_BIT: u32 = 31;
/** -KVM_EPERM */
const NOT_PERMITTED: i64 = -1;

export function hlt(cpu: u32): void {
  store<u32>(cpu + S_RUN, RUN_HALTED);
  atomic.or<u32>(cpu + S_PENDING, PENDING_STEP);
}

/** A loop that waits for another CPU: after some rounds its turn is better spent by that one. */
export function pause(cpu: u32): void {
  const left = load<u32>(cpu + S_PAUSES);
  if (left == 0) return;
  store<u32>(cpu + S_PAUSES, left - 1);
  if (left == 1) atomic.or<u32>(cpu + S_PENDING, PENDING_EXIT);
}

/** VMCALL, as KVM takes it: number in RAX, arguments in RBX, RCX, RDX and RSI; only from privilege level 0. */
export function hypercall(cpu: u32): void {
  if (!cpuidBit(cpu, 1, ECX, HYPERVISOR_BIT)) {
    raise(cpu, UD);
    return;
  }
  forgetTime(cpu);
  const mask: i64 = (load<u32>(cpu + S_MODE) & MODE_LONG) != 0 ? -1 : 0xffffffff;
  store<i64>(cpu + S_GPR, (load<u32>(cpu + S_CPL) == 0 ? boardHypercall(cpu) : NOT_PERMITTED) & mask);
}

/** MONITOR arms nothing: MWAIT then waits for an interrupt, or goes on at once if none could come. */
export function monitor(cpu: u32): void {}

export function mwait(cpu: u32): void {
  if ((load<u32>(cpu + S_EFLAGS) & EFLAGS_IF) != 0) hlt(cpu);
}

export function swapgs(cpu: u32): void {
  const base = segment(cpu, GS) + SEG_BASE;
  const old = load<i64>(base);
  store<i64>(base, load<i64>(cpu + S_KERNEL_GS_BASE));
  store<i64>(cpu + S_KERNEL_GS_BASE, old);
}

export function rdtsc(cpu: u32): i64 {
  if ((load<i64>(cpu + S_CR4) & CR4_TSD) != 0 && load<u32>(cpu + S_CPL) != 0) {
    raiseWithError(cpu, GP, 0);
    return 0;
  }
  return timeStamp(cpu);
}

/** There are no performance counters. */
export function rdpmc(cpu: u32): i64 {
  raiseWithError(cpu, GP, 0);
  return 0;
}

export function fsgsbaseCheck(cpu: u32): void {
  if ((load<i64>(cpu + S_CR4) & CR4_FSGSBASE) == 0) raise(cpu, UD);
}

export function umipCheck(cpu: u32): void {
  if ((load<i64>(cpu + S_CR4) & CR4_UMIP) != 0 && load<u32>(cpu + S_CPL) != 0) raiseWithError(cpu, GP, 0);
}
