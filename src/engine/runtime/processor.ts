import {
  EFLAGS_IF, GS, PENDING_STEP, RUN_HALTED, S_CPL, S_CR4, S_EFLAGS, S_KERNEL_GS_BASE, S_PENDING, S_RUN, S_TSC_OFFSET, SEG_BASE,
} from '../layout'; // prettier-ignore
import { GP, raise, raiseWithError, UD } from './fault';
import { now } from './host';
import { CR4_FSGSBASE, CR4_TSD, CR4_UMIP, segment } from './mode';

export function hlt(cpu: u32): void {
  store<u32>(cpu + S_RUN, RUN_HALTED);
  atomic.or<u32>(cpu + S_PENDING, PENDING_STEP);
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
  return now(cpu) + load<i64>(cpu + S_TSC_OFFSET);
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
