/**
 * The display memory of a VGA as the CPU sees it through A0000-BFFFF: sequencer and graphics controller decide which planes an
 * access reaches (IBM VGA technical reference, "Graphics Controller"; FreeVGA). The byte at offset n of plane p is byte 4n+p of
 * the video memory, so that chained modes, planar modes and the linear frame buffer all show the same bytes.
 */
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { AccessSize } from '../../machine/port-bus.js';

const PLANAR_BYTES = 0x40000;
const BANK_BYTES = 0x10000;

// Sequencer
const SEQ_MAP_MASK = 2;
const SEQ_MEMORY_MODE = 4;
const CHAIN4 = 0x08;
// Graphics controller
const GC_SET_RESET = 0;
const GC_ENABLE_SET_RESET = 1;
const GC_COLOR_COMPARE = 2;
const GC_ROTATE = 3;
const GC_READ_MAP = 4;
const GC_MODE = 5;
const GC_MISCELLANEOUS = 6;
const GC_COLOR_DONT_CARE = 7;
const GC_BIT_MASK = 8;
const READ_COMPARE = 0x08;
const ODD_EVEN = 0x10;

/** Where the window that GC_MISCELLANEOUS chooses begins behind A0000, and how long it is. */
const WINDOWS = [
  { start: 0x00000, bytes: 0x20000 },
  { start: 0x00000, bytes: 0x10000 },
  { start: 0x10000, bytes: 0x08000 },
  { start: 0x18000, bytes: 0x08000 },
] as const;

/** A bit for each plane becomes a byte for each. */
const PLANES = Uint32Array.from({ length: 16 }, (_, bits) =>
  [0, 1, 2, 3].reduce((mask, plane) => mask | (bits & (1 << plane) ? 0xff << (8 * plane) : 0), 0),
);
const everyPlane = (byte: number): number => Math.imul(byte, 0x01010101);

export class VgaMemory implements MmioDevice {
  private readonly words: Uint32Array;
  /** What the last read found, a byte for each plane. */
  latch = 0;
  /** Offset of the 64 KiB at A0000, in bytes of the video memory; null: no bank was chosen, the VGA's own rules hold. */
  bank: number | null = null;

  constructor(
    readonly bytes: Uint8Array,
    private readonly sequencer: Uint8Array,
    private readonly graphics: Uint8Array,
  ) {
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  mmioRead(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read8(offset + i) << (8 * i);
    return value;
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size; i++) this.write8(offset + i, (value >>> (8 * i)) & 0xff);
  }

  /** Offset in the window; -1 outside of it. */
  private inWindow(offset: number): number {
    const { start, bytes } = WINDOWS[(this.graphics[GC_MISCELLANEOUS]! >> 2) & 3]!;
    return offset >= start && offset < start + bytes ? offset - start : -1;
  }

  private read8(offset: number): number {
    const { graphics, sequencer, bytes } = this;
    let at = this.inWindow(offset);
    if (at < 0) return 0xff;
    const mode = graphics[GC_MODE]!;
    if (this.bank !== null) at += this.bank;
    if (sequencer[SEQ_MEMORY_MODE]! & CHAIN4) return bytes[at] ?? 0xff;
    const readMap = graphics[GC_READ_MAP]!;
    if (mode & ODD_EVEN) return bytes[((at & ~1) << 1) | (readMap & 2) | (at & 1)] ?? 0xff;
    this.latch = this.words[at & (this.planarBytes / 4 - 1)]!;
    if (!(mode & READ_COMPARE)) return (this.latch >>> (8 * (readMap & 3))) & 0xff;
    let differs =
      (this.latch ^ PLANES[graphics[GC_COLOR_COMPARE]! & 0xf]!) &
      PLANES[graphics[GC_COLOR_DONT_CARE]! & 0xf]!;
    differs |= differs >>> 16;
    differs |= differs >>> 8;
    return ~differs & 0xff;
  }

  /** A bank may be anywhere in the video memory. */
  private get planarBytes(): number {
    return this.bank === null ? PLANAR_BYTES : this.bytes.length;
  }

  private write8(offset: number, value: number): void {
    const { graphics, sequencer, bytes } = this;
    let at = this.inWindow(offset);
    if (at < 0) return;
    if (this.bank !== null) at += this.bank;
    const mask = sequencer[SEQ_MAP_MASK]! & 0xf;
    if (sequencer[SEQ_MEMORY_MODE]! & CHAIN4) {
      if (mask & (1 << (at & 3)) && at < bytes.length) bytes[at] = value;
      return;
    }
    if (graphics[GC_MODE]! & ODD_EVEN) {
      const plane = (graphics[GC_READ_MAP]! & 2) | (at & 1);
      if (mask & (1 << plane)) bytes[((at & ~1) << 1) | plane] = value;
      return;
    }
    const written = PLANES[mask]!;
    const word = at & (this.planarBytes / 4 - 1);
    this.words[word] = (this.words[word]! & ~written) | (this.combined(value) & written);
  }

  /** What a byte from the CPU becomes on the four planes. */
  private combined(value: number): number {
    const { graphics, latch } = this;
    const setReset = PLANES[graphics[GC_SET_RESET]! & 0xf]!;
    const rotate = graphics[GC_ROTATE]! & 7;
    const rotated = ((value >> rotate) | (value << (8 - rotate))) & 0xff;
    let bits = graphics[GC_BIT_MASK]!;
    let data: number;
    switch (graphics[GC_MODE]! & 3) {
      case 0: {
        const set = PLANES[graphics[GC_ENABLE_SET_RESET]! & 0xf]!;
        data = (everyPlane(rotated) & ~set) | (setReset & set);
        break;
      }
      case 1:
        return latch;
      case 2:
        data = PLANES[value & 0xf]!;
        break;
      default:
        bits &= rotated;
        data = setReset;
    }
    switch ((graphics[GC_ROTATE]! >> 3) & 3) {
      case 1:
        data &= latch;
        break;
      case 2:
        data |= latch;
        break;
      case 3:
        data ^= latch;
    }
    const mask = everyPlane(bits);
    return (data & mask) | (latch & ~mask);
  }

  /** Chooses the bank of 64 KiB that A0000 shows, as the Bochs VBE extension does; null: none. */
  setBank(bank: number | null): void {
    this.bank = bank === null ? null : (bank * BANK_BYTES) % this.bytes.length;
  }
}
