import type { StopReason } from '../engine/cpu.js';
import type { Processor } from '../engine/processor.js';
import type { Clock, VirtualClock } from '../machine/clock.js';
import type { EventQueue } from '../machine/events.js';

/** Instructions of one CPU's turn with virtual time, where nothing ends it earlier. */
const VIRTUAL_TURN = 100_000;
/** Aim for a turn with real time, in nanoseconds, and the bounds of its instructions. */
const REAL_TURN_NS = 1_000_000;
const LEAST_TURN = 2_000;
const MOST_TURN = 2_000_000;
/** How often the host gets a chance to bring input, in host milliseconds. */
const BREATH_MS = 8;

export interface SchedulerHost {
  /** Milliseconds, for pacing only. */
  milliseconds(): number;
  /** Lets other work of this thread run. */
  breathe(): Promise<void>;
  /** Resolves after so many nanoseconds (Infinity: never by itself), or when `wake` is called. */
  sleep(nanoseconds: number): Promise<void>;
  wake(): void;
}

export interface SchedulerEnd {
  reason: 'stopped' | 'shutdown';
  /** Which CPU shut down. */
  cpu?: Processor;
}

/**
 * Runs the CPUs of a machine in one thread, in turns, and the events in between. With the virtual clock the order is a
 * function of the machine alone; with the real one turns follow the host's time. Sleeps while all CPUs halt.
 */
export class Scheduler {
  private stopping = false;
  private turn = 50_000;

  constructor(
    private readonly processors: readonly Processor[],
    private readonly clock: Clock,
    private readonly virtual: VirtualClock | null,
    private readonly events: EventQueue,
    private readonly host: SchedulerHost,
  ) {
    events.onEarlier = () => this.interruptTurn();
  }

  /** Ends `run` soon; may be called from inside a device. */
  stop(): void {
    this.stopping = true;
    this.interruptTurn();
    this.host.wake();
  }

  /** Something came from outside: a halted machine looks again. */
  wake(): void {
    this.host.wake();
  }

  /** An event was armed that may be due before the turn ends. */
  private interruptTurn(): void {
    this.running?.requestExit();
  }
  private running: Processor | null = null;

  async run(): Promise<SchedulerEnd> {
    this.stopping = false;
    let breath = this.host.milliseconds() + BREATH_MS;
    while (!this.stopping) {
      this.events.runDue();
      let anyRan = false;
      for (const processor of this.processors) {
        if (this.stopping) break;
        if (!processor.canWake()) continue;
        const why = this.give(processor);
        if (why === 'shutdown') return { reason: 'shutdown', cpu: processor };
        anyRan ||= why !== 'halted' && why !== 'waiting';
      }
      if (this.stopping) break;
      if (!anyRan && !this.processors.some((p) => p.canWake())) await this.idle();
      if (this.host.milliseconds() >= breath) {
        await this.host.breathe();
        breath = this.host.milliseconds() + BREATH_MS;
      }
    }
    return { reason: 'stopped' };
  }

  /** With virtual time: what is due, then at most so many instructions of the first CPU. For programs that go step by step. */
  step(instructions: number): StopReason {
    this.events.runDue();
    const [processor] = this.processors;
    const next = this.events.next();
    if (!processor!.canWake() && next !== undefined) this.virtual?.advanceTo(next);
    return this.give(processor!, instructions);
  }

  /** One CPU's turn: to the next event at most. */
  private give(processor: Processor, most = VIRTUAL_TURN): StopReason {
    const next = this.events.next();
    const now = this.clock.now();
    const until = next === undefined ? Infinity : Math.max(next - now, 1);
    this.running = processor;
    let why: StopReason;
    if (this.virtual) why = processor.run(Math.min(most, until));
    else {
      const speed = this.turn / REAL_TURN_NS;
      const budget = Math.max(LEAST_TURN, Math.min(this.turn, Math.ceil(until * speed)));
      const before = processor.retired();
      why = processor.run(budget);
      const done = processor.retired() - before;
      const took = this.clock.now() - now;
      // Learn the speed from turns that ran long enough to tell.
      if (why === 'budget' && done >= LEAST_TURN * 5 && took > 0) {
        const wanted = (done / took) * REAL_TURN_NS;
        this.turn = Math.max(LEAST_TURN * 5, Math.min(MOST_TURN, Math.round(this.turn * 0.8 + wanted * 0.2)));
      }
    }
    this.running = null;
    return why;
  }

  /** All CPUs halt: on to the next event, by skipping virtual time or sleeping. */
  private async idle(): Promise<void> {
    const next = this.events.next();
    if (this.virtual) {
      if (next !== undefined) {
        this.virtual.advanceTo(next);
        return;
      }
      await this.host.sleep(Infinity);
      return;
    }
    await this.host.sleep(next === undefined ? Infinity : Math.max(next - this.clock.now(), 0));
  }
}
