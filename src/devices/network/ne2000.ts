/** NE2000 cards: on PCI as Realtek's RTL8029AS, on ISA as Novell made them. */
import type { Cable } from '../../machine/cable.js';
import type { Line } from '../../machine/line.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { AccessSize, PortBus, PortDevice } from '../../machine/port-bus.js';
import { DP8390_PORTS, Dp8390 } from './dp8390.js';

const VENDOR = 0x10ec;
const DEVICE = 0x8029;

interface Saved extends SavedPciFunction {
  controller: ReturnType<Dp8390['save']>;
}

export class Ne2000Pci extends PciFunction {
  private readonly controller: Dp8390;

  constructor(mac: Uint8Array, cable: Cable) {
    super({
      vendor: VENDOR,
      device: DEVICE,
      revision: 0,
      classCode: 0x020000,
      subsystemVendor: VENDOR,
      subsystem: DEVICE,
      interruptPin: 1,
    });
    this.controller = new Dp8390(mac, cable, (asserted) => this.setInterrupt(asserted));
    const { controller } = this;
    this.addBar(0, {
      kind: 'io',
      bytes: DP8390_PORTS,
      width: 4,
      device: {
        readOffset: (offset, size) => controller.read(offset, size),
        writeOffset: (offset, value, size) => controller.write(offset, value, size),
      },
    });
  }

  override reset(): void {
    super.reset();
    this.controller.reset();
  }
  override save(): Saved {
    return { ...super.save(), controller: this.controller.save() };
  }
  override load(state: Saved): void {
    super.load(state);
    this.controller.load(state.controller);
  }
}

/** Where drivers look for such cards, and interrupts that nothing else on the board has. */
export const NE2000_ISA_PLACES = [
  { port: 0x300, irq: 5 },
  { port: 0x320, irq: 7 },
] as const;

export class Ne2000Isa implements PortDevice {
  readonly controller: Dp8390;

  constructor(
    mac: Uint8Array,
    cable: Cable,
    interrupt: Line,
    private readonly port: number,
  ) {
    this.controller = new Dp8390(mac, cable, interrupt);
  }

  attach(ports: PortBus): void {
    ports.map(this.port, DP8390_PORTS, this, 4);
  }
  readPort(port: number, size: AccessSize): number {
    return this.controller.read(port - this.port, size);
  }
  writePort(port: number, value: number, size: AccessSize): void {
    this.controller.write(port - this.port, value, size);
  }
  reset(): void {
    this.controller.reset();
  }
  save(): object {
    return this.controller.save();
  }
  load(state: object): void {
    this.controller.load(state as ReturnType<Dp8390['save']>);
  }
}
