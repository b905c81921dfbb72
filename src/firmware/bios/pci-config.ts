import type { AccessSize, PortBus } from '../../machine/port-bus.js';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const ENABLE = 0x80000000;

/** Configuration space through mechanism #1; `place`: bus in bits 8-15, slot in 3-7, function in 0-2. */
export class PciConfig {
  constructor(private readonly ports: PortBus) {}

  private select(place: number, register: number): void {
    this.ports.write(CONFIG_ADDRESS, (ENABLE | (place << 8) | (register & 0xfc)) >>> 0, 4);
  }
  read(place: number, register: number, size: AccessSize): number {
    this.select(place, register);
    return this.ports.read(CONFIG_DATA + (register & 3), size);
  }
  write(place: number, register: number, value: number, size: AccessSize): void {
    this.select(place, register);
    this.ports.write(CONFIG_DATA + (register & 3), value, size);
  }

  /** The `index`th function that `fits` its vendor and device, or its class code; -1: there is none. */
  find(index: number, fits: (identity: number, classCode: number) => boolean): number {
    let left = index;
    for (let place = 0; place < 0x100; place++) {
      const identity = this.read(place, 0, 4);
      if ((identity & 0xffff) === 0xffff) continue;
      if (fits(identity, this.read(place, 8, 4) >>> 8) && left-- === 0) return place;
    }
    return -1;
  }
}
