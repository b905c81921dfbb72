import { renameSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { picture } from '../../devices/display/picture.js';
import type { Vga } from '../../devices/display/vga.js';
import { UserError } from '../../machine/user-error.js';

const EVERY_MS = 1000;

/** Keeps a picture of the screen in a file: each second while it changes, and at the end. */
export class PngDisplay {
  private readonly timer: NodeJS.Timeout;
  private last: Uint32Array = new Uint32Array();

  constructor(
    private readonly vga: Vga,
    private readonly path: string,
    private readonly now: () => number,
  ) {
    this.write();
    this.timer = setInterval(() => this.write(), EVERY_MS);
  }

  private write(): void {
    const { width, height, pixels } = picture(this.vga, this.now());
    if (pixels.length === this.last.length && pixels.every((pixel, n) => pixel === this.last[n])) return;
    this.last = pixels;
    const bytes = encode({ width, height, data: new Uint8Array(pixels.buffer), channels: 4, depth: 8 });
    try {
      // Whoever looks sees a whole picture.
      writeFileSync(`${this.path}.new`, bytes);
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      throw new UserError(`--display png=${this.path} cannot be written: ${(error as Error).message}`);
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.write();
  }
}
