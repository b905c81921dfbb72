/** Conversions between nanoseconds and ticks of a clock below 9 MHz, exact (all products stay below 2^53). */

const SECOND = 1e9;

/** How many whole ticks of `hz` have passed at `ns`. */
export function ticksAt(ns: number, hz: number): number {
  const seconds = Math.floor(ns / SECOND);
  return seconds * hz + Math.floor(((ns - seconds * SECOND) * hz) / SECOND);
}

/** The first nanosecond at which `ticksAt` gives `ticks`. */
export function timeOfTick(ticks: number, hz: number): number {
  const seconds = Math.floor(ticks / hz);
  return seconds * SECOND + Math.ceil(((ticks - seconds * hz) * SECOND) / hz);
}
