import { unsignedBytes } from '../wasm/bytes.js';
import type { Code, Node } from '../wasm/code.js';
import { I32, I64 } from '../wasm/opcodes.js';
import { REPLACE, type Shape, type Vectors } from './vectors.js';

/**
 * SSE arithmetic as WebAssembly's own, with the guards of runtime/sse-arithmetic.ts: where they hold, native arithmetic gives
 * the result of the manual and MXCSR stays as it is. Where not, the helper runs.
 */
interface ScalarOpcodes {
  readonly abs: number[];
  readonly sqrt: number[];
  readonly add: number[];
  readonly sub: number[];
  readonly mul: number[];
  readonly div: number[];
  readonly eq: number[];
  readonly lt: number[];
  readonly gt: number[];
  readonly ge: number[];
}
interface LaneOpcodes extends ScalarOpcodes {
  readonly pmin: number[];
}

const simd = (code: number): number[] => [0xfd, ...unsignedBytes(code)];
const SCALAR: Record<Shape, ScalarOpcodes> = {
  f32: { abs: [0x8b], sqrt: [0x91], add: [0x92], sub: [0x93], mul: [0x94], div: [0x95], eq: [0x5b], lt: [0x5d], gt: [0x5e], ge: [0x60] },
  f64: { abs: [0x99], sqrt: [0x9f], add: [0xa0], sub: [0xa1], mul: [0xa2], div: [0xa3], eq: [0x61], lt: [0x63], gt: [0x64], ge: [0x66] },
}; // prettier-ignore
const LANES: Record<Shape, LaneOpcodes> = {
  f32: { abs: simd(224), sqrt: simd(227), add: simd(228), sub: simd(229), mul: simd(230), div: simd(231), pmin: simd(234), eq: simd(65), lt: simd(67), gt: simd(68), ge: simd(70) },
  f64: { abs: simd(236), sqrt: simd(239), add: simd(240), sub: simd(241), mul: simd(242), div: simd(243), pmin: simd(246), eq: simd(71), lt: simd(73), gt: simd(74), ge: simd(76) },
}; // prettier-ignore
const SPLAT: Record<Shape, number[]> = { f32: simd(19), f64: simd(20) };
const V128 = { and: simd(78), or: simd(80), bitselect: simd(82) };
/** Of comparisons of all lanes: a bit for each. */
const BITMASK: Record<Shape, number[]> = { f32: simd(164), f64: simd(196) };
const ALL_LANES: Record<Shape, number> = { f32: 15, f64: 3 };
const F32_REINTERPRET = [0xbe];
const F64_REINTERPRET = [0xbf];
const I64_REINTERPRET = [0xbd];
const I32_REINTERPRET = [0xbc];
const F64_PROMOTE = [0xbb];
const F32_DEMOTE = [0xb6];
const F64_CONVERT_I64 = [0xb9];
const F32_CONVERT_I64 = [0xb4];
const I64_TRUNC_SAT: Record<Shape, number[]> = { f32: [0xfc, 4], f64: [0xfc, 6] };

/** Bit patterns of the smallest normal number and of infinity. */
const SMALLEST: Record<Shape, bigint> = { f32: 0x00800000n, f64: 0x0010000000000000n };
const INFINITE: Record<Shape, bigint> = { f32: 0x7f800000n, f64: 0x7ff0000000000000n };
/** Lowest bit of the exponent, and the exponent of infinities and NaNs. */
const EXPONENT: Record<Shape, { readonly at: number; readonly most: number }> = {
  f32: { at: 23, most: 0xff },
  f64: { at: 52, most: 0x7ff },
};
/** Of `oddFloats` (runtime/sse-arithmetic.ts). */
const ODD_KIND: Record<Shape, number> = { f32: 0, f64: 1 };
const ODD_LANES = 2;

type Operation = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'sqrt';

/** A source operand: a register's place in the CPU block, or a vector from memory. */
export type FloatSource =
  { readonly kind: 'register'; readonly offset: number } | { readonly kind: 'vector'; readonly value: Node };

/** A result that holds where the guard (i32) does. */
export interface Guarded {
  readonly guard: Node;
  readonly value: Node;
}

/** Emits the fast path of one instruction; `slow` emits the helper. */
export class FloatEmitter {
  constructor(
    private readonly code: Code,
    private readonly cpu: Node,
    private readonly vectors: Vectors,
    /** Code of a call of `oddFloats`. */
    private readonly oddFloats: () => readonly number[],
  ) {}

  /** True: the instruction is done. */
  emit(name: string, destination: number, source: FloatSource, slow: () => void): boolean {
    const match = /^(add|sub|mul|div|min|max|sqrt)([sp])([sd])$/.exec(name);
    if (match) {
      const shape = match[3] === 's' ? 'f32' : 'f64';
      const operation = match[1] as Operation;
      if (match[2] === 's') this.scalar(operation, shape, destination, source, slow);
      else this.packed(operation, shape, destination, source, slow);
      return true;
    }
    if (name === 'cvtss2sd' || name === 'cvtsd2ss') {
      this.convert(name === 'cvtss2sd' ? 'f32' : 'f64', destination, source, slow);
      return true;
    }
    return false;
  }

  // ---- values
  private node(op: readonly number[], type: 'i32' | 'i64' | Shape | 'v128', ...args: Node[]): Node {
    return this.code.node(op, type, args);
  }
  private constant(shape: Shape, pattern: bigint): Node {
    if (shape === 'f64') return this.node(F64_REINTERPRET, 'f64', this.code.constant('i64', pattern));
    return this.node(F32_REINTERPRET, 'f32', this.code.constant('i32', pattern));
  }
  private vectorOf(source: FloatSource): Node {
    return source.kind === 'register' ? this.vectors.get(source.offset) : source.value;
  }
  private scalarOf(shape: Shape, source: FloatSource): Node {
    return this.vectors.low(shape, this.vectorOf(source));
  }
  private any(...conditions: Node[]): Node {
    return conditions.reduce((a, b) => this.node(I32.or, 'i32', a, b));
  }
  private not(condition: Node): Node {
    return this.node(I32.eqz, 'i32', condition);
  }

  // ---- guards: i32 that is not zero where the helper must see to it
  private odd(): Node {
    return this.code.read(this.vectors.oddity());
  }
  /** Lanes that are zero, normal or infinite. */
  private ordinaryLanes(shape: Shape, v: Node): Node {
    const ops = LANES[shape];
    const normal = this.node(ops.ge, 'v128', this.node(ops.abs, 'v128', v), this.smallest(shape));
    return this.node(V128.or, 'v128', normal, this.node(ops.eq, 'v128', v, this.zero(shape)));
  }
  private smallest(shape: Shape): Node {
    return this.node(SPLAT[shape], 'v128', this.constant(shape, SMALLEST[shape]));
  }
  private zero(shape: Shape): Node {
    return this.node(SPLAT[shape], 'v128', this.constant(shape, 0n));
  }
  private finiteLanes(shape: Shape, v: Node): Node {
    const ops = LANES[shape];
    const infinite = this.node(SPLAT[shape], 'v128', this.constant(shape, INFINITE[shape]));
    return this.node(ops.lt, 'v128', this.node(ops.abs, 'v128', v), infinite);
  }
  private notAll(shape: Shape, comparison: Node): Node {
    const lanes = this.node(BITMASK[shape], 'i32', comparison);
    return this.node(I32.xor, 'i32', lanes, this.code.constant('i32', ALL_LANES[shape]));
  }
  /** Not zero, normal or infinite; those of which it is known depend on `oddity`. */
  private unordinary(shape: Shape, ...scalars: Node[]): Node {
    const unknown = scalars.filter((value) => !this.vectors.isOrdinary(shape, value));
    if (unknown.length === 0) return this.odd();
    let lanes = this.node(SPLAT[shape], 'v128', unknown[0]!);
    if (unknown.length > 1) lanes = this.code.node(REPLACE[shape], 'v128', [lanes, unknown[1]!], [1]);
    const found = this.notAll(shape, this.ordinaryLanes(shape, lanes));
    return unknown.length < scalars.length ? this.any(found, this.odd()) : found;
  }
  private bits(shape: Shape, scalar: Node): Node {
    return shape === 'f64'
      ? this.node(I64_REINTERPRET, 'i64', scalar)
      : this.node(I64.extendU, 'i64', this.node(I32_REINTERPRET, 'i32', scalar));
  }
  /** Of a result: zero, denormal, the smallest exponent (which rounding may have reached from below), infinite or NaN. */
  private improper(shape: Shape, r: Node): Node {
    const { at, most } = EXPONENT[shape];
    const constant = (value: number): Node => this.code.constant('i32', value);
    const shifted = this.node(I64.shrU, 'i64', this.bits(shape, r), this.code.constant('i64', at));
    const exponent = this.node(I32.and, 'i32', this.node(I32.wrap, 'i32', shifted), constant(most));
    const above = this.node(I32.sub, 'i32', exponent, constant(2));
    return this.node(I32.geU, 'i32', this.any(above, this.odd()), constant(most - 2));
  }
  /** Denormal, or the smallest normal number. */
  private denormal(shape: Shape, scalar: Node): Node {
    const constant = (value: number): Node => this.code.constant('i64', value);
    const { at } = EXPONENT[shape];
    const sign = shape === 'f64' ? 1 : 33;
    const magnitude = this.node(I64.shl, 'i64', this.bits(shape, scalar), constant(sign));
    const below = this.node(I64.sub, 'i64', magnitude, constant(1));
    return this.node(I64.eqz, 'i32', this.node(I64.shrU, 'i64', below, constant(at + sign)));
  }
  /** The slow way left something at `offset` that counts as ordinary behind it. */
  private noteOddity(offset: number, kind: number): void {
    const args = [this.cpu, this.code.constant('i32', offset), this.code.constant('i32', kind)];
    const found = this.code.node(this.oddFloats(), 'i32', args, [], false);
    this.code.assign(this.vectors.oddity(), this.any(this.odd(), found));
  }

  // ---- instructions
  private scalar(
    operation: Operation,
    shape: Shape,
    destination: number,
    source: FloatSource,
    slow: () => void,
  ): void {
    const { vectors } = this;
    const old = vectors.get(destination);
    const x = vectors.low(shape, old);
    const y = this.scalarOf(shape, source);
    const ops = SCALAR[shape];
    if (operation === 'min' || operation === 'max') {
      const test = this.node(operation === 'min' ? ops.lt : ops.gt, 'i32', x, y);
      const r = this.code.node([0x1b], shape, [x, y, test]);
      this.setScalar(shape, destination, old, r, this.unordinary(shape, x, y), slow, source);
      return;
    }
    const r = operation === 'sqrt' ? this.node(ops.sqrt, shape, y) : this.node(ops[operation], shape, x, y);
    const operands = operation === 'sqrt' ? [y] : [x, y];
    const bad = [this.improper(shape, r)];
    for (const operand of new Set(operands))
      if (!vectors.isOrdinary(shape, operand)) bad.push(this.denormal(shape, operand));
    this.setScalar(shape, destination, old, r, this.any(...bad), slow, source);
  }
  /** Where `bad` is zero, r and what the source has are ordinary. */
  private setScalar(
    shape: Shape,
    destination: number,
    old: Node,
    r: Node,
    bad: Node,
    slow: () => void,
    source: FloatSource | null = null,
  ): void {
    const { code, vectors } = this;
    vectors.oddity();
    const result = code.cell(shape, r);
    const operand = source && source.kind === 'register' && source.offset !== destination ? source : null;
    const known = operand && vectors.isOrdinary(shape, this.scalarOf(shape, operand));
    const careful = (): void => {
      slow();
      code.assign(result, vectors.low(shape, vectors.load(destination)));
      this.noteOddity(destination, ODD_KIND[shape]);
      if (operand && !known) this.noteOddity(operand.offset, ODD_KIND[shape]);
    };
    code.if(bad, careful, undefined, false);
    if (operand) vectors.noteOrdinary(shape, this.scalarOf(shape, operand));
    const low = code.read(result);
    vectors.noteOrdinary(shape, low);
    vectors.setLow(shape, destination, old, low);
  }

  private packed(
    operation: Operation,
    shape: Shape,
    destination: number,
    source: FloatSource,
    slow: () => void,
  ): void {
    const { code, vectors } = this;
    const x = vectors.get(destination);
    const y = this.vectorOf(source);
    const ops = LANES[shape];
    const operands = new Set(operation === 'sqrt' ? [y] : [x, y]);
    const unknown = [...operands].filter((operand) => !vectors.isOrdinary(shape, operand));
    const good: Node[] = [];
    let r: Node;
    if (operation === 'mul' || operation === 'div') {
      r = this.node(ops[operation], 'v128', x, y);
      // An operand that is zero gives a result that is not normal.
      const magnitudes = [r, ...unknown].map((v) => this.node(ops.abs, 'v128', v));
      const least = magnitudes.reduce((a, b) => this.node(ops.pmin, 'v128', a, b));
      good.push(this.node(ops.gt, 'v128', least, this.smallest(shape)), this.finiteLanes(shape, r));
    } else {
      good.push(...unknown.map((operand) => this.ordinaryLanes(shape, operand)));
      if (operation === 'min' || operation === 'max') {
        const test = this.node(operation === 'min' ? ops.lt : ops.gt, 'v128', x, y);
        r = this.node(V128.bitselect, 'v128', x, y, test);
      } else {
        r = operation === 'sqrt' ? this.node(ops.sqrt, 'v128', y) : this.node(ops[operation], 'v128', x, y);
        if (operation !== 'sqrt') good.push(this.ordinaryLanes(shape, r));
        good.push(this.finiteLanes(shape, r));
      }
    }
    const bad = [this.odd()];
    if (good.length > 0) {
      const all = good.reduce((a, b) => this.node(V128.and, 'v128', a, b));
      bad.push(this.notAll(shape, all));
    }
    const result = code.cell('v128', r);
    const careful = (): void => {
      slow();
      code.assign(result, vectors.load(destination));
      this.noteOddity(destination, ODD_LANES + ODD_KIND[shape]);
    };
    code.if(this.any(...bad), careful, undefined, false);
    const value = code.read(result);
    vectors.noteOrdinary(shape, value);
    vectors.set(destination, value);
  }

  /** CVTSS2SD and CVTSD2SS. */
  private convert(from: Shape, destination: number, source: FloatSource, slow: () => void): void {
    const { vectors } = this;
    const x = this.scalarOf(from, source);
    const old = vectors.get(destination);
    if (from === 'f32') {
      const r = this.node(F64_PROMOTE, 'f64', x);
      this.setScalar('f64', destination, old, r, this.unordinary(from, x), slow);
      return;
    }
    const r = this.node(F32_DEMOTE, 'f32', x);
    const bad = this.any(this.improper('f32', r), this.unordinary(from, x));
    this.setScalar('f32', destination, old, r, bad, slow);
  }

  /** CVTSI2SS and CVTSI2SD: a number of at most 32 bits is a double without rounding. */
  fromInteger(to: Shape, destination: number, value: Node, bits: number, slow: () => void): void {
    const { vectors } = this;
    const r = this.node(to === 'f64' ? F64_CONVERT_I64 : F32_CONVERT_I64, to, value);
    const old = vectors.get(destination);
    if (to === 'f64' && bits === 32) {
      vectors.setLow(to, destination, old, r);
      vectors.noteOrdinary(to, r);
    } else this.setScalar(to, destination, old, r, this.odd(), slow);
  }

  /** CVTTSS2SI and CVTTSD2SI: an i64 that is not cut to 32 bits. */
  toInteger(from: Shape, source: FloatSource, bits: number): Guarded {
    const x = this.scalarOf(from, source);
    const ops = SCALAR[from];
    const limit = this.constant(from, from === 'f64' ? (bits === 32 ? 0x41e0000000000000n : 0x43e0000000000000n) : bits === 32 ? 0x4f000000n : 0x5f000000n); // prettier-ignore
    const small = this.node(ops.lt, 'i32', this.node(ops.abs, from, x), limit);
    const r = this.node(I64_TRUNC_SAT[from], 'i64', x);
    const bad = this.any(this.odd(), this.not(small), this.unordinary(from, x));
    return { guard: this.not(bad), value: r };
  }

  /** COMISx and UCOMISx: CF in bit 0, PF in bit 2, ZF in bit 6. */
  compare(shape: Shape, a: number, source: FloatSource): Guarded {
    const x = this.vectors.low(shape, this.vectors.get(a));
    const y = this.scalarOf(shape, source);
    const ops = SCALAR[shape];
    const less = this.node(ops.lt, 'i32', x, y);
    const equal = this.node(I32.shl, 'i32', this.node(ops.eq, 'i32', x, y), this.code.constant('i32', 6n));
    const value = this.node(I64.extendU, 'i64', this.node(I32.or, 'i32', less, equal));
    return { guard: this.not(this.unordinary(shape, x, y)), value };
  }
}
