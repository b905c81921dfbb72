import { MOST_PAGES, PAGE } from './blocks.js';
import { Cell, Locals } from '../wasm/code.js';

const GENERAL_REGISTERS = 16;
/** Parameters of a region's function. */
export const CPU = 0;
export const ENTRY = 1;
const PAGE_BASE = 2;
const BUDGET = 3;
/** MOST_SLOTS (imports.ts). */
export const SLOTS = 4;
const PARAMETERS = 5;
/** i32 locals of a look at the TLB (tlb-probe.ts): low half of the address, the entry. */
export const PROBE_LOW = PARAMETERS;
export const PROBE_ENTRY = PARAMETERS + 1;
/** Bit of the flags in masks of what is kept in locals: bits 0 to 15 are the general registers. */
export const FLAGS = 1 << GENERAL_REGISTERS;

/** Added to offsets in `where`, so that they are not negative. */
export const WHERE_BIAS = MOST_PAGES * PAGE;

/** The locals in which a region keeps the state of the CPU, and its ways out. */
export class RegionFrame {
  readonly locals = new Locals(PARAMETERS);
  readonly gpr: readonly Cell[];
  /** The three flag words, to be read as `kind` (S_FLAG_KIND) says. */
  readonly flags: { readonly z: Cell; readonly s: Cell; readonly c: Cell };
  readonly kind: Cell;
  /** Instruction pointer of the page's first byte. */
  readonly base = new Cell('i64', PAGE_BASE);
  readonly budget = new Cell('i64', BUDGET);
  /** Of the instruction that may leave: offset from the region's page + WHERE_BIAS, and instructions of its block not done << 16. */
  readonly where: Cell;
  /** i32: entered in another page, while the region's own was not there. */
  readonly homeless: Cell;
  /** Instruction pointer to leave with. */
  readonly rip: Cell;

  constructor(
    /** The machine has one CPU: the address of its block is a constant. */
    readonly alone = false,
  ) {
    const take = (type: 'i32' | 'i64'): Cell => new Cell(type, this.locals.take(type));
    for (const local of [PROBE_LOW, PROBE_ENTRY])
      if (take('i32').local !== local) throw new Error('the locals of a TLB probe are elsewhere');
    this.rip = take('i64');
    this.flags = { z: take('i64'), s: take('i64'), c: take('i64') };
    const gpr: Cell[] = [];
    for (let n = 0; n < GENERAL_REGISTERS; n++) gpr.push(take('i64'));
    this.gpr = gpr;
    this.kind = take('i32');
    this.where = take('i32');
    this.homeless = take('i32');
    this.locals.keep();
  }
}
