/** Whole monotonic nanoseconds since this thread began: each thread of a page counts by itself (High Resolution Time, 4). */
export function hostNow(): number {
  return Math.round(performance.now() * 1e6);
}
