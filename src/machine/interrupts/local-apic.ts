/** The local APIC of one CPU, xAPIC and x2APIC (Intel SDM volume 3, chapter 11). */
import type { EventQueue } from '../events.js';
import { LOCAL_APIC_BASE } from '../memory-map.js';
import type { AccessSize } from '../port-bus.js';
import { checkVersion } from '../state.js';
import {
  EXT_INT,
  FIRST_VECTOR,
  FIXED,
  INIT,
  LOWEST_PRIORITY,
  NMI,
  SMI,
  STARTUP,
  type ApicAgent,
  type ApicBus,
  type ApicMessage,
} from './apic-bus.js';
import { x2apicLdr } from './apic-destination.js';
import { APIC_REGISTERS_WORDS, ApicRegisters } from './apic-registers.js';
import * as R from './local-apic-registers.js';
import { LocalApicTimer, TSC_DEADLINE, type SavedLocalApicTimer } from './local-apic-timer.js';

/** What the local APIC tells its CPU, and the one thing that it asks. */
export interface CpuLines {
  /** `hasInterrupt()` may give another answer now. */
  interruptChanged(): void;
  nmi(): void;
  init(): void;
  /** SIPI: start at vector * 4096 in real mode, if the CPU waits for it. */
  startup(vector: number): void;
  smi(): void;
  /** Ends its halt, or the next one. */
  kick(): void;
  /** Physical address at which the CPU is told of the time that it could not run; null: nowhere. */
  stealTime(physical: number | null): void;
  /** It would rather let other CPUs run. */
  yield(): void;
  /** TSC minus clock, modulo 2^64. */
  tscOffset(): bigint;
  /** General register `n`, as 32 bits, while the CPU waits for an answer of the board. */
  register(n: number): number;
  setRegister(n: number, value: number): void;
}

/** The 8259 pair, which answers ExtINT. */
export interface ExternalController {
  readonly interrupt: boolean;
  acknowledge(): number;
}

const LVT_COUNT = 6;
const LVT_RESET = R.LVT_MASKED;
const DFR_RESET = 0xffffffff;
const DFR_FIXED_BITS = 0x0fffffff;
const SVR_RESET = 0xff;
const RESERVED_BASE_BITS = 0xffn | (1n << 9n);
const PHYSICAL_BITS = 52n;

export interface SavedLocalApic {
  version: 1;
  base: string;
  tpr: number;
  ldr: number;
  dfr: number;
  svr: number;
  esr: number;
  errors: number;
  icrLow: number;
  icrHigh: number;
  lvt: number[];
  lint: boolean[];
  extIntPending: boolean;
  isr: number[];
  tmr: number[];
  irr: number[];
  timer: SavedLocalApicTimer;
}

export class LocalApic implements ApicAgent {
  private base: bigint;
  private esr = 0;
  /** Errors since the last write to ESR. */
  private errors = 0;
  private readonly lvt = new Uint32Array(LVT_COUNT);
  private readonly lint = [false, false];
  /** An ExtINT came as a message and waits for its INTA. */
  private extIntPending = false;
  private readonly registers: ApicRegisters;
  readonly timer: LocalApicTimer;

  /** CPU 0 is the bootstrap processor. */
  constructor(
    readonly id: number,
    private readonly bus: ApicBus,
    private readonly cpu: CpuLines,
    private readonly external: ExternalController,
    events: EventQueue,
    /** Where those registers are that other threads use too (APIC_REGISTERS_WORDS). */
    words: Int32Array = new Int32Array(APIC_REGISTERS_WORDS),
  ) {
    this.registers = new ApicRegisters(words);
    this.registers.id = id;
    this.timer = new LocalApicTimer(
      events,
      `local APIC ${id}`,
      () => cpu.tscOffset(),
      () => this.timerInterrupt(),
    );
    this.base = 0n;
    this.lvt.fill(LVT_RESET);
    Object.assign(this.registers, { dfr: DFR_RESET, svr: SVR_RESET });
    this.resetBase();
    bus.add(this);
  }

  private resetBase(): void {
    this.setBase(BigInt(LOCAL_APIC_BASE | R.BASE_ENABLE | (this.id === 0 ? R.BASE_BSP : 0)) & 0xffffffffn);
  }

  private setBase(base: bigint): void {
    this.base = base;
    this.registers.setBase(base);
  }

  /** Power-up reset. */
  reset(): void {
    this.resetBase();
    this.resetRegisters();
  }

  /** What INIT leaves as well: all but the id and IA32_APIC_BASE. */
  private resetRegisters(): void {
    const { registers } = this;
    registers.tpr = 0;
    registers.ldr = this.x2apic ? x2apicLdr(this.id) : 0;
    registers.dfr = DFR_RESET;
    registers.svr = SVR_RESET;
    this.esr = this.errors = 0;
    registers.icrLow = registers.icrHigh = 0;
    this.lvt.fill(LVT_RESET);
    this.extIntPending = false;
    for (const set of [registers.isr, registers.tmr, registers.irr]) set.clear();
    this.timer.reset();
    this.changed();
  }

  /** Passes the 8259's interrupts to this CPU and LINT1 as NMI, as a BIOS leaves the bootstrap processor (virtual wire mode). */
  enableVirtualWire(): void {
    this.registers.svr |= R.SVR_ENABLE;
    this.lvt[R.LVT_LINT0 - R.LVT_TIMER] = EXT_INT << R.MODE_SHIFT;
    this.lvt[R.LVT_LINT1 - R.LVT_TIMER] = NMI << R.MODE_SHIFT;
    this.changed();
  }

  get enabled(): boolean {
    return this.registers.enabled;
  }
  get x2apic(): boolean {
    return this.registers.x2apic;
  }
  private get softwareEnabled(): boolean {
    return this.registers.softwareEnabled;
  }
  /** IA32_APIC_BASE. */
  get apicBase(): bigint {
    return this.base;
  }

  decodes(physical: number): boolean {
    return this.registers.decodes(physical);
  }

  // ---- interrupts to the CPU

  /** What the CPU would get if it took an interrupt now may be another. */
  private changed(): void {
    this.registers.external = this.extInt;
    this.cpu.interruptChanged();
  }

  /** The task priority register; CR8 is its upper four bits. */
  get tpr(): number {
    return this.registers.tpr;
  }
  set tpr(value: number) {
    this.registers.tpr = value;
    this.changed();
  }

  get priority(): number {
    return this.registers.priority;
  }

  private get extInt(): boolean {
    if (!this.enabled) return this.external.interrupt;
    if (this.extIntPending) return true;
    if (!this.external.interrupt) return false;
    const lint0 = this.lvt[R.LVT_LINT0 - R.LVT_TIMER]!;
    return (lint0 & R.LVT_MASKED) === 0 && ((lint0 >> R.MODE_SHIFT) & 7) === EXT_INT;
  }

  /** Whether the CPU would get an interrupt if it took one now. */
  hasInterrupt(): boolean {
    return this.registers.hasInterrupt();
  }

  /** The CPU takes the interrupt: its vector. */
  acknowledge(): number {
    if (!this.extInt) return this.enabled ? this.registers.acknowledge() : this.external.acknowledge();
    this.extIntPending = false;
    const vector = this.external.acknowledge();
    this.registers.external = this.extInt;
    return vector;
  }

  private endOfInterrupt(): void {
    const { isr, tmr } = this.registers;
    const vector = isr.highest();
    if (vector < 0) return;
    isr.set(vector, false);
    if (tmr.has(vector)) {
      this.lintServiced(vector);
      this.bus.endOfInterrupt(vector);
    }
    this.changed();
  }

  // ---- messages

  matches(message: ApicMessage): boolean {
    return this.registers.matches(message);
  }

  receive(mode: number, vector: number, levelTriggered: boolean): boolean {
    if (!this.enabled) return false;
    switch (mode) {
      case FIXED:
      case LOWEST_PRIORITY:
        return this.receiveFixed(vector, levelTriggered);
      case SMI:
        this.cpu.smi();
        return true;
      case NMI:
        this.cpu.nmi();
        return true;
      case INIT:
        this.resetRegisters();
        this.cpu.init();
        return true;
      case STARTUP:
        this.cpu.startup(vector);
        return true;
      case EXT_INT:
        this.extIntPending = true;
        this.changed();
        return true;
      default:
        return false;
    }
  }

  private receiveFixed(vector: number, levelTriggered: boolean): boolean {
    if (!this.softwareEnabled) return false;
    if (vector < FIRST_VECTOR) {
      this.error(R.ESR_RECEIVED_ILLEGAL_VECTOR);
      return false;
    }
    this.registers.request(vector, levelTriggered);
    this.changed();
    return true;
  }

  private error(bit: number): void {
    const isNew = (this.errors & bit) === 0;
    this.errors |= bit;
    const lvt = this.lvt[R.LVT_ERROR - R.LVT_TIMER]!;
    // An illegal vector in the error entry itself must not report itself for ever.
    if (isNew && !(lvt & R.LVT_MASKED) && (lvt & R.VECTOR) >= FIRST_VECTOR)
      this.receiveFixed(lvt & R.VECTOR, false);
  }

  private timerInterrupt(): void {
    this.receiveFixed(this.lvt[0]! & R.VECTOR, false);
  }

  // ---- local interrupt pins

  /** LINT0 is wired to the 8259 pair, LINT1 to NMI. */
  setLint(pin: 0 | 1, asserted: boolean): void {
    const rising = asserted && !this.lint[pin];
    this.lint[pin] = asserted;
    if (!this.enabled) {
      if (pin === 1 && rising) this.cpu.nmi();
      else this.changed();
      return;
    }
    const index = R.LVT_LINT0 - R.LVT_TIMER + pin;
    const mode = (this.lvt[index]! >> R.MODE_SHIFT) & 7;
    if (mode === EXT_INT) this.changed();
    else if (rising) this.lintInterrupt(index);
  }

  private lintInterrupt(index: number): void {
    const lvt = this.lvt[index]!;
    if (lvt & R.LVT_MASKED) return;
    const mode = (lvt >> R.MODE_SHIFT) & 7;
    const level = mode === FIXED && (lvt & R.LVT_LEVEL_TRIGGERED) !== 0;
    if (level && lvt & R.LVT_REMOTE_IRR) return;
    if (this.receive(mode, lvt & R.VECTOR, level) && level) this.lvt[index]! |= R.LVT_REMOTE_IRR;
  }

  private lintServiced(vector: number): void {
    for (const pin of [0, 1]) {
      const index = R.LVT_LINT0 - R.LVT_TIMER + pin;
      const lvt = this.lvt[index]!;
      if (!(lvt & R.LVT_REMOTE_IRR) || (lvt & R.VECTOR) !== vector) continue;
      this.lvt[index]! &= ~R.LVT_REMOTE_IRR;
      if (this.lint[pin]) this.lintInterrupt(index);
    }
  }

  // ---- registers

  private readRegister(register: number): number {
    if (register >= R.ISR && register < R.ESR) {
      const { isr, tmr, irr } = this.registers;
      const set = register < R.TMR ? isr : register < R.IRR ? tmr : irr;
      return set.words[register & 7]!;
    }
    if (register >= R.LVT_TIMER && register <= R.LVT_ERROR) return this.lvt[register - R.LVT_TIMER]!;
    switch (register) {
      case R.ID:
        return this.x2apic ? this.id : (this.id & 0xff) << 24;
      case R.VERSION:
        return R.VERSION_VALUE;
      case R.TPR:
        return this.tpr;
      case R.PPR:
      case R.APR:
        return this.priority;
      case R.LDR:
        return this.registers.ldr;
      case R.DFR:
        return this.registers.dfr;
      case R.SVR:
        return this.registers.svr;
      case R.ESR:
        return this.esr;
      case R.ICR_LOW:
        return this.registers.icrLow;
      case R.ICR_HIGH:
        return this.registers.icrHigh;
      case R.INITIAL_COUNT:
        return this.timer.initialCount;
      case R.CURRENT_COUNT:
        return this.timer.currentCount;
      case R.DIVIDE_CONFIGURATION:
        return this.timer.divide;
      case R.EOI:
      case R.RRD:
        return 0;
      default:
        this.error(R.ESR_ILLEGAL_REGISTER);
        return 0;
    }
  }

  private writeRegister(register: number, value: number): void {
    if (register >= R.LVT_TIMER && register <= R.LVT_ERROR)
      return this.writeLvt(register - R.LVT_TIMER, value);
    switch (register) {
      case R.TPR:
        this.tpr = value;
        return;
      case R.EOI:
        return this.endOfInterrupt();
      case R.LDR:
        this.registers.ldr = (value & 0xff000000) >>> 0;
        return;
      case R.DFR:
        this.registers.dfr = (value | DFR_FIXED_BITS) >>> 0;
        return;
      case R.SVR:
        return this.writeSvr(value);
      case R.ESR:
        this.esr = this.errors;
        this.errors = 0;
        return;
      case R.ICR_LOW:
        this.registers.icrLow = value & R.ICR_WRITABLE;
        return this.sendIpi();
      case R.ICR_HIGH:
        this.registers.icrHigh = (value & 0xff000000) >>> 0;
        return;
      case R.INITIAL_COUNT:
        return this.timer.writeInitialCount(value);
      case R.DIVIDE_CONFIGURATION:
        return this.timer.writeDivide(value);
      case R.ID:
      case R.VERSION:
      case R.APR:
      case R.PPR:
      case R.RRD:
      case R.CURRENT_COUNT:
        return;
      default:
        if (register < R.ISR || register >= R.ESR) this.error(R.ESR_ILLEGAL_REGISTER);
    }
  }

  private writeSvr(value: number): void {
    this.registers.svr = value & R.SVR_WRITABLE;
    if (!this.softwareEnabled) {
      for (let index = 0; index < LVT_COUNT; index++) this.writeLvt(index, this.lvt[index]!);
    }
  }

  private writeLvt(index: number, value: number): void {
    const remoteIrr = this.lvt[index]! & R.LVT_REMOTE_IRR;
    // While the APIC is disabled by software, all entries stay masked (11.4.7.2).
    const masked = this.softwareEnabled ? 0 : R.LVT_MASKED;
    const lvt = (value & R.LVT_WRITABLE[index]!) | remoteIrr | masked;
    this.lvt[index] = lvt;
    if (index === 0) {
      const mode = Math.min((lvt >> R.LVT_TIMER_MODE_SHIFT) & 3, TSC_DEADLINE);
      this.timer.configure(mode, (lvt & R.LVT_MASKED) !== 0);
    }
    const pin = index - (R.LVT_LINT0 - R.LVT_TIMER);
    if (this.lint[pin] && lvt & R.LVT_LEVEL_TRIGGERED) this.lintInterrupt(index);
    this.changed();
  }

  private sendIpi(): void {
    const message = this.registers.command();
    const { mode, vector } = message;
    const { icrLow } = this.registers;
    // INIT with the level de-asserted only synchronized arbitration ids on old processors.
    if (mode === INIT && icrLow & R.ICR_LEVEL_TRIGGERED && !(icrLow & R.ICR_ASSERT)) return;
    if ((mode === FIXED || mode === LOWEST_PRIORITY) && vector < FIRST_VECTOR)
      return this.error(R.ESR_SEND_ILLEGAL_VECTOR);
    switch (icrLow >> R.ICR_SHORTHAND_SHIFT) {
      case R.TO_DESTINATION:
        this.bus.deliver(message);
        return;
      case R.TO_SELF:
        if (mode === FIXED) this.receiveFixed(vector, false);
        return;
      case R.TO_ALL:
        return this.bus.broadcast(message);
      default:
        return this.bus.broadcast(message, this);
    }
  }

  // ---- the memory page (xAPIC)

  /** `offset` in the page. Registers are 32 bits wide at multiples of 16; what lies between reads as zero. */
  mmioRead(offset: number, size: AccessSize): number {
    const within = offset & 0xf;
    if (within + size > 4) return 0;
    return this.readRegister(offset >> 4) >>> (within * 8);
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (size === 4 && (offset & 0xf) === 0) this.writeRegister(offset >> 4, value);
  }

  // ---- MSRs

  /** IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC registers. undefined: #GP. */
  readMsr(index: number): bigint | undefined {
    if (index === R.IA32_APIC_BASE) return this.base;
    if (index === R.IA32_TSC_DEADLINE) return this.timer.deadline;
    if (!this.x2apic || index < R.X2APIC_FIRST || index > R.X2APIC_LAST) return undefined;
    const register = index - R.X2APIC_FIRST;
    if (!X2APIC_READABLE.has(register)) return undefined;
    const low = BigInt(this.readRegister(register) >>> 0);
    return register === R.ICR_LOW ? (BigInt(this.registers.icrHigh) << 32n) | low : low;
  }

  /** False: #GP. */
  writeMsr(index: number, value: bigint): boolean {
    if (index === R.IA32_APIC_BASE) return this.writeBase(value);
    if (index === R.IA32_TSC_DEADLINE) {
      this.timer.writeDeadline(value);
      return true;
    }
    if (!this.x2apic || index < R.X2APIC_FIRST || index > R.X2APIC_LAST) return false;
    return this.writeX2apic(index - R.X2APIC_FIRST, value);
  }

  private writeX2apic(register: number, value: bigint): boolean {
    const allowed = X2APIC_WRITABLE.get(register);
    if (allowed === undefined || (value & ~allowed) !== 0n) return false;
    const low = Number(value & 0xffffffffn);
    if (register === R.SELF_IPI) {
      if (low < FIRST_VECTOR) this.error(R.ESR_SEND_ILLEGAL_VECTOR);
      else this.receiveFixed(low, false);
      return true;
    }
    if (register === R.ICR_LOW) this.registers.icrHigh = Number(value >> 32n);
    this.writeRegister(register, low);
    return true;
  }

  /** Only the transitions of figure 11-27 are allowed: x2APIC is left by way of disabled, and entered from xAPIC. */
  private writeBase(value: bigint): boolean {
    if ((value & RESERVED_BASE_BITS) !== 0n || value >> PHYSICAL_BITS !== 0n) return false;
    const enable = (value & BigInt(R.BASE_ENABLE)) !== 0n;
    const x2apic = (value & BigInt(R.BASE_X2APIC)) !== 0n;
    if (x2apic && (!enable || !this.enabled)) return false;
    if (enable && !x2apic && this.x2apic) return false;
    const entered = x2apic && !this.x2apic;
    const disabled = !enable && this.enabled;
    this.setBase((value & ~BigInt(R.BASE_BSP)) | (this.base & BigInt(R.BASE_BSP)));
    if (disabled) this.resetRegisters();
    if (entered) {
      this.registers.ldr = x2apicLdr(this.id);
      this.registers.icrHigh = 0;
    }
    this.changed();
    return true;
  }

  // ---- state

  save(): SavedLocalApic {
    const { esr, errors, extIntPending, registers } = this;
    const { tpr, ldr, dfr, svr, icrLow, icrHigh, isr, tmr, irr } = registers;
    return {
      version: 1,
      base: String(this.base),
      tpr,
      ldr,
      dfr,
      svr,
      esr,
      errors,
      icrLow,
      icrHigh,
      lvt: [...this.lvt],
      lint: [...this.lint],
      extIntPending,
      isr: isr.save(),
      tmr: tmr.save(),
      irr: irr.save(),
      timer: this.timer.save(),
    };
  }

  load(state: SavedLocalApic): void {
    checkVersion('a local APIC', state, 1);
    const { tpr, ldr, dfr, svr, esr, errors, icrLow, icrHigh, extIntPending } = state;
    Object.assign(this, { esr, errors, extIntPending });
    Object.assign(this.registers, { tpr, ldr, dfr, svr, icrLow, icrHigh });
    this.setBase(BigInt(state.base));
    this.lvt.set(state.lvt);
    [this.lint[0], this.lint[1]] = state.lint as [boolean, boolean];
    this.registers.isr.load(state.isr);
    this.registers.tmr.load(state.tmr);
    this.registers.irr.load(state.irr);
    this.timer.load(state.timer);
    this.changed();
  }
}

const LVT_REGISTERS = [R.LVT_TIMER, R.LVT_THERMAL, R.LVT_PERFORMANCE, R.LVT_LINT0, R.LVT_LINT1, R.LVT_ERROR];

/** Table 11-6: what RDMSR may read, and which bits WRMSR may set. */
const X2APIC_READABLE: ReadonlySet<number> = new Set([
  R.ID,
  R.VERSION,
  R.TPR,
  R.PPR,
  R.LDR,
  R.SVR,
  R.ESR,
  R.ICR_LOW,
  R.INITIAL_COUNT,
  R.CURRENT_COUNT,
  R.DIVIDE_CONFIGURATION,
  ...LVT_REGISTERS,
  ...Array.from({ length: R.ESR - R.ISR }, (_, index) => R.ISR + index),
]);
const X2APIC_WRITABLE: ReadonlyMap<number, bigint> = new Map([
  [R.TPR, 0xffn],
  [R.EOI, 0n],
  [R.SVR, BigInt(R.SVR_WRITABLE)],
  [R.ESR, 0n],
  [R.ICR_LOW, 0xffffffff00000000n | BigInt(R.ICR_WRITABLE)],
  ...LVT_REGISTERS.map((register, index): [number, bigint] => [
    register,
    BigInt(R.LVT_WRITABLE[index]! | 0x5000),
  ]),
  [R.INITIAL_COUNT, 0xffffffffn],
  [R.DIVIDE_CONFIGURATION, 0xbn],
  [R.SELF_IPI, 0xffn],
]);
