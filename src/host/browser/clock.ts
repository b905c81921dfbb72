/** Monotonic nanoseconds, the same count in all threads of a page, each of which counts from its own start (High Resolution Time, 4). */
export function hostNow(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1e6);
}
