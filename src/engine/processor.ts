import type { BoardAccess, Cpu, CpuCounts, StopReason } from './cpu.js';
import * as L from './layout.js';
import { R_LEFT } from './interpreter/record.js';
import type { RuntimeExports } from './runtime-module.js';

const DR6_BS = 0x4000;
const EXTERNAL = 0;
const NMI = 2;
const NMI_VECTOR = 2;

// struct kvm_steal_time: u64 steal, u32 version (odd while it is written), u32 flags, u8 preempted
const STEAL_VERSION = 8;
const STEAL_PREEMPTED = 16;
const PREEMPTED = 1;
const PREEMPTED_FLUSH = 2;

/** What all engines share: when interrupts, traps and stops come between instructions. How instructions execute is the subclass's. */
export abstract class Processor implements Cpu {
  readonly pointer: number;
  protected readonly view: DataView;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  readonly counts: CpuCounts = {
    portReads: 0,
    portWrites: 0,
    mmioReads: 0,
    mmioWrites: 0,
  };
  constructor(
    readonly index: number,
    memory: WebAssembly.Memory,
    protected readonly runtime: RuntimeExports,
    private readonly board: BoardAccess,
    /** Other threads run CPUs too. */
    private readonly threads = false,
  ) {
    this.pointer = L.CPU_BASE + index * L.CPU_BYTES;
    this.view = new DataView(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Executes until the budget is used up, something is pending, or a fault was raised outside an instruction (S_FAULT). */
  protected abstract execute(): void;
  /** Executes exactly `count` instructions at most (fewer if something interrupts them). */
  protected abstract executeExactly(count: number): void;

  protected u32(offset: number): number {
    return this.view.getUint32(this.pointer + offset, true);
  }
  protected setU32(offset: number, value: number): void {
    this.view.setUint32(this.pointer + offset, value, true);
  }
  protected i64(offset: number): number {
    return Number(this.view.getBigInt64(this.pointer + offset, true));
  }
  protected setI64(offset: number, value: number): void {
    this.view.setBigInt64(this.pointer + offset, BigInt(value), true);
  }

  retired(): number {
    const record = this.u32(L.S_RECORD);
    const rest = record === 0 ? 0 : this.view.getUint8(record + R_LEFT);
    return this.i64(L.S_RETIRED_END) - this.i64(L.S_BUDGET) - rest;
  }

  get faults(): number {
    return this.i64(L.S_FAULT_COUNT);
  }
  get interrupts(): number {
    return this.i64(L.S_INTERRUPT_COUNT);
  }
  get halts(): number {
    return this.i64(L.S_HALT_COUNT);
  }
  private count(offset: number): void {
    this.setI64(offset, this.i64(offset) + 1);
  }

  private pend(bits: number): void {
    Atomics.or(this.words, (this.pointer + L.S_PENDING) >> 2, bits);
  }
  private takePending(): number {
    return Atomics.exchange(this.words, (this.pointer + L.S_PENDING) >> 2, 0);
  }

  requestExit(): void {
    this.pend(L.PENDING_EXIT);
  }

  /** Called when something came that may end a halt. */
  onWakeable: (processor: Processor) => void = () => {};

  interruptChanged(): void {
    const line = (this.pointer + L.S_LINE) >> 2;
    // Cleared before the question: an interrupt that another thread requests from now on is seen by that, or by its own.
    Atomics.and(this.words, line, ~L.LINE_INTR);
    if (this.board.hasInterrupt(this.index)) {
      Atomics.or(this.words, line, L.LINE_INTR);
      // Another thread's CPU may be setting IF right now, and not have seen the line: it looks again.
      if (this.threads || this.u32(L.S_EFLAGS) & L.EFLAGS_IF) this.pend(L.PENDING_INTERRUPT);
      this.onWakeable(this);
    }
  }

  nmi(): void {
    Atomics.or(this.words, (this.pointer + L.S_LINE) >> 2, L.LINE_NMI);
    this.pend(L.PENDING_NMI);
    this.onWakeable(this);
  }

  init(): void {
    // Here and not when INIT is taken: the SIPI may follow before that.
    Atomics.store(this.words, this.startupWord, -1);
    this.pend(L.PENDING_INIT);
    this.onWakeable(this);
  }

  startup(vector: number): void {
    Atomics.store(this.words, this.startupWord, vector);
    this.pend(L.PENDING_EXIT);
    this.onWakeable(this);
  }

  /** Ends the halt that the CPU is in, whatever interrupts it takes, or its next one. */
  kick(): void {
    Atomics.store(this.words, (this.pointer + L.S_KICKED) >> 2, 1);
    this.pend(L.PENDING_EXIT);
    this.onWakeable(this);
  }

  private get startupWord(): number {
    return (this.pointer + L.S_STARTUP) >> 2;
  }
  private get waitingForStartup(): number {
    return Atomics.load(this.words, this.startupWord);
  }

  /** Takes the CPU for thread number `thread`; false if another has it. */
  claim(thread: number): boolean {
    return Atomics.compareExchange(this.words, (this.pointer + L.S_OWNER) >> 2, 0, thread + 1) === 0;
  }
  release(): void {
    Atomics.store(this.words, (this.pointer + L.S_OWNER) >> 2, 0);
  }
  /** Number of the thread that runs it; -1: none does. */
  get owner(): number {
    return Atomics.load(this.words, (this.pointer + L.S_OWNER) >> 2) - 1;
  }
  /** Whether something was posted of it to the machine's thread that is not done yet. */
  get posts(): boolean {
    return Atomics.load(this.words, (this.pointer + L.S_POSTS) >> 2) !== 0;
  }
  /** After so many PAUSEs the CPU's turn ends; 0: it may go on. */
  set pauses(count: number) {
    this.setU32(L.S_PAUSES, count);
  }
  /** Address in memory of the guest's struct kvm_steal_time; 0: none. */
  set stealTime(area: number) {
    this.setU32(L.S_STEAL_AREA, area);
    this.setI64(L.S_STEAL_SINCE, 0);
  }
  /** The CPU's turn begins, at this nanosecond: does what others left for it to do, and tells it how long it waited. */
  beginTurn(now: number): void {
    const area = this.u32(L.S_STEAL_AREA);
    if (area === 0) return;
    const state = Atomics.exchange(this.bytes, area + STEAL_PREEMPTED, 0);
    if (state & PREEMPTED_FLUSH) this.runtime.flushTlb(this.pointer, true);
    const since = this.i64(L.S_STEAL_SINCE);
    if (since === 0) return;
    const { view } = this;
    const version = view.getUint32(area + STEAL_VERSION, true) | 1;
    view.setUint32(area + STEAL_VERSION, version, true);
    view.setBigUint64(
      area,
      view.getBigUint64(area, true) + BigInt(Math.round(Math.max(0, now - since))),
      true,
    );
    view.setUint32(area + STEAL_VERSION, version + 1, true);
  }
  /** It ends; whoever waits for this CPU need not wait, and may leave a TLB flush to its next turn. */
  endTurn(now: number): void {
    const area = this.u32(L.S_STEAL_AREA);
    if (area === 0) return;
    // A halted one is not waited for, and systems would rather not wake work on CPUs that are not let run.
    const waits = this.canWake();
    this.setI64(L.S_STEAL_SINCE, waits ? Math.round(now) : 0);
    if (waits) Atomics.store(this.bytes, area + STEAL_PREEMPTED, PREEMPTED);
  }
  /** What was known of code is known no more, before the CPU goes on (by its own thread). */
  forgetCode(): void {
    this.pend(L.PENDING_FLUSH);
  }

  /** Translations of addresses hold no more, before the CPU goes on (by its own thread). */
  forgetTranslations(): void {
    this.pend(L.PENDING_TLB);
  }

  /** True while a halted CPU would go on: an interrupt that it would take, NMI, INIT or SIPI. */
  canWake(): boolean {
    const state = this.u32(L.S_RUN);
    if (state === L.RUN_RUNNING) return true;
    const line = Atomics.load(this.words, (this.pointer + L.S_LINE) >> 2);
    if (this.u32(L.S_PENDING) & L.PENDING_INIT) return true;
    if (state === L.RUN_WAIT_SIPI) return this.waitingForStartup >= 0;
    if (state !== L.RUN_HALTED) return false;
    if (this.u32(L.S_KICKED) !== 0) return true;
    if (line & L.LINE_NMI && this.u32(L.S_NMI_BLOCKED) === 0) return true;
    return (line & L.LINE_INTR) !== 0 && (this.u32(L.S_EFLAGS) & L.EFLAGS_IF) !== 0;
  }

  run(budget: number, exactly = true): StopReason {
    // Much time may have passed (runtime/tsc.ts).
    this.setI64(L.S_CLOCK_UNTIL, 0);
    this.setI64(L.S_RETIRED_END, this.retired() + budget);
    this.setI64(L.S_BUDGET, budget);
    for (;;) {
      const pending = this.takePending();
      if (pending & L.PENDING_FLUSH) this.runtime.newGeneration(this.pointer);
      if (pending & L.PENDING_TLB) this.runtime.flushTlb(this.pointer, false);
      if (pending & L.PENDING_INIT) this.runtime.initCpu(this.pointer);
      if (this.u32(L.S_RUN) !== L.RUN_RUNNING) {
        const stop = this.stopped();
        if (stop !== null) return stop;
      }
      if (pending & L.PENDING_TRAP) {
        this.deliverTrap();
        // Its frame may itself have hit a data breakpoint, or ended all.
        if (this.u32(L.S_PENDING) & L.PENDING_TRAP || this.u32(L.S_RUN) !== L.RUN_RUNNING) continue;
      }
      if (this.takeInterrupt()) continue;
      if (pending & L.PENDING_EXIT) return 'exit';
      const left = this.i64(L.S_BUDGET);
      if (left <= 0) return 'budget';
      if (this.mustStep()) this.step();
      else {
        this.execute();
        this.afterExecution();
        // Stopped although nothing is pending: the next block is longer than what is left of the budget.
        const rest = this.i64(L.S_BUDGET);
        if (rest > 0 && this.u32(L.S_PENDING) === 0 && this.u32(L.S_FAULT) === 0) {
          if (!exactly && rest < budget) return 'budget';
          this.executeExactly(rest);
          this.afterExecution();
        }
      }
      if (this.u32(L.S_FAULT) !== 0) this.deliverFetchFault();
    }
  }

  /** A fault with no instruction to blame: the fetch itself. It counts, so that endless ones use the budget up. */
  private deliverFetchFault(): void {
    this.setI64(L.S_BUDGET, this.i64(L.S_BUDGET) - 1);
    this.runtime.deliver(this.pointer);
  }

  private afterExecution(): void {
    this.setU32(L.S_RECORD, 0);
  }

  /** A CPU that does not run: null if it wakes now. */
  private stopped(): StopReason | null {
    const state = this.u32(L.S_RUN);
    if (state === L.RUN_SHUTDOWN) return 'shutdown';
    if (state === L.RUN_WAIT_SIPI) {
      if (this.waitingForStartup < 0) return 'waiting';
      this.runtime.startupIpi(this.pointer, this.waitingForStartup);
      Atomics.store(this.words, this.startupWord, -1);
      return null;
    }
    if (!this.canWake()) {
      this.count(L.S_HALT_COUNT);
      return 'halted';
    }
    this.setU32(L.S_KICKED, 0);
    this.setU32(L.S_RUN, L.RUN_RUNNING);
    return null;
  }

  private inShadow(): boolean {
    return this.u32(L.S_SHADOW_NEXT) !== 0 || this.i64(L.S_SHADOW) === this.retired();
  }

  /** Delivers NMI or an external interrupt if the CPU takes one now. */
  private takeInterrupt(): boolean {
    const line = this.u32(L.S_LINE);
    if (line === 0 || this.u32(L.S_FAULT) !== 0) return false;
    if (line & L.LINE_NMI && this.u32(L.S_NMI_BLOCKED) === 0) {
      if (this.inShadow()) return this.stepShadow();
      Atomics.and(this.words, (this.pointer + L.S_LINE) >> 2, ~L.LINE_NMI);
      this.setU32(L.S_NMI_BLOCKED, 1);
      this.runtime.deliverInterrupt(this.pointer, NMI_VECTOR, NMI, 0, 0);
      return true;
    }
    if (!(line & L.LINE_INTR) || !(this.u32(L.S_EFLAGS) & L.EFLAGS_IF)) return false;
    if (this.inShadow()) return this.stepShadow();
    const vector = this.board.take ? this.board.take(this.index) : this.takeVector();
    if (vector < 0) return false;
    this.count(L.S_INTERRUPT_COUNT);
    this.runtime.deliverInterrupt(this.pointer, vector, EXTERNAL, 0, 0);
    return true;
  }

  private takeVector(): number {
    if (!this.board.hasInterrupt(this.index)) {
      this.interruptChanged();
      return -1;
    }
    const vector = this.board.acknowledge(this.index);
    this.interruptChanged();
    return vector;
  }

  /** Runs the one instruction behind STI or MOV SS before an interrupt may come. */
  private stepShadow(): boolean {
    if (this.i64(L.S_BUDGET) <= 0) return false;
    this.step();
    if (this.u32(L.S_FAULT) !== 0) this.deliverFetchFault();
    return true;
  }

  /** TF, or breakpoints on instructions, make the CPU go one instruction at a time. */
  private mustStep(): boolean {
    if (this.u32(L.S_EFLAGS) & L.EFLAGS_TF) return true;
    return this.runtime.codeBreakpointsArmed(this.pointer) !== 0;
  }

  private step(): void {
    const flags = this.u32(L.S_EFLAGS);
    const faults = this.faults;
    if (this.runtime.codeBreakpointsArmed(this.pointer) !== 0 && !(flags & L.EFLAGS_RF)) {
      const hit = this.runtime.codeBreakpoint(this.pointer);
      if (hit !== 0) {
        this.setI64(L.S_BUDGET, this.i64(L.S_BUDGET) - 1);
        this.runtime.debugFault(this.pointer, hit);
        return;
      }
    }
    this.executeExactly(1);
    this.afterExecution();
    if (this.faults === faults && this.u32(L.S_FAULT) === 0) {
      if (flags & L.EFLAGS_RF) this.setU32(L.S_EFLAGS, this.u32(L.S_EFLAGS) & ~L.EFLAGS_RF);
      if (flags & L.EFLAGS_TF && this.u32(L.S_RUN) !== L.RUN_SHUTDOWN) {
        const watch = this.u32(L.S_WATCH_HIT);
        this.setU32(L.S_WATCH_HIT, 0);
        if (!this.inShadow()) this.runtime.debugTrap(this.pointer, DR6_BS | watch);
      }
    }
  }

  private deliverTrap(): void {
    const hit = this.u32(L.S_WATCH_HIT);
    this.setU32(L.S_WATCH_HIT, 0);
    if (hit !== 0) this.runtime.debugTrap(this.pointer, hit);
  }
}
