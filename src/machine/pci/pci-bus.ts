/** PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2) and the one bus behind it. */
import type { InterruptRouter } from '../interrupts/interrupt-router.js';
import type { MsiSend } from '../interrupts/apic-bus.js';
import type { MmioBus } from '../mmio-bus.js';
import type { Line } from '../line.js';
import { maskTo, type AccessSize, type PortBus, type PortDevice } from '../port-bus.js';
import { checkVersion } from '../state.js';
import type { PciFunction } from './pci-function.js';
import { INTERRUPT_PIN } from './pci-registers.js';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const PORTS = 8;
const ENABLE = 0x80000000;
const ADDRESS_WRITABLE = 0x80fffffc;
export const SLOTS = 32;
/** Those before are for what is always on the board. */
export const FIRST_FREE_SLOT = 4;
const ALL_ONES = 0xffffffff;

/** Where a function is on bus 0. */
export interface PciPlace {
  slot: number;
  function: number;
}

export class PciBus implements PortDevice {
  private readonly functions = new Map<number, PciFunction>();
  /** Interrupt outputs, by place and pin: what is plugged in later takes those of what was there before. */
  private readonly lines = new Map<string, Line>();
  private address = 0;

  constructor(
    private readonly ports: PortBus,
    private readonly mmio: MmioBus,
    private readonly router: InterruptRouter,
    private readonly sendMessage: MsiSend,
  ) {
    ports.map(CONFIG_ADDRESS, PORTS, this, 4);
  }

  /** The first slot that nothing is plugged into, from 4 on; -1: all are taken. */
  get freeSlot(): number {
    for (let slot = FIRST_FREE_SLOT; slot < SLOTS; slot++) if (!this.functions.has(slot << 3)) return slot;
    return -1;
  }

  /** A place for one more function: a slot of its own, else beside others that say to have room; null: there is none. */
  get freePlace(): PciPlace | null {
    if (this.freeSlot >= 0) return { slot: this.freeSlot, function: 0 };
    for (let place = FIRST_FREE_SLOT << 3; place < SLOTS << 3; place++) {
      const first = this.functions.get(place & ~7);
      if (!this.functions.has(place) && first?.isMultiFunction)
        return { slot: place >> 3, function: place & 7 };
    }
    return null;
  }

  plug(slot: number, number: number, device: PciFunction): void {
    this.functions.set((slot << 3) | number, device);
    const { ports, mmio, sendMessage } = this;
    const pin = device.readConfig(INTERRUPT_PIN, 1);
    const interrupt = pin === 0 ? () => {} : this.line(slot, number, pin - 1);
    device.connect({ ports, mmio, interrupt, sendMessage });
  }

  private line(slot: number, number: number, pin: number): Line {
    const key = `${slot}.${number} ${pin}`;
    let line = this.lines.get(key);
    if (!line) this.lines.set(key, (line = this.router.pciLine(slot, pin)));
    return line;
  }

  /** Takes out all that is in a slot. */
  unplug(slot: number): void {
    for (const [place, device] of [...this.functions])
      if (place >> 3 === slot) {
        // It decodes nothing then, and asks for no interrupt.
        device.reset();
        this.functions.delete(place);
        device.removed();
      }
  }

  /** All functions, by slot and number. */
  get plugged(): [PciPlace, PciFunction][] {
    return [...this.functions]
      .sort(([first], [second]) => first - second)
      .map(([place, device]) => [{ slot: place >> 3, function: place & 7 }, device]);
  }

  private addressed(): PciFunction | undefined {
    const bus = (this.address >>> 16) & 0xff;
    if (!(this.address & ENABLE) || bus !== 0) return undefined;
    return this.functions.get((this.address >>> 8) & 0xff);
  }

  /** The address register takes accesses of 32 bits only. */
  readPort(port: number, size: AccessSize): number {
    if (port < CONFIG_DATA)
      return port === CONFIG_ADDRESS && size === 4 ? this.address : maskTo(ALL_ONES, size);
    const device = this.addressed();
    return device ? device.readConfig((this.address & 0xfc) + (port & 3), size) : maskTo(ALL_ONES, size);
  }

  writePort(port: number, value: number, size: AccessSize): void {
    if (port >= CONFIG_DATA) this.addressed()?.writeConfig((this.address & 0xfc) + (port & 3), value, size);
    else if (port === CONFIG_ADDRESS && size === 4) this.address = (value & ADDRESS_WRITABLE) >>> 0;
  }

  reset(): void {
    this.address = 0;
    for (const device of this.functions.values()) device.reset();
  }

  save(): { version: 1; address: number; functions: [place: number, state: object][] } {
    const functions = [...this.functions].map(([place, device]): [number, object] => [place, device.save()]);
    return { version: 1, address: this.address, functions };
  }

  load(state: ReturnType<PciBus['save']>): void {
    checkVersion('the PCI bus', state, 1);
    this.address = state.address;
    for (const [place, saved] of state.functions) {
      this.functions.get(place)?.load(saved as ReturnType<PciFunction['save']>);
    }
  }
}
