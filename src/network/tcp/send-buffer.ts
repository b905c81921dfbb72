/** Bytes that were written and are not acknowledged yet, as they came. */
export class SendBuffer {
  private readonly chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are gone. */
  private skipped = 0;
  length = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  /** The first `count` bytes are not needed any more. */
  drop(count: number): void {
    this.length -= count;
    this.skipped += count;
    let gone = 0;
    while (gone < this.chunks.length && this.skipped >= this.chunks[gone]!.length)
      this.skipped -= this.chunks[gone++]!.length;
    if (gone > 0) this.chunks.splice(0, gone);
  }

  /** `count` bytes from `offset` on, in parts that are the chunks' own. */
  parts(offset: number, count: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let skip = offset + this.skipped;
    let left = count;
    for (const chunk of this.chunks) {
      if (left === 0) break;
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = chunk.subarray(skip, Math.min(chunk.length, skip + left));
      parts.push(part);
      left -= part.length;
      skip = 0;
    }
    return parts;
  }
}
