/** Intel 8259A Programmable Interrupt Controller (order number 231468): one chip. */
import type { Line } from '../line.js';
import { checkVersion } from '../state.js';

// A0 = 0: ICW1 (bit 4), OCW3 (bit 3), else OCW2
const ICW1 = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW1_LEVEL = 0x08;
const OCW3 = 0x08;
const OCW3_READ = 0x03;
const OCW3_READ_IRR = 0x02;
const OCW3_READ_ISR = 0x03;
const OCW3_POLL = 0x04;
const OCW3_SPECIAL_MASK_COMMAND = 0x40;
const OCW3_SPECIAL_MASK = 0x20;
const OCW2_ROTATE = 0x80;
const OCW2_SPECIFIC = 0x40;
const OCW2_EOI = 0x20;
const ICW4_AUTO_EOI = 0x02;
const ICW4_SPECIAL_FULLY_NESTED = 0x10;
const POLL_INTERRUPT = 0x80;

const NONE = 8;
const SPURIOUS = 7;

export interface SavedI8259 {
  version: 1;
  lines: number;
  irr: number;
  isr: number;
  imr: number;
  elcr: number;
  vectorBase: number;
  lowest: number;
  nextIcw: number;
  flags: boolean[];
}

export class I8259 {
  /** Levels of the inputs. */
  private lines = 0;
  private irr = 0;
  private isr = 0;
  private imr = 0;
  /** Edge/level control register of the PIIX3 (0x4D0, 0x4D1): 1 is level. */
  private elcr = 0;
  private vectorBase = 0;
  /** The input of lowest priority; the one behind it has the highest. */
  private lowest = 7;
  /** Which initialization command word is expected at A0 = 1; 0: none, it is the mask. */
  private nextIcw = 0;
  private needsIcw4 = false;
  private single = false;
  private levelMode = false;
  private autoEoi = false;
  private rotateOnAutoEoi = false;
  private specialMask = false;
  private specialFullyNested = false;
  private readIsr = false;
  private poll = false;

  /**
   * `cascade`: inputs that are slaves' outputs. `elcrMask`: the ELCR bits that can be set. `output`: INT.
   */
  constructor(
    private readonly cascade: number,
    private readonly elcrMask: number,
    private readonly output: Line,
  ) {}

  reset(): void {
    this.initialize();
    this.nextIcw = 0;
    this.vectorBase = 0;
    this.elcr = 0;
    this.imr = 0xff;
    this.update();
  }

  private get levelInputs(): number {
    return this.levelMode ? 0xff : this.elcr;
  }

  /** Drives input `irq` (0-7). An edge stays latched until it is acknowledged, as the wires of the board have no width in time. */
  setInput(irq: number, asserted: boolean): void {
    const bit = 1 << irq;
    const rising = asserted && !(this.lines & bit);
    this.lines = asserted ? this.lines | bit : this.lines & ~bit;
    if (rising) this.irr |= bit;
    else if (!asserted && this.levelInputs & bit) this.irr &= ~bit;
    this.update();
  }

  /** Position in the order of priority (0 highest) of the best of `inputs`; 8 when there is none. */
  private bestPriority(inputs: number): number {
    for (let priority = 0; priority < 8; priority++) {
      if (inputs & (1 << this.inputOf(priority))) return priority;
    }
    return NONE;
  }

  private inputOf(priority: number): number {
    return (priority + this.lowest + 1) & 7;
  }

  /** The input that would be acknowledged now; -1 for none. */
  private pending(): number {
    const priority = this.bestPriority(this.irr & ~this.imr);
    if (priority === NONE) return -1;
    let inService = this.isr;
    if (this.specialMask) inService &= ~this.imr;
    // A slave may interrupt again while one of its inputs is in service (special fully nested mode).
    if (this.specialFullyNested) inService &= ~this.cascade;
    return priority < this.bestPriority(inService) ? this.inputOf(priority) : -1;
  }

  get interrupt(): boolean {
    return this.pending() >= 0;
  }

  private update(): void {
    this.output(this.interrupt);
  }

  /** The INTA cycle: the input whose vector goes to the CPU. Without one (it went away), input 7 and nothing in service. */
  acknowledge(): number {
    const irq = this.pending();
    if (irq < 0) return SPURIOUS;
    const bit = 1 << irq;
    if (!this.autoEoi) this.isr |= bit;
    else if (this.rotateOnAutoEoi) this.lowest = irq;
    if (!(this.levelInputs & bit)) this.irr &= ~bit;
    this.update();
    return irq;
  }

  vectorOf(irq: number): number {
    return this.vectorBase | irq;
  }

  private initialize(): void {
    this.irr = this.lines & this.levelInputs;
    this.isr = this.imr = 0;
    this.lowest = 7;
    this.autoEoi = this.rotateOnAutoEoi = this.specialMask = this.specialFullyNested = false;
    this.readIsr = this.poll = false;
  }

  /** `a0`: address line 0, the odd port. */
  read(a0: boolean): number {
    if (this.poll) {
      this.poll = false;
      if (!this.interrupt) return 0;
      return POLL_INTERRUPT | this.acknowledge();
    }
    if (a0) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  write(a0: boolean, value: number): void {
    if (a0) this.writeData(value);
    else if (value & ICW1) this.writeIcw1(value);
    else if (value & OCW3) this.writeOcw3(value);
    else this.writeOcw2(value);
    this.update();
  }

  private writeIcw1(value: number): void {
    this.levelMode = (value & ICW1_LEVEL) !== 0;
    this.single = (value & ICW1_SINGLE) !== 0;
    this.needsIcw4 = (value & ICW1_NEEDS_ICW4) !== 0;
    this.initialize();
    this.nextIcw = 2;
  }

  private writeData(value: number): void {
    switch (this.nextIcw) {
      case 2:
        this.vectorBase = value & 0xf8;
        this.nextIcw = this.single ? (this.needsIcw4 ? 4 : 0) : 3;
        return;
      case 3:
        this.nextIcw = this.needsIcw4 ? 4 : 0;
        return;
      case 4:
        this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        this.specialFullyNested = (value & ICW4_SPECIAL_FULLY_NESTED) !== 0;
        this.nextIcw = 0;
        return;
      default:
        this.imr = value;
    }
  }

  private writeOcw3(value: number): void {
    if (value & OCW3_SPECIAL_MASK_COMMAND) this.specialMask = (value & OCW3_SPECIAL_MASK) !== 0;
    this.poll = (value & OCW3_POLL) !== 0;
    if ((value & OCW3_READ) === OCW3_READ_IRR) this.readIsr = false;
    if ((value & OCW3_READ) === OCW3_READ_ISR) this.readIsr = true;
  }

  private writeOcw2(value: number): void {
    const rotate = (value & OCW2_ROTATE) !== 0;
    const specific = (value & OCW2_SPECIFIC) !== 0;
    if (!(value & OCW2_EOI)) {
      if (specific) {
        if (rotate) this.lowest = value & 7;
      } else this.rotateOnAutoEoi = rotate;
      return;
    }
    let irq = value & 7;
    if (!specific) {
      const priority = this.bestPriority(this.specialMask ? this.isr & ~this.imr : this.isr);
      if (priority === NONE) return;
      irq = this.inputOf(priority);
    }
    this.isr &= ~(1 << irq);
    if (rotate) this.lowest = irq;
  }

  readElcr(): number {
    return this.elcr;
  }

  writeElcr(value: number): void {
    this.elcr = value & this.elcrMask;
    this.irr |= this.lines & this.elcr;
    this.update();
  }

  save(): SavedI8259 {
    const { lines, irr, isr, imr, elcr, vectorBase, lowest, nextIcw } = this;
    const flags = [
      this.needsIcw4,
      this.single,
      this.levelMode,
      this.autoEoi,
      this.rotateOnAutoEoi,
      this.specialMask,
      this.specialFullyNested,
      this.readIsr,
      this.poll,
    ];
    return { version: 1, lines, irr, isr, imr, elcr, vectorBase, lowest, nextIcw, flags };
  }

  load(state: SavedI8259): void {
    checkVersion('an 8259', state, 1);
    const { lines, irr, isr, imr, elcr, vectorBase, lowest, nextIcw, flags } = state;
    Object.assign(this, { lines, irr, isr, imr, elcr, vectorBase, lowest, nextIcw });
    [
      this.needsIcw4,
      this.single,
      this.levelMode,
      this.autoEoi,
      this.rotateOnAutoEoi,
      this.specialMask,
      this.specialFullyNested,
      this.readIsr,
      this.poll,
    ] = flags as [boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean];
  }
}
