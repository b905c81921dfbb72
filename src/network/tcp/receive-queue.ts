import { Ranges } from './ranges.js';
import { distance } from './segment.js';

interface Piece {
  sequence: number;
  bytes: Uint8Array;
}

/** So that a sender of tiny pieces costs little. */
const MOST_PIECES = 512;

/** Segments that came before those that belong in front of them. What it holds lies within the window. */
export class ReceiveQueue {
  private pieces: Piece[] = [];
  private readonly ranges = new Ranges();
  /** The range that came last is told first (RFC 2018, 4). */
  private last = 0;

  get empty(): boolean {
    return this.pieces.length === 0;
  }

  /** Keeps a copy of what is new of a segment's bytes. */
  add(sequence: number, bytes: Uint8Array): void {
    this.last = sequence;
    for (let at = sequence, end = (sequence + bytes.length) >>> 0; ;) {
      const gap = this.ranges.gap(at, end);
      if (!gap || this.pieces.length >= MOST_PIECES) return;
      const [from, to] = gap;
      const start = distance(from, sequence);
      this.pieces.push({ sequence: from, bytes: bytes.slice(start, start + distance(to, from)) });
      this.ranges.add(from, to);
      at = to;
    }
  }

  /** Takes what follows on `sequence`; null: that has not come. */
  take(sequence: number): Uint8Array | null {
    this.pieces = this.pieces.filter((piece) => distance(piece.sequence + piece.bytes.length, sequence) > 0);
    const index = this.pieces.findIndex((piece) => distance(piece.sequence, sequence) <= 0);
    if (index < 0) {
      this.ranges.dropBefore(sequence);
      return null;
    }
    const [piece] = this.pieces.splice(index, 1);
    const bytes = piece!.bytes.subarray(distance(sequence, piece!.sequence));
    this.ranges.dropBefore((sequence + bytes.length) >>> 0);
    return bytes;
  }

  /** What to tell the sender of, the latest first. */
  get blocks(): readonly (readonly [from: number, to: number])[] {
    const all = this.ranges.all;
    const latest = all.findIndex(
      ([from, to]) => distance(this.last, from) >= 0 && distance(this.last, to) < 0,
    );
    return latest <= 0 ? all : [all[latest]!, ...all.filter((_, n) => n !== latest)];
  }

  clear(): void {
    this.pieces = [];
    this.ranges.clear();
  }
}
