/** Intel 8254 Programmable Interval Timer (order number 231164), as in the PC: counter 0 is IRQ 0, counter 2 the speaker's. */
import type { EventQueue, Timer } from '../../machine/events.js';
import type { Line } from '../../machine/line.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { ticksAt, timeOfTick } from '../../machine/ticks.js';
import { I8254Counter, type SavedCounter } from './i8254-counter.js';

export const PIT_HZ = 1193182;

const COUNTER0 = 0x40;
const CONTROL = 0x43;
const PORTS = 4;

// Control word
const SELECT_SHIFT = 6;
const READ_BACK = 3;
const ACCESS = 0x30;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

const SPEAKER_COUNTER = 2;
/** With a shorter period than this, interrupts come less often than they should, so that the machine can go on. */
const MIN_INTERVAL_NS = 20_000;

export class I8254 implements PortDevice {
  private readonly counters = [new I8254Counter(true), new I8254Counter(true), new I8254Counter(false)];
  private readonly rise: Timer;

  /** `irq0`: OUT of counter 0. */
  constructor(
    private readonly events: EventQueue,
    private readonly irq0: Line,
  ) {
    this.rise = events.timer('8254', () => this.risen());
  }

  attach(ports: PortBus): void {
    ports.map(COUNTER0, PORTS, this);
  }

  /** The chip has no reset: what it does before it is programmed is undefined, here nothing. */
  reset(): void {
    const stopped = new I8254Counter(true).save();
    this.counters.forEach((counter, index) => counter.load({ ...stopped, gate: index !== SPEAKER_COUNTER }));
    this.rise.disarm();
    this.irq0(false);
  }

  private tick(): number {
    return ticksAt(this.events.clock.now(), PIT_HZ);
  }

  /** Ticks of the refresh request, OUT of counter 1, which toggles every 18 ticks whatever the counter is set to. */
  get refreshToggle(): boolean {
    return (Math.floor(this.tick() / 18) & 1) !== 0;
  }

  get speakerOutput(): boolean {
    return this.counters[SPEAKER_COUNTER]!.output(this.tick());
  }

  setSpeakerGate(gate: boolean): void {
    this.counters[SPEAKER_COUNTER]!.setGate(gate, this.tick());
  }

  private risen(): void {
    // A pulse: the output of mode 2 and 3 was low before it rises.
    this.irq0(false);
    this.irq0(true);
    this.arm(MIN_INTERVAL_NS);
  }

  /** Waits for the next rise of OUT0 that is at least `from` nanoseconds away. */
  private arm(from = 0): void {
    const soon = Math.max(this.tick(), ticksAt(this.events.clock.now() + from, PIT_HZ) - 1);
    const rise = this.counters[0]!.nextRise(soon);
    this.rise.arm(rise === Infinity ? Infinity : timeOfTick(rise, PIT_HZ));
  }

  readPort(port: number): number {
    if (port === CONTROL) return 0xff;
    return this.counters[port - COUNTER0]!.read(this.tick());
  }

  writePort(port: number, value: number): void {
    const now = this.tick();
    if (port !== CONTROL) this.counters[port - COUNTER0]!.write(value, now);
    else if (value >> SELECT_SHIFT === READ_BACK) return this.readBack(value, now);
    else {
      const counter = this.counters[value >> SELECT_SHIFT]!;
      if ((value & ACCESS) === 0) return counter.latchCount(now);
      counter.writeControl(value);
    }
    this.irq0(this.counters[0]!.output(now));
    this.arm();
  }

  private readBack(value: number, now: number): void {
    this.counters.forEach((counter, index) => {
      if (!(value & (2 << index))) return;
      if (!(value & READ_BACK_NO_COUNT)) counter.latchCount(now);
      if (!(value & READ_BACK_NO_STATUS)) counter.latchStatus(now);
    });
  }

  save(): { version: 1; counters: SavedCounter[] } {
    return { version: 1, counters: this.counters.map((counter) => counter.save()) };
  }

  load(state: ReturnType<I8254['save']>): void {
    checkVersion('the 8254', state, 1);
    this.counters.forEach((counter, index) => counter.load(state.counters[index]!));
  }
}
