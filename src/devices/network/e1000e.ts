/** Intel 82574L ("Intel 82574 GbE Controller Family Datasheet"), with MSI-X. */
import type { Cable } from '../../machine/cable.js';
import type { EventQueue, Timer } from '../../machine/events.js';
import type { Frame } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import { MSIX_BAR_BYTES, MsiX } from '../../machine/pci/msix.js';
import type { AccessSize } from '../../machine/port-bus.js';
import type { DescriptorStyle } from './e1000-receive.js';
import * as R from './e1000-registers.js';
import { eepromWords, INTEL, IntelNic, ITR_UNIT_NS, type SavedNic } from './intel-nic.js';
import { EEPROM_WORDS } from './microwire-eeprom.js';
import { MOST_HEADERS, scale, UNSCALED, type Scaled } from './receive-scaling.js';

const DEVICE = 0x10d3;
const SUBSYSTEM = 0xa01f;
const PHY = 0x01410cb1;
const MEMORY_BAR = 0;
const IO_BAR = 2;
const MSIX_BAR = 3;
const IO_BYTES = 32;
const CAPABILITY_MSIX = 0x11;
const MSIX_CONTROL_WRITABLE = 0xc000;
const VECTORS = 5;
const TICK_NS = 40;

/** What the EEPROM holds (6.1). */
const EEPROM = {
  0x03: 0x0420,
  0x05: 0x2110,
  0x0a: 0x4b4b,
  0x0b: SUBSYSTEM,
  0x0c: INTEL,
  0x0d: DEVICE,
  0x0e: INTEL,
};

/** Causes that have a vector of their own, with where IVAR has it. */
const VECTOR_CAUSES: readonly (readonly [cause: number, shift: number])[] = [
  [R.RXQ0, 0],
  [R.RXQ1, 4],
  [R.TXQ0, 8],
  [R.TXQ1, 12],
  [R.OTHER, 16],
];
const IVAR_VALID = 8;
/** Causes that OTHER stands for. */
const OTHER_CAUSES = R.LSC;

interface Saved extends SavedNic {
  msix: ReturnType<MsiX['save']>;
  next: number[];
  timeIncrement: number;
}

export class E1000e extends IntelNic {
  private readonly msix: MsiX;
  private readonly msixCapability: number;
  private readonly moderation: Timer;
  private readonly eeprom: Uint16Array;
  /** When the next interrupt of each vector may come, ns; without MSI-X, the first. */
  private readonly next = new Float64Array(VECTORS);
  /** Causes that no message was sent for yet. */
  private unsent = 0;
  private asserted = false;

  constructor(ram: GuestRam, events: EventQueue, mac: Uint8Array, cable: Cable, name: string) {
    const eeprom = eepromWords(mac, EEPROM);
    const identity = { device: DEVICE, subsystem: SUBSYSTEM, revision: 0 };
    super(ram, events, { ...identity, phy: PHY, eeprom, status: 0, queues: 2 }, cable);
    this.eeprom = eeprom;
    this.msix = new MsiX(VECTORS, this.sendMessage);
    this.addBar(MEMORY_BAR, { kind: 'memory', bits: 32, bytes: R.REGISTER_BYTES, device: this });
    this.addBar(IO_BAR, { kind: 'io', bytes: IO_BYTES, device: this.ioPorts(), width: 4 });
    this.addBar(MSIX_BAR, { kind: 'memory', bits: 32, bytes: MSIX_BAR_BYTES, device: this.msix });
    this.addMsi();
    this.msixCapability = this.addCapability(CAPABILITY_MSIX, this.msix.capability(MSIX_BAR));
    this.allow(this.msixCapability + 2, 2, MSIX_CONTROL_WRITABLE);
    this.moderation = events.timer(`${name} interrupt`, () => this.updateInterrupts());
    this.resetCard();
    cable.plug(this);
  }

  override removed(): void {
    this.events.remove(this.moderation);
  }

  protected override resetCard(): void {
    this.moderation.disarm();
    this.unsent = 0;
    this.timeIncrement = 0;
    super.resetCard();
  }

  protected override configWritten(offset: number, size: AccessSize): void {
    const at = this.msixCapability + 2;
    if (offset + size <= at || offset >= at + 2) return;
    this.msix.configure(this.get16(at));
    this.updateInterrupts();
  }

  // ---- interrupts (7.4)

  protected override raise(causes: number): void {
    const all = this.msix.enabled && causes & OTHER_CAUSES ? causes | R.OTHER : causes;
    this.unsent |= all;
    super.raise(all);
  }

  protected updateInterrupts(): void {
    if (this.msix.enabled) {
      if (this.asserted) this.setLine(false);
      this.sendMessages();
    } else this.updateLine();
  }

  private setLine(asserted: boolean): void {
    this.asserted = asserted;
    this.setInterrupt(asserted);
  }

  private updateLine(): void {
    const wanted = (this.get(R.ICR) & this.get(R.IMS)) !== 0;
    if (wanted && !this.asserted) {
      const now = this.events.clock.now();
      if (now < this.next[0]!) return this.later(this.next[0]!);
      this.next[0] = now + (this.get(R.ITR) & 0xffff) * ITR_UNIT_NS;
    }
    this.setLine(wanted);
  }

  private later(at: number): void {
    if (this.moderation.deadline === undefined || this.moderation.deadline > at) this.moderation.arm(at);
  }

  /** A message for each cause that is unmasked and new; the vector's EITR says how soon after the last one. */
  private sendMessages(): void {
    const ivar = this.get(R.IVAR);
    const now = this.events.clock.now();
    for (const [cause, shift] of VECTOR_CAUSES) {
      if (!(this.unsent & this.get(R.IMS) & cause)) continue;
      const vector = (ivar >>> shift) & 7;
      if (!((ivar >>> shift) & IVAR_VALID) || vector >= VECTORS) continue;
      if (now < this.next[vector]!) {
        this.later(this.next[vector]!);
        continue;
      }
      this.next[vector] = now + (this.get(R.EITR + 4 * vector) & 0xffff) * ITR_UNIT_NS;
      this.unsent &= ~cause;
      // Causes that are cleared by being told (EIAC).
      this.set(R.ICR, this.get(R.ICR) & ~(this.get(R.EIAC) & cause));
      this.msix.notify(vector);
    }
  }

  /** Reading clears the causes, unless none of them interrupts; and masks what IAM says (10.2.4.1). */
  protected readCauses(): number {
    const [causes, mask] = [this.get(R.ICR), this.get(R.IMS)];
    const interrupts = (causes & mask) !== 0;
    if (interrupts && this.get(R.CTRL_EXT) & R.CTRL_EXT_IAME) this.set(R.IMS, mask & ~this.get(R.IAM));
    if (interrupts || mask === 0) {
      this.set(R.ICR, 0);
      this.unsent = 0;
    }
    this.updateInterrupts();
    return (causes | (interrupts ? R.INT_ASSERTED : 0)) >>> 0;
  }

  protected receiveCause(queue: number): number {
    return R.RXT0 | (queue === 0 ? R.RXQ0 : R.RXQ1);
  }
  protected transmitCause(queue: number): number {
    return R.TXDW | (queue === 0 ? R.TXQ0 : R.TXQ1);
  }

  // ---- registers

  protected override readRegister(offset: number): number {
    switch (offset) {
      case R.STATUS: {
        const master = this.get(R.CTRL) & R.CTRL_GIO_MASTER_DISABLE ? 0 : R.STATUS_GIO_MASTER;
        return super.readRegister(offset) | master;
      }
      case R.EECD:
        return this.get(R.EECD) | R.EECD_PRES | R.EECD_AUTO_RD;
      default:
        return super.readRegister(offset);
    }
  }

  override mmioRead(offset: number, size: AccessSize): number {
    if (offset === R.SYSTIML || offset === R.SYSTIMH) return this.systemTime(offset);
    return super.mmioRead(offset, size);
  }

  /** Counts by TIMINCA's increment each time so many ticks of 25 MHz have passed (7.5). */
  private systemTime(offset: number): number {
    const increment = this.timeIncrement & 0xffffff;
    const period = this.timeIncrement >>> 24;
    if (period === 0) return 0;
    const time = BigInt(Math.floor(this.events.clock.now() / TICK_NS / period)) * BigInt(increment);
    return Number(BigInt.asUintN(32, offset === R.SYSTIML ? time : time >> 32n));
  }
  private timeIncrement = 0;

  override mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (offset === R.TIMINCA && size === 4) this.timeIncrement = value >>> 0;
    else super.mmioWrite(offset, value, size);
  }

  protected override writeRegister(offset: number, value: number): void {
    if (offset === R.EERD) {
      // The address has another place than in older ones (10.2.2.6).
      const word = this.eeprom[(value >>> 2) & (EEPROM_WORDS - 1)]!;
      if (value & R.EERD_START) this.set(R.EERD, ((value & 0xfffc) | R.EERD_DONE_82574 | (word << 16)) >>> 0);
      return;
    }
    if (offset === R.ICR) this.unsent &= ~value;
    super.writeRegister(offset, value);
    if (offset === R.IVAR || (offset >= R.EITR && offset < R.EITR + 4 * VECTORS)) this.updateInterrupts();
  }

  // ---- receiving

  protected override get descriptorStyle(): DescriptorStyle {
    if (!(this.get(R.RFCTL) & R.RFCTL_EXTEN)) return 'legacy';
    return ((this.get(R.RCTL) >> 10) & 3) === R.RCTL_DTYP_SPLIT ? 'split' : 'extended';
  }
  protected override get buffers(): readonly number[] {
    if (this.descriptorStyle !== 'split') return super.buffers;
    const sizes = this.get(R.PSRCTL);
    const others = [8, 16, 24].map((shift) => ((sizes >>> shift) & 0x3f) * 1024);
    return [Math.max(128, (sizes & 0x7f) * 128), ...others];
  }

  /** Descriptors of the old form have no room for a hash, and all frames go to the first queue then (7.1.11). */
  protected override scale(frame: Frame): Scaled {
    if (!this.get(R.MRQC) || this.descriptorStyle === 'legacy') return UNSCALED;
    return scale(frame.head(MOST_HEADERS), this.registerReader);
  }

  override reset(): void {
    this.msix.reset();
    super.reset();
  }

  override save(): Saved {
    return {
      ...super.save(),
      msix: this.msix.save(),
      next: [...this.next],
      timeIncrement: this.timeIncrement,
    };
  }
  override load(state: Saved): void {
    super.load(state);
    this.msix.load(state.msix);
    this.next.set(state.next);
    this.timeIncrement = state.timeIncrement;
    this.asserted = state.interrupt;
    // A message too many is no harm.
    this.unsent = this.get(R.ICR);
  }
}
