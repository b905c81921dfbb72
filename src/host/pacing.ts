import type { SchedulerHost } from '../vm/scheduler.js';

const NS_PER_MS = 1e6;

/** Time and rest for a machine that runs in this thread, by the timers that Node and browsers share. */
export class Pacing implements SchedulerHost {
  private awake: (() => void) | null = null;

  /** `breathe` lets other work of this thread run. */
  constructor(readonly breathe: () => Promise<void>) {}

  milliseconds(): number {
    return performance.now();
  }

  async sleep(nanoseconds: number): Promise<boolean> {
    // Timers count whole milliseconds: a shorter rest is given to other work of this thread.
    if (nanoseconds < NS_PER_MS / 2) {
      await this.breathe();
      return false;
    }
    // Without a deadline only `wake` ends it; in Node the interval keeps the process alive meanwhile.
    const day = 24 * 3600 * 1000;
    const woken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.min(nanoseconds / NS_PER_MS, day));
      this.awake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.awake = null;
    return woken;
  }

  async poll(nanoseconds: number, found: () => boolean): Promise<boolean> {
    const until = performance.now() + nanoseconds / NS_PER_MS;
    let woken = false;
    this.awake = () => (woken = true);
    while (!woken && !found() && performance.now() < until) await this.breathe();
    this.awake = null;
    return woken || found();
  }

  wake(): void {
    this.awake?.();
  }
}
