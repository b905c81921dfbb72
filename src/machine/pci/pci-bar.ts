import type { MmioBus, MmioDevice } from '../mmio-bus.js';
import type { Mapping, PortBus, PortDevice, AccessSize } from '../port-bus.js';
import { BAR_64, BAR_IO, BAR_PREFETCHABLE } from './pci-registers.js';

/** What a base address register of a PCI function makes visible. Sizes in bytes, powers of two. */
export type BarTarget =
  | { kind: 'io'; bytes: number; device: PortBarDevice; width?: AccessSize }
  | { kind: 'memory'; bits: 32 | 64; prefetchable?: boolean; bytes: number; device: MmioDevice }
  | { kind: 'memory'; bits: 32; prefetchable: true; bytes: number; window: PlaceWindow };

/** Shows memory that is accessed as RAM at a guest physical address; null: nowhere. */
export type PlaceWindow = (physical: number | null) => void;

/** Registers behind an I/O BAR, by offset from its base. */
export interface PortBarDevice {
  readOffset(offset: number, size: AccessSize): number;
  writeOffset(offset: number, value: number, size: AccessSize): void;
}

/** A base address register and where it is decoded now. */
export class PciBar {
  private mapping: Mapping | undefined;
  private mappedAt = -1;

  constructor(readonly target: BarTarget) {}

  /** The low bits, which tell the kind. */
  get typeBits(): number {
    if (this.target.kind === 'io') return BAR_IO;
    return (this.target.bits === 64 ? BAR_64 : 0) | (this.target.prefetchable ? BAR_PREFETCHABLE : 0);
  }

  /** How many 32-bit registers it takes. */
  get registers(): number {
    return this.target.kind === 'memory' && this.target.bits === 64 ? 2 : 1;
  }

  /** Decodes at `base`, -1 for nowhere. */
  place(base: number, ports: PortBus, mmio: MmioBus): void {
    if (base === this.mappedAt) return;
    this.mapping?.unmap();
    this.mapping = undefined;
    this.mappedAt = base;
    if (base < 0) return;
    const { target } = this;
    if ('window' in target) {
      target.window(base);
      this.mapping = { unmap: () => target.window(null) };
    } else if (target.kind === 'memory') this.mapping = mmio.map(base, target.bytes, target.device);
    else this.mapping = ports.map(base, target.bytes, portsOf(target.device, base), target.width);
  }
}

function portsOf(device: PortBarDevice, base: number): PortDevice {
  return {
    readPort: (port, size) => device.readOffset(port - base, size),
    writePort: (port, value, size) => device.writeOffset(port - base, value, size),
  };
}
