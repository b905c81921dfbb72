/** Intel 82093AA I/O Advanced Programmable Interrupt Controller (order number 290566). */
import type { MmioDevice } from '../mmio-bus.js';
import type { AccessSize } from '../port-bus.js';
import { checkVersion } from '../state.js';
import type { ApicBus } from './apic-bus.js';

export const IO_APIC_PINS = 24;
export const IO_APIC_BYTES = 0x1000;

// In memory
const IOREGSEL = 0x00;
const IOWIN = 0x10;

// Behind the window
const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL = 0x10;

const VERSION = 0x11;
const ID_MASK = 0x0f000000;

// Redirection table entry, low half
const VECTOR = 0xff;
const MODE_SHIFT = 8;
const LOGICAL = 1 << 11;
const REMOTE_IRR = 1 << 14;
const LEVEL_TRIGGERED = 1 << 15;
const MASKED = 1 << 16;
const WRITABLE_LOW = 0x1afff;
const WRITABLE_HIGH = 0xff000000;

export interface SavedIoApic {
  version: 1;
  id: number;
  select: number;
  pins: boolean[];
  low: number[];
  high: number[];
}

export class IoApic implements MmioDevice {
  private id = 0;
  private select = 0;
  private readonly pins: boolean[] = new Array<boolean>(IO_APIC_PINS).fill(false);
  private readonly low = new Uint32Array(IO_APIC_PINS).fill(MASKED);
  private readonly high = new Uint32Array(IO_APIC_PINS);

  constructor(private readonly bus: ApicBus) {
    bus.onEoi((vector) => this.endOfInterrupt(vector));
  }

  reset(): void {
    this.id = this.select = 0;
    this.low.fill(MASKED);
    this.high.fill(0);
  }

  /** An edge at a masked input is lost, as the data sheet has it (3.2.4, interrupt mask). */
  setPin(pin: number, asserted: boolean): void {
    const rising = asserted && !this.pins[pin];
    this.pins[pin] = asserted;
    if (rising) this.request(pin);
  }

  private request(pin: number): void {
    const entry = this.low[pin]!;
    const level = (entry & LEVEL_TRIGGERED) !== 0;
    if (entry & MASKED || (level && entry & REMOTE_IRR)) return;
    const accepted = this.bus.deliver({
      mode: (entry >> MODE_SHIFT) & 7,
      vector: entry & VECTOR,
      destination: this.high[pin]! >>> 24,
      logical: (entry & LOGICAL) !== 0,
      wide: false,
      levelTriggered: level,
    });
    if (level && accepted) this.low[pin]! |= REMOTE_IRR;
  }

  private endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const entry = this.low[pin]!;
      if (!(entry & REMOTE_IRR) || (entry & VECTOR) !== vector) continue;
      this.low[pin]! &= ~REMOTE_IRR;
      if (this.pins[pin]) this.request(pin);
    }
  }

  mmioRead(offset: number, size: AccessSize): number {
    const within = offset & 3;
    if (within + size > 4) return 0;
    const register = offset & ~3;
    const value = register === IOREGSEL ? this.select : register === IOWIN ? this.readRegister() : 0;
    return value >>> (within * 8);
  }

  mmioWrite(offset: number, value: number): void {
    if (offset === IOREGSEL) this.select = value & 0xff;
    else if (offset === IOWIN) this.writeRegister(value);
  }

  private readRegister(): number {
    switch (this.select) {
      case IOAPICID:
      case IOAPICARB:
        return this.id;
      case IOAPICVER:
        return ((IO_APIC_PINS - 1) << 16) | VERSION;
    }
    const pin = (this.select - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IO_APIC_PINS) return 0;
    return this.select & 1 ? this.high[pin]! : this.low[pin]!;
  }

  private writeRegister(value: number): void {
    if (this.select === IOAPICID) {
      this.id = value & ID_MASK;
      return;
    }
    const pin = (this.select - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IO_APIC_PINS) return;
    if (this.select & 1) this.high[pin] = value & WRITABLE_HIGH;
    else this.writeLow(pin, value);
  }

  private writeLow(pin: number, value: number): void {
    const entry = (value & WRITABLE_LOW) | (this.low[pin]! & REMOTE_IRR);
    // Making an entry edge triggered clears Remote IRR: how systems send an EOI to this version of the chip.
    this.low[pin] = entry & LEVEL_TRIGGERED ? entry : entry & ~REMOTE_IRR;
    if (this.pins[pin] && entry & LEVEL_TRIGGERED) this.request(pin);
  }

  save(): SavedIoApic {
    const { id, select, pins, low, high } = this;
    return { version: 1, id, select, pins: [...pins], low: [...low], high: [...high] };
  }

  load(state: SavedIoApic): void {
    checkVersion('the I/O APIC', state, 1);
    this.id = state.id;
    this.select = state.select;
    state.pins.forEach((level, pin) => (this.pins[pin] = level));
    this.low.set(state.low);
    this.high.set(state.high);
  }
}
