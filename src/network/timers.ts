/** Time outside of machines, which links and protocols go by. */
export interface Timers {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls once after so many milliseconds; gives what cancels it. */
  after(milliseconds: number, act: () => void): () => void;
}
