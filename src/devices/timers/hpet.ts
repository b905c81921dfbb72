/** High precision event timer (IA-PC HPET specification 1.0a): 100 MHz, 64 bits, three comparators. */
import type { EventQueue } from '../../machine/events.js';
import type { Line } from '../../machine/line.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { HPET_TICK_NS, HpetTimer, type MainCounter, type SavedHpetTimer } from './hpet-timer.js';

export const HPET_BYTES = 0x400;
const TIMERS = 3;

const GCAP_ID = 0x000;
const GEN_CONF = 0x010;
const GINTR_STA = 0x020;
const MAIN_CNT = 0x0f0;
const TIMER0 = 0x100;
const TIMER_BYTES = 0x20;
const TIMER_CONFIG = 0x00;
const TIMER_COMPARATOR = 0x08;

const FEMTOSECONDS_PER_NS = 1_000_000n;
/** Intel, legacy routing, 64 bits, three timers, revision 1. */
const CAPABILITIES = 0x8086a201n;
const ENABLE_CNF = 1n;
const LEG_RT_CNF = 2n;

const ALL_64 = (1n << 64n) - 1n;
const LOW_32 = (1n << 32n) - 1n;

/** What the HPET can interrupt by. */
export interface HpetLines {
  /** ISA interrupts 0 and 8, which timers 0 and 1 take over from the 8254 and the clock with legacy routing. */
  irq0: Line;
  irq8: Line;
  /** Inputs of the I/O APIC that comparators may be routed to. */
  gsis: ReadonlyMap<number, Line>;
}

export interface SavedHpet {
  version: 1;
  config: string;
  status: string;
  base: string;
  origin: number;
  pit: boolean;
  rtc: boolean;
  timers: SavedHpetTimer[];
}

export class Hpet implements MmioDevice, MainCounter {
  private config = 0n;
  /** Bits of level-triggered timers that interrupted. */
  private status = 0n;
  /** The counter was `base` at moment `origin`; while it stands still it is `base`. */
  private base = 0n;
  private origin = 0;
  private pitLevel = false;
  private rtcLevel = false;
  private readonly timers: HpetTimer[];

  constructor(
    private readonly events: EventQueue,
    private readonly lines: HpetLines,
  ) {
    const routes = [...lines.gsis.keys()].reduce((bits, gsi) => bits | (1 << gsi), 0);
    this.timers = Array.from({ length: TIMERS }, (_, index) => {
      return new HpetTimer(events, index, this, routes, () => this.interrupt(index));
    });
  }

  /** IRQ 0 of the 8254 and IRQ 8 of the real-time clock come through here: legacy routing cuts them off. */
  readonly pitLine: Line = (asserted) => {
    this.pitLevel = asserted;
    if (!this.legacyRouting) this.lines.irq0(asserted);
  };
  readonly rtcLine: Line = (asserted) => {
    this.rtcLevel = asserted;
    if (!this.legacyRouting) this.lines.irq8(asserted);
  };

  private get legacyRouting(): boolean {
    return (this.config & LEG_RT_CNF) !== 0n;
  }
  get running(): boolean {
    return (this.config & ENABLE_CNF) !== 0n;
  }

  count(): bigint {
    if (!this.running) return this.base;
    return (this.base + BigInt(Math.floor((this.events.clock.now() - this.origin) / HPET_TICK_NS))) & ALL_64;
  }

  reset(): void {
    this.writeConfig(0n);
    this.base = 0n;
    this.setStatus(0n);
    for (const timer of this.timers) timer.reset();
  }

  /** Where timer `index` interrupts; undefined when it is not routed anywhere. */
  private lineOf(index: number): Line | undefined {
    if (this.legacyRouting && index < 2) return index === 0 ? this.lines.irq0 : this.lines.irq8;
    return this.lines.gsis.get(this.timers[index]!.route);
  }

  private interrupt(index: number): void {
    if (this.timers[index]!.levelTriggered) return this.setStatus(this.status | (1n << BigInt(index)));
    const line = this.lineOf(index);
    line?.(true);
    line?.(false);
  }

  private setStatus(status: bigint): void {
    this.status = status;
    const asserted = new Map<Line, boolean>([...this.lines.gsis.values()].map((line) => [line, false]));
    for (let index = 0; index < TIMERS; index++) {
      const line = this.lineOf(index);
      const timer = this.timers[index]!;
      if (!line || !timer.levelTriggered) continue;
      const active = timer.enabled && (status & (1n << BigInt(index))) !== 0n;
      asserted.set(line, active || (asserted.get(line) ?? false));
    }
    for (const [line, level] of asserted) line(level);
  }

  private writeConfig(value: bigint): void {
    const before = this.config;
    const count = this.count();
    this.base = count;
    this.origin = this.events.clock.now();
    this.config = value & (ENABLE_CNF | LEG_RT_CNF);
    if ((before ^ this.config) & LEG_RT_CNF) {
      this.lines.irq0(!this.legacyRouting && this.pitLevel);
      this.lines.irq8(!this.legacyRouting && this.rtcLevel);
    }
    for (const timer of this.timers) timer.arm();
    this.setStatus(this.status);
  }

  private read(offset: number): bigint {
    switch (offset) {
      case GCAP_ID:
        return ((BigInt(HPET_TICK_NS) * FEMTOSECONDS_PER_NS) << 32n) | CAPABILITIES;
      case GEN_CONF:
        return this.config;
      case GINTR_STA:
        return this.status;
      case MAIN_CNT:
        return this.count();
    }
    const timer = this.timerAt(offset);
    switch ((offset - TIMER0) % TIMER_BYTES) {
      case TIMER_CONFIG:
        return timer?.readConfig() ?? 0n;
      case TIMER_COMPARATOR:
        return timer?.readComparator() ?? 0n;
      default:
        return 0n;
    }
  }

  private write(offset: number, value: bigint): void {
    switch (offset) {
      case GEN_CONF:
        return this.writeConfig(value);
      case GINTR_STA:
        return this.setStatus(this.status & ~value);
      case MAIN_CNT:
        // Meant to be written while it stands still.
        this.base = value;
        this.origin = this.events.clock.now();
        for (const timer of this.timers) timer.arm();
        return;
    }
    const timer = this.timerAt(offset);
    switch ((offset - TIMER0) % TIMER_BYTES) {
      case TIMER_CONFIG:
        timer?.writeConfig(value);
        return this.setStatus(this.status);
      case TIMER_COMPARATOR:
        return timer?.writeComparator(value);
    }
  }

  private timerAt(offset: number): HpetTimer | undefined {
    return this.timers[Math.floor((offset - TIMER0) / TIMER_BYTES)];
  }

  mmioRead64(offset: number): bigint {
    return offset & 7 ? 0n : this.read(offset);
  }

  mmioWrite64(offset: number, value: bigint): void {
    if ((offset & 7) === 0) this.write(offset, value);
  }

  mmioRead(offset: number, size: AccessSize): number {
    const within = offset & 7;
    if (within + size > 8) return 0;
    return Number((this.read(offset & ~7) >> BigInt(within * 8)) & LOW_32);
  }

  /** Registers take 32 bits at a time; the other half stays. */
  mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (size !== 4 || offset & 3) return;
    const register = offset & ~7;
    const high = (offset & 4) !== 0;
    if (register >= TIMER0 && (register - TIMER0) % TIMER_BYTES === TIMER_COMPARATOR) {
      const wide = high ? BigInt(value) << 32n : BigInt(value);
      this.timerAt(register)?.writeComparator(wide, high ? LOW_32 << 32n : LOW_32);
      return;
    }
    // What is written to the status clears bits: the other half must not.
    const old = register === GINTR_STA ? 0n : this.read(register);
    this.write(register, high ? (old & LOW_32) | (BigInt(value) << 32n) : (old & ~LOW_32) | BigInt(value));
  }

  save(): SavedHpet {
    const { config, status, base, origin, pitLevel, rtcLevel } = this;
    return {
      version: 1,
      config: String(config),
      status: String(status),
      base: String(base),
      origin,
      pit: pitLevel,
      rtc: rtcLevel,
      timers: this.timers.map((timer) => timer.save()),
    };
  }

  load(state: SavedHpet): void {
    checkVersion('the HPET', state, 1);
    this.config = BigInt(state.config);
    this.status = BigInt(state.status);
    this.base = BigInt(state.base);
    this.origin = state.origin;
    this.pitLevel = state.pit;
    this.rtcLevel = state.rtc;
    this.timers.forEach((timer, index) => timer.load(state.timers[index]!));
  }
}
