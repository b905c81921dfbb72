import type { Timers } from '../network/timers.js';

/** Time that goes on when a test says so. */
export class TestTimers implements Timers {
  private time = 0;
  private pending: { at: number; act: () => void; order: number }[] = [];
  private order = 0;

  now(): number {
    return this.time;
  }
  after(milliseconds: number, act: () => void): () => void {
    const timer = { at: this.time + Math.max(0, milliseconds), act, order: this.order++ };
    this.pending.push(timer);
    return () => {
      this.pending = this.pending.filter((other) => other !== timer);
    };
  }
  /** When the next timer is due; Infinity: none is set. */
  get next(): number {
    return Math.min(Infinity, ...this.pending.map(({ at }) => at));
  }
  get count(): number {
    return this.pending.length;
  }
  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const [first] = this.pending
        .filter(({ at }) => at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order);
      if (!first) break;
      this.pending = this.pending.filter((other) => other !== first);
      this.time = Math.max(this.time, first.at);
      first.act();
    }
    this.time = end;
  }
}
