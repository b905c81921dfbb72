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
/** With a rate: how full a queue is when its sender is held, if that is to lose nothing, and when it may go on: before it is empty. */
const HIGH = 1 / 2;
const LOW = 1 / 4;
/**
 * A sender is held for so long at most, whether or not anything goes out: every 2 s (Windows, NDIS) or 5 s (Linux), drivers reset a
 * card that has sent nothing; and nobody may depend on a station that never has room again. Then frames are lost as without a card
 * that waits, until there is room.
 */
const MOST_HOLD_MS = 1000;

/**
 * When a sender whose frames wait is held: `early`, before it loses any, where all that it sends goes this way; `late`, when it
 * has lost a whole queue beyond what got through, where it may have others to send to, too: those must not wait for this one. TCP
 * never loses so much, as it heeds each loss; who floods does, and would go on making frames for nothing.
 */
export type HoldRule = 'early' | 'late' | 'never';

/** Where frames go, and whose they are. */
export interface EgressEnds<Sender> {
  /** false: the station has no room. */
  deliver(frame: Frame): boolean;
  /** What was kept was delivered, for now. */
  flush(): void;
  weightOf(sender: Sender): number;
  /** A sender is to wait; or need not any more. */
  hold(sender: Sender, held: boolean): void;
}

/** Frames of a sender; it is served in turns (deficit round robin: Shreedhar and Varghese, 1995). */
interface Queue<Sender> {
  readonly sender: Sender;
  readonly frames: Frame[];
  bytes: number;
  /** What it may still send in this round, bytes. */
  deficit: number;
  /** Its turn has begun. */
  inTurn: boolean;
  /** What was lost beyond what got through since; 1: what the queue takes. */
  lost: number;
  /** Ends the patience with a sender that is held. */
  release: (() => void) | null;
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
  /** What a queue takes, bytes. */
  private readonly most: number;
  /** Those whose senders are held, or were so for too long. */
  private readonly held = new Set<Queue<Sender>>();
  dropped = 0;

  constructor(
    private readonly ends: EgressEnds<Sender>,
    private readonly timers: Timers,
    rate: Rate | null,
    private readonly rule: HoldRule,
  ) {
    this.bucket = rate && new TokenBucket(rate, timers.now());
    this.most = this.bucket
      ? Math.max(LEAST_WAITING, (this.bucket.bytesPerSecond * MOST_WAITING_MS) / 1000)
      : MOST_WAITING;
  }

  get shaped(): boolean {
    return this.bucket !== null;
  }

  /** Sends, or keeps a copy, or drops. */
  send(frame: Frame, sender: Sender): void {
    if (this.waiting === 0 && !this.blocked && this.mayPass(frame.length)) {
      if (this.ends.deliver(frame)) {
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
      queue = { sender, frames: [], bytes: 0, deficit: 0, inTurn: false, lost: 0, release: null };
      this.queues.set(sender, queue);
    }
    if (queue.bytes + frame.length > this.most || queue.frames.length >= MOST_FRAMES) {
      this.dropped++;
      queue.lost += this.part(frame.length, 1);
      if (this.rule === 'late' && queue.lost > 1) this.hold(queue);
      return;
    }
    if (queue.frames.length === 0) this.turns.push(queue);
    queue.frames.push(frame.copy());
    queue.bytes += frame.length;
    this.waiting++;
    // Without a rate, anything that waits has found no room.
    if (this.rule === 'early' && this.fill(queue) > (this.bucket ? HIGH : 0)) this.hold(queue);
    this.arm();
  }

  /** How much of a full queue so much is. */
  private part(bytes: number, frames: number): number {
    return Math.max(bytes / this.most, frames / MOST_FRAMES);
  }
  private fill({ bytes, frames }: Queue<Sender>): number {
    return this.part(bytes, frames.length);
  }

  private hold(queue: Queue<Sender>): void {
    if (this.held.has(queue)) return;
    this.held.add(queue);
    const cancel = this.timers.after(MOST_HOLD_MS, () => queue.release!());
    queue.release = () => {
      cancel();
      queue.release = null;
      this.ends.hold(queue.sender, false);
    };
    this.ends.hold(queue.sender, true);
  }

  /** Those with room again may send, and be held anew. */
  private releaseDrained(): void {
    for (const queue of [...this.held]) if (this.fill(queue) <= (this.bucket ? LOW : 0)) this.release(queue);
  }
  private release(queue: Queue<Sender>): void {
    this.held.delete(queue);
    queue.lost = 0;
    queue.release?.();
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
    if (this.waiting < before) this.ends.flush();
    if (this.waiting > 0) this.arm();
    this.releaseDrained();
  }

  /** Sends the next frame of the sender whose turn it is, or ends its turn; false: nothing can be sent now. */
  private sendOne(queue: Queue<Sender>): boolean {
    if (!queue.inTurn) queue.deficit += QUANTUM * this.ends.weightOf(queue.sender);
    queue.inTurn = true;
    const frame = queue.frames[0]!;
    if (frame.length > queue.deficit) {
      queue.inTurn = false;
      this.turns.push(this.turns.shift()!);
      return true;
    }
    if (!this.mayPass(frame.length)) return false;
    if (!this.ends.deliver(frame)) {
      this.blocked = true;
      return false;
    }
    this.bucket?.take(frame.length);
    queue.frames.shift();
    queue.bytes -= frame.length;
    queue.deficit -= frame.length;
    queue.lost = Math.max(0, queue.lost - this.part(frame.length, 1));
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
    if (queue.frames.length > 0) this.turns.splice(this.turns.indexOf(queue), 1);
    this.queues.delete(sender);
    this.release(queue);
  }

  clear(): void {
    this.queues.clear();
    this.turns.length = 0;
    this.waiting = 0;
    this.blocked = false;
    this.timer?.();
    this.timer = null;
    for (const queue of [...this.held]) this.release(queue);
  }
}
