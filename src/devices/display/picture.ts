/** What the monitor shows: pixels from what is in the video memory and the registers. */
import { cursor, geometry, underlineLine, type Geometry } from './crtc.js';
import type { DispiMode } from './dispi.js';
import type { Vga } from './vga.js';

/** `pixels`: one word each, 0xAABBGGRR (RGBA in memory), row by row. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint32Array;
}

const BLACK = 0xff000000;
const MOST_SIDE = 4096;
/** Video memory that modes without the VBE extension show, and what lies behind where a picture begins late. */
const VGA_BYTES = 0x90000;

// Graphics controller
const GC_MODE = 5;
const GC_MISCELLANEOUS = 6;
const GRAPHICS = 1;
// Sequencer
const CLOCKING = 1;
const EIGHT_DOTS = 0x01;
const CHARACTER_MAP = 3;
// Attribute controller
const ATTRIBUTE_MODE = 0x10;
const OVERSCAN_PLANES = 0x12;
const PIXEL_PANNING = 0x13;
const COLOR_SELECT = 0x14;
const LINE_GRAPHICS = 0x04;
const BLINK = 0x08;
const SELECT_45 = 0x80;

const BLINK_NS = 266e6;

/** `now`: nanoseconds, for what blinks. */
export function picture(vga: Vga, now: number): Picture {
  const mode = vga.dispi.mode;
  if (mode) return linearPicture(vga, mode);
  if (!vga.shows) return blank(vga);
  return vga.graphics[GC_MISCELLANEOUS]! & GRAPHICS ? graphicsPicture(vga) : textPicture(vga, now);
}

/** What a picture is made of: a part of the video memory, and all else, in words. Where neither changes, the picture is the same. */
export interface Ingredients {
  readonly start: number;
  readonly length: number;
  readonly rest: string;
  /** Set where each row of pixels is made of a row of bytes: of `pitch` bytes, from `start` on. */
  readonly linear: DispiMode | null;
}

export function ingredients(vga: Vga, now: number): Ingredients {
  const { dac, attribute, sequencer, graphics, crtc, misc } = vga;
  const linear = vga.dispi.mode;
  const palette = (): string => `${attribute.join()} ${dac.mask} ${dac.wide} ${dac.components.join()}`;
  if (linear) {
    const { width, height, bits, pitch, start } = linear;
    const rest = `${width} ${height} ${bits} ${pitch} ${start} ${bits > 8 ? '' : palette()}`;
    const rowBytes = bits === 4 ? Math.ceil(width / 8) * 4 : width * ((bits + 7) >> 3);
    const length = Math.min(
      pitch * (height - 1) + Math.max(pitch, rowBytes),
      vga.memory.bytes.length - start,
    );
    // A row that is longer than its place shows what the next one shows, too.
    return { start, length, rest, linear: rowBytes <= pitch ? linear : null };
  }
  const blink = Math.floor(now / BLINK_NS) % 2;
  const registers = [sequencer, graphics, crtc].map((some) => some.join()).join(' ');
  const rest = `${vga.shows} ${blink} ${misc} ${registers} ${palette()}`;
  return { start: 0, length: VGA_BYTES, rest, linear: null };
}

function newPicture(width: number, height: number): Picture {
  return { width, height, pixels: new Uint32Array(width * height).fill(BLACK) };
}

function blank(vga: Vga): Picture {
  const { columns, lines } = geometry(vga);
  return newPicture(Math.min(Math.max(columns * 8, 320), MOST_SIDE), Math.max(lines, 200));
}

/** The sixteen colours of the attribute controller. */
function attributePalette({ attribute, dac }: Vga): Uint32Array {
  const select = attribute[COLOR_SELECT]!;
  const fixed = attribute[ATTRIBUTE_MODE]! & SELECT_45 ? 0x0f : 0x3f;
  return Uint32Array.from({ length: 16 }, (_, n) =>
    dac.pixel((attribute[n]! & fixed) | ((select << 4) & 0xff & ~fixed)),
  );
}

// ---- modes of the VBE extension

function linearPicture(vga: Vga, mode: DispiMode): Picture {
  const result = newPicture(mode.width, mode.height);
  linearRows(vga, mode, result.pixels, 0, mode.height);
  return result;
}

/** Makes rows `first` to `end` (not with it) of the pixels anew. */
export function linearRows(
  vga: Vga,
  { width, bits, pitch, start }: DispiMode,
  pixels: Uint32Array,
  first: number,
  end: number,
): void {
  const { bytes } = vga.memory;
  if (bits === 4) {
    const palette = attributePalette(vga);
    // Four bytes, one of each plane, are eight pixels.
    for (let y = first; y < end; y++)
      planarRow(bytes, start + y * pitch, pixels.subarray(y * width, (y + 1) * width), palette, 0xf);
    return;
  }
  if (bits === 8) {
    const palette = Uint32Array.from({ length: 256 }, (_, n) => vga.dac.pixel(n));
    for (let y = first; y < end; y++) {
      const row = start + y * pitch;
      for (let x = 0; x < width; x++) pixels[y * width + x] = palette[bytes[row + x]!]!;
    }
    return;
  }
  const step = (bits + 7) >> 3;
  for (let y = first; y < end; y++) {
    let at = start + y * pitch;
    const behind = (y + 1) * width;
    for (let out = y * width; out < behind; out++, at += step) {
      if (step >= 3) pixels[out] = BLACK | (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      else pixels[out] = smallPixel(bytes[at]! | (bytes[at + 1]! << 8), bits);
    }
  }
}

/** A pixel of 15 or 16 bits. */
function smallPixel(value: number, bits: number): number {
  const blue = value & 0x1f;
  const green = bits === 16 ? (value >> 5) & 0x3f : ((value >> 5) & 0x1f) << 1;
  const red = bits === 16 ? value >> 11 : (value >> 10) & 0x1f;
  const wide = (five: number): number => (five << 3) | (five >> 2);
  return BLACK | (wide(blue) << 16) | (((green << 2) | (green >> 4)) << 8) | wide(red);
}

// ---- graphics modes of the VGA

function graphicsPicture(vga: Vga): Picture {
  const shape = geometry(vga);
  const shift = (vga.graphics[GC_MODE]! >> 5) & 3;
  const colors256 = shift >= 2;
  const dots = colors256 ? 4 : 8;
  const width = Math.min(shape.columns * dots, MOST_SIDE);
  // A row of dots may be several scan lines high; so small a picture is shown as it is.
  const repeat = shape.rowLines * (shape.doubled ? 2 : 1);
  const interleaved = shape.interleave.bit13;
  const linesPerDot = interleaved ? (shape.doubled ? 2 : 1) : repeat;
  const height = Math.min(Math.max(1, Math.floor(shape.lines / linesPerDot)), MOST_SIDE);
  const result = newPicture(width, height);
  const palette = colors256
    ? Uint32Array.from({ length: 256 }, (_, n) => vga.dac.pixel(n))
    : attributePalette(vga);
  const planes = vga.attribute[OVERSCAN_PLANES]! & 0xf;
  const { bytes } = vga.memory;
  for (let y = 0; y < height; y++) {
    const row = result.pixels.subarray(y * width, (y + 1) * width);
    const at = rowAddress(shape, y, linesPerDot, interleaved);
    if (colors256) {
      const pan = (vga.attribute[PIXEL_PANNING]! & 0xf) >> 1;
      for (let x = 0; x < width; x++) row[x] = palette[bytes[(at + x + pan) & 0x3ffff]!]!;
    } else if (shift === 1) pairsRow(bytes, at, row, palette);
    else planarRow(bytes, at, row, palette, planes, vga.attribute[PIXEL_PANNING]! & 7);
  }
  return result;
}

/** Address of the dots of row `y`, each row being so many scan lines. */
function rowAddress(shape: Geometry, y: number, linesPerDot: number, interleaved: boolean): number {
  const { pitch, split, start, interleave, rowLines } = shape;
  const below = y * linesPerDot > split;
  const first = below ? 0 : start;
  const row = below ? y - Math.ceil((split + 1) / linesPerDot) : y;
  if (!interleaved) return first + row * pitch;
  const within = row % rowLines;
  const bit13 = 1 << interleave.shift;
  const at = first + Math.floor(row / rowLines) * pitch;
  const bank = (at & ~bit13) | (within & 1 ? bit13 : 0);
  return interleave.bit14 ? (bank & ~0x8000) | ((within & 2) << 14) : bank;
}

/** Eight pixels of 16 colours from each four bytes; `pan`: pixels that are not shown at the left. */
function planarRow(
  bytes: Uint8Array,
  at: number,
  row: Uint32Array,
  palette: Uint32Array,
  planes: number,
  pan = 0,
): void {
  for (let x = -pan; x < row.length; x += 8, at += 4) {
    const [p0, p1, p2, p3] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    for (let bit = 7; bit >= 0; bit--) {
      const color =
        ((p0 >> bit) & 1) | (((p1 >> bit) & 1) << 1) | (((p2 >> bit) & 1) << 2) | (((p3 >> bit) & 1) << 3);
      const place = x + 7 - bit;
      if (place >= 0 && place < row.length) row[place] = palette[color & planes]!;
    }
  }
}

/** CGA: eight pixels of two bits from the even and the odd byte. */
function pairsRow(bytes: Uint8Array, at: number, row: Uint32Array, palette: Uint32Array): void {
  for (let x = 0; x < row.length; x += 8, at += 4) {
    const pair = (bytes[at]! << 8) | bytes[at + 1]!;
    const high = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    for (let n = 0; n < 8; n++) {
      const shift = 14 - 2 * n;
      row[x + n] = palette[((pair >> shift) & 3) | (((high >> shift) & 3) << 2)]!;
    }
  }
}

// ---- text

function textPicture(vga: Vga, now: number): Picture {
  const shape = geometry(vga);
  const { sequencer, attribute, memory } = vga;
  const dots = sequencer[CLOCKING]! & EIGHT_DOTS ? 8 : 9;
  const rows = Math.max(1, Math.floor(shape.lines / shape.rowLines));
  const width = Math.min(shape.columns * dots, MOST_SIDE);
  const result = newPicture(width, Math.min(rows * shape.rowLines, MOST_SIDE));
  const palette = attributePalette(vga);
  const mode = attribute[ATTRIBUTE_MODE]!;
  const on = Math.floor(now / BLINK_NS) % 2 === 0;
  const fonts = fontPlaces(sequencer[CHARACTER_MAP]!);
  const beam = cursor(vga);
  const underline = underlineLine(vga);
  const { bytes } = memory;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < shape.columns; column++) {
      const at = (shape.start + row * shape.pitch + column * 4) & 0x3ffff;
      const attributes = bytes[at + 1]!;
      const code = bytes[at]!;
      const blinks = (mode & BLINK) !== 0 && (attributes & 0x80) !== 0;
      const background = palette[(attributes >> 4) & (mode & BLINK ? 7 : 15)]!;
      const foreground = blinks && !on ? background : palette[attributes & 15]!;
      const font = fonts[fonts[0] === fonts[1] ? 1 : (attributes >> 3) & 1]! + code * 128;
      const hasCursor = beam !== null && on && ((at - beam.at) & 0x3ffff) === 0;
      const stretch = (mode & LINE_GRAPHICS) !== 0 && code >= 0xc0 && code < 0xe0;
      for (let line = 0; line < shape.rowLines; line++) {
        let bits = bytes[font + line * 4 + 2]! << 1;
        if (stretch) bits |= (bits >> 1) & 1;
        if (line === underline && (attributes & 7) === 1 && !(attributes & 0x70) && vga.misc % 2 === 0)
          bits = 0x1ff;
        if (hasCursor && line >= beam.first && line <= beam.last) bits = 0x1ff;
        let out = (row * shape.rowLines + line) * width + column * dots;
        for (let dot = 0; dot < dots; dot++, out++)
          result.pixels[out] = bits & (0x100 >> dot) ? foreground : background;
      }
    }
  return result;
}

/** Offsets in the video memory of the two fonts: that of attribute bit 3 clear, and set. */
function fontPlaces(map: number): [number, number] {
  const place = (block: number): number => ((block & 3) * 0x4000 + (block >> 2) * 0x2000) * 4;
  const second = ((map >> 2) & 3) | ((map >> 3) & 4);
  const first = (map & 3) | ((map >> 2) & 4);
  return [place(first), place(second)];
}
