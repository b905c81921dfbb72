/** One counter of the Intel 8254 Programmable Interval Timer (order number 231164). Time is in ticks of its input clock. */
import { checkVersion } from '../../machine/state.js';

// Control word
export const MODE_SHIFT = 1;
export const BCD = 1;
export const ACCESS_SHIFT = 4;
const ACCESS_LOW = 1;
const ACCESS_HIGH = 2;
const ACCESS_BOTH = 3;

// Status byte of the read-back command
const STATUS_OUTPUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

// Modes
const TERMINAL_COUNT = 0;
const ONE_SHOT = 1;
const RATE = 2;
const SQUARE = 3;
const SOFTWARE_STROBE = 4;
const HARDWARE_STROBE = 5;

const BINARY_RANGE = 0x10000;
const BCD_RANGE = 10000;

export interface SavedCounter {
  version: 1;
  control: number;
  count: number;
  start: number;
  held: number;
  next: number;
  gate: boolean;
  writeLow: number;
  writeHighNext: boolean;
  readHighNext: boolean;
  latch: number[];
  status: number;
}

export class I8254Counter {
  /** Low 6 bits of the control word. */
  private control = ACCESS_BOTH << ACCESS_SHIFT;
  /** Initial count; 0: none was loaded since the control word. */
  private count = 0;
  /** Tick at which the count was loaded; meaningless while it is held. */
  private start = 0;
  /** Ticks counted when the gate stopped the counter; -1 while it runs. */
  private held = -1;
  /** Count that replaces `count` at the end of the period (modes 2, 3); 0: none. */
  private next = 0;
  private gate: boolean;
  private writeLow = 0;
  private writeHighNext = false;
  private readHighNext = false;
  /** Bytes of a latched count, to be read in order. */
  private latch: number[] = [];
  /** Status latched by the read-back command, read before a latched count; -1: none. */
  private status = -1;

  constructor(gate: boolean) {
    this.gate = gate;
  }

  get mode(): number {
    const mode = (this.control >> MODE_SHIFT) & 7;
    // Modes 6 and 7 are 2 and 3.
    return mode > HARDWARE_STROBE ? mode - 4 : mode;
  }
  private get access(): number {
    return (this.control >> ACCESS_SHIFT) & 3;
  }
  private get range(): number {
    return this.control & BCD ? BCD_RANGE : BINARY_RANGE;
  }
  private get periodic(): boolean {
    return this.mode === RATE || this.mode === SQUARE;
  }
  private get gateTriggers(): boolean {
    return this.mode === ONE_SHOT || this.mode === HARDWARE_STROBE;
  }

  writeControl(control: number): void {
    this.control = control & 0x3f;
    this.count = this.next = 0;
    this.held = -1;
    this.writeHighNext = this.readHighNext = false;
    this.latch = [];
    this.status = -1;
  }

  /** A byte written to the counter's port at tick `now`. */
  write(value: number, now: number): void {
    switch (this.access) {
      case ACCESS_LOW:
        return this.loadCount(value, now);
      case ACCESS_HIGH:
        return this.loadCount(value << 8, now);
    }
    if (this.writeHighNext) {
      this.writeHighNext = false;
      return this.loadCount(this.writeLow | (value << 8), now);
    }
    this.writeLow = value;
    this.writeHighNext = true;
    // In mode 0 the first byte stops the counting.
    if (this.mode === TERMINAL_COUNT) this.count = 0;
  }

  private loadCount(raw: number, now: number): void {
    const value = this.control & BCD ? fromBcd(raw) : raw;
    const count = value === 0 ? this.range : value;
    this.advance(now);
    if (this.periodic && this.count !== 0 && this.held < 0) {
      this.start += Math.max(0, Math.floor((now - this.start) / this.count)) * this.count;
      this.next = count;
      return;
    }
    this.count = count;
    this.next = 0;
    // Counting starts at the next tick, in modes 1 and 5 with the next rising gate.
    this.start = now + 1;
    this.held = this.gateTriggers || !this.gate ? 0 : -1;
  }

  /** Takes a new count over if the period that it waits for has ended. */
  private advance(now: number): void {
    if (this.next === 0) return;
    const end = this.start + this.count;
    if (now < end) return;
    this.start = end;
    this.count = this.next;
    this.next = 0;
  }

  setGate(gate: boolean, now: number): void {
    if (gate === this.gate) return;
    this.advance(now);
    this.gate = gate;
    if (this.count === 0) return;
    if (gate) {
      if (this.gateTriggers || this.periodic) this.start = now + 1;
      else if (this.held >= 0) this.start = now - this.held;
      this.held = -1;
    } else if (!this.gateTriggers && this.held < 0) this.held = Math.max(0, now - this.start);
  }

  private elapsed(now: number): number {
    return this.held >= 0 ? this.held : Math.max(0, now - this.start);
  }

  /** Whether the count is waiting for its first trigger. */
  private get waiting(): boolean {
    return this.count === 0 || (this.gateTriggers && this.held >= 0);
  }

  /** Level of OUT. */
  output(now: number): boolean {
    this.advance(now);
    const { mode, count } = this;
    if (this.waiting) return mode !== TERMINAL_COUNT;
    if (this.periodic && this.held >= 0) return true;
    const elapsed = this.elapsed(now);
    switch (mode) {
      case TERMINAL_COUNT:
      case ONE_SHOT:
        return elapsed >= count;
      case RATE:
        return elapsed % count !== count - 1 || count === 1;
      case SQUARE:
        return elapsed % count < Math.ceil(count / 2);
      default:
        return elapsed !== count;
    }
  }

  /** The first tick after `now` at which OUT rises; Infinity if it does not. */
  nextRise(now: number): number {
    this.advance(now);
    const { count, start } = this;
    if (this.waiting || this.held >= 0) return Infinity;
    if (this.periodic) {
      if (this.next !== 0) return start + count;
      return start + (Math.max(0, Math.floor((now - start) / count)) + 1) * count;
    }
    const rise = start + count + (this.mode === SOFTWARE_STROBE || this.mode === HARDWARE_STROBE ? 1 : 0);
    return rise > now ? rise : Infinity;
  }

  /** What the counting element holds. */
  private current(now: number): number {
    this.advance(now);
    const { count, range } = this;
    if (count === 0) return 0;
    const elapsed = this.elapsed(now);
    if (this.mode === RATE) return (count - (elapsed % count)) % range;
    if (this.mode === SQUARE) return this.currentSquare(elapsed % count);
    return (((count - elapsed) % range) + range) % range;
  }

  /** Mode 3 counts by two, twice through the period; an odd count is one tick longer high than low. */
  private currentSquare(elapsed: number): number {
    const high = Math.ceil(this.count / 2);
    const left = this.count & ~1;
    return (left - 2 * (elapsed < high ? elapsed : elapsed - high)) % this.range;
  }

  latchCount(now: number): void {
    if (this.latch.length > 0) return;
    this.latch = this.bytes(now);
  }

  latchStatus(now: number): void {
    if (this.status >= 0) return;
    const nullCount = this.count === 0 || this.next !== 0;
    this.status = (this.output(now) ? STATUS_OUTPUT : 0) | (nullCount ? STATUS_NULL_COUNT : 0) | this.control;
  }

  private bytes(now: number): number[] {
    const current = this.current(now);
    const raw = this.control & BCD ? toBcd(current) : current;
    const low = raw & 0xff;
    const high = (raw >> 8) & 0xff;
    if (this.access === ACCESS_LOW) return [low];
    return this.access === ACCESS_HIGH ? [high] : [low, high];
  }

  read(now: number): number {
    if (this.status >= 0) {
      const { status } = this;
      this.status = -1;
      return status;
    }
    const latched = this.latch.shift();
    if (latched !== undefined) return latched;
    const bytes = this.bytes(now);
    if (bytes.length === 1) return bytes[0]!;
    this.readHighNext = !this.readHighNext;
    return bytes[this.readHighNext ? 0 : 1]!;
  }

  save(): SavedCounter {
    const { control, count, start, held, next, gate, writeLow, writeHighNext, readHighNext, latch, status } =
      this;
    return {
      version: 1,
      control,
      count,
      start,
      held,
      next,
      gate,
      writeLow,
      writeHighNext,
      readHighNext,
      latch: [...latch],
      status,
    };
  }

  load(state: SavedCounter): void {
    checkVersion('an 8254 counter', state, 1);
    const { control, count, start, held, next, gate, writeLow, writeHighNext, readHighNext, latch, status } =
      state;
    Object.assign(this, {
      control,
      count,
      start,
      held,
      next,
      gate,
      writeLow,
      writeHighNext,
      readHighNext,
      status,
    });
    this.latch = [...latch];
  }
}

function fromBcd(raw: number): number {
  const digit = (shift: number): number => (raw >> shift) & 0xf;
  return digit(12) * 1000 + digit(8) * 100 + digit(4) * 10 + digit(0);
}

function toBcd(value: number): number {
  return Number.parseInt(String(value % BCD_RANGE), 16);
}
