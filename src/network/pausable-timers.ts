import type { Timers } from './timers.js';

interface Pending {
  readonly at: number;
  readonly act: () => void;
  /** Of the timer below; null while time stands still. */
  cancel: (() => void) | null;
}

/** Time that stands still while the machine does, so that what waits for the guest loses no patience. */
export class PausableTimers implements Timers {
  private readonly pending = new Set<Pending>();
  /** Milliseconds that this time is behind. */
  private behind = 0;
  /** When it was paused, in its own time; null: it goes on. */
  private stoppedAt: number | null = null;

  constructor(private readonly timers: Timers) {}

  now(): number {
    return this.stoppedAt ?? this.timers.now() - this.behind;
  }

  after(milliseconds: number, act: () => void): () => void {
    const timer: Pending = { at: this.now() + Math.max(0, milliseconds), act, cancel: null };
    this.pending.add(timer);
    if (this.stoppedAt === null) this.arm(timer);
    return () => {
      timer.cancel?.();
      this.pending.delete(timer);
    };
  }

  private arm(timer: Pending): void {
    timer.cancel = this.timers.after(Math.max(0, timer.at - this.now()), () => {
      this.pending.delete(timer);
      timer.act();
    });
  }

  pause(): void {
    if (this.stoppedAt !== null) return;
    this.stoppedAt = this.now();
    for (const timer of this.pending) {
      timer.cancel?.();
      timer.cancel = null;
    }
  }

  resume(): void {
    if (this.stoppedAt === null) return;
    this.behind = this.timers.now() - this.stoppedAt;
    this.stoppedAt = null;
    for (const timer of this.pending) this.arm(timer);
  }
}
