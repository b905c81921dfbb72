import type { Frame } from '../../machine/frame.js';
import { TokenBucket, type Rate } from './token-bucket.js';
import type { Timers } from '../timers.js';

/** What each sender may have waiting for one port, beyond what is under way; bytes. */
const MOST_WAITING = 2 ** 20;
const MOST_FRAMES = 4096;
/** With a rate: what a sender may have waiting is what goes out in so many milliseconds, so that nobody waits long. */
const MOST_WAITING_MS = 100;
const LEAST_WAITING = 32 * 1024;
/** What a sender of weight 1 may send in one round, bytes: a full frame. */
const QUANTUM = 1514;

/** Frames of a sender; it is served in turns (deficit round robin: Shreedhar and Varghese, 1995). */
interface Queue<Sender> {
  readonly sender: Sender;
  readonly frames: Frame[];
  bytes: number;
  /** What it may still send in this round, bytes. */
  deficit: number;
  /** Its turn has begun. */
  inTurn: boolean;
}

/**
 * What waits to leave by a port, a queue for each sender, served in turns by their weights. It takes nothing in while the
 * station has room and no rate holds it back: frames go straight through.
 */
export class Egress<Sender> {
  private readonly queues = new Map<Sender, Queue<Sender>>();
  /** Those with something to send; the turn is the first one's. */
  private readonly turns: Queue<Sender>[] = [];
  private waiting = 0;
  private blocked = false;
  private draining = false;
  private timer: (() => void) | null = null;
  private readonly bucket: TokenBucket | null;
  dropped = 0;

  /** `deliver`: false when the station has no room. `flush`: what was kept was delivered, for now. */
  constructor(
    private readonly deliver: (frame: Frame) => boolean,
    private readonly flush: () => void,
    private readonly weightOf: (sender: Sender) => number,
    private readonly timers: Timers,
    rate: Rate | null,
  ) {
    this.bucket = rate && new TokenBucket(rate, timers.now());
  }

  get shaped(): boolean {
    return this.bucket !== null;
  }

  /** Sends, or keeps a copy, or drops. */
  send(frame: Frame, sender: Sender): void {
    if (this.waiting === 0 && !this.blocked && this.mayPass(frame.length)) {
      if (this.deliver(frame)) {
        this.bucket?.take(frame.length);
        return;
      }
      this.blocked = true;
    }
    this.keep(frame, sender);
  }

  private mayPass(bytes: number): boolean {
    return this.bucket === null || this.bucket.wait(bytes, this.timers.now()) === 0;
  }

  private keep(frame: Frame, sender: Sender): void {
    let queue = this.queues.get(sender);
    if (queue === undefined) {
      queue = { sender, frames: [], bytes: 0, deficit: 0, inTurn: false };
      this.queues.set(sender, queue);
    }
    const most = this.bucket
      ? Math.max(LEAST_WAITING, (this.bucket.bytesPerSecond * MOST_WAITING_MS) / 1000)
      : MOST_WAITING;
    if (queue.bytes + frame.length > most || queue.frames.length >= MOST_FRAMES) {
      this.dropped++;
      return;
    }
    if (queue.frames.length === 0) this.turns.push(queue);
    queue.frames.push(frame.copy());
    queue.bytes += frame.length;
    this.waiting++;
    this.arm();
  }

  /** The station has room again. */
  room(): void {
    this.blocked = false;
    this.drain();
  }

  private arm(): void {
    if (this.timer || this.blocked || !this.bucket) return;
    const wait = this.bucket.wait(QUANTUM, this.timers.now());
    this.timer = this.timers.after(wait, () => {
      this.timer = null;
      this.drain();
    });
  }

  private drain(): void {
    // A station may say that it has room while it gets a frame.
    if (this.draining) return;
    this.draining = true;
    const before = this.waiting;
    try {
      while (this.waiting > 0 && !this.blocked && this.sendOne(this.turns[0]!));
    } finally {
      this.draining = false;
    }
    if (this.waiting < before) this.flush();
    if (this.waiting > 0) this.arm();
  }

  /** Sends the next frame of the sender whose turn it is, or ends its turn; false: nothing can be sent now. */
  private sendOne(queue: Queue<Sender>): boolean {
    if (!queue.inTurn) queue.deficit += QUANTUM * this.weightOf(queue.sender);
    queue.inTurn = true;
    const frame = queue.frames[0]!;
    if (frame.length > queue.deficit) {
      queue.inTurn = false;
      this.turns.push(this.turns.shift()!);
      return true;
    }
    if (!this.mayPass(frame.length)) return false;
    if (!this.deliver(frame)) {
      this.blocked = true;
      return false;
    }
    this.bucket?.take(frame.length);
    queue.frames.shift();
    queue.bytes -= frame.length;
    queue.deficit -= frame.length;
    this.waiting--;
    if (queue.frames.length === 0) {
      this.turns.shift();
      this.queues.delete(queue.sender);
    }
    return true;
  }

  /** Forgets what a sender that is gone had waiting. */
  forget(sender: Sender): void {
    const queue = this.queues.get(sender);
    if (!queue) return;
    this.waiting -= queue.frames.length;
    this.turns.splice(this.turns.indexOf(queue), 1);
    this.queues.delete(sender);
  }

  clear(): void {
    this.queues.clear();
    this.turns.length = 0;
    this.waiting = 0;
    this.blocked = false;
    this.timer?.();
    this.timer = null;
  }
}
