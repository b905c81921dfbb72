import { ingredients, linearRows, picture, type Picture } from '../../devices/display/picture.js';
import type { Vga } from '../../devices/display/vga.js';

/** The screen as it was looked at last; its picture is made anew in place. */
export interface Look {
  picture: Picture;
  /** Goes up with each change. */
  version: number;
  /** In which version each row changed last. */
  rows: Uint32Array;
}

/** Looks at the screen, and makes pictures of what has changed only. */
export class Screen {
  private rest = '';
  /** Video memory as it was when the picture was made of it, or before: what changes while one is made is seen the next time. */
  private copy = Buffer.alloc(0);
  private shown: Look = {
    picture: { width: 0, height: 0, pixels: new Uint32Array() },
    version: 0,
    rows: new Uint32Array(),
  };

  /** `now`: nanoseconds, for what blinks. */
  constructor(
    private readonly vga: Vga,
    private readonly now: () => number,
  ) {}

  look(): Look {
    const { vga, shown } = this;
    const now = this.now();
    const { start, length, rest, linear } = ingredients(vga, now);
    const { buffer, byteOffset } = vga.memory.bytes;
    const bytes = Buffer.from(buffer, byteOffset + start, length);
    const alike = rest === this.rest && length === this.copy.length;
    if (alike && bytes.equals(this.copy)) return shown;
    shown.version++;
    if (alike && linear) {
      for (const [first, end] of this.takeRows(bytes, linear.pitch, linear.height)) {
        linearRows(vga, linear, shown.picture.pixels, first, end);
        shown.rows.fill(shown.version, first, end);
      }
      return shown;
    }
    this.rest = rest;
    this.copy = Buffer.from(bytes);
    shown.picture = picture(vga, now);
    shown.rows = new Uint32Array(shown.picture.height).fill(shown.version);
    return shown;
  }

  /** Copies the rows of bytes that have changed; gives them, from the first to the one behind the last of each run. */
  private *takeRows(bytes: Buffer, pitch: number, height: number): Generator<[first: number, end: number]> {
    let first = -1;
    for (let y = 0; y <= height; y++) {
      const row = bytes.subarray(y * pitch, (y + 1) * pitch);
      const known = this.copy.subarray(y * pitch, (y + 1) * pitch);
      if (y < height && !row.equals(known)) {
        known.set(row);
        if (first < 0) first = y;
      } else if (first >= 0) {
        yield [first, y];
        first = -1;
      }
    }
  }
}
