import { FOUR_GIB, type RamLayout } from './memory-map.js';

/**
 * Guest RAM by guest physical address, for all that is not a CPU: firmware, loaders, DMA.
 * RAM above 4 GiB lies behind the RAM below in the buffer. Values are little endian.
 * Addresses outside of RAM throw a RangeError: what comes from the guest is checked with `contains` first.
 */
export class GuestRam {
  readonly lowBytes: number;
  readonly highBytes: number;
  private readonly bytes: Uint8Array;
  private readonly words: DataView;

  /**
   * `base`: offset in `buffer` of guest physical 0, in bytes. `onWrite` is told what was written, so that an
   * engine can drop code that it decoded there.
   */
  constructor(
    buffer: ArrayBufferLike,
    base: number,
    layout: RamLayout,
    private readonly onWrite: (physical: number, length: number) => void = () => {},
  ) {
    this.lowBytes = layout.lowBytes;
    this.highBytes = layout.highBytes;
    this.bytes = new Uint8Array(buffer, base, layout.lowBytes + layout.highBytes);
    this.words = new DataView(buffer, base, this.bytes.length);
  }

  /** Whether all of the range is RAM. */
  contains(physical: number, length: number): boolean {
    return this.locate(physical, length) >= 0;
  }

  private locate(physical: number, length: number): number {
    if (physical >= 0 && physical + length <= this.lowBytes) return physical;
    const high = physical - FOUR_GIB;
    return high >= 0 && high + length <= this.highBytes ? this.lowBytes + high : -1;
  }

  private at(physical: number, length: number): number {
    const offset = this.locate(physical, length);
    if (offset < 0) throw new RangeError(`0x${physical.toString(16)}, ${length} bytes: not guest RAM`);
    return offset;
  }

  readU8(physical: number): number {
    return this.words.getUint8(this.at(physical, 1));
  }
  readU16(physical: number): number {
    return this.words.getUint16(this.at(physical, 2), true);
  }
  readU32(physical: number): number {
    return this.words.getUint32(this.at(physical, 4), true);
  }
  readU64(physical: number): bigint {
    return this.words.getBigUint64(this.at(physical, 8), true);
  }

  writeU8(physical: number, value: number): void {
    this.words.setUint8(this.at(physical, 1), value);
    this.onWrite(physical, 1);
  }
  writeU16(physical: number, value: number): void {
    this.words.setUint16(this.at(physical, 2), value, true);
    this.onWrite(physical, 2);
  }
  writeU32(physical: number, value: number): void {
    this.words.setUint32(this.at(physical, 4), value, true);
    this.onWrite(physical, 4);
  }
  writeU64(physical: number, value: bigint): void {
    this.words.setBigUint64(this.at(physical, 8), value, true);
    this.onWrite(physical, 8);
  }

  /** A copy of `length` bytes. */
  read(physical: number, length: number): Uint8Array {
    const offset = this.at(physical, length);
    return this.bytes.slice(offset, offset + length);
  }

  write(physical: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.bytes.set(bytes, this.at(physical, bytes.length));
    this.onWrite(physical, bytes.length);
  }

  /** The bytes themselves, for who moves many of them; after a change `written` is to be told. */
  view(physical: number, length: number): Uint8Array {
    const offset = this.at(physical, length);
    return this.bytes.subarray(offset, offset + length);
  }
  written(physical: number, length: number): void {
    if (length > 0) this.onWrite(physical, length);
  }
}
