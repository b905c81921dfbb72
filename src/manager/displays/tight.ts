/** The Tight encoding (community RFB specification, 7.7.7): pixels of three bytes, packed by zlib; or one colour for all. */
import { deflateSync } from 'node:zlib';

const FILL = 0x80;
/** Stream 0, begun anew with each rectangle. */
const BASIC_RESET = 0x01;
const PALETTE_FOLLOWS = 0x40;
const FILTER_PALETTE = 1;
const LEAST_PACKED = 12;
const LEVEL = 1;

/** Length in 7 bits a byte, up to three. */
function compact(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x4000) return [(length & 0x7f) | 0x80, length >> 7];
  return [(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
}

function packed(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length < LEAST_PACKED) return [bytes];
  const small = deflateSync(bytes, { level: LEVEL });
  return [Uint8Array.from(compact(small.length)), small];
}

const rgb = (pixel: number): number[] => [pixel & 0xff, (pixel >> 8) & 0xff, (pixel >> 16) & 0xff];

/** Pixels 0xAABBGGRR of a rectangle, row by row. */
export function tight(pixels: Uint32Array, width: number): Uint8Array {
  const first = pixels[0]!;
  let second: number | null = null;
  let more = false;
  for (let n = 1; n < pixels.length && !more; n++) {
    const pixel = pixels[n]!;
    if (pixel === first || pixel === second) continue;
    if (second === null) second = pixel;
    else more = true;
  }
  if (second === null) return Uint8Array.of(FILL, ...rgb(first));
  if (!more) {
    // Two colours: a bit for each pixel, rows begin with a byte.
    const rowBytes = (width + 7) >> 3;
    const bits = new Uint8Array(rowBytes * (pixels.length / width));
    pixels.forEach((pixel, n) => {
      if (pixel === first) return;
      const x = n % width;
      bits[Math.floor(n / width) * rowBytes + (x >> 3)]! |= 0x80 >> (x & 7);
    });
    const head = Uint8Array.of(
      BASIC_RESET | PALETTE_FOLLOWS,
      FILTER_PALETTE,
      1,
      ...rgb(first),
      ...rgb(second),
    );
    return Buffer.concat([head, ...packed(bits)]);
  }
  const bytes = new Uint8Array(pixels.length * 3);
  for (let n = 0, at = 0; n < pixels.length; n++, at += 3) {
    const pixel = pixels[n]!;
    bytes[at] = pixel;
    bytes[at + 1] = pixel >> 8;
    bytes[at + 2] = pixel >> 16;
  }
  return Buffer.concat([Uint8Array.of(BASIC_RESET), ...packed(bytes)]);
}
