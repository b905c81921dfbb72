/** The timer of the local APIC (Intel SDM volume 3, 11.5.4). Its bus clock is 1 GHz, so a tick undivided is a nanosecond. */
import { checkVersion } from '../state.js';
import type { EventQueue, Timer } from '../events.js';

export const ONE_SHOT = 0;
export const PERIODIC = 1;
export const TSC_DEADLINE = 2;

/** A periodic interrupt comes at most this often: shorter periods lose some, so that the machine can go on. */
const MIN_INTERVAL_NS = 20_000;
const DIVIDE_MASK = 0b1011;

export interface SavedLocalApicTimer {
  version: 1;
  mode: number;
  masked: boolean;
  divideConfiguration: number;
  initial: number;
  start: number;
  /** Decimal digits. */
  deadline: string;
}

export class LocalApicTimer {
  private mode = ONE_SHOT;
  private masked = true;
  private divideConfiguration = 0;
  private initial = 0;
  /** When the count was at its initial value. */
  private start = 0;
  /** TSC value to interrupt at; 0: none. */
  private tscDeadline = 0n;
  private readonly event: Timer;

  /** `tscOffset`: TSC minus clock. `fire`: the timer interrupts. */
  constructor(
    private readonly events: EventQueue,
    name: string,
    private readonly tscOffset: () => bigint,
    private readonly fire: () => void,
  ) {
    this.event = events.timer(name, (deadline) => this.expire(deadline));
  }

  reset(): void {
    this.mode = ONE_SHOT;
    this.masked = true;
    this.divideConfiguration = 0;
    this.stop();
  }

  private stop(): void {
    this.initial = 0;
    this.tscDeadline = 0n;
    this.event.disarm();
  }

  /** What the LVT timer register says. A change of the mode disarms the timer. */
  configure(mode: number, masked: boolean): void {
    if (mode !== this.mode) this.stop();
    const unmasked = this.masked && !masked;
    this.mode = mode;
    this.masked = masked;
    if (masked && mode !== TSC_DEADLINE) this.event.disarm();
    else if (unmasked) this.arm();
  }

  private get divisor(): number {
    const code = (this.divideConfiguration & 3) | ((this.divideConfiguration & 8) >> 1);
    return code === 7 ? 1 : 2 << code;
  }

  get divide(): number {
    return this.divideConfiguration;
  }

  writeDivide(value: number): void {
    const now = this.events.clock.now();
    const spent = this.initial - this.countAt(now);
    this.divideConfiguration = value & DIVIDE_MASK;
    this.start = now - spent * this.divisor;
    this.arm(now);
  }

  get initialCount(): number {
    return this.initial;
  }

  writeInitialCount(value: number): void {
    if (this.mode === TSC_DEADLINE) return;
    this.initial = value;
    this.start = this.events.clock.now();
    this.arm(this.start);
  }

  get currentCount(): number {
    return this.countAt(this.events.clock.now());
  }

  private countAt(now: number): number {
    if (this.initial === 0) return 0;
    const elapsed = Math.floor((now - this.start) / this.divisor);
    if (this.mode === PERIODIC) return this.initial - (elapsed % this.initial);
    return Math.max(0, this.initial - elapsed);
  }

  /** IA32_TSC_DEADLINE: 0 while disarmed. */
  get deadline(): bigint {
    return this.tscDeadline;
  }

  /** Has no effect outside of the TSC-deadline mode. */
  writeDeadline(value: bigint): void {
    if (this.mode !== TSC_DEADLINE) return;
    this.tscDeadline = value;
    this.arm();
  }

  /** The CPU's TSC offset changed. */
  tscChanged(): void {
    if (this.mode === TSC_DEADLINE) this.arm();
  }

  /**
   * `now` is the moment at which the count was set: the real clock goes on meanwhile, and a short count that has run out
   * since must interrupt all the same.
   */
  private arm(now = this.events.clock.now()): void {
    if (this.mode === TSC_DEADLINE) return this.armDeadline();
    this.event.disarm();
    if (this.masked || this.initial === 0) return;
    const period = this.initial * this.divisor;
    if (this.mode === PERIODIC) this.event.arm(this.nextPeriod(now + 1));
    else if (this.start + period > now) this.event.arm(this.start + period);
  }

  /** The first end of a period that is not before `from`. */
  private nextPeriod(from: number): number {
    const period = this.initial * this.divisor;
    return this.start + Math.ceil((from - this.start) / period) * period;
  }

  private armDeadline(): void {
    this.event.disarm();
    if (this.tscDeadline === 0n) return;
    const now = this.events.clock.now();
    const left = this.tscDeadline - BigInt.asUintN(64, BigInt(now) + this.tscOffset());
    if (left <= 0n) this.expire(now);
    else this.event.arm(now + Number(left));
  }

  private expire(deadline: number): void {
    if (this.mode === TSC_DEADLINE) this.tscDeadline = 0n;
    // Late by whole periods, the timer has interrupted once for all of them.
    else if (this.mode === PERIODIC) {
      this.event.arm(this.nextPeriod(Math.max(this.events.clock.now() + 1, deadline + MIN_INTERVAL_NS)));
    }
    if (!this.masked) this.fire();
  }

  save(): SavedLocalApicTimer {
    const { mode, masked, divideConfiguration, initial, start } = this;
    return {
      version: 1,
      mode,
      masked,
      divideConfiguration,
      initial,
      start,
      deadline: String(this.tscDeadline),
    };
  }

  /** The event itself is loaded with the event queue. */
  load(state: SavedLocalApicTimer): void {
    checkVersion('a local APIC timer', state, 1);
    const { mode, masked, divideConfiguration, initial, start } = state;
    Object.assign(this, { mode, masked, divideConfiguration, initial, start });
    this.tscDeadline = BigInt(state.deadline);
  }
}
