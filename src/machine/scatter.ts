import type { GuestRam } from './guest-ram.js';

/** A buffer that lies in several places of guest RAM, one after the other: physical addresses and lengths in bytes, all in RAM. */
export class Scatter {
  readonly length: number;

  constructor(
    private readonly ram: GuestRam,
    private readonly segments: readonly { address: number; length: number }[],
  ) {
    this.length = segments.reduce((sum, { length }) => sum + length, 0);
  }

  /** Calls `act` for each part of a range. */
  private each(offset: number, length: number, act: (address: number, count: number) => void): void {
    let skip = offset;
    let left = Math.min(length, this.length - offset);
    for (const segment of this.segments) {
      if (left <= 0) return;
      if (skip >= segment.length) {
        skip -= segment.length;
        continue;
      }
      const count = Math.min(segment.length - skip, left);
      act(segment.address + skip, count);
      left -= count;
      skip = 0;
    }
  }

  /** The bytes of a range, in order; `written` is to be called when they were changed. */
  parts(offset = 0, length = this.length - offset): Uint8Array[] {
    const parts: Uint8Array[] = [];
    this.each(offset, length, (address, count) => parts.push(this.ram.view(address, count)));
    return parts;
  }
  written(offset = 0, length = this.length - offset): void {
    this.each(offset, length, (address, count) => this.ram.written(address, count));
  }

  /** What begins `offset` bytes behind the start. */
  from(offset: number): Scatter {
    const segments: { address: number; length: number }[] = [];
    this.each(offset, this.length, (address, length) => segments.push({ address, length }));
    return new Scatter(this.ram, segments);
  }

  /** Puts bytes there; gives how many had room. */
  write(bytes: Uint8Array, offset = 0): number {
    let at = 0;
    this.each(offset, bytes.length, (address, count) => {
      this.ram.write(address, bytes.subarray(at, at + count));
      at += count;
    });
    return at;
  }

  /** A copy of a range. */
  read(offset = 0, length = this.length - offset): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    let at = 0;
    this.each(offset, bytes.length, (address, count) => {
      bytes.set(this.ram.view(address, count), at);
      at += count;
    });
    return bytes;
  }
}
