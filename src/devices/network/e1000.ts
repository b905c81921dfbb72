/** Intel 82540EM ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"). */
import type { Cable } from '../../machine/cable.js';
import type { EventQueue, Timer } from '../../machine/events.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import * as R from './e1000-registers.js';
import { eepromWords, INTEL, IntelNic, ITR_UNIT_NS, type SavedNic } from './intel-nic.js';
import { EEPROM_WORDS, MicrowireEeprom } from './microwire-eeprom.js';

const DEVICE = 0x100e;
const SUBSYSTEM = 0x001e;
const PHY = 0x01410c20;
const MEMORY_BAR = 0;
const IO_BAR = 1;
const IO_BYTES = 64;

interface Saved extends SavedNic {
  eeprom: ReturnType<MicrowireEeprom['save']>;
  next: number;
}

/** What the EEPROM holds (chapter 5). */
const EEPROM = {
  0x07: 0x3000,
  0x08: 0x1000,
  0x09: 0x6403,
  0x0a: SUBSYSTEM,
  0x0b: INTEL,
  0x0c: DEVICE,
  0x0d: INTEL,
  0x0e: 0x3040,
  0x0f: 0x0008,
  0x10: 0x2000,
  0x11: 0x7e14,
};

export class E1000 extends IntelNic {
  private readonly eeprom: MicrowireEeprom;
  private readonly moderation: Timer;
  /** When the next interrupt may come, ns. */
  private next = 0;
  private asserted = false;

  constructor(ram: GuestRam, events: EventQueue, mac: Uint8Array, cable: Cable, name: string) {
    const eeprom = eepromWords(mac, EEPROM);
    const identity = { device: DEVICE, subsystem: SUBSYSTEM, revision: 3 };
    super(ram, events, { ...identity, phy: PHY, eeprom, status: 0, queues: 1 }, cable);
    this.addBar(MEMORY_BAR, { kind: 'memory', bits: 32, bytes: R.REGISTER_BYTES, device: this });
    this.addBar(IO_BAR, { kind: 'io', bytes: IO_BYTES, device: this.ioPorts(), width: 4 });
    this.eeprom = new MicrowireEeprom(eeprom);
    this.moderation = events.timer(`${name} interrupt`, () => this.updateInterrupts());
    this.resetCard();
    cable.plug(this);
  }

  override removed(): void {
    this.events.remove(this.moderation);
  }

  protected override resetCard(): void {
    this.moderation.disarm();
    super.resetCard();
  }

  protected override raise(causes: number): void {
    // The line is up for these, or will be when it may.
    if ((this.get(R.ICR) & causes) !== causes) super.raise(causes);
  }

  /** The line follows what is unmasked; after an interrupt the next one waits as long as ITR says (13.4.18). */
  protected updateInterrupts(): void {
    const wanted = (this.get(R.ICR) & this.get(R.IMS)) !== 0;
    const now = this.events.clock.now();
    if (wanted && !this.asserted && now < this.next) {
      if (this.moderation.deadline === undefined) this.moderation.arm(this.next);
      return;
    }
    if (wanted && !this.asserted) this.next = now + (this.get(R.ITR) & 0xffff) * ITR_UNIT_NS;
    this.asserted = wanted;
    this.setInterrupt(wanted);
  }

  /** Reading clears all causes. */
  protected readCauses(): number {
    const causes = this.get(R.ICR);
    this.set(R.ICR, 0);
    this.updateInterrupts();
    return causes;
  }

  protected receiveCause(): number {
    return R.RXT0;
  }
  protected transmitCause(): number {
    return R.TXDW;
  }

  protected override readRegister(offset: number): number {
    if (offset !== R.EECD) return super.readRegister(offset);
    const value = this.get(R.EECD);
    return value | R.EECD_PRES | (value & R.EECD_REQ ? R.EECD_GNT : 0) | (this.eeprom.output ? R.EECD_DO : 0);
  }

  protected override writeRegister(offset: number, value: number): void {
    if (offset === R.EECD) {
      this.set(R.EECD, value & 0x77);
      this.eeprom.drive((value & R.EECD_CS) !== 0, (value & R.EECD_SK) !== 0, (value & R.EECD_DI) !== 0);
    } else if (offset === R.EERD) {
      if (!(value & R.EERD_START)) return;
      const word = this.eeprom.words[(value >>> 8) & (EEPROM_WORDS - 1)]!;
      this.set(R.EERD, ((value & 0xff00) | R.EERD_DONE | (word << 16)) >>> 0);
    } else super.writeRegister(offset, value);
  }

  override save(): Saved {
    return { ...super.save(), eeprom: this.eeprom.save(), next: this.next };
  }
  override load(state: Saved): void {
    super.load(state);
    this.eeprom.load(state.eeprom);
    this.next = state.next;
    this.asserted = state.interrupt;
  }
}
