/** Width of an access, in bytes. */
export type AccessSize = 1 | 2 | 4;

/** A device behind I/O ports. `port` is the absolute port number; values are unsigned. */
export interface PortDevice {
  readPort(port: number, size: AccessSize): number;
  writePort(port: number, value: number, size: AccessSize): void;
}

interface Claim {
  base: number;
  end: number;
  device: PortDevice;
  width: AccessSize;
}

export interface Mapping {
  unmap(): void;
}

const PORTS = 0x10000;
const UNCLAIMED = 0;

/** The 64 Ki I/O ports. Ports that nobody claims read as all ones and swallow writes. */
export class PortBus {
  /** Per port: index into `claims` plus 1. */
  private readonly owner = new Uint8Array(PORTS);
  private claims: Claim[] = [];

  /**
   * Claims `length` ports from `base`. Where claims overlap, the earlier one keeps the port. The device gets
   * accesses of up to `width` bytes; wider ones come as several.
   */
  map(base: number, length: number, device: PortDevice, width: AccessSize = 1): Mapping {
    if (this.claims.length === 255) throw new RangeError('more than 255 port ranges are mapped');
    const claim = { base, end: Math.min(base + length, PORTS), device, width };
    this.claims.push(claim);
    this.assign();
    return {
      unmap: () => {
        this.claims = this.claims.filter((other) => other !== claim);
        this.assign();
      },
    };
  }

  private assign(): void {
    this.owner.fill(UNCLAIMED);
    for (let index = this.claims.length - 1; index >= 0; index--) {
      const { base, end } = this.claims[index]!;
      this.owner.fill(index + 1, base, end);
    }
  }

  /** The claim that takes an access whole; undefined if it must be split or nobody is there. */
  private claimOf(port: number, size: AccessSize): Claim | undefined {
    const claim = this.claims[this.owner[port]! - 1];
    return claim && size <= claim.width && port + size <= claim.end ? claim : undefined;
  }

  read(port: number, size: AccessSize): number {
    const claim = this.claimOf(port, size);
    if (claim) return maskTo(claim.device.readPort(port, size), size);
    if (size === 1) return 0xff;
    const half = size === 4 ? 2 : 1;
    const low = this.read(port, half);
    const high = port + half < PORTS ? this.read(port + half, half) : 0xffff;
    return maskTo(low | (high << (half * 8)), size);
  }

  write(port: number, value: number, size: AccessSize): void {
    const claim = this.claimOf(port, size);
    if (claim) return claim.device.writePort(port, maskTo(value, size), size);
    if (size === 1) return;
    const half = size === 4 ? 2 : 1;
    this.write(port, value, half);
    if (port + half < PORTS) this.write(port + half, value >>> (half * 8), half);
  }
}

/** The low `size` bytes of `value`, unsigned. */
export function maskTo(value: number, size: AccessSize): number {
  return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
}
