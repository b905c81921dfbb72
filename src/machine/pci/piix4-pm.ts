/** Power management of the Intel 82371AB (PIIX4; order number 290562), function 3: ACPI registers, SMBus base. */
import type { Clock } from '../clock.js';
import type { EventQueue, Timer } from '../events.js';
import type { Line } from '../line.js';
import type { AccessSize, Mapping, PortBus, PortDevice } from '../port-bus.js';
import { checkVersion } from '../state.js';
import { ticksAt, timeOfTick } from '../ticks.js';
import { Piix4Smbus, SMBUS_PORTS } from './piix4-smbus.js';
import { PciFunction, type PciConnection, type SavedPciFunction } from './pci-function.js';

/** Power management and SMBus base addresses, and what they are after reset on this board. */
const PMBA = 0x40;
export const PM_BASE = 0x600;
const PM_BYTES = 0x40;
const PMREGMISC = 0x80;
const PMREGMISC_ENABLE = 1;
/** Device activity B: an SMI when the APM control port is written. */
const DEVACTB = 0x58;
const DEVACTB_APMC_EN = 1 << 25;
const SMBBA = 0x90;
export const SMBUS_BASE = 0x700;
/** SMBus host configuration. */
const SMBHSTCFG = 0xd2;
const SMBHSTCFG_ENABLE = 1;
/** IRQ 9, for the interrupts that transfers could ask for. */
const SMBHSTCFG_IRQ9 = 8;
const SMBHSTCFG_WRITABLE = 0x0f;
const SMBBA_WRITABLE = 0xfff0;
const BAR_IO = 1;
const PMBA_WRITABLE = 0xffc0;

export const SCI_IRQ = 9;

// I/O registers, offsets from PMBA
const PMSTS = 0x00;
const PMEN = 0x02;
const PMCNTRL = 0x04;
const PMTMR = 0x08;

// PMSTS and PMEN
const TMROF = 1 << 0;
const GBL = 1 << 5;
const PWRBTN = 1 << 8;
const RTC = 1 << 10;
const RESUME = 1 << 15;
const STATUS_BITS = TMROF | GBL | PWRBTN | RTC | RESUME;
const ENABLE_BITS = TMROF | GBL | PWRBTN | RTC;

// PMCNTRL
const SCI_EN = 1 << 0;
const SUS_TYP_SHIFT = 10;
const SUS_EN = 1 << 13;
const CONTROL_WRITABLE = 0x1c03;
/** Soft off. */
const SUS_TYP_SOFF = 0;

const PM_TIMER_HZ = 3579545;
const PM_TIMER_MASK = 0xffffff;
/** The timer status is set whenever bit 23 changes. */
const PM_TIMER_OVERFLOW = 0x800000;

export interface SavedPiix4Pm extends SavedPciFunction {
  status: number;
  enable: number;
  control: number;
  checkedTick: number;
  smbus: ReturnType<Piix4Smbus['save']>;
}

export class Piix4Pm extends PciFunction implements PortDevice {
  private mapping: Mapping | undefined;
  private ports: PortBus | undefined;
  /** Port that the registers are at; 0: nowhere. */
  base = 0;
  private readonly smbus = new Piix4Smbus(() => this.smbusBase);
  private smbusMapping: Mapping | undefined;
  private smbusBase = 0;
  private status = 0;
  private enable = 0;
  private control = SCI_EN;
  /** Timer tick up to which changes of bit 23 are in `status`. */
  private checkedTick = 0;
  private readonly overflow: Timer;
  private readonly clock: Clock;

  /** `sci`: system control interrupt. `powerOff`: the guest asked for soft off. */
  constructor(
    events: EventQueue,
    private readonly sci: Line,
    private readonly powerOff: () => void,
  ) {
    super({ vendor: 0x8086, device: 0x7113, revision: 0x03, classCode: 0x068000, interruptPin: 1 });
    this.clock = events.clock;
    this.overflow = events.timer('PM timer', () => this.update());
    this.set32(PMBA, PM_BASE | BAR_IO);
    this.allow(PMBA, 4, PMBA_WRITABLE);
    this.set8(PMREGMISC, PMREGMISC_ENABLE);
    this.allow(PMREGMISC, 1, PMREGMISC_ENABLE);
    this.set32(SMBBA, SMBUS_BASE | BAR_IO);
    this.allow(SMBBA, 4, SMBBA_WRITABLE);
    this.set8(SMBHSTCFG, SMBHSTCFG_ENABLE | SMBHSTCFG_IRQ9);
    this.allow(SMBHSTCFG, 1, SMBHSTCFG_WRITABLE);
    // There is no system-management mode: firmware is told that its SMI handler is in place.
    this.set32(DEVACTB, DEVACTB_APMC_EN);
    this.set8(0x3c, SCI_IRQ);
  }

  override connect(connection: PciConnection): void {
    super.connect(connection);
    this.ports = connection.ports;
    this.place();
  }

  protected override configWritten(): void {
    this.place();
  }

  private place(): void {
    const base = this.get8(PMREGMISC) & PMREGMISC_ENABLE ? this.get32(PMBA) & PMBA_WRITABLE : 0;
    if (base !== this.base) {
      this.mapping?.unmap();
      this.base = base;
      this.mapping = base === 0 ? undefined : this.ports?.map(base, PM_BYTES, this, 4);
    }
    const smbusBase = this.get8(SMBHSTCFG) & SMBHSTCFG_ENABLE ? this.get32(SMBBA) & SMBBA_WRITABLE : 0;
    if (smbusBase === this.smbusBase) return;
    this.smbusMapping?.unmap();
    this.smbusBase = smbusBase;
    this.smbusMapping = smbusBase === 0 ? undefined : this.ports?.map(smbusBase, SMBUS_PORTS, this.smbus);
  }

  override reset(): void {
    super.reset();
    this.status = this.enable = 0;
    this.control = SCI_EN;
    this.smbus.reset();
    this.checkedTick = this.tick();
    this.update();
  }

  /** The user pressed the power button: an ACPI system shuts down. */
  pressPowerButton(): void {
    this.status |= PWRBTN;
    this.update();
  }

  private tick(): number {
    return ticksAt(this.clock.now(), PM_TIMER_HZ);
  }

  private nextOverflow(tick: number): number {
    return (Math.floor(tick / PM_TIMER_OVERFLOW) + 1) * PM_TIMER_OVERFLOW;
  }

  /** Notes timer overflows, drives SCI, and waits for the next overflow if it would interrupt. */
  private update(): void {
    const tick = this.tick();
    if (tick >= this.nextOverflow(this.checkedTick)) this.status |= TMROF;
    this.checkedTick = tick;
    this.sci((this.status & this.enable) !== 0 && (this.control & SCI_EN) !== 0);
    const waits = this.enable & TMROF && !(this.status & TMROF);
    if (waits) this.overflow.arm(timeOfTick(this.nextOverflow(tick), PM_TIMER_HZ));
    else this.overflow.disarm();
  }

  readPort(port: number, size: AccessSize): number {
    this.update();
    const offset = port - this.base;
    const shift = (offset & 3) * 8;
    const low = this.read32(offset & ~3) >>> shift;
    if (shift + size * 8 <= 32) return low;
    return low | (this.read32((offset & ~3) + 4) << (32 - shift));
  }

  private read32(offset: number): number {
    switch (offset) {
      case PMSTS:
        return this.status | (this.enable << 16);
      case PMCNTRL:
        return this.control;
      case PMTMR:
        return this.tick() & PM_TIMER_MASK;
      default:
        return 0;
    }
  }

  writePort(port: number, value: number, size: AccessSize): void {
    this.update();
    for (let index = 0; index < size; index++) {
      this.writeByte(port - this.base + index, (value >>> (index * 8)) & 0xff);
    }
    this.update();
  }

  private writeByte(offset: number, value: number): void {
    const shift = (offset & 1) * 8;
    const merge = (old: number): number => (old & ~(0xff << shift)) | (value << shift);
    switch (offset & ~1) {
      case PMSTS:
        this.status &= ~(value << shift) & STATUS_BITS;
        return;
      case PMEN:
        this.enable = merge(this.enable) & ENABLE_BITS;
        return;
      case PMCNTRL: {
        const control = merge(this.control);
        this.control = control & CONTROL_WRITABLE;
        const type = (control >> SUS_TYP_SHIFT) & 7;
        if (shift !== 0 && control & SUS_EN && type === SUS_TYP_SOFF) this.powerOff();
        return;
      }
    }
  }

  override save(): SavedPiix4Pm {
    const { status, enable, control, checkedTick } = this;
    return { ...super.save(), status, enable, control, checkedTick, smbus: this.smbus.save() };
  }

  override load(state: SavedPiix4Pm): void {
    checkVersion('the PIIX4 power management', state, 1);
    super.load(state);
    const { status, enable, control, checkedTick } = state;
    Object.assign(this, { status, enable, control, checkedTick });
    this.smbus.load(state.smbus);
    this.place();
  }
}
