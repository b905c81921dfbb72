/** Records in a stream of bytes, each behind its length in 4 bytes, most significant first. */
const LENGTH_BYTES = 4;

export class RecordReader {
  private pending: Uint8Array = new Uint8Array(0);
  private filled = 0;

  /** `most`: the longest record. */
  constructor(
    private readonly most: number,
    private readonly onRecord: (record: Uint8Array) => void,
  ) {}

  /** Takes bytes as they come; false: what follows cannot be understood. Records are parts of `bytes` where they can be. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.filled === 0) {
        // Whole records need no copy.
        const length = bytes.length - at >= LENGTH_BYTES ? lengthAt(bytes, at) : -1;
        if (length > this.most) return false;
        if (length >= 0 && at + LENGTH_BYTES + length <= bytes.length) {
          this.onRecord(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
          at += LENGTH_BYTES + length;
          continue;
        }
      }
      at += this.collect(bytes.subarray(at));
      if (this.filled < LENGTH_BYTES) continue;
      const length = lengthAt(this.pending, 0);
      if (length > this.most) return false;
      if (this.filled < LENGTH_BYTES + length) continue;
      this.filled = 0;
      this.onRecord(this.pending.slice(LENGTH_BYTES, LENGTH_BYTES + length));
    }
    return true;
  }

  /** Adds to the record that has begun; gives how many bytes belonged to it. */
  private collect(bytes: Uint8Array): number {
    const wanted = this.filled < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + lengthAt(this.pending, 0);
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

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Collects records, to be written to a stream together. */
export class RecordWriter {
  private parts: Uint8Array[] = [];
  length = 0;

  /** Adds a record made of these parts, which are copied by `take`: they must stay as they are until then. */
  add(parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    const header = Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
    this.parts.push(header, ...parts);
    this.length += LENGTH_BYTES + length;
  }

  /** All records since the last time, in one piece. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.parts = [];
    this.length = 0;
    return bytes;
  }
}
