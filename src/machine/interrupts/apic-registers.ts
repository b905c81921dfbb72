import { FIRST_VECTOR, type ApicMessage } from './apic-bus.js';
import { isAddressed } from './apic-destination.js';
import * as R from './local-apic-registers.js';
import { VectorSet } from './vector-set.js';

/** 32-bit words that the registers take. */
export const APIC_REGISTERS_WORDS = 40;

// Words
const STATE = 0;
const PAGE = 1;
const ID = 2;
const TPR = 3;
const LDR = 4;
const DFR = 5;
const SVR = 6;
const ICR_LOW = 7;
const ICR_HIGH = 8;
const ISR = 16;
const TMR = 24;
const IRR = 32;

// STATE
const ENABLED = 1;
const X2APIC = 2;
/** The interrupt of the 8259 pair comes first. */
const EXTERNAL = 4;

/**
 * The registers of a local APIC that interrupts go by, in memory that all threads share: who sends an interrupt sets its bit in
 * the IRR; ISR and TPR are changed by the thread that runs the CPU, and the rest by the machine's own while the CPU waits for it.
 */
export class ApicRegisters {
  readonly isr: VectorSet;
  readonly tmr: VectorSet;
  readonly irr: VectorSet;

  /** `words`: APIC_REGISTERS_WORDS of them. */
  constructor(private readonly words: Int32Array) {
    this.isr = new VectorSet(words.subarray(ISR, ISR + 8));
    this.tmr = new VectorSet(words.subarray(TMR, TMR + 8));
    this.irr = new VectorSet(words.subarray(IRR, IRR + 8));
  }

  private get(word: number): number {
    return Atomics.load(this.words, word) >>> 0;
  }
  private put(word: number, value: number): void {
    Atomics.store(this.words, word, value | 0);
  }
  private is(bit: number): boolean {
    return (this.get(STATE) & bit) !== 0;
  }
  private make(bit: number, set: boolean): void {
    if (set) Atomics.or(this.words, STATE, bit);
    else Atomics.and(this.words, STATE, ~bit);
  }

  get enabled(): boolean {
    return this.is(ENABLED);
  }
  get x2apic(): boolean {
    return this.is(X2APIC);
  }
  /** Whether the CPU would take the interrupt of the 8259 pair now. */
  get external(): boolean {
    return this.is(EXTERNAL);
  }
  set external(pending: boolean) {
    this.make(EXTERNAL, pending);
  }
  get softwareEnabled(): boolean {
    return (this.svr & R.SVR_ENABLE) !== 0;
  }

  /** What IA32_APIC_BASE says. */
  setBase(base: bigint): void {
    this.make(ENABLED, (base & BigInt(R.BASE_ENABLE)) !== 0n);
    this.make(X2APIC, (base & BigInt(R.BASE_X2APIC)) !== 0n);
    this.put(PAGE, Number((base >> 12n) & 0xffffffffn));
  }

  /** Whether the CPU's accesses to a physical address go to its own APIC page. */
  decodes(physical: number): boolean {
    return this.enabled && !this.x2apic && Math.floor(physical / 0x1000) === this.get(PAGE);
  }

  get id(): number {
    return this.get(ID);
  }
  set id(id: number) {
    this.put(ID, id);
  }
  get tpr(): number {
    return this.get(TPR);
  }
  set tpr(value: number) {
    this.put(TPR, value & 0xff);
  }
  get ldr(): number {
    return this.get(LDR);
  }
  set ldr(value: number) {
    this.put(LDR, value);
  }
  get dfr(): number {
    return this.get(DFR);
  }
  set dfr(value: number) {
    this.put(DFR, value);
  }
  get svr(): number {
    return this.get(SVR);
  }
  set svr(value: number) {
    this.put(SVR, value);
  }
  get icrLow(): number {
    return this.get(ICR_LOW);
  }
  set icrLow(value: number) {
    this.put(ICR_LOW, value);
  }
  get icrHigh(): number {
    return this.get(ICR_HIGH);
  }
  set icrHigh(value: number) {
    this.put(ICR_HIGH, value);
  }

  /** Processor priority. */
  get priority(): number {
    const { tpr } = this;
    const inService = Math.max(0, this.isr.highest());
    return tpr >> 4 >= inService >> 4 ? tpr : inService & 0xf0;
  }

  /** The requested vector that outranks the processor priority; -1 for none. */
  deliverable(): number {
    const vector = this.irr.highest();
    return vector >> 4 > this.priority >> 4 ? vector : -1;
  }

  /** Whether the CPU would get an interrupt if it took one now. */
  hasInterrupt(): boolean {
    return this.external || (this.enabled && this.deliverable() >= 0);
  }

  /** The CPU takes an interrupt that is not the 8259 pair's: its vector. */
  acknowledge(): number {
    const vector = this.deliverable();
    if (vector < 0) return this.svr & R.VECTOR;
    this.irr.set(vector, false);
    this.isr.set(vector, true);
    return vector;
  }

  /** Puts an interrupt among the requested ones; false: the APIC takes none, or not this one. */
  request(vector: number, levelTriggered: boolean): boolean {
    if (!this.enabled || !this.softwareEnabled || vector < FIRST_VECTOR) return false;
    this.tmr.set(vector, levelTriggered);
    this.irr.set(vector, true);
    return true;
  }

  matches({ destination, logical, wide }: ApicMessage): boolean {
    return this.enabled && isAddressed(this, destination, logical, wide);
  }

  /** What the ICR asks for, now that its low half was written. */
  command(): ApicMessage {
    const { icrLow, x2apic, icrHigh } = this;
    return {
      mode: (icrLow >> R.MODE_SHIFT) & 7,
      vector: icrLow & R.VECTOR,
      destination: x2apic ? icrHigh : icrHigh >>> 24,
      logical: (icrLow & R.ICR_LOGICAL) !== 0,
      wide: x2apic,
      levelTriggered: false,
    };
  }
}
