import type { EngineKind, EngineModules } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import { Asker, THREAD_ABSENT, THREAD_RUNS, THREAD_SLEEPS, THREAD_STOPPED } from '../engine/mailbox.js';
import type { Processor } from '../engine/processor.js';
import { askTime, postedWrites, remoteBoard, remoteCode, reportShutdown } from '../engine/remote-board.js';
import { RemoteEngine } from '../engine/remote-engine.js';
import type { RegionModule } from '../engine/translator/installer.js';
import { CpuCap } from './cpu-cap.js';
import { OwnApics } from './own-apics.js';
import { RunQueue } from './run-queue.js';
import { BRIEF_NS, POLL_NS, Turns } from './turns.js';

const NS_PER_MS = 1e6;
const CLOCK_QUESTIONS = 32;

/** What a thread that runs CPUs is given. */
export interface ExecutorData extends EngineModules {
  /** From 1; 0 is the machine's own thread. */
  readonly thread: number;
  readonly kind: EngineKind;
  readonly memory: WebAssembly.Memory;
  /** CPUID features that the CPU model has. */
  readonly features: ReadonlySet<string>;
}

/** What the host gives it. */
export interface ExecutorHost {
  /** Monotonic nanoseconds. */
  now(): number;
  /** They are counted from another moment than in the machine's own thread. */
  readonly ownClock: boolean;
  /** The next module that was sent. It has been, but may still be on its way. */
  receive(): RegionModule | Promise<RegionModule>;
  /** Makes the machine's own thread come out of its event loop. */
  wakeHome(): void;
}

/** Runs whichever CPUs of a machine can run and nobody else runs, until the thread is ended. */
export class Executor {
  private readonly words: Int32Array;
  private readonly view: DataView;
  private readonly asker: Asker;
  private readonly engine: RemoteEngine;
  private running = 0;
  private installed = 0;
  private readonly queue: RunQueue;
  private readonly turns: Turns;
  private readonly cap: CpuCap;
  private readonly now: () => number;
  /** How much later the host's clock is in the machine's own thread than here. */
  private lag = 0;
  /** The last wait was short: the next one may be, too. */
  private brief = false;

  constructor(
    data: ExecutorData,
    private readonly host: ExecutorHost,
  ) {
    const { memory, thread, kind } = data;
    this.words = new Int32Array(memory.buffer);
    const view = (this.view = new DataView(memory.buffer));
    this.asker = new Asker(memory, thread - 1, () => host.wakeHome());
    this.now = () => host.now() + this.lag - this.origin;
    const cpus = view.getUint32(L.G_CPUS, true);
    const apics = new OwnApics(memory, cpus, () => this.engine.processors);
    const board = apics.over(remoteBoard(this.asker, this.now), postedWrites(this.asker));
    const code = remoteCode(
      this.asker,
      memory,
      () => this.running,
      (cpu, base) => this.engine.runtime.codeKey(cpu, base),
    );
    const { features, runtime, interpreter } = data;
    this.engine = new RemoteEngine({ kind, memory, board, code, features, runtime, interpreter });
    this.queue = new RunQueue(this.engine.processors, thread);
    for (const processor of this.engine.processors) processor.onWakeable = (woken) => this.offer(woken);
    this.turns = new Turns(this.now);
    this.cap = new CpuCap(memory);
  }

  /** Does not return to the event loop unless a module is on its way. */
  async run(): Promise<never> {
    try {
      return await this.runOn();
    } catch (error) {
      // Nobody may wait for it.
      this.asker.doing = THREAD_ABSENT;
      throw error;
    }
  }

  private async runOn(): Promise<never> {
    const { asker, words } = this;
    asker.doing = THREAD_RUNS;
    if (this.host.ownClock) this.lag = this.measureLag();
    for (;;) {
      const seen = Atomics.load(words, L.G_WORK >> 2);
      if (Atomics.load(words, L.G_STOP >> 2) !== 0) {
        this.wait(THREAD_STOPPED, seen);
        continue;
      }
      if (this.installed !== this.sent) await this.install();
      const rest = this.cap.wait(this.now());
      if (rest > 0) {
        this.wait(THREAD_SLEEPS, seen, rest / NS_PER_MS);
        continue;
      }
      const processor = this.queue.claim();
      if (processor) this.give(processor);
      else this.wait(THREAD_SLEEPS, seen);
    }
  }

  private wait(doing: number, seen: number, milliseconds = Infinity): void {
    this.asker.doing = doing;
    // The machine's thread may wait for just this.
    if (doing === THREAD_STOPPED) this.asker.callHome();
    const since = this.now();
    if (this.brief && doing === THREAD_SLEEPS) this.poll(seen, since + POLL_NS);
    Atomics.wait(this.words, L.G_WORK >> 2, seen, milliseconds);
    this.brief = this.now() - since < BRIEF_NS;
    this.asker.doing = THREAD_RUNS;
  }

  /** Looks for work until a moment: sleeping and waking takes longer than many a wait. */
  private poll(seen: number, until: number): void {
    while (Atomics.load(this.words, L.G_WORK >> 2) === seen && this.now() < until);
  }

  /** What the host's clock was in the machine's own thread at power-on. */
  private get origin(): number {
    return this.view.getFloat64(L.G_CLOCK_ORIGIN, true);
  }

  /** Each answer says between what and what it is; clocks that tick coarsely are no closer than a tick. */
  private measureLag(): number {
    let [least, most] = [-Infinity, Infinity];
    for (let n = 0; n < CLOCK_QUESTIONS; n++) {
      const asked = this.host.now();
      const there = askTime(this.asker) + this.origin;
      least = Math.max(least, there - this.host.now());
      most = Math.min(most, there - asked);
    }
    return Math.round((least + most) / 2);
  }

  private get sent(): number {
    return Atomics.load(this.words, L.G_MODULES >> 2);
  }

  private async install(): Promise<void> {
    while (this.installed !== this.sent) {
      this.engine.installer.install(await this.host.receive());
      this.asker.installed = ++this.installed;
    }
  }

  /** A CPU may have become able to run that nobody runs, while this thread is busy with another. */
  private offer(processor: Processor): void {
    if (processor.owner >= 0) return;
    Atomics.add(this.words, L.G_WORK >> 2, 1);
    Atomics.notify(this.words, L.G_WORK >> 2);
    if (Atomics.load(this.words, L.G_HOME >> 2) === L.HOME_SLEEPS) this.host.wakeHome();
  }

  private give(processor: Processor): void {
    this.asker.settle(processor.pointer);
    this.running = processor.pointer;
    const started = this.now();
    processor.beginTurn(started);
    const why = this.turns.give(processor, Infinity);
    const ended = this.now();
    processor.endTurn(ended);
    this.cap.spent(ended - started, ended);
    this.running = 0;
    if (why === 'shutdown') reportShutdown(this.asker, processor.pointer);
    processor.release();
    // The machine's own thread may have none to run.
    if (
      Atomics.load(this.words, L.G_HOME >> 2) === L.HOME_SLEEPS &&
      processor.canWake() &&
      this.queue.contended
    )
      this.host.wakeHome();
  }
}
