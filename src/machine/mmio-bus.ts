import { maskTo, type AccessSize, type Mapping } from './port-bus.js';

/** A device in physical memory. `offset` is from the start of its region; accesses lie in it but may be unaligned. */
export interface MmioDevice {
  mmioRead(offset: number, size: AccessSize): number;
  mmioWrite(offset: number, value: number, size: AccessSize): void;
  /** Without these, accesses of 8 bytes come as two of 4, low half first. */
  mmioRead64?(offset: number): bigint;
  mmioWrite64?(offset: number, value: bigint): void;
}

interface Region {
  base: number;
  end: number;
  device: MmioDevice;
}

/** Physical memory that is not RAM. Where nobody is, reads give all ones and writes are dropped. */
export class MmioBus {
  private regions: Region[] = [];
  private last: Region | undefined;

  /** Places a device at physical addresses `base` up to `base + length`. Where regions overlap, the earlier one wins. */
  map(base: number, length: number, device: MmioDevice): Mapping {
    const region = { base, end: base + length, device };
    this.regions.push(region);
    this.last = undefined;
    return {
      unmap: () => {
        this.regions = this.regions.filter((other) => other !== region);
        this.last = undefined;
      },
    };
  }

  /** The region that holds all of the access; undefined if it must be split or nobody is there. */
  private find(physical: number, size: number): Region | undefined {
    let region = this.last;
    if (!region || physical < region.base || physical >= region.end || this.overlapped(region)) {
      region = this.regions.find(({ base, end }) => physical >= base && physical < end);
      this.last = region;
    }
    return region && physical + size <= region.end ? region : undefined;
  }

  /** Whether an earlier region takes some of this one's addresses (a BAR moved on top of something). */
  private overlapped(region: Region): boolean {
    for (const other of this.regions) {
      if (other === region) return false;
      if (other.base < region.end && region.base < other.end) return true;
    }
    return false;
  }

  read(physical: number, size: AccessSize): number {
    const region = this.find(physical, size);
    if (region) return maskTo(region.device.mmioRead(physical - region.base, size), size);
    if (size === 1) return 0xff;
    const half = size === 4 ? 2 : 1;
    return maskTo(this.read(physical, half) | (this.read(physical + half, half) << (half * 8)), size);
  }

  write(physical: number, value: number, size: AccessSize): void {
    const region = this.find(physical, size);
    if (region) return region.device.mmioWrite(physical - region.base, maskTo(value, size), size);
    if (size === 1) return;
    const half = size === 4 ? 2 : 1;
    this.write(physical, value, half);
    this.write(physical + half, value >>> (half * 8), half);
  }

  read64(physical: number): bigint {
    const region = this.find(physical, 8);
    if (region?.device.mmioRead64)
      return BigInt.asUintN(64, region.device.mmioRead64(physical - region.base));
    return BigInt(this.read(physical, 4)) | (BigInt(this.read(physical + 4, 4)) << 32n);
  }

  write64(physical: number, value: bigint): void {
    const region = this.find(physical, 8);
    if (region?.device.mmioWrite64)
      return region.device.mmioWrite64(physical - region.base, BigInt.asUintN(64, value));
    this.write(physical, Number(BigInt.asUintN(32, value)), 4);
    this.write(physical + 4, Number(BigInt.asUintN(32, value >> 32n)), 4);
  }
}
