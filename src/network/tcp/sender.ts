/**
 * The sending half of a TCP connection: what may be sent when, and what must be sent again (RFC 9293; congestion control RFC 5681
 * with selective acknowledgement RFC 6675; timeouts RFC 6298).
 */
import type { Timers } from '../timers.js';
import { Ranges } from './ranges.js';
import { SendBuffer } from './send-buffer.js';
import { distance, type Segment } from './segment.js';

/** What one call of `transmit` may carry; a multiple of the segment size is taken of it. */
const MOST_AT_ONCE = 64_000;
const FIRST_WINDOW_SEGMENTS = 44;
/** The link is short and quick: more under way at once would only wait in the queue before a card, or be dropped there. */
const MOST_UNDER_WAY = 2 ** 19;
/** With twice as much under way, what a few acknowledgements allow waits until it is so many segments: a call costs as much for one. */
const BATCH_SEGMENTS = 16;
const LEAST_TIMEOUT_MS = 200;
const MOST_TIMEOUT_MS = 60_000;
const FIRST_TIMEOUT_MS = 1000;
/** How often the same byte is sent again without an answer. */
const MOST_RETRIES = 12;
const DUPLICATES = 3;
const MOST_SACKED_RANGES = 256;

export interface SenderOutput {
  /** Sends bytes from the buffer, in as many segments as they need. */
  transmit(sequence: number, parts: Uint8Array[], push: boolean, fin: boolean): void;
  /** There is room in the buffer again. */
  acknowledged(): void;
  /** The peer does not answer. */
  gaveUp(): void;
}

export class Sender {
  private readonly buffer = new SendBuffer();
  /** First byte that is not acknowledged, and first that was never sent. */
  unacknowledged: number;
  next: number;
  /** Where the peer's window ends, beyond `unacknowledged`, bytes. */
  window = 0;
  private congestionWindow: number;
  private threshold = Infinity;
  private duplicates = 0;
  private readonly sacked = new Ranges();
  /** While lost segments are sent again: `next` when the loss was found. */
  private recovery: number | null = null;
  private afterTimeout = false;
  /** What is lost and was sent again ends here. */
  private resent = 0;
  private smoothed = 0;
  private variation = 0;
  private timeout = FIRST_TIMEOUT_MS;
  private retries = 0;
  /** The moment at which a byte was sent whose acknowledgement tells the round-trip time. */
  private timing: { sequence: number; at: number } | null = null;
  private deadline = Infinity;
  private cancelTimer: (() => void) | null = null;
  private timerAt = Infinity;
  private finWanted = false;
  private finSent = false;

  constructor(
    start: number,
    readonly segmentBytes: number,
    private readonly timers: Timers,
    private readonly output: SenderOutput,
  ) {
    this.unacknowledged = this.next = start;
    this.congestionWindow = FIRST_WINDOW_SEGMENTS * segmentBytes;
  }

  /** Bytes that are not acknowledged yet, sent or not. */
  get waiting(): number {
    return this.buffer.length;
  }
  get finAcknowledged(): boolean {
    return this.finSent && this.unacknowledged === this.next;
  }
  private get flight(): number {
    return distance(this.next, this.unacknowledged);
  }
  /** Behind the last byte of the buffer; a FIN takes the number that follows. */
  private get end(): number {
    return (this.start + this.buffer.length) >>> 0;
  }
  /** The number of the buffer's first byte. */
  private get start(): number {
    return this.unacknowledged;
  }

  write(bytes: Uint8Array): void {
    this.buffer.push(bytes);
    this.send();
  }

  finish(): void {
    this.finWanted = true;
    this.send();
  }

  /** What an acknowledgement from the peer says; `window` is scaled already. */
  receive(segment: Segment, window: number): void {
    const { acknowledged } = segment;
    const progress = distance(acknowledged, this.unacknowledged);
    if (distance(acknowledged, this.next) > 0) return;
    this.noteSacked(segment.sack);
    if (progress > 0) this.advance(acknowledged, progress);
    else if (progress === 0) this.noteDuplicate(segment, window);
    if (progress >= 0) this.setWindow(window);
    this.checkLoss();
    this.send();
    if (progress > 0) this.output.acknowledged();
  }

  private setWindow(window: number): void {
    const opens = this.window === 0 && window > 0;
    // A closed window may stay closed as long as the peer answers.
    if (this.window === 0 || window === 0) this.retries = 0;
    this.window = window;
    if (!opens) return;
    this.timeout = this.smoothed > 0 ? this.timeout : FIRST_TIMEOUT_MS;
    if (this.smoothed > 0) this.setTimeoutFromRoundTrips();
    if (this.flight > 0) this.loseAll();
    this.armTimer();
  }

  private noteSacked(blocks: Segment['sack']): void {
    for (const [from, to] of blocks) {
      const valid =
        distance(from, this.unacknowledged) >= 0 && distance(to, this.next) <= 0 && distance(to, from) > 0;
      if (valid && this.sacked.all.length < MOST_SACKED_RANGES) this.sacked.add(from, to);
    }
  }

  private advance(acknowledged: number, progress: number): void {
    // The FIN has a number, and no byte.
    this.buffer.drop(Math.min(progress, this.buffer.length));
    this.unacknowledged = acknowledged;
    this.sacked.dropBefore(acknowledged);
    this.duplicates = 0;
    this.retries = 0;
    if (this.timing && distance(acknowledged, this.timing.sequence) > 0) {
      this.measured(this.timers.now() - this.timing.at);
      this.timing = null;
    } else if (this.smoothed > 0) this.setTimeoutFromRoundTrips();
    if (this.recovery !== null && distance(acknowledged, this.recovery) >= 0) {
      this.recovery = null;
      if (!this.afterTimeout) this.congestionWindow = Math.max(this.threshold, 2 * this.segmentBytes);
      this.afterTimeout = false;
    } else if (this.recovery === null || this.afterTimeout) {
      // Slow start by what was acknowledged (RFC 3465), then about one segment in a round trip.
      if (this.congestionWindow < this.threshold) this.congestionWindow += progress;
      else this.congestionWindow += Math.max(1, (this.segmentBytes * progress) / this.congestionWindow);
    }
    this.armTimer();
  }

  private noteDuplicate(segment: Segment, window: number): void {
    if (
      segment.payloadBytes > 0 ||
      this.flight === 0 ||
      (window !== this.window && segment.sack.length === 0)
    )
      return;
    this.duplicates++;
  }

  private measured(milliseconds: number): void {
    if (this.smoothed === 0) {
      this.smoothed = Math.max(milliseconds, 0.01);
      this.variation = milliseconds / 2;
    } else {
      this.variation = 0.75 * this.variation + 0.25 * Math.abs(this.smoothed - milliseconds);
      this.smoothed = 0.875 * this.smoothed + 0.125 * milliseconds;
    }
    this.setTimeoutFromRoundTrips();
  }
  private setTimeoutFromRoundTrips(): void {
    const wanted = this.smoothed + Math.max(4 * this.variation, 1);
    this.timeout = Math.min(MOST_TIMEOUT_MS, Math.max(LEAST_TIMEOUT_MS, wanted));
  }

  /** Whether so much came behind a gap that what is in it must be lost. */
  private checkLoss(): void {
    if (this.recovery !== null || this.flight === 0) return;
    const behind = this.sacked.within(this.unacknowledged, this.next);
    if (this.duplicates < DUPLICATES && behind < DUPLICATES * this.segmentBytes) return;
    this.recovery = this.next;
    this.resent = this.unacknowledged;
    this.threshold = Math.max(this.flight / 2, 2 * this.segmentBytes);
    this.congestionWindow = this.threshold;
    this.timing = null;
    // The first lost segment goes at once, whatever the window.
    this.resendLost(true);
  }

  /** Up to where what is not acknowledged counts as lost. */
  private get lostEnd(): number {
    if (this.recovery === null) return this.unacknowledged;
    if (this.afterTimeout) return this.recovery;
    const first = (this.unacknowledged + this.segmentBytes) >>> 0;
    const end = this.sacked.end(first);
    return distance(end, this.recovery) > 0 ? this.recovery : end;
  }

  /** Bytes that are believed to be on their way. */
  private get pipe(): number {
    const sacked = this.sacked.within(this.unacknowledged, this.next);
    if (this.recovery === null) return this.flight - sacked;
    const from = distance(this.resent, this.unacknowledged) > 0 ? this.resent : this.unacknowledged;
    const { lostEnd } = this;
    const lost =
      distance(lostEnd, from) > 0 ? distance(lostEnd, from) - this.sacked.within(from, lostEnd) : 0;
    return this.flight - sacked - lost;
  }

  /** Sends one lost segment again; false: none is left, or it must wait. */
  private resendLost(atOnce: boolean): boolean {
    if (this.recovery === null) return false;
    if (distance(this.resent, this.unacknowledged) < 0) this.resent = this.unacknowledged;
    const gap = this.sacked.gap(this.resent, this.lostEnd);
    if (!gap || (!atOnce && this.pipe + this.segmentBytes > this.congestionWindow)) return false;
    const count = Math.min(distance(gap[1], gap[0]), this.segmentBytes);
    this.transmit(gap[0], count);
    this.resent = (gap[0] + count) >>> 0;
    return true;
  }

  /** Sends what may be sent. */
  send(): void {
    while (this.resendLost(false));
    for (;;) {
      const unsent = distance(this.end, this.next);
      const allowed = Math.min(
        Math.min(this.window, MOST_UNDER_WAY) - this.flight,
        this.congestionWindow - this.pipe,
      );
      const count = this.sendable(unsent, allowed);
      const fin = this.finWanted && !this.finSent && count === unsent && this.window - this.flight > count;
      if (count === 0 && !fin) break;
      this.timing ??= { sequence: this.next, at: this.timers.now() };
      const { next } = this;
      this.next = (next + count + (fin ? 1 : 0)) >>> 0;
      this.finSent ||= fin;
      this.transmit(next, count + (fin ? 1 : 0));
    }
    if (this.deadline === Infinity) this.armTimer();
  }

  /** Whole segments, or what is left; nothing rather than a small piece of more (RFC 9293, 3.8.6.2.1). */
  private sendable(unsent: number, allowed: number): number {
    const { segmentBytes } = this;
    if (unsent <= 0 || allowed <= 0) return 0;
    if (unsent <= allowed && unsent <= MOST_AT_ONCE) return unsent;
    const most = Math.min(unsent, allowed, MOST_AT_ONCE);
    const batch = BATCH_SEGMENTS * segmentBytes;
    if (most < batch && this.pipe >= 2 * batch) return 0;
    if (most >= segmentBytes) return most - (most % segmentBytes);
    return this.flight === 0 ? most : 0;
  }

  /** Sends numbers from `sequence` on, which were counted as sent already. */
  private transmit(sequence: number, count: number): void {
    const offset = distance(sequence, this.start);
    const bytes = Math.min(count, this.buffer.length - offset);
    const fin = count > bytes;
    const last = offset + bytes === this.buffer.length;
    this.output.transmit(sequence, this.buffer.parts(offset, bytes), last, fin);
  }

  // ---- timeouts

  private armTimer(): void {
    // Without anything under way, but with a closed window, it is time to ask whether that is still so.
    const wanted = this.flight > 0 || this.waiting > 0 || (this.finWanted && !this.finSent);
    this.deadline = wanted ? this.timers.now() + this.timeout : Infinity;
    if (this.deadline >= this.timerAt) return;
    this.cancelTimer?.();
    this.schedule();
  }
  private schedule(): void {
    this.timerAt = this.deadline;
    this.cancelTimer = this.timers.after(Math.max(0, this.deadline - this.timers.now()), () => this.tick());
  }
  /** A timer is moved on when it comes, not at each acknowledgement. */
  private tick(): void {
    this.cancelTimer = null;
    this.timerAt = Infinity;
    if (this.deadline === Infinity) return;
    if (this.timers.now() < this.deadline) return this.schedule();
    this.expired();
  }

  private expired(): void {
    if (++this.retries > MOST_RETRIES) return this.output.gaveUp();
    this.timeout = Math.min(MOST_TIMEOUT_MS, this.timeout * 2);
    this.timing = null;
    if (this.flight === 0 || this.window === 0) this.probe();
    else {
      this.threshold = Math.max(this.flight / 2, 2 * this.segmentBytes);
      this.congestionWindow = this.segmentBytes;
      this.loseAll();
      this.resendLost(true);
    }
    this.armTimer();
  }

  /** Takes all that is under way for lost. A receiver may drop even what it has said to have (RFC 2018, 8). */
  private loseAll(): void {
    this.recovery = this.next;
    this.afterTimeout = true;
    this.duplicates = 0;
    this.sacked.clear();
    this.resent = this.unacknowledged;
  }

  /** One byte into a closed window (RFC 9293, 3.8.6.1). */
  private probe(): void {
    if (this.flight === 0) {
      const fin = this.waiting === 0;
      if (fin) this.finSent = true;
      this.next = (this.next + 1) >>> 0;
    }
    this.transmit(this.unacknowledged, 1);
  }

  close(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.deadline = Infinity;
    this.buffer.drop(this.buffer.length);
  }
}
