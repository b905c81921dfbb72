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
  private readonly barrier = new Int32Array(new SharedArrayBuffer(4));

  /**
   * `base`: offset in `buffer` of guest physical 0, in bytes. `onWrite` is told what was written, by its offset in `buffer`,
   * so that an engine can drop code that it decoded there. `fenced`: other threads look at the memory, and the host does not
   * keep x86's order: single values are then read and written in order, as a device's are. Bytes of one `read` or `write`,
   * and what is done in a `view`, have no order among themselves.
   */
  constructor(
    buffer: ArrayBufferLike,
    private readonly base: number,
    layout: RamLayout,
    private readonly onWrite: (offset: number, length: number) => void = () => {},
    private readonly fenced = false,
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

  /** Nothing behind this goes before what comes earlier, not even a read before a write (which x86 allows otherwise). */
  fence(): void {
    Atomics.store(this.barrier, 0, 0);
    Atomics.load(this.barrier, 0);
  }
  private order(): void {
    if (this.fenced) this.fence();
  }

  readU8(physical: number): number {
    const value = this.words.getUint8(this.at(physical, 1));
    this.order();
    return value;
  }
  readU16(physical: number): number {
    const value = this.words.getUint16(this.at(physical, 2), true);
    this.order();
    return value;
  }
  readU32(physical: number): number {
    const value = this.words.getUint32(this.at(physical, 4), true);
    this.order();
    return value;
  }
  readU64(physical: number): bigint {
    const value = this.words.getBigUint64(this.at(physical, 8), true);
    this.order();
    return value;
  }

  /** A 64-bit address, rounded where it is beyond 2^53. */
  readAddress(physical: number): number {
    return this.readU32(physical) + this.readU32(physical + 4) * 2 ** 32;
  }
  writeU8(physical: number, value: number): void {
    const offset = this.at(physical, 1);
    this.order();
    this.words.setUint8(offset, value);
    this.onWrite(this.base + offset, 1);
  }
  writeU16(physical: number, value: number): void {
    const offset = this.at(physical, 2);
    this.order();
    this.words.setUint16(offset, value, true);
    this.onWrite(this.base + offset, 2);
  }
  writeU32(physical: number, value: number): void {
    const offset = this.at(physical, 4);
    this.order();
    this.words.setUint32(offset, value, true);
    this.onWrite(this.base + offset, 4);
  }
  writeU64(physical: number, value: bigint): void {
    const offset = this.at(physical, 8);
    this.order();
    this.words.setBigUint64(offset, value, true);
    this.onWrite(this.base + offset, 8);
  }

  /** A copy of `length` bytes. */
  read(physical: number, length: number): Uint8Array {
    const offset = this.at(physical, length);
    const bytes = this.bytes.slice(offset, offset + length);
    this.order();
    return bytes;
  }

  write(physical: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const offset = this.at(physical, bytes.length);
    this.order();
    this.bytes.set(bytes, offset);
    this.onWrite(this.base + offset, bytes.length);
  }

  /** The bytes themselves, for who moves many of them; after a change `written` is to be told. */
  view(physical: number, length: number): Uint8Array {
    const offset = this.at(physical, length);
    return this.bytes.subarray(offset, offset + length);
  }
  written(physical: number, length: number): void {
    if (length > 0) this.onWrite(this.base + this.at(physical, length), length);
  }
}
