/** What the CRT controller's registers say of the picture (IBM VGA technical reference, "CRT Controller"). */
import type { Vga } from './vga.js';

const HORIZONTAL_DISPLAY_END = 0x01;
const OVERFLOW = 0x07;
const MAXIMUM_SCAN_LINE = 0x09;
const CURSOR_START = 0x0a;
const CURSOR_END = 0x0b;
const START_HIGH = 0x0c;
const CURSOR_HIGH = 0x0e;
const VERTICAL_DISPLAY_END = 0x12;
const OFFSET = 0x13;
const UNDERLINE = 0x14;
const MODE = 0x17;
const LINE_COMPARE = 0x18;

export interface Geometry {
  /** Characters (of 8 or 9 dots) in a row. */
  columns: number;
  /** Scan lines of the picture, and of a row of characters or dots. */
  lines: number;
  rowLines: number;
  /** Each line is shown twice. */
  doubled: boolean;
  /** Where the picture begins, and what a row adds, in bytes of the video memory (four planes each). */
  start: number;
  pitch: number;
  /** First line of the lower part, which begins at address 0. */
  split: number;
  /** CGA and Hercules: bits of the row's line that are address bits. */
  interleave: { bit13: boolean; bit14: boolean; shift: number };
}

export function geometry({ crtc }: Vga): Geometry {
  const overflow = crtc[OVERFLOW]!;
  const maximum = crtc[MAXIMUM_SCAN_LINE]!;
  const mode = crtc[MODE]!;
  return {
    columns: crtc[HORIZONTAL_DISPLAY_END]! + 1,
    lines: (crtc[VERTICAL_DISPLAY_END]! | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1,
    rowLines: (maximum & 0x1f) + 1,
    doubled: (maximum & 0x80) !== 0,
    start: ((crtc[START_HIGH]! << 8) | crtc[START_HIGH + 1]!) * 4,
    pitch: crtc[OFFSET]! * 8,
    split: crtc[LINE_COMPARE]! | ((overflow & 0x10) << 4) | ((maximum & 0x40) << 3),
    interleave: {
      bit13: (mode & 1) === 0,
      bit14: (mode & 2) === 0,
      shift: 14 + ((mode >> 6) & 1),
    },
  };
}

/** Where the cursor is, in bytes of the video memory, and the lines of its cell that it fills; null: it is off. */
export function cursor({ crtc }: Vga): { at: number; first: number; last: number } | null {
  const OFF = 0x20;
  if (crtc[CURSOR_START]! & OFF) return null;
  const at = ((crtc[CURSOR_HIGH]! << 8) | crtc[CURSOR_HIGH + 1]!) * 4;
  return { at, first: crtc[CURSOR_START]! & 0x1f, last: crtc[CURSOR_END]! & 0x1f };
}

export function underlineLine({ crtc }: Vga): number {
  return crtc[UNDERLINE]! & 0x1f;
}
