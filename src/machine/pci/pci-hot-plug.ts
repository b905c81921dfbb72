/**
 * Devices that come and go while the machine runs, as ACPI has it (5.1, 5.6.4 and 6.3): registers that methods of the DSDT read
 * (tables/hot-plug.ts), and the general-purpose event that makes the system call them. The layout of the registers is that of
 * QEMU (docs/specs/acpi_pci_hotplug).
 */
import type { Line } from '../line.js';
import type { PortBus, PortDevice } from '../port-bus.js';
import { checkVersion } from '../state.js';
import { SLOTS } from './pci-bus.js';

export const HOT_PLUG_PORT = 0xae00;
/** Slots with something new; slots that the system shall give up; slots that it has given up (written). A bit each. */
export const HOT_PLUG_BYTES = 12;
const CAME = 0;
const LEAVES = 4;
const EJECT = 8;

/** General-purpose event block 0: two bytes of status, two that enable. */
export const GPE0_PORT = 0xafe0;
export const GPE0_BYTES = 4;
/** Number of the event: its method is _E01. */
const HOT_PLUG_EVENT = 1;
const WRITABLE_EVENTS = 0xffff;

export interface SavedPciHotPlug {
  version: 1;
  came: number;
  leaves: number;
  status: number;
  enable: number;
}

export class PciHotPlug {
  private came = 0;
  private leaves = 0;
  private status = 0;
  private enable = 0;
  /** The system has given up what is in a slot, or starts anew while it should. */
  onEject: (slot: number) => void = () => {};

  constructor(private readonly sci: Line) {}

  attach(ports: PortBus): void {
    const registers: PortDevice = {
      readPort: (port) => this.read(port - HOT_PLUG_PORT),
      writePort: (port, value) => this.write(port - HOT_PLUG_PORT, value),
    };
    ports.map(HOT_PLUG_PORT, HOT_PLUG_BYTES, registers, 4);
    const events: PortDevice = {
      readPort: (port) => this.readEvents(port - GPE0_PORT),
      writePort: (port, value) => this.writeEvents(port - GPE0_PORT, value),
    };
    ports.map(GPE0_PORT, GPE0_BYTES, events, 1);
  }

  reset(): void {
    const leaving = this.leaves;
    this.came = this.leaves = this.status = this.enable = 0;
    this.update();
    this.eject(leaving);
  }

  /** Something was plugged into a slot. */
  announce(slot: number): void {
    this.came |= 1 << slot;
    this.raise();
  }

  /** Nothing is in a slot any more: what was asked of the system about it is settled. */
  emptied(slot: number): void {
    this.came &= ~(1 << slot);
    this.leaves &= ~(1 << slot);
  }

  /** Asks the system to give up what is in a slot. */
  request(slot: number): void {
    this.leaves |= 1 << slot;
    this.raise();
  }

  private raise(): void {
    this.status |= 1 << HOT_PLUG_EVENT;
    this.update();
  }

  private update(): void {
    this.sci((this.status & this.enable) !== 0);
  }

  /** Asking is as good as taking: the system looks once for each event. */
  private read(offset: number): number {
    if (offset === CAME) {
      const { came } = this;
      this.came = 0;
      return came >>> 0;
    }
    return offset === LEAVES ? this.leaves >>> 0 : 0;
  }

  private write(offset: number, value: number): void {
    if (offset === EJECT) this.eject(value);
  }

  private eject(slots: number): void {
    this.leaves &= ~slots;
    for (let slot = 0; slot < SLOTS; slot++) if (slots & (1 << slot)) this.onEject(slot);
  }

  private readEvents(offset: number): number {
    const value = offset < 2 ? this.status : this.enable;
    return (value >> ((offset & 1) * 8)) & 0xff;
  }

  /** One byte. */
  private writeEvents(offset: number, value: number): void {
    const shift = (offset & 1) * 8;
    if (offset < 2) this.status &= ~(value << shift);
    else this.enable = ((this.enable & ~(0xff << shift)) | (value << shift)) & WRITABLE_EVENTS;
    this.update();
  }

  save(): SavedPciHotPlug {
    const { came, leaves, status, enable } = this;
    return { version: 1, came, leaves, status, enable };
  }

  load(state: SavedPciHotPlug): void {
    checkVersion('hot plug', state, 1);
    const { came, leaves, status, enable } = state;
    Object.assign(this, { came, leaves, status, enable });
    this.update();
  }
}
