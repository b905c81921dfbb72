/**
 * How threads that run CPUs ask the machine's own thread, which has the board and the code cache: a mailbox for each in
 * the shared memory. The asking thread waits for the answer. i32 fields at their offsets:
 */
import * as L from './layout.js';

/** EMPTY, ASKED, or ANSWERED. */
const STATE = 0;
const EMPTY = 0;
const ASKED = 1;
const ANSWERED = 2;
/** Number of the operation. */
const OPERATION = 4;
/** Pointer of the CPU. */
const CPU = 8;
/** The answer: 0, or 1: there is no such thing. */
const MISSING = 12;
/** What the thread does (THREAD_). */
const DOING = 16;
/** How many regions' modules it has installed. */
const INSTALLED = 20;
/** f64 arguments, then their answer. */
const NUMBERS = 24;
const MOST_NUMBERS = 4;
/** i64 argument or answer. */
const WIDE = 56;

/** It runs CPUs. */
export const THREAD_RUNS = 0;
/** It waits for G_WORK to change, and looks for modules before it runs anything. */
export const THREAD_SLEEPS = 1;
/** It saw G_STOP and waits until that is 0. */
export const THREAD_STOPPED = 2;
/** It does not start: it is not there yet, or it broke. */
export const THREAD_ABSENT = 3;

/** Looks at the mailbox before waiting: an answer is mostly there after some microseconds. */
const SPINS = 3000;

const mailboxAt = (thread: number): number => L.G_MAILBOXES + thread * L.MAILBOX_BYTES;

/** What was asked. */
export interface Question {
  readonly operation: number;
  readonly cpu: number;
  readonly numbers: readonly number[];
  readonly wide: bigint;
}

export interface Answer {
  readonly number?: number;
  readonly wide?: bigint;
  readonly missing?: boolean;
}

/** The asking end, in thread `thread`. `wakeHome`: the machine's thread waits in its event loop. */
export class Asker {
  private readonly words: Int32Array;
  private readonly view: DataView;
  private readonly at: number;

  constructor(
    memory: WebAssembly.Memory,
    thread: number,
    private readonly wakeHome: () => void,
  ) {
    this.words = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.at = mailboxAt(thread);
  }

  /** Asks and waits. The answer is in `number`, `wide` and `missing` until the next question. */
  ask(operation: number, cpu: number, a = 0, b = 0, c = 0, wide = 0n): this {
    const { view, words, at } = this;
    view.setInt32(at + OPERATION, operation, true);
    view.setUint32(at + CPU, cpu, true);
    view.setFloat64(at + NUMBERS, a, true);
    view.setFloat64(at + NUMBERS + 8, b, true);
    view.setFloat64(at + NUMBERS + 16, c, true);
    view.setBigInt64(at + WIDE, wide, true);
    const state = (at + STATE) >> 2;
    Atomics.store(words, state, ASKED);
    this.callHome();
    for (let i = 0; Atomics.load(words, state) === ASKED; i++)
      if (i >= SPINS) Atomics.wait(words, state, ASKED);
    Atomics.store(words, state, EMPTY);
    return this;
  }
  get number(): number {
    return this.view.getFloat64(this.at + NUMBERS, true);
  }
  get wide(): bigint {
    return this.view.getBigInt64(this.at + WIDE, true);
  }
  get missing(): boolean {
    return this.view.getInt32(this.at + MISSING, true) !== 0;
  }

  /** Makes the machine's thread look at its mailboxes soon. */
  callHome(): void {
    const home = Atomics.load(this.words, L.G_HOME >> 2);
    if (home === L.HOME_SLEEPS) this.wakeHome();
    else if (home !== 0) Atomics.or(this.words, (home + L.S_PENDING) >> 2, L.PENDING_EXIT);
  }

  set doing(what: number) {
    Atomics.store(this.words, (this.at + DOING) >> 2, what);
  }
  set installed(count: number) {
    Atomics.store(this.words, (this.at + INSTALLED) >> 2, count);
  }
}

/** The answering end: the mailboxes of `threads` threads. */
export class Mailboxes {
  private readonly words: Int32Array;
  private readonly view: DataView;

  constructor(
    memory: WebAssembly.Memory,
    readonly threads: number,
  ) {
    if (L.G_MAILBOXES + threads * L.MAILBOX_BYTES > L.CPU_BASE)
      throw new RangeError(`${threads} threads are too many`);
    this.words = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    for (let thread = 0; thread < threads; thread++)
      Atomics.store(this.words, (mailboxAt(thread) + DOING) >> 2, THREAD_ABSENT);
  }

  /** Operation that the thread waits for; -1: none. */
  asked(thread: number): number {
    const at = mailboxAt(thread);
    return Atomics.load(this.words, (at + STATE) >> 2) === ASKED
      ? this.view.getInt32(at + OPERATION, true)
      : -1;
  }

  /** Whether any thread waits for an answer. */
  get waiting(): boolean {
    for (let thread = 0; thread < this.threads; thread++) if (this.asked(thread) >= 0) return true;
    return false;
  }

  /** Answers the question that the thread waits with. */
  answer(thread: number, answer: (question: Question) => Answer): void {
    const { view, words } = this;
    const at = mailboxAt(thread);
    const numbers = Array.from({ length: MOST_NUMBERS }, (_, i) =>
      view.getFloat64(at + NUMBERS + 8 * i, true),
    );
    const { number, wide, missing } = answer({
      operation: view.getInt32(at + OPERATION, true),
      cpu: view.getUint32(at + CPU, true),
      numbers,
      wide: view.getBigInt64(at + WIDE, true),
    });
    if (number !== undefined) view.setFloat64(at + NUMBERS, number, true);
    if (wide !== undefined) view.setBigInt64(at + WIDE, BigInt.asIntN(64, wide), true);
    view.setInt32(at + MISSING, missing ? 1 : 0, true);
    const state = (at + STATE) >> 2;
    Atomics.store(words, state, ANSWERED);
    Atomics.notify(words, state);
  }

  doing(thread: number): number {
    return Atomics.load(this.words, (mailboxAt(thread) + DOING) >> 2);
  }
  /** Whether every thread has installed so many modules, or will before it runs anything. */
  haveInstalled(count: number): boolean {
    for (let thread = 0; thread < this.threads; thread++) {
      const doing = this.doing(thread);
      if (doing !== THREAD_RUNS) continue;
      if (Atomics.load(this.words, (mailboxAt(thread) + INSTALLED) >> 2) < count) return false;
    }
    return true;
  }
}
