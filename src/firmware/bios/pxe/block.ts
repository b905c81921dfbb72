import type { GuestRam } from '../../../machine/guest-ram.js';

/** The parameter block of a call: fields by offset, as the specification lists them. Bytes of addresses are in network order. */
export class ParameterBlock {
  constructor(
    readonly ram: GuestRam,
    private readonly base: number,
  ) {}

  u8(at: number): number {
    return this.ram.readU8(this.base + at);
  }
  u16(at: number): number {
    return this.ram.readU16(this.base + at);
  }
  u32(at: number): number {
    return this.ram.readU32(this.base + at);
  }
  /** A port: in network order. */
  port(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
  bytes(at: number, count: number): Uint8Array {
    return this.ram.read(this.base + at, count);
  }
  text(at: number, most: number): string {
    return new TextDecoder('latin1').decode(this.bytes(at, most)).split('\0')[0]!;
  }
  /** Physical address of what a far pointer leads to. */
  far(at: number): number {
    return this.u16(at + 2) * 16 + this.u16(at);
  }

  put8(at: number, value: number): void {
    this.ram.writeU8(this.base + at, value);
  }
  put16(at: number, value: number): void {
    this.ram.writeU16(this.base + at, value);
  }
  put32(at: number, value: number): void {
    this.ram.writeU32(this.base + at, value >>> 0);
  }
  putPort(at: number, value: number): void {
    this.put(at, Uint8Array.of(value >> 8, value & 0xff));
  }
  put(at: number, bytes: Uint8Array): void {
    this.ram.write(this.base + at, bytes);
  }
  putFar(at: number, segment: number, offset: number): void {
    this.put16(at, offset);
    this.put16(at + 2, segment);
  }

  /** Writes to memory that the caller named; false: it is no memory. */
  store(physical: number, bytes: Uint8Array): boolean {
    if (!this.ram.contains(physical, bytes.length)) return false;
    this.ram.write(physical, bytes);
    return true;
  }
}
