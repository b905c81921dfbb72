import * as L from '../layout.js';
import { unsignedBytes } from '../wasm/bytes.js';
import type { Code, Node } from '../wasm/code.js';
import { I32, I64 } from '../wasm/opcodes.js';

/**
 * SSE arithmetic as WebAssembly's own, with the guards of runtime/sse-arithmetic.ts: where they hold, native arithmetic gives
 * the result of the manual and MXCSR stays as it is. Where not, the helper runs.
 */
type Shape = 'f32' | 'f64';

interface Opcodes {
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

const simd = (code: number): number[] => [0xfd, ...unsignedBytes(code)];
const SCALAR: Record<Shape, Opcodes> = {
  f32: { abs: [0x8b], sqrt: [0x91], add: [0x92], sub: [0x93], mul: [0x94], div: [0x95], eq: [0x5b], lt: [0x5d], gt: [0x5e], ge: [0x60] },
  f64: { abs: [0x99], sqrt: [0x9f], add: [0xa0], sub: [0xa1], mul: [0xa2], div: [0xa3], eq: [0x61], lt: [0x63], gt: [0x64], ge: [0x66] },
}; // prettier-ignore
const LANES: Record<Shape, Opcodes> = {
  f32: { abs: simd(224), sqrt: simd(227), add: simd(228), sub: simd(229), mul: simd(230), div: simd(231), eq: simd(65), lt: simd(67), gt: simd(68), ge: simd(70) },
  f64: { abs: simd(236), sqrt: simd(239), add: simd(240), sub: simd(241), mul: simd(242), div: simd(243), eq: simd(71), lt: simd(73), gt: simd(74), ge: simd(76) },
}; // prettier-ignore
const EXTRACT: Record<Shape, number[]> = { f32: simd(31), f64: simd(33) };
const REPLACE: Record<Shape, number[]> = { f32: simd(32), f64: simd(34) };
const SPLAT: Record<Shape, number[]> = { f32: simd(19), f64: simd(20) };
const V128 = { and: simd(78), or: simd(80), bitselect: simd(82) };
const ALL_TRUE = simd(163);
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
const MXCSR_CONTROL = 0xffe0;
/** All masked, to nearest, neither DAZ nor FTZ, PE already set (sse-lanes.ts). */
const MXCSR_PLAIN = 0x1fa0;

type Operation = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'sqrt';

/** A source operand: a register's place in the CPU block, or a value from memory (low 64 bits, or all). */
export type FloatSource =
  | { readonly kind: 'register'; readonly offset: number }
  | { readonly kind: 'low'; readonly value: Node }
  | { readonly kind: 'vector'; readonly value: Node };

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
  private load(offset: number): Node {
    return this.code.node([0xfd, 0, 0, ...unsignedBytes(offset)], 'v128', [this.cpu], [], false);
  }
  private store(offset: number, value: Node): void {
    this.code.raw([0xfd, 11, 0, ...unsignedBytes(offset)], this.cpu, value);
  }
  private lane(shape: Shape, v: Node): Node {
    return this.code.node(EXTRACT[shape], shape, [v], [0]);
  }
  private withLane(shape: Shape, v: Node, lane: number, value: Node): Node {
    return this.code.node(REPLACE[shape], 'v128', [v, value], [lane]);
  }
  private constant(shape: Shape, pattern: bigint): Node {
    if (shape === 'f64') return this.node(F64_REINTERPRET, 'f64', this.code.constant('i64', pattern));
    return this.node(F32_REINTERPRET, 'f32', this.code.constant('i32', pattern));
  }
  private scalarOf(shape: Shape, source: FloatSource): Node {
    if (source.kind === 'register') return this.lane(shape, this.load(source.offset));
    if (source.kind === 'vector') return this.lane(shape, source.value);
    if (shape === 'f64') return this.node(F64_REINTERPRET, 'f64', source.value);
    return this.node(F32_REINTERPRET, 'f32', this.node(I32.wrap, 'i32', source.value));
  }
  private vectorOf(source: FloatSource): Node {
    if (source.kind === 'register') return this.load(source.offset);
    if (source.kind === 'vector') return source.value;
    throw new Error('a packed instruction whose operand has 64 bits');
  }
  private both(...conditions: Node[]): Node {
    return conditions.reduce((a, b) => this.node(I32.and, 'i32', a, b));
  }

  // ---- guards
  private plain(): Node {
    const mxcsr = this.code.node([0x28, 2, ...unsignedBytes(L.S_MXCSR)], 'i32', [this.cpu], [], false);
    const control = this.node(I32.and, 'i32', mxcsr, this.code.constant('i32', BigInt(MXCSR_CONTROL)));
    return this.node(I32.eq, 'i32', control, this.code.constant('i32', BigInt(MXCSR_PLAIN)));
  }
  /** Lanes that are zero, normal or infinite. */
  private ordinaryLanes(shape: Shape, v: Node): Node {
    const ops = LANES[shape];
    const smallest = this.node(SPLAT[shape], 'v128', this.constant(shape, SMALLEST[shape]));
    const normal = this.node(ops.ge, 'v128', this.node(ops.abs, 'v128', v), smallest);
    return this.node(V128.or, 'v128', normal, this.node(ops.eq, 'v128', v, this.zero(shape)));
  }
  private zero(shape: Shape): Node {
    return this.node(SPLAT[shape], 'v128', this.constant(shape, 0n));
  }
  private finiteLanes(shape: Shape, v: Node): Node {
    const ops = LANES[shape];
    const infinite = this.node(SPLAT[shape], 'v128', this.constant(shape, INFINITE[shape]));
    return this.node(ops.lt, 'v128', this.node(ops.abs, 'v128', v), infinite);
  }
  private allTrue(mask: Node): Node {
    return this.node(ALL_TRUE, 'i32', mask);
  }
  /** Both scalars are zero, normal or infinite: tested as two lanes of one vector. */
  private ordinary(shape: Shape, x: Node, y: Node): Node {
    const pair = this.withLane(shape, this.node(SPLAT[shape], 'v128', x), 1, y);
    return this.allTrue(this.ordinaryLanes(shape, pair));
  }
  /** Of a result: normal, finite, and not the smallest one; with `zero` it may be zero, or the smallest. */
  private proper(shape: Shape, r: Node, zero: boolean): Node {
    const wide = shape === 'f64';
    const type = wide ? 'i64' : 'i32';
    const ops = wide ? I64 : I32;
    const constant = (value: bigint): Node => this.code.constant(type, value);
    const sign = wide ? 0x7fffffffffffffffn : 0x7fffffffn;
    const bits = this.node(
      ops.and,
      type,
      this.node(wide ? I64_REINTERPRET : I32_REINTERPRET, type, r),
      constant(sign),
    );
    const from = SMALLEST[shape] + (zero ? 0n : 1n);
    const inside = this.node(
      ops.ltU,
      'i32',
      this.node(ops.sub, type, bits, constant(from)),
      constant(INFINITE[shape] - from),
    );
    return zero ? this.node(I32.or, 'i32', inside, this.node(ops.eqz, 'i32', bits)) : inside;
  }

  // ---- instructions
  private scalar(
    operation: Operation,
    shape: Shape,
    destination: number,
    source: FloatSource,
    slow: () => void,
  ): void {
    const { code } = this;
    const old = this.load(destination);
    const x = this.lane(shape, old);
    const y = this.scalarOf(shape, source);
    const ops = SCALAR[shape];
    let r: Node;
    let guard: Node;
    if (operation === 'min' || operation === 'max') {
      const test = this.node(operation === 'min' ? ops.lt : ops.gt, 'i32', x, y);
      r = code.node([0x1b], shape, [x, y, test]);
      guard = this.ordinary(shape, x, y);
    } else if (operation === 'sqrt') {
      r = this.node(ops.sqrt, shape, y);
      guard = this.both(this.plain(), this.proper(shape, r, true), this.ordinary(shape, y, y));
    } else {
      r = this.node(ops[operation], shape, x, y);
      const zero = operation === 'add' || operation === 'sub';
      guard = this.both(this.plain(), this.proper(shape, r, zero), this.ordinary(shape, x, y));
    }
    code.if(guard, () => this.store(destination, this.withLane(shape, old, 0, r)), slow, true);
  }

  private packed(
    operation: Operation,
    shape: Shape,
    destination: number,
    source: FloatSource,
    slow: () => void,
  ): void {
    const x = this.load(destination);
    const y = this.vectorOf(source);
    const ops = LANES[shape];
    const ordinary = (v: Node): Node => this.ordinaryLanes(shape, v);
    const and = (a: Node, b: Node): Node => this.node(V128.and, 'v128', a, b);
    let r: Node;
    let guard: Node;
    if (operation === 'min' || operation === 'max') {
      const test = this.node(operation === 'min' ? ops.lt : ops.gt, 'v128', x, y);
      r = this.node(V128.bitselect, 'v128', x, y, test);
      guard = this.allTrue(and(ordinary(x), ordinary(y)));
    } else if (operation === 'sqrt') {
      r = this.node(ops.sqrt, 'v128', y);
      guard = this.both(this.plain(), this.allTrue(and(ordinary(y), this.finiteLanes(shape, r))));
    } else {
      r = this.node(ops[operation], 'v128', x, y);
      const operands = and(ordinary(x), ordinary(y));
      const sum = operation === 'add' || operation === 'sub';
      const smallest = this.node(SPLAT[shape], 'v128', this.constant(shape, SMALLEST[shape]));
      const normal = sum ? ordinary(r) : this.node(ops.gt, 'v128', this.node(ops.abs, 'v128', r), smallest);
      guard = this.both(this.plain(), this.allTrue(and(operands, and(normal, this.finiteLanes(shape, r)))));
    }
    this.code.if(guard, () => this.store(destination, r), slow, true);
  }

  /** CVTSS2SD and CVTSD2SS. */
  private convert(from: Shape, destination: number, source: FloatSource, slow: () => void): void {
    const x = this.scalarOf(from, source);
    const ordinary = this.ordinary(from, x, x);
    const old = this.load(destination);
    if (from === 'f32') {
      const r = this.node(F64_PROMOTE, 'f64', x);
      this.code.if(ordinary, () => this.store(destination, this.withLane('f64', old, 0, r)), slow, true);
      return;
    }
    const r = this.node(F32_DEMOTE, 'f32', x);
    const guard = this.both(this.plain(), this.proper('f32', r, false), ordinary);
    this.code.if(guard, () => this.store(destination, this.withLane('f32', old, 0, r)), slow, true);
  }

  /** CVTSI2SS and CVTSI2SD: a number of at most 32 bits is a double without rounding. */
  fromInteger(to: Shape, destination: number, value: Node, bits: number, slow: () => void): void {
    const r = this.node(to === 'f64' ? F64_CONVERT_I64 : F32_CONVERT_I64, to, value);
    const store = (): void => this.store(destination, this.withLane(to, this.load(destination), 0, r));
    if (to === 'f64' && bits === 32) store();
    else this.code.if(this.plain(), store, slow, true);
  }

  /** CVTTSS2SI and CVTTSD2SI: an i64 that is not cut to 32 bits. */
  toInteger(from: Shape, source: FloatSource, bits: number): Guarded {
    const x = this.scalarOf(from, source);
    const ops = SCALAR[from];
    const limit = this.constant(from, from === 'f64' ? (bits === 32 ? 0x41e0000000000000n : 0x43e0000000000000n) : bits === 32 ? 0x4f000000n : 0x5f000000n); // prettier-ignore
    const small = this.node(ops.lt, 'i32', this.node(ops.abs, from, x), limit);
    const r = this.node(I64_TRUNC_SAT[from], 'i64', x);
    return { guard: this.both(this.plain(), small, this.ordinary(from, x, x)), value: r };
  }

  /** COMISx and UCOMISx: CF in bit 0, PF in bit 2, ZF in bit 6. */
  compare(shape: Shape, a: number, source: FloatSource): Guarded {
    const x = this.lane(shape, this.load(a));
    const y = this.scalarOf(shape, source);
    const ops = SCALAR[shape];
    const less = this.node(ops.lt, 'i32', x, y);
    const equal = this.node(I32.shl, 'i32', this.node(ops.eq, 'i32', x, y), this.code.constant('i32', 6n));
    const value = this.node(I64.extendU, 'i64', this.node(I32.or, 'i32', less, equal));
    return { guard: this.ordinary(shape, x, y), value };
  }
}
