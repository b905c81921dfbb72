import type { Helper } from '../helpers.js';

/** Exceptions of the x87 wait for the next instruction: its helpers do not fault, but where they touch memory. */
const action = (args: number): Helper => ({ args, result: false, faults: false });
const value = (args: number): Helper => ({ args, result: true, faults: false });
const memory = (args: number): Helper => ({ args, result: false, faults: true });

export const x87Helpers = {
  /** (operation, target, source, pop): operation by the reg field of D8: 0 ADD 1 MUL 4 SUB 5 SUBR 6 DIV 7 DIVR */
  x87Arithmetic: action(4),
  /** (operation, format, bits): format 0 m32, 1 m64, 2 int32, 3 int16, 4 int64 */
  x87ArithmeticMemory: action(3),
  /** (i, quiet, pops) */
  x87Compare: action(3),
  /** (format, bits, pops) */
  x87CompareMemory: action(3),
  x87Test: action(0),
  /** (i, quiet, pops): CF bit 0, PF bit 2, ZF bit 6 */
  x87CompareFlags: value(3),
  /** (format, bits) */
  x87Load: action(2),
  /** (significand, sign and exponent) */
  x87LoadExtended: action(2),
  x87LoadRegister: action(1),
  /** (format, truncate) */
  x87Value: value(2),
  x87Stored: value(0),
  /** (wanted) */
  x87Pop: action(1),
  x87Significand: value(0),
  x87SignExponent: value(0),
  /** (i, pop) */
  x87StoreRegister: action(2),
  x87StoreUnchecked: action(1),
  x87Exchange: action(1),
  /** (i, condition) */
  x87MoveIf: action(2),
  x87Constant: action(1),
  /** (absolute) */
  x87Sign: action(1),
  x87Root: action(0),
  x87Round: action(0),
  x87Examine: action(0),
  x87Extract: action(0),
  x87Scale: action(0),
  /** (nearest) */
  x87Remainder: action(1),
  x87LoadDecimal: action(2),
  x87DecimalLow: value(0),
  x87DecimalHigh: value(0),
  x87Init: action(0),
  x87Summary: action(0),
  x87Free: action(1),
  x87Turn: action(1),
  /** (linear, operand size) */
  x87StoreEnvironment: memory(2),
  x87LoadEnvironment: memory(2),
  x87Save: memory(2),
  x87Restore: memory(2),
  /** 0 F2XM1, 1 FSIN, 2 FCOS, 3 FSINCOS, 4 FPTAN, 5 FPATAN, 6 FYL2X, 7 FYL2XP1 */
  x87Transcendental: action(1),
} as const satisfies Record<string, Helper>;
