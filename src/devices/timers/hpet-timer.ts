/** One comparator of the HPET (IA-PC HPET specification 1.0a, 2.3.8 to 2.3.10). */
import type { EventQueue, Timer } from '../../machine/events.js';
import { checkVersion } from '../../machine/state.js';

/** 10 ns. */
export const HPET_TICK_NS = 10;

// Configuration and capability register
const INT_TYPE_LEVEL = 1n << 1n;
const INT_ENB = 1n << 2n;
const TYPE_PERIODIC = 1n << 3n;
const PER_INT_CAP = 1n << 4n;
const SIZE_CAP = 1n << 5n;
const VAL_SET = 1n << 6n;
const MODE_32 = 1n << 8n;
const ROUTE_SHIFT = 9n;
const ROUTE_MASK = 0x1fn;
const ROUTE_CAP_SHIFT = 32n;
const WRITABLE = INT_TYPE_LEVEL | INT_ENB | TYPE_PERIODIC | VAL_SET | MODE_32 | (ROUTE_MASK << ROUTE_SHIFT);

const ALL_64 = (1n << 64n) - 1n;
const ALL_32 = (1n << 32n) - 1n;
/** A periodic interrupt comes at most this often. */
const MIN_INTERVAL_TICKS = 2000n;

/** The main counter, which the comparators compare with. */
export interface MainCounter {
  readonly running: boolean;
  /** Its value now. */
  count(): bigint;
}

export interface SavedHpetTimer {
  version: 1;
  /** Decimal digits. */
  config: string;
  comparator: string;
  period: string;
  settingValue: boolean;
}

export class HpetTimer {
  private config = 0n;
  private value = ALL_64;
  private period = 0n;
  /** The next write to the comparator sets the accumulator too. */
  private settingValue = false;
  private readonly event: Timer;

  /** `routes`: bit per I/O APIC input it may be routed to. `interrupt`: the comparator matched. */
  constructor(
    private readonly events: EventQueue,
    index: number,
    private readonly counter: MainCounter,
    private readonly routes: number,
    private readonly interrupt: () => void,
  ) {
    this.event = events.timer(`HPET ${index}`, () => this.matched());
  }

  reset(): void {
    this.config = this.period = 0n;
    this.value = ALL_64;
    this.settingValue = false;
    this.event.disarm();
  }

  get levelTriggered(): boolean {
    return (this.config & INT_TYPE_LEVEL) !== 0n;
  }
  get enabled(): boolean {
    return (this.config & INT_ENB) !== 0n;
  }
  get route(): number {
    return Number((this.config >> ROUTE_SHIFT) & ROUTE_MASK);
  }
  private get periodic(): boolean {
    return (this.config & TYPE_PERIODIC) !== 0n;
  }
  private get mask(): bigint {
    return this.config & MODE_32 ? ALL_32 : ALL_64;
  }

  readConfig(): bigint {
    return (this.config & ~VAL_SET) | PER_INT_CAP | SIZE_CAP | (BigInt(this.routes) << ROUTE_CAP_SHIFT);
  }

  writeConfig(value: bigint): void {
    this.catchUp();
    this.config = value & WRITABLE;
    // A route that the timer does not have reads back as another one.
    if (!((this.routes >> this.route) & 1)) this.config &= ~(ROUTE_MASK << ROUTE_SHIFT);
    this.settingValue = (value & VAL_SET) !== 0n;
    if (this.config & MODE_32) {
      this.value &= ALL_32;
      this.period &= ALL_32;
    }
    this.arm();
  }

  readComparator(): bigint {
    this.catchUp();
    return this.value;
  }

  /** In periodic mode a write sets the period; with Tn_VAL_SET_CNF before it, the accumulator too. `written`: mask of the bits. */
  writeComparator(value: bigint, written = ALL_64): void {
    const merge = (old: bigint): bigint => ((old & ~written) | (value & written)) & this.mask;
    if (!this.periodic || this.settingValue) this.value = merge(this.value);
    if (this.periodic) this.period = merge(this.period);
    this.settingValue = false;
    this.arm();
  }

  /** In periodic mode, moves the accumulator past the counter. */
  private catchUp(): void {
    if (!this.periodic || this.period === 0n || !this.counter.running) return;
    const behind = (this.counter.count() - this.value) & this.mask;
    if (behind > this.mask >> 1n) return;
    this.value = (this.value + (behind / this.period + 1n) * this.period) & this.mask;
  }

  /** Waits for the next match, at least `after` ticks away, if it would interrupt. */
  arm(after = 0n): void {
    this.event.disarm();
    if (!this.counter.running || !this.enabled) return;
    const count = this.counter.count();
    // A comparator that equals the counter has matched already: the next time is when the counter comes round.
    let left = ((this.value - count - 1n) & this.mask) + 1n;
    if (this.periodic && this.period > 0n && left < after)
      left += ((after - left) / this.period + 1n) * this.period;
    if (left > BigInt(Math.floor(Number.MAX_SAFE_INTEGER / HPET_TICK_NS))) return;
    this.event.arm(this.events.clock.now() + Number(left) * HPET_TICK_NS);
  }

  private matched(): void {
    this.interrupt();
    this.catchUp();
    this.arm(this.periodic ? MIN_INTERVAL_TICKS : 0n);
  }

  save(): SavedHpetTimer {
    const { config, value, period, settingValue } = this;
    return {
      version: 1,
      config: String(config),
      comparator: String(value),
      period: String(period),
      settingValue,
    };
  }

  load(state: SavedHpetTimer): void {
    checkVersion('an HPET timer', state, 1);
    this.config = BigInt(state.config);
    this.value = BigInt(state.comparator);
    this.period = BigInt(state.period);
    this.settingValue = state.settingValue;
  }
}
