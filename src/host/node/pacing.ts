import { setImmediate } from 'node:timers/promises';
import type { SchedulerHost } from '../../vm/scheduler.js';

const NS_PER_MS = 1e6;

/** Time and rest for a machine that runs in this thread. */
export class NodePacing implements SchedulerHost {
  private awake: (() => void) | null = null;

  milliseconds(): number {
    return performance.now();
  }

  async breathe(): Promise<void> {
    await setImmediate();
  }

  async sleep(nanoseconds: number): Promise<void> {
    // Timers count whole milliseconds: a shorter rest is given to other work of this thread.
    if (nanoseconds < NS_PER_MS / 2) return this.breathe();
    await new Promise<void>((resolve) => {
      // Without a deadline only `wake` ends it; the interval keeps the process alive meanwhile.
      const day = 24 * 3600 * 1000;
      const timer = setTimeout(done, Math.min(nanoseconds / NS_PER_MS, day));
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
      this.awake = done;
    });
    this.awake = null;
  }

  wake(): void {
    this.awake?.();
  }
}
