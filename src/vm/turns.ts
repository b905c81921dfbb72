import type { StopReason } from '../engine/cpu.js';
import type { Processor } from '../engine/processor.js';

/** Aim for a turn with real time, in nanoseconds, and the bounds of its instructions. */
const REAL_TURN_NS = 1_000_000;
const LEAST_TURN = 2_000;
const MOST_TURN = 2_000_000;
/** PAUSE instructions in a turn while other CPUs wait for theirs. */
export const PAUSES = 200;

/** A thread whose last wait was shorter than the one looks for so long before it sleeps again, in nanoseconds. */
export const BRIEF_NS = 300_000;
export const POLL_NS = 100_000;

/** Turns of about a millisecond, by the speed of those before. `now` in nanoseconds. */
export class Turns {
  private turn = 50_000;

  constructor(private readonly now: () => number) {}

  /** One CPU's turn, of at most `until` nanoseconds. */
  give(processor: Processor, until: number): StopReason {
    const speed = this.turn / REAL_TURN_NS;
    const budget = Math.max(LEAST_TURN, Math.min(this.turn, Math.ceil(until * speed)));
    const started = this.now();
    const before = processor.retired();
    const why = processor.run(budget, false);
    const done = processor.retired() - before;
    const took = this.now() - started;
    // Learn the speed from turns that ran long enough to tell.
    if (why === 'budget' && done >= LEAST_TURN * 5 && took > 0) {
      const wanted = (done / took) * REAL_TURN_NS;
      this.turn = Math.max(LEAST_TURN * 5, Math.min(MOST_TURN, Math.round(this.turn * 0.8 + wanted * 0.2)));
    }
    return why;
  }
}
