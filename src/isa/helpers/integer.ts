import type { Helper } from '../helpers.js';

const value = (args: number): Helper => ({ args, result: true, faults: false });
const fallible = (args: number): Helper => ({ args, result: true, faults: true });
const action = (args: number): Helper => ({ args, result: false, faults: true });

export const integerHelpers = {
  /** High 64 bits of a 64 by 64 bit product. */
  umulh: value(2),
  imulh: value(2),
  /** (bits, high, low, divisor): quotient, #DE if it does not fit; the remainder is left for `remainder`. */
  divide: fallible(4),
  idivide: fallible(4),
  remainder: value(0),
  pdep: value(2),
  pext: value(2),
  /** (crc, data, bits) */
  crc32: value(3),
  /** (linear): compares and exchanges with EDX:EAX / ECX:EBX; returns 1 if exchanged. */
  cmpxchg8b: fallible(1),
  cmpxchg16b: fallible(1),
  memoryFence: { args: 0, result: false, faults: false },
  push: action(2),
  pop: fallible(1),
  /** (bytes): takes them off the stack */
  dropStack: { args: 1, result: false, faults: false },
  /** SP = BP, of the stack's size */
  stackFromFrame: { args: 0, result: false, faults: false },
  pushAll: action(1),
  popAll: action(1),
  /** (bits, size, level) */
  enter: action(3),
  /** String instructions: element and address size in bytes, segment of the source, rep 0, 1 (F3) or 2 (F2); 1 when finished. */
  movs: fallible(4),
  stos: fallible(3),
  lods: fallible(4),
  cmps: fallible(4),
  scas: fallible(3),
  ins: fallible(3),
  outs: fallible(4),
  /** (port, size) and (port, size, value) */
  portIn: fallible(2),
  portOut: action(3),
  random: value(0),
} as const satisfies Record<string, Helper>;
