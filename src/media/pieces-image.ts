import type { DiskImage } from './disk-image.js';
import type { FolderFile } from './folder.js';

interface Piece {
  readonly position: number;
  readonly length: number;
  readonly content: Uint8Array | FolderFile;
}

/** An image that is only read, of bytes in memory and files of the host; zeros where there is neither. */
export abstract class PiecesImage implements DiskImage {
  abstract readonly format: string;
  abstract readonly bytes: number;
  readonly readOnly = true;
  /** In their order, once they are sorted. */
  private pieces: Piece[] = [];

  /** Shows this from a position on. Pieces do not overlap. */
  protected put(position: number, content: Uint8Array | FolderFile): void {
    const length = content instanceof Uint8Array ? content.length : content.size;
    if (length > 0) this.pieces.push({ position, length, content });
  }

  /** To be called when all pieces are there. */
  protected sort(): void {
    this.pieces.sort((a, b) => a.position - b.position);
  }

  /** Number of the last piece that begins at or before a position, or 0. */
  private pieceAt(position: number): number {
    let low = 0;
    for (let high = this.pieces.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  read(position: number, target: Uint8Array): void {
    target.fill(0);
    const end = position + target.length;
    for (let n = this.pieceAt(position); n < this.pieces.length && this.pieces[n]!.position < end; n++) {
      const { position: start, length, content } = this.pieces[n]!;
      const from = Math.max(position, start);
      const to = Math.min(end, start + length);
      if (from >= to) continue;
      const part = target.subarray(from - position, to - position);
      if (content instanceof Uint8Array) part.set(content.subarray(from - start, to - start));
      else content.read(from - start, part);
    }
  }

  dataFrom(position: number): number {
    for (let n = this.pieceAt(position); n < this.pieces.length; n++) {
      const { position: start, length } = this.pieces[n]!;
      if (start + length > position) return Math.max(start, position);
    }
    return this.bytes;
  }
  write(): void {}
  zero(): void {}
  flush(): void {}
  close(): void {}
}
