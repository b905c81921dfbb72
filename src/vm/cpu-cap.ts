import { G_CAP, G_CAP_NEXT, G_CAP_PAID } from '../engine/layout.js';

/** What an idle machine may make up for, in nanoseconds. */
const SLACK = 5_000_000n;

/**
 * Holds a machine's threads together to a share of one core of the host. Each thread pays for its turns by moving the moment
 * at which the next may begin.
 */
export class CpuCap {
  private readonly words: Uint32Array;
  private readonly longs: BigInt64Array;

  constructor(memory: WebAssembly.Memory) {
    this.words = new Uint32Array(memory.buffer);
    this.longs = new BigInt64Array(memory.buffer);
  }

  /** Percent of a core; 0: no cap. */
  set percent(percent: number) {
    Atomics.store(this.words, G_CAP >> 2, percent);
  }
  get percent(): number {
    return Atomics.load(this.words, G_CAP >> 2);
  }

  /** Nanoseconds from `now` until a turn may begin; 0: at once. */
  wait(now: number): number {
    if (this.percent === 0) return 0;
    return Math.max(0, Number(Atomics.load(this.longs, G_CAP_NEXT >> 3)) - now);
  }

  /** `used`: nanoseconds that all of the process has used of the host's cores so far. What was not paid for yet is paid now. */
  settle(used: number, now: number): void {
    const paid = Number(Atomics.load(this.longs, G_CAP_PAID >> 3));
    this.unpaid ??= used - paid;
    this.spent(used - paid - this.unpaid, now);
  }
  /** What the process had used when the machine began. */
  private unpaid: number | undefined;

  /** A thread was busy for `took` nanoseconds until `now`. */
  spent(took: number, now: number): void {
    const { percent, longs } = this;
    if (percent === 0) return;
    Atomics.add(longs, G_CAP_PAID >> 3, BigInt(Math.round(took)));
    const price = BigInt(Math.round((took * 100) / percent));
    const least = BigInt(Math.round(now - took)) - SLACK;
    for (;;) {
      const next = Atomics.load(longs, G_CAP_NEXT >> 3);
      const moved = (next > least ? next : least) + price;
      if (Atomics.compareExchange(longs, G_CAP_NEXT >> 3, next, moved) === next) return;
    }
  }
}
