import type { Engine, EngineKind, EngineModules } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import { THREAD_RUNS, type Answer, type Question } from '../engine/mailbox.js';
import { answerFor, DECODE, type Answerer } from '../engine/remote-board.js';
import type { RegionModule } from '../engine/translator/installer.js';
import type { ExecutorData } from './executor.js';

/** A thread of the host that runs an `Executor`. */
export interface ExecutorThread {
  send(module: RegionModule): void;
  end(): void;
}

/** What the host gives to start them. */
export interface ThreadHost {
  /** How many threads can run at once, this one included. */
  readonly parallel: number;
  /** Its processors do not keep the order of memory that x86 has. */
  readonly needsFences: boolean;
  /** `wake` is called when the thread wants this one to look at its mailboxes, `failed` when it broke. */
  start(data: ExecutorData, wake: () => void, failed: (error: Error) => void): ExecutorThread;
}

/** How long a thread may take to stop between instructions, in milliseconds of the host: a guest cannot make it longer than one instruction. */
const STOP_MS = 10_000;

/** The threads that run CPUs beside the machine's own. */
export class Threads {
  private readonly words: Int32Array;
  private readonly threads: readonly ExecutorThread[];
  private readonly answer: (question: Question) => Answer;
  /** Reasons for which the threads are stopped: they have not begun, or `stopped` is not left yet. */
  private stops = 1;
  /** What a thread broke with. */
  failure: Error | null = null;

  constructor(
    host: ThreadHost,
    private readonly engine: Engine,
    { kind, modules, features }: { kind: EngineKind; modules: EngineModules; features: ReadonlySet<string> },
    answerer: Answerer,
    wake: () => void,
    private readonly milliseconds: () => number,
  ) {
    this.words = new Int32Array(engine.memory.buffer);
    this.answer = answerFor(answerer);
    Atomics.store(this.words, L.G_STOP >> 2, 1);
    const { runtime, interpreter } = modules;
    this.threads = Array.from({ length: engine.mailboxes.threads }, (_, i) =>
      host.start(
        { thread: i + 1, kind, memory: engine.memory, features, runtime, interpreter },
        wake,
        (error) => {
          this.failure ??= error;
          wake();
        },
      ),
    );
    engine.publish = (module) => this.threads.forEach((thread) => thread.send(module));
    engine.cache.aroundFlush = (flush) => this.stopped(flush, true);
  }

  /** Answers what the threads ask. */
  serve(): void {
    if (this.engine.mailboxes.waiting) this.engine.serve(this.answer);
    if (this.failure) throw this.failure;
  }

  /** `cpu` (pointer) runs in this thread; 0: none; HOME_SLEEPS: this thread goes to wait. */
  set home(cpu: number) {
    Atomics.store(this.words, L.G_HOME >> 2, cpu);
  }
  /** Whether a thread waits for an answer. */
  get asked(): boolean {
    return this.engine.mailboxes.waiting;
  }

  /** There may be a CPU to run for a thread that sleeps. */
  offerWork(): void {
    Atomics.add(this.words, L.G_WORK >> 2, 1);
    Atomics.notify(this.words, L.G_WORK >> 2);
  }

  /** Does something while no other thread runs any CPU. `decoding`: threads that wait for code to be decoded may go on waiting. */
  stopped(act: () => void, decoding = false): void {
    this.stop(decoding);
    try {
      act();
    } finally {
      this.go();
    }
  }

  /** No other thread runs any CPU until `go`. */
  stop(decoding = false): void {
    if (this.stops++ === 0) {
      Atomics.store(this.words, L.G_STOP >> 2, 1);
      this.offerWork();
    }
    try {
      const since = this.milliseconds();
      while (!this.quiet(decoding)) {
        this.engine.serve(this.answer, decoding);
        if (this.failure) throw this.failure;
        if (this.milliseconds() - since > STOP_MS) throw new Error('a thread of the machine does not stop');
      }
      // What they posted last.
      this.engine.serve(this.answer, decoding);
    } catch (error) {
      this.go();
      throw error;
    }
  }

  /** Lets the threads run CPUs: the machine is ready, or what they were stopped for is over. */
  go(): void {
    if (--this.stops > 0) return;
    Atomics.store(this.words, L.G_STOP >> 2, 0);
    this.offerWork();
  }

  private quiet(decoding: boolean): boolean {
    const { mailboxes, processors } = this.engine;
    let quiet = true;
    for (let thread = 0; thread < mailboxes.threads; thread++) {
      if (mailboxes.doing(thread) !== THREAD_RUNS) continue;
      if (decoding && mailboxes.asked(thread) === DECODE) continue;
      quiet = false;
    }
    if (!quiet) for (const processor of processors) if (processor.owner > 0) processor.requestExit();
    return quiet;
  }

  end(): void {
    for (const thread of this.threads) thread.end();
  }
}
