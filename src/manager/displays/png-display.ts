import { picture } from '../../devices/display/picture.js';
import type { Vga } from '../../devices/display/vga.js';
import { writePicture } from './screenshot.js';

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
    const shown = picture(this.vga, this.now());
    const { pixels } = shown;
    if (pixels.length === this.last.length && pixels.every((pixel, n) => pixel === this.last[n])) return;
    this.last = pixels;
    writePicture('--display png', shown, this.path);
  }

  close(): void {
    clearInterval(this.timer);
    this.write();
  }
}
