import * as L from '../layout.js';
import { unsignedBytes } from '../wasm/bytes.js';
import { Cell, type Code, type Node } from '../wasm/code.js';
import { I32 } from '../wasm/opcodes.js';

export type Shape = 'f32' | 'f64';

const EXTRACT: Record<Shape, number[]> = { f32: [0xfd, 31], f64: [0xfd, 33] };
/** f32x4.replace_lane, f64x2.replace_lane. */
export const REPLACE: Record<Shape, number[]> = { f32: [0xfd, 32], f64: [0xfd, 34] };
const MXCSR_CONTROL = 0xffe0;
/** All masked, to nearest, neither DAZ nor FTZ, PE already set (sse-lanes.ts). */
const MXCSR_PLAIN = 0x1fa0;

/**
 * XMM registers in one block. The CPU's state always has them; what the block has loaded or stored of them is known, and need not be
 * loaded again. So is which of the values are ordinary floats (zero, normal or infinite), as long as `oddity` is zero.
 */
export class Vectors {
  private readonly values = new Map<number, Node>();
  private readonly lows: Record<Shape, Map<Node, Node>> = { f32: new Map(), f64: new Map() };
  private readonly ordinary: Record<Shape, Set<Node>> = { f32: new Set(), f64: new Set() };
  private odd: Cell | null = null;

  constructor(
    private readonly code: Code,
    private readonly cpu: Node,
  ) {}

  /** Whether the register at this offset from the CPU need not be loaded. */
  has(offset: number): boolean {
    return this.values.has(offset);
  }
  /** v128. `keep`: this is executed whenever the block is. */
  get(offset: number, keep = true): Node {
    const known = this.values.get(offset);
    if (known) return known;
    const value = this.load(offset);
    if (keep) this.values.set(offset, value);
    return value;
  }
  set(offset: number, value: Node, keep = true): void {
    this.code.raw([0xfd, 11, 0, ...unsignedBytes(offset)], this.cpu, value);
    if (keep) this.values.set(offset, value);
    else this.values.delete(offset);
  }
  /** Somebody else changes the register at this offset; none: any of them. */
  forget(offset?: number): void {
    if (offset === undefined) this.values.clear();
    else this.values.delete(offset);
  }
  /** As it is in the CPU's state now. */
  load(offset: number): Node {
    return this.code.node([0xfd, 0, 0, ...unsignedBytes(offset)], 'v128', [this.cpu], [], false);
  }

  // ---- scalars
  low(shape: Shape, vector: Node): Node {
    let low = this.lows[shape].get(vector);
    if (!low) {
      low = this.code.node(EXTRACT[shape], shape, [vector], [0]);
      this.lows[shape].set(vector, low);
      if (this.isOrdinary(shape, vector)) this.noteOrdinary(shape, low);
    }
    return low;
  }
  /** `old` with another scalar. */
  withLow(shape: Shape, old: Node, low: Node): Node {
    const vector = this.code.node(REPLACE[shape], 'v128', [old, low], [0]);
    this.lows[shape].set(vector, low);
    return vector;
  }
  /** The register gets another scalar; `old` is what it has. */
  setLow(shape: Shape, offset: number, old: Node, low: Node): void {
    this.set(offset, this.withLow(shape, old, low));
  }

  // ---- what is known of values
  /** A scalar, or all lanes of a vector. */
  isOrdinary(shape: Shape, value: Node): boolean {
    return this.ordinary[shape].has(value);
  }
  noteOrdinary(shape: Shape, value: Node): void {
    this.ordinary[shape].add(value);
  }
  /** i32: zero if MXCSR is plain and all is ordinary that was noted so; else it has bits above the lowest 16. */
  oddity(): Cell {
    if (this.odd) return this.odd;
    const constant = (value: number): Node => this.code.constant('i32', value);
    const i32 = (op: readonly number[], a: Node, b: Node): Node => this.code.node(op, 'i32', [a, b]);
    const mxcsr = this.code.node([0x28, 2, ...unsignedBytes(L.S_MXCSR)], 'i32', [this.cpu], [], false);
    const difference = i32(I32.xor, i32(I32.and, mxcsr, constant(MXCSR_CONTROL)), constant(MXCSR_PLAIN));
    this.odd = this.code.cell('i32', i32(I32.shl, difference, constant(16)));
    return this.odd;
  }
}
