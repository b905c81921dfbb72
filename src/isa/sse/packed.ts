import { instruction, type Instruction } from '../definition.js';
import type { Ops, Vec } from '../ops.js';
import { enterMmx, isMmx } from './state.js';

export type Binary = (o: Ops, a: Vec, b: Vec) => Vec;

/** A vector operation on its first and second operand, the result in the first. */
function apply(operation: Binary): (o: Ops) => void {
  return (o) => {
    const b = o.readVec(1);
    const result = operation(o, o.readVec(0), b);
    if (isMmx(o)) enterMmx(o);
    o.writeVec(0, result);
  };
}

/**
 * An instruction with the same opcode on MMX (no prefix) and XMM registers (prefix 66). `mmx` and `sse` are the CPUID
 * features of the two.
 */
export function packed(
  name: string,
  opcode: string,
  operation: Binary,
  mmx = 'MMX',
  sse = 'SSE2',
): Instruction {
  return instruction(
    name,
    [`NP ${opcode} /r Pq,Qq; mmx cpuid=${mmx}`, `66 ${opcode} /r Vx,Wx; sse cpuid=${sse}`],
    apply(operation),
  );
}

/** An instruction of prefix 66 on XMM registers only. */
export function packedXmm(name: string, opcode: string, operation: Binary, cpuid: string): Instruction {
  return instruction(name, `66 ${opcode} /r Vx,Wx; sse cpuid=${cpuid}`, apply(operation));
}

/** The WebAssembly operation `op` of both operands. */
export function simd(op: string): Binary {
  return (o, a, b) => o.simd(op, a, b);
}

/**
 * Both operands as two vectors to take lanes from: an operation that gathers lanes of the pair into one vector does so
 * for two 64-bit operands if it sees their concatenation twice.
 */
export function pair(o: Ops, a: Vec, b: Vec): [Vec, Vec] {
  if (!isMmx(o)) return [a, b];
  const both = o.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  return [both, both];
}

/** Lane numbers of a byte shuffle that takes whole lanes of `bytes` by their numbers (those of the second vector follow the first's). */
export function byteLanes(bytes: number, lanes: readonly number[]): number[] {
  return lanes.flatMap((lane) => Array.from({ length: bytes }, (_, i) => lane * bytes + i));
}
