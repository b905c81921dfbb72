import { put32, u32 } from '../ethernet.js';

/** Records in a stream of bytes, each behind its length in 4 bytes, most significant first; the highest bit marks some. */
const LENGTH_BYTES = 4;
const MARK = 0x80000000;

export class RecordReader {
  private pending: Uint8Array = new Uint8Array(0);
  private filled = 0;

  /** `most`: the longest record. */
  constructor(
    private readonly most: number,
    private readonly onRecord: (record: Uint8Array, marked: boolean) => void,
  ) {}

  /** Takes bytes as they come; false: what follows cannot be understood. Records are parts of `bytes` where they can be. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.filled === 0) {
        // Whole records need no copy.
        const told = bytes.length - at >= LENGTH_BYTES ? u32(bytes, at) : -1;
        const length = told < 0 ? -1 : told % MARK;
        if (length > this.most) return false;
        if (length >= 0 && at + LENGTH_BYTES + length <= bytes.length) {
          this.onRecord(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length), told >= MARK);
          at += LENGTH_BYTES + length;
          continue;
        }
      }
      at += this.collect(bytes.subarray(at));
      if (this.filled < LENGTH_BYTES) continue;
      const told = u32(this.pending, 0);
      const length = told % MARK;
      if (length > this.most) return false;
      if (this.filled < LENGTH_BYTES + length) continue;
      this.filled = 0;
      this.onRecord(this.pending.slice(LENGTH_BYTES, LENGTH_BYTES + length), told >= MARK);
    }
    return true;
  }

  /** Adds to the record that has begun; gives how many bytes belonged to it. */
  private collect(bytes: Uint8Array): number {
    const wanted = this.filled < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + (u32(this.pending, 0) % MARK);
    const count = Math.min(bytes.length, wanted - this.filled);
    if (this.pending.length < wanted) {
      const grown = new Uint8Array(wanted);
      grown.set(this.pending.subarray(0, this.filled));
      this.pending = grown;
    }
    this.pending.set(bytes.subarray(0, count), this.filled);
    this.filled += count;
    return count;
  }
}

const FIRST_BYTES = 2 ** 16;

/** Collects records, to be written to a stream together. */
export class RecordWriter {
  private buffer = new Uint8Array(FIRST_BYTES);
  length = 0;

  /** Adds a record made of these parts. */
  add(parts: readonly Uint8Array[], marked = false): void {
    let length = 0;
    for (const part of parts) length += part.length;
    this.makeRoom(LENGTH_BYTES + length);
    put32(this.buffer, this.length, marked ? length + MARK : length);
    let at = this.length + LENGTH_BYTES;
    for (const part of parts) {
      this.buffer.set(part, at);
      at += part.length;
    }
    this.length = at;
  }

  private makeRoom(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(2 * (this.length + bytes));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  /** Writes all records since the last time; `write` says whether the bytes are its own from then on. */
  flush(write: (bytes: Uint8Array) => boolean): void {
    const { buffer, length } = this;
    this.length = 0;
    if (write(buffer.subarray(0, length))) this.buffer = new Uint8Array(buffer.length);
  }
}
