/**
 * How threads that run CPUs ask the machine's own thread, which has the board and the code cache: a mailbox for each in
 * the shared memory. The asking thread waits for the answer, or goes on where
 * there is none. i32 fields at their offsets:
 */
import * as L from './layout.js';

/** What the thread does (THREAD_). */
const DOING = 0;
/** How many regions' modules it has installed. */
const INSTALLED = 4;

/** Behind these: slots, used in turn, so that what is posted does not keep the thread waiting. */
const FIRST_SLOT = 64;
const SLOTS = 8;
const SLOT_BYTES = 192;

// In a slot
const STATE = 0;
const EMPTY = 0;
/** The thread waits for the answer. */
const ASKED = 1;
const ANSWERED = 2;
/** It does not. */
const POSTED = 3;
/** Number of the operation. */
const OPERATION = 4;
/** Pointer of the CPU. */
const CPU = 8;
/** The answer: 0, or 1: there is no such thing. */
const MISSING = 12;
/** f64 arguments, then their answer. */
const NUMBERS = 16;
const MOST_NUMBERS = 4;
/** i64 argument or answer. */
const WIDE = 48;
/** 16 i64: the CPU's general registers when it was asked, for those that need them. */
const REGISTERS = 64;
const REGISTERS_BYTES = 128;

/** It runs CPUs. */
export const THREAD_RUNS = 0;
/** It waits for G_WORK to change, and looks for modules before it runs anything. */
export const THREAD_SLEEPS = 1;
/** It saw G_STOP and waits until that is 0. */
export const THREAD_STOPPED = 2;
/** It is not there yet, or it broke. */
export const THREAD_ABSENT = 3;

/** Looks at the mailbox before waiting: an answer is mostly there after some microseconds. */
const SPINS = 3000;

const mailboxAt = (thread: number): number => L.G_MAILBOXES + thread * L.MAILBOX_BYTES;
const slotAt = (thread: number, number: number): number =>
  mailboxAt(thread) + FIRST_SLOT + (number % SLOTS) * SLOT_BYTES;

/** What was asked. */
export interface Question {
  readonly operation: number;
  readonly cpu: number;
  /** The CPU does nothing until the answer. */
  readonly waits: boolean;
  readonly numbers: readonly number[];
  readonly wide: bigint;
  /** The CPU's general registers, as they were, where they were sent. */
  readonly registers: () => bigint[];
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
  /** How many slots were used so far. */
  private used = 0;
  /** The slot that was used last. */
  private at: number;

  constructor(
    memory: WebAssembly.Memory,
    private readonly thread: number,
    private readonly wakeHome: () => void,
  ) {
    this.words = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.at = slotAt(thread, 0);
  }

  /** Asks and waits. The answer is in `number`, `wide` and `missing` until the next question. */
  ask(operation: number, cpu: number, a = 0, b = 0, c = 0, wide = 0n): this {
    this.put(operation, cpu, a, b, c, wide);
    this.send(ASKED);
    this.waitWhile(ASKED);
    Atomics.store(this.words, (this.at + STATE) >> 2, EMPTY);
    return this;
  }

  /** Tells without waiting; what is told or asked later comes behind it. With `registers` the CPU's are told too. */
  post(operation: number, cpu: number, a = 0, b = 0, c = 0, wide = 0n, registers = false): void {
    const { words } = this;
    this.put(operation, cpu, a, b, c, wide);
    if (registers) {
      const from = cpu + L.S_GPR;
      new Uint8Array(words.buffer).copyWithin(this.at + REGISTERS, from, from + REGISTERS_BYTES);
    }
    Atomics.store(words, (cpu + L.S_POSTER) >> 2, this.thread);
    Atomics.add(words, (cpu + L.S_POSTS) >> 2, 1);
    this.send(POSTED);
  }

  /** Before this thread runs a CPU: waits until what another one posted of it is done. */
  settle(cpu: number): void {
    const { words } = this;
    const posts = (cpu + L.S_POSTS) >> 2;
    for (let count = Atomics.load(words, posts); count !== 0; count = Atomics.load(words, posts)) {
      if (Atomics.load(words, (cpu + L.S_POSTER) >> 2) === this.thread) return;
      Atomics.wait(words, posts, count);
    }
  }

  private put(operation: number, cpu: number, a: number, b: number, c: number, wide: bigint): void {
    const { view } = this;
    this.at = slotAt(this.thread, this.used++);
    this.waitWhile(POSTED);
    const { at } = this;
    view.setInt32(at + OPERATION, operation, true);
    view.setUint32(at + CPU, cpu, true);
    view.setFloat64(at + NUMBERS, a, true);
    view.setFloat64(at + NUMBERS + 8, b, true);
    view.setFloat64(at + NUMBERS + 16, c, true);
    view.setBigInt64(at + WIDE, wide, true);
  }

  private send(state: number): void {
    Atomics.store(this.words, (this.at + STATE) >> 2, state);
    this.callHome();
  }

  /** While the last slot is in this state. */
  private waitWhile(state: number): void {
    const { words } = this;
    const word = (this.at + STATE) >> 2;
    for (let i = 0; Atomics.load(words, word) === state; i++)
      if (i >= SPINS) Atomics.wait(words, word, state);
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
    Atomics.store(this.words, (mailboxAt(this.thread) + DOING) >> 2, what);
  }
  set installed(count: number) {
    Atomics.store(this.words, (mailboxAt(this.thread) + INSTALLED) >> 2, count);
  }
}

/** The answering end: the mailboxes of `threads` threads. */
export class Mailboxes {
  private readonly words: Int32Array;
  private readonly view: DataView;
  /** How many questions of each thread were taken. */
  private readonly taken: Uint32Array;

  constructor(
    memory: WebAssembly.Memory,
    readonly threads: number,
  ) {
    if (L.G_MAILBOXES + threads * L.MAILBOX_BYTES > L.CPU_BASE)
      throw new RangeError(`${threads} threads are too many`);
    this.words = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.taken = new Uint32Array(threads);
    for (let thread = 0; thread < threads; thread++)
      Atomics.store(this.words, (mailboxAt(thread) + DOING) >> 2, THREAD_ABSENT);
  }

  /** The thread's next slot to look at. */
  private slot(thread: number): number {
    return slotAt(thread, this.taken[thread]!);
  }

  /** Operation that the thread has asked for next; -1: none. */
  asked(thread: number): number {
    const at = this.slot(thread);
    const state = Atomics.load(this.words, (at + STATE) >> 2);
    return state === ASKED || state === POSTED ? this.view.getInt32(at + OPERATION, true) : -1;
  }

  /** Whether any thread has asked for something. */
  get waiting(): boolean {
    for (let thread = 0; thread < this.threads; thread++) if (this.asked(thread) >= 0) return true;
    return false;
  }

  /** Answers what the thread has asked for next. */
  answer(thread: number, answer: (question: Question) => Answer): void {
    const { view, words } = this;
    const at = this.slot(thread);
    const cpu = view.getUint32(at + CPU, true);
    const state = (at + STATE) >> 2;
    const posted = Atomics.load(words, state) === POSTED;
    const numbers = Array.from({ length: MOST_NUMBERS }, (_, i) =>
      view.getFloat64(at + NUMBERS + 8 * i, true),
    );
    const { number, wide, missing } = answer({
      operation: view.getInt32(at + OPERATION, true),
      cpu,
      waits: !posted,
      numbers,
      wide: view.getBigInt64(at + WIDE, true),
      registers: () =>
        Array.from({ length: REGISTERS_BYTES / 8 }, (_, n) =>
          view.getBigUint64(at + REGISTERS + 8 * n, true),
        ),
    });
    if (number !== undefined) view.setFloat64(at + NUMBERS, number, true);
    if (wide !== undefined) view.setBigInt64(at + WIDE, BigInt.asIntN(64, wide), true);
    view.setInt32(at + MISSING, missing ? 1 : 0, true);
    this.taken[thread]!++;
    Atomics.store(words, state, posted ? EMPTY : ANSWERED);
    Atomics.notify(words, state);
    if (!posted) return;
    Atomics.sub(words, (cpu + L.S_POSTS) >> 2, 1);
    Atomics.notify(words, (cpu + L.S_POSTS) >> 2);
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
