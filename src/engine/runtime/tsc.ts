/**
 * The time-stamp counter. Asking the host for the time takes as long as 50 instructions, and Linux reads the counter at each
 * system call (randomize_kstack_offset). So for G_TSC_STEPS instructions after the clock was read it is reckoned from
 * there, at a quarter of a nanosecond for an instruction: less than they take, so that the clock is not overtaken. What
 * may take longer, or tells the guest the time in another way, has it read anew: the start of a turn, interrupts, devices,
 * decoding. So has a loop that waits for a time to come: each reading uses some of the instructions up.
 */
import { G_TSC_STEPS, S_CLOCK, S_CLOCK_LAST, S_CLOCK_RETIRED, S_CLOCK_UNTIL, S_TSC_OFFSET } from '../layout';
import { now } from './host';
import { retiredBefore } from './retired';

/** Readings, at most, for one of the clock, as a shift. */
const READINGS: i64 = 3;

/** The next reading of the counter asks the host. */
export function forgetTime(cpu: u32): void {
  store<i64>(cpu + S_CLOCK_UNTIL, 0);
}

/** An instruction took as long as so many. */
export function spendTime(cpu: u32, instructions: i64): void {
  store<i64>(cpu + S_CLOCK_UNTIL, load<i64>(cpu + S_CLOCK_UNTIL) - instructions);
}

/** The counter as RDTSC and IA32_TIME_STAMP_COUNTER have it. */
export function timeStamp(cpu: u32): i64 {
  const steps = <i64>load<u32>(G_TSC_STEPS);
  if (steps == 0) return i64(now(cpu)) + load<i64>(cpu + S_TSC_OFFSET);
  const at = retiredBefore(cpu);
  let clock: i64;
  const until = load<i64>(cpu + S_CLOCK_UNTIL);
  if (at < until) {
    clock = load<i64>(cpu + S_CLOCK) + ((at - load<i64>(cpu + S_CLOCK_RETIRED)) >> 2);
    store<i64>(cpu + S_CLOCK_UNTIL, until - (steps >> READINGS));
  } else {
    clock = i64(now(cpu));
    store<i64>(cpu + S_CLOCK, clock);
    store<i64>(cpu + S_CLOCK_RETIRED, at);
    store<i64>(cpu + S_CLOCK_UNTIL, at + steps);
  }
  // It never stands still: programs divide by differences.
  const last = load<i64>(cpu + S_CLOCK_LAST);
  if (clock <= last) clock = last + 1;
  store<i64>(cpu + S_CLOCK_LAST, clock);
  return clock + load<i64>(cpu + S_TSC_OFFSET);
}
