/**
 * Monotonic nanoseconds, the same count in all threads; whole ones for 104 days of the host's, to 2 ns for the next. A guest
 * reads its time-stamp counter some 100,000 times a second: `hrtime.bigint` and arithmetic on it take twice as long.
 */
export function hostNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}
