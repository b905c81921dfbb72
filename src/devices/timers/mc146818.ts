/** Motorola MC146818A real-time clock with 128 bytes of CMOS RAM, at ports 0x70 and 0x71. */
import type { EventQueue, Timer } from '../../machine/events.js';
import type { Line } from '../../machine/line.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { ticksAt, timeOfTick } from '../../machine/ticks.js';
import { calendarOf, nextAlarm, secondsOf } from './rtc-calendar.js';

const INDEX = 0x70;
const CMOS_BYTES = 128;
const INDEX_MASK = 0x7f;

const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
/** Not of the chip, but where PC BIOSes keep it. */
const CENTURY = 0x32;
const TIME_REGISTERS: readonly number[] = [SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY];

const A_UIP = 0x80;
const A_DIVIDER = 0x70;
const A_DIVIDER_32KHZ = 0x20;
const A_DIVIDER_RESET = 0x60;
const A_RATE = 0x0f;

const B_SET = 0x80;
const B_PERIODIC = 0x40;
const B_ALARM = 0x20;
const B_UPDATE = 0x10;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;

// Register C; the flags are where register B has their enable bits
const C_IRQ = 0x80;
const C_FLAGS = B_PERIODIC | B_ALARM | B_UPDATE;

const D_VALID = 0x80;
const HOURS_PM = 0x80;
/** Alarm values from here on match always. */
const DONT_CARE = 0xc0;

const CRYSTAL_HZ = 32768;
const SECOND = 1e9;
/** UIP is set 244 µs before an update, which takes 1984 µs (data sheet, table 5). */
const UPDATE_NS = 244_000 + 1_984_000;
/** The first update after the divider leaves reset comes half a second later. */
const AFTER_DIVIDER_RESET_NS = 500_000_000;

export interface SavedMc146818 {
  version: 1;
  index: number;
  cmos: number[];
  base: number;
  origin: number;
  running: boolean;
  flags: number;
  checked: number;
}

export class Mc146818 implements PortDevice {
  private index = 0;
  private readonly cmos = new Uint8Array(CMOS_BYTES);
  /** The clock showed second `base` at moment `origin`, where a second begins. */
  private base: number;
  private origin: number;
  private running = true;
  private flags = 0;
  /** Moment up to which `flags` knows what happened. */
  private checked = 0;
  private readonly event: Timer;

  /** `wallClockMs`: what the clock shows at power-on, in milliseconds since 1970 in its time zone. */
  constructor(
    private readonly events: EventQueue,
    private readonly irq8: Line,
    wallClockMs: number,
  ) {
    this.event = events.timer('RTC', () => this.update());
    this.base = Math.floor(wallClockMs / 1000);
    this.origin = 0 - Math.round((wallClockMs - this.base * 1000) * 1e6);
    this.cmos[REGISTER_A] = A_DIVIDER_32KHZ | 6;
    this.cmos[REGISTER_B] = B_24_HOURS;
    this.cmos[REGISTER_D] = D_VALID;
  }

  attach(ports: PortBus): void {
    ports.map(INDEX, 2, this);
  }

  /** The RESET pin: clears interrupt enables and flags; time and memory are kept by the battery. */
  reset(): void {
    this.cmos[REGISTER_B]! &= ~C_FLAGS;
    this.flags = 0;
    this.index = 0;
    this.update();
  }

  private now(): number {
    return this.events.clock.now();
  }

  private secondAt(ns: number): number {
    return this.base + Math.floor((ns - this.origin) / SECOND);
  }
  private timeOf(second: number): number {
    return this.origin + (second - this.base) * SECOND;
  }

  // ---- values as the registers hold them

  private get binary(): boolean {
    return (this.cmos[REGISTER_B]! & B_BINARY) !== 0;
  }
  private encode(value: number): number {
    return this.binary ? value : Math.floor(value / 10) * 16 + (value % 10);
  }
  private decode(raw: number): number {
    return this.binary ? raw : (raw >> 4) * 10 + (raw & 0xf);
  }
  private encodeHours(hours: number): number {
    if (this.cmos[REGISTER_B]! & B_24_HOURS) return this.encode(hours);
    return this.encode(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? HOURS_PM : 0);
  }
  private decodeHours(raw: number): number {
    if (this.cmos[REGISTER_B]! & B_24_HOURS) return this.decode(raw);
    return (this.decode(raw & ~HOURS_PM) % 12) + (raw & HOURS_PM ? 12 : 0);
  }

  /** Brings the time registers up to date. */
  private showTime(): void {
    if (!this.running) return;
    const time = calendarOf(this.secondAt(this.now()));
    this.cmos[SECONDS] = this.encode(time.seconds);
    this.cmos[MINUTES] = this.encode(time.minutes);
    this.cmos[HOURS] = this.encodeHours(time.hours);
    this.cmos[WEEKDAY] = this.encode(time.weekday);
    this.cmos[DAY] = this.encode(time.day);
    this.cmos[MONTH] = this.encode(time.month);
    this.cmos[YEAR] = this.encode(time.year % 100);
    this.cmos[CENTURY] = this.encode(Math.floor(time.year / 100));
  }

  private takeTime(): void {
    const value = (register: number): number => this.decode(this.cmos[register]!);
    const shown = secondsOf({
      year: value(CENTURY) * 100 + value(YEAR),
      month: value(MONTH),
      day: value(DAY),
      hours: this.decodeHours(this.cmos[HOURS]!),
      minutes: value(MINUTES),
      seconds: value(SECONDS),
    });
    this.base = shown - Math.floor((this.now() - this.origin) / SECOND);
  }

  // ---- interrupts

  /** Periodic interrupts come every so many periods of the crystal; 0: never (data sheet, table 7). */
  private get periodicTicks(): number {
    const rate = this.cmos[REGISTER_A]! & A_RATE;
    if (rate === 0 || (this.cmos[REGISTER_A]! & A_DIVIDER) !== A_DIVIDER_32KHZ) return 0;
    return 1 << ((rate < 3 ? rate + 7 : rate) - 1);
  }

  private periodicCount(ns: number): number {
    return Math.floor(ticksAt(ns - this.origin, CRYSTAL_HZ) / this.periodicTicks);
  }

  private alarmAfter(second: number): number {
    const field = (register: number, decode: (raw: number) => number): number | undefined => {
      const raw = this.cmos[register]!;
      return raw >= DONT_CARE ? undefined : decode(raw);
    };
    const plain = (raw: number): number => this.decode(raw);
    const alarm = {
      hours: field(HOURS_ALARM, (raw) => this.decodeHours(raw)),
      minutes: field(MINUTES_ALARM, plain),
      seconds: field(SECONDS_ALARM, plain),
    };
    return nextAlarm(alarm, second);
  }

  /** Notes in `flags` what happened since the last time. */
  private noticeEvents(): void {
    const now = this.now();
    const { checked } = this;
    this.checked = now;
    if (this.periodicTicks !== 0 && this.periodicCount(now) > this.periodicCount(checked))
      this.flags |= B_PERIODIC;
    if (!this.running) return;
    if (this.secondAt(now) > this.secondAt(checked)) this.flags |= B_UPDATE;
    if (this.alarmAfter(this.secondAt(checked)) <= this.secondAt(now)) this.flags |= B_ALARM;
  }

  /** When the next enabled event comes; Infinity for never. */
  private nextEvent(): number {
    const now = this.now();
    const enabled = this.cmos[REGISTER_B]!;
    let next = Infinity;
    if (enabled & B_PERIODIC && this.periodicTicks !== 0) {
      next = this.origin + timeOfTick((this.periodicCount(now) + 1) * this.periodicTicks, CRYSTAL_HZ);
    }
    if (!this.running) return next;
    if (enabled & B_UPDATE) next = Math.min(next, this.timeOf(this.secondAt(now) + 1));
    if (enabled & B_ALARM) {
      const alarm = this.alarmAfter(this.secondAt(now));
      if (alarm !== Infinity) next = Math.min(next, this.timeOf(alarm));
    }
    return next;
  }

  private update(): void {
    this.noticeEvents();
    const asserted = (this.flags & this.cmos[REGISTER_B]! & C_FLAGS) !== 0;
    this.irq8(asserted);
    // While the interrupt is asserted, nothing more can be seen until register C is read.
    if (asserted) this.event.disarm();
    else this.event.arm(this.nextEvent());
  }

  // ---- ports

  readPort(port: number): number {
    if (port === INDEX) return 0xff;
    return this.read(this.index);
  }

  writePort(port: number, value: number): void {
    // Bit 7 masks NMI on a real board.
    if (port === INDEX) this.index = value & INDEX_MASK;
    else this.write(this.index, value);
  }

  /** The CMOS byte `register` (0-127) as the guest would read it. */
  read(register: number): number {
    if (TIME_REGISTERS.includes(register)) this.showTime();
    else if (register === REGISTER_A) return this.cmos[REGISTER_A]! | (this.updating ? A_UIP : 0);
    else if (register === REGISTER_C) return this.readFlags();
    return this.cmos[register]!;
  }

  /** As if the guest wrote it. */
  write(register: number, value: number): void {
    if (register === REGISTER_A || register === REGISTER_B) return this.control(register, value);
    if (register === REGISTER_C || register === REGISTER_D) return;
    const isTime = TIME_REGISTERS.includes(register);
    this.noticeEvents();
    if (isTime) this.showTime();
    this.cmos[register] = value;
    if (isTime && this.running) this.takeTime();
    this.update();
  }

  private get updating(): boolean {
    if (!this.running) return false;
    const now = this.now();
    return this.timeOf(this.secondAt(now) + 1) - now <= UPDATE_NS;
  }

  private readFlags(): number {
    this.noticeEvents();
    const irq = this.flags & this.cmos[REGISTER_B]! & C_FLAGS ? C_IRQ : 0;
    const value = this.flags | irq;
    this.flags = 0;
    // The next event may be there already, and has to be an edge of its own.
    this.irq8(false);
    this.update();
    return value;
  }

  private control(register: number, value: number): void {
    this.noticeEvents();
    this.showTime();
    const wasReset = this.dividerReset;
    this.cmos[register] = register === REGISTER_A ? value & ~A_UIP : value;
    // SET in register B ends pending update interrupts' enable (data sheet, "SET").
    if (this.cmos[REGISTER_B]! & B_SET) this.cmos[REGISTER_B]! &= ~B_UPDATE;
    if (wasReset && !this.dividerReset) this.origin = this.now() - SECOND + AFTER_DIVIDER_RESET_NS;
    const runs = !this.dividerReset && !(this.cmos[REGISTER_B]! & B_SET);
    if (runs && (!this.running || wasReset)) this.takeTime();
    this.running = runs;
    this.checked = this.now();
    this.update();
  }

  private get dividerReset(): boolean {
    return (this.cmos[REGISTER_A]! & A_DIVIDER_RESET) === A_DIVIDER_RESET;
  }

  save(): SavedMc146818 {
    const { index, base, origin, running, flags, checked } = this;
    return { version: 1, index, cmos: [...this.cmos], base, origin, running, flags, checked };
  }

  load(state: SavedMc146818): void {
    checkVersion('the real-time clock', state, 1);
    const { index, base, origin, running, flags, checked } = state;
    Object.assign(this, { index, base, origin, running, flags, checked });
    this.cmos.set(state.cmos);
  }
}
