import type { StopReason } from '../engine/cpu.js';
import type { Processor } from '../engine/processor.js';
import { RealClock, type Clock, type VirtualClock } from '../machine/clock.js';
import { HOME_THREAD } from '../engine/engine.js';
import { HOME_SLEEPS } from '../engine/layout.js';
import type { EventQueue } from '../machine/events.js';
import type { CpuCap } from './cpu-cap.js';
import type { Threads } from './threads.js';
import { RunQueue } from './run-queue.js';
import { PAUSES, Turns } from './turns.js';

/** Instructions of one CPU's turn with virtual time, where nothing ends it earlier. */
const VIRTUAL_TURN = 100_000;
/** How often the host gets a chance to bring input, in host milliseconds. */
const BREATH_MS = 2;
/** After an answer that came sooner than this, in nanoseconds, the next wait begins with looking out for as long (`brief`). */
const LOOKOUT_NS = 2_000_000;

export interface SchedulerHost {
  /** Milliseconds, for pacing only. */
  milliseconds(): number;
  /** Nanoseconds that all threads have used of the host's cores, where the host tells. */
  cpuTime?(): number;
  /** Lets other work of this thread run. */
  breathe(): Promise<void>;
  /** Resolves after so many nanoseconds (Infinity: never by itself), or to true when `wake` is called. */
  sleep(nanoseconds: number): Promise<boolean>;
  /** Looks for so many nanoseconds, without rest, until `wake` is called or `found` is true; says whether one was. */
  poll(nanoseconds: number, found: () => boolean): Promise<boolean>;
  wake(): void;
}

export interface SchedulerEnd {
  reason: 'stopped' | 'shutdown';
  /** Which CPU shut down. */
  cpu?: Processor;
}

/**
 * Runs the CPUs of a machine in turns, and the events in between; with the real clock beside other threads, which run those
 * CPUs that this one does not. With the virtual clock the order is a function of the machine alone. Sleeps while all CPUs halt.
 */
export class Scheduler {
  private stopping = false;
  private readonly turns: Turns;
  /** Which CPU gets the next turn here, with threads. */
  private readonly queue: RunQueue;
  /** The threads that run CPUs beside this one. */
  threads: Threads | null = null;

  constructor(
    private readonly processors: readonly Processor[],
    private readonly clock: Clock,
    private readonly virtual: VirtualClock | null,
    private readonly events: EventQueue,
    private readonly host: SchedulerHost,
    private readonly cap: CpuCap,
  ) {
    events.onEarlier = () => this.interruptTurn();
    this.turns = new Turns(() => clock.now());
    this.queue = new RunQueue(processors, HOME_THREAD);
    for (const processor of processors) processor.onWakeable = (woken) => this.noticeWakeable(woken);
  }

  /** A CPU may have become able to run while this thread is busy with another. */
  private noticeWakeable(processor: Processor): void {
    if (this.threads && this.running && this.running !== processor && processor.owner < 0)
      this.threads.offerWork();
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

  /** CPUs and clock stand still, or will before long. */
  paused = false;

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.interruptTurn();
    this.host.wake();
  }
  resume(): void {
    this.paused = false;
    this.host.wake();
  }

  private async rest(): Promise<void> {
    this.threads?.stop();
    if (this.clock instanceof RealClock) this.clock.pause();
    while (this.paused && !this.stopping) await this.host.sleep(Infinity);
    if (this.clock instanceof RealClock) this.clock.resume();
    this.threads?.go();
  }

  /** When the host gets its next chance to bring input, host milliseconds. */
  private breath = 0;

  /** The guest waits for something from outside without halting: the host gets its chance soon. */
  breatheSoon(): void {
    this.breath = 0;
    this.interruptTurn();
  }

  /** An event was armed that may be due before the turn ends. */
  private interruptTurn(): void {
    this.running?.requestExit();
  }
  private running: Processor | null = null;

  async run(): Promise<SchedulerEnd> {
    this.stopping = false;
    this.breath = this.host.milliseconds() + BREATH_MS;
    while (!this.stopping) {
      if (this.paused) await this.rest();
      const started = this.time();
      this.threads?.serve();
      this.events.runDue();
      const wait = this.cap.wait(started);
      const ran = wait > 0 ? null : this.threads ? this.turnAmongThreads(this.threads) : this.round();
      const ended = this.time();
      this.cap.spent(ended - started, ended);
      if (this.cap.percent > 0 && this.host.cpuTime) this.cap.settle(this.host.cpuTime(), ended);
      if (ran !== null && typeof ran === 'object') return { reason: 'shutdown', cpu: ran };
      if (this.stopping) break;
      if (wait > 0) await this.wait(wait, false);
      else if (ran === null) await this.idle();
      if (this.host.milliseconds() >= this.breath) {
        await this.host.breathe();
        this.breath = this.host.milliseconds() + BREATH_MS;
      }
    }
    return { reason: 'stopped' };
  }

  /** Nanoseconds for the cap: what the other threads go by. */
  private time(): number {
    return this.threads ? this.clock.now() : this.host.milliseconds() * 1e6;
  }

  /** A turn for each CPU that can run; null: none could. Gives a CPU that shut down. */
  private round(): Processor | true | null {
    let anyRan = false;
    for (const processor of this.processors) {
      if (this.stopping) break;
      if (!processor.canWake()) continue;
      const others = this.processors.some((other) => other !== processor && other.canWake());
      processor.pauses = others ? PAUSES : 0;
      const why = this.give(processor);
      if (why === 'shutdown') return processor;
      anyRan ||= why !== 'halted' && why !== 'waiting';
    }
    return anyRan || this.processors.some((processor) => processor.canWake()) ? true : null;
  }

  /** A turn for one CPU that can run and that no thread has; null: there is none. */
  private turnAmongThreads(threads: Threads): Processor | true | null {
    const processor = this.queue.claim();
    if (!processor) return null;
    if (this.queue.contended) threads.offerWork();
    threads.home = processor.pointer;
    // What was posted of this CPU comes before what it does now. Who asks from now on ends the turn.
    if (processor.posts) threads.serve();
    const why = threads.asked ? 'exit' : this.give(processor);
    threads.home = 0;
    processor.release();
    return why === 'shutdown' ? processor : true;
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
    processor.beginTurn(now);
    let why: StopReason;
    if (this.virtual) why = processor.run(Math.min(most, until));
    else why = this.turns.give(processor, until);
    this.running = null;
    processor.endTurn(this.clock.now());
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
    await this.wait(next === undefined ? Infinity : Math.max(next - this.clock.now(), 0), true);
  }

  /** So many nanoseconds, or until another thread asks, or with `forWork` has a CPU to run. */
  private async wait(nanoseconds: number, forWork: boolean): Promise<void> {
    const { threads } = this;
    const found = (): boolean => threads !== null && (threads.asked || (forWork && this.queue.waits));
    const since = this.clock.now();
    // Time that is spent looking counts as the machine's own.
    if (this.brief && forWork && this.cap.percent === 0) {
      if (await this.host.poll(Math.min(nanoseconds, LOOKOUT_NS), found)) return;
      this.brief = false;
    }
    if (threads) {
      threads.home = HOME_SLEEPS;
      // Who asks, or makes a CPU able to run, from now on wakes this thread.
      if (found()) {
        threads.home = 0;
        return;
      }
    }
    const next = this.virtual ? undefined : this.events.next();
    const due = next === undefined ? Infinity : Math.max(next - this.clock.now(), 0);
    const woken = await this.host.sleep(Math.min(nanoseconds, due));
    if (threads) threads.home = 0;
    this.brief = woken && this.clock.now() - since < LOOKOUT_NS;
  }
  /**
   * Something came soon from outside: it may again, and sleeping and waking takes longer than many a wait (as KVM's halt
   * polling, Documentation/virt/kvm/halt-polling.rst).
   */
  private brief = false;
}
