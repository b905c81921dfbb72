import * as L from '../layout.js';
import { unsignedBytes } from '../wasm/bytes.js';
import { Cell, type Code, type Node } from '../wasm/code.js';
import { I32, I64 } from '../wasm/opcodes.js';

/**
 * x87 arithmetic on normal numbers, as runtime/x87-quick.ts has it, for a control word as programs leave it: 64 bits of precision,
 * rounding to nearest, all exceptions masked. Where anything is otherwise the helper runs, and with it all that the block has
 * behind it until the state is looked at again.
 */

const LOAD16_U = [0x2f];
const LOAD32 = [0x28];
const LOAD64 = [0x29];
const STORE16 = [0x3b, 1];
const STORE32 = [0x36, 2];
const STORE64 = [0x37, 3];
const SELECT = [0x1b];

/** Exception masks, precision and rounding in the control word. */
const FCW_CONTROL = 0xf3f;
const FCW_USUAL = 0x33f;
/** Of the status word: an exception waits. */
export const SUMMARY = 0x80;
const PE = 5;
const C1 = 9;
const TOP = 11;
const CLEARED = ~0x200;
const CONDITIONS = 0x4700;
const EXPONENT = 0x7fff;
const SIGN = 0x8000;
/** Exponents of normal numbers are 1 to this. */
const MOST = 0x7ffe;
const BIAS = 0x3fff;
const INTEGER_BIT = 1n << 63n;

/** Operation numbers by the reg field of D8. */
const ADD = 0;
const MUL = 1;
const SUBR = 5;
const DIV = 6;

interface FloatFormat {
  readonly bits: 32 | 64;
  /** Of the significand without its integer bit. */
  readonly digits: number;
  readonly bias: number;
  readonly most: number;
}
/** By the numbers of helpers/x87.ts. */
const FORMATS: readonly FloatFormat[] = [
  { bits: 32, digits: 23, bias: 127, most: 0xfe },
  { bits: 64, digits: 52, bias: 1023, most: 0x7fe },
];

/** A normal number: sign and exponent (i32), significand (i64). */
interface Parts {
  readonly head: Node;
  readonly body: Node;
}
interface Known {
  readonly head: Cell;
  readonly body: Cell;
}
/** A result and what it says of rounding (i32: 0 or 1); `bad`: it holds only where this is zero. */
interface Result extends Parts {
  readonly lost: Node;
  readonly up: Node;
  readonly bad: Node;
}

/** What was looked at of the x87's state. */
interface Seen {
  /** i32: zero as long as what is known here holds. */
  readonly odd: Cell;
  readonly fsw: Cell;
  readonly ftw: Cell;
  /** Number of the register that was ST(0) then. */
  readonly top: Node;
}

/** The x87's registers in one block. The CPU's state always has them. */
export class X87 {
  private seen: Seen | null = null;
  /** How far the top has moved since. */
  private moved = 0;
  /** Values by their distance from the top that was, 0 to 7. */
  private readonly known = new Map<number, Known>();
  private readonly places = new Map<number, Node>();
  private readonly tags = new Map<number, Node>();

  constructor(
    private readonly code: Code,
    private readonly cpu: Node,
  ) {}

  /** Somebody else changes the state. */
  forget(): void {
    this.seen = null;
    this.moved = 0;
    this.known.clear();
    this.places.clear();
    this.tags.clear();
  }

  /** Code of a helper with these arguments (numbers, or a node for bits); null: it is none of these. `slow` emits the helper. */
  emit(name: string, args: readonly Node[], slow: () => Node): Node | null {
    const number = (n: number): number => Number(args[n]!.constant ?? -1n);
    switch (name) {
      case 'x87Load':
        return number(0) < FORMATS.length ? this.loadFloat(FORMATS[number(0)]!, args[1]!, slow) : null;
      case 'x87LoadRegister': {
        const value = this.operand(number(0));
        return this.perform([...value.bad, this.full(-1)], slow, () => this.push(value));
      }
      case 'x87Arithmetic':
        return number(0) < DIV
          ? this.arithmetic(number(0), number(1), this.operand(number(2)), number(3) !== 0, slow)
          : null;
      case 'x87ArithmeticMemory': {
        if (number(0) >= DIV || number(1) >= FORMATS.length) return null;
        const { bad, ...value } = this.widen(FORMATS[number(1)]!, args[2]!);
        return this.arithmetic(number(0), 0, { ...value, bad: [bad] }, false, slow);
      }
      case 'x87Value':
        return number(0) < FORMATS.length ? this.narrow(FORMATS[number(0)]!, slow) : null;
      case 'x87Pop':
        return this.perform([this.i32(I64.eqz, args[0]!)], slow, () => {
          this.pop();
          this.putStatus();
        });
      case 'x87StoreRegister': {
        const value = this.operand(0);
        return this.perform(value.bad, slow, () => {
          this.put(number(0), value);
          this.note();
          if (number(1) !== 0) this.pop();
          this.putStatus();
        });
      }
      case 'x87Exchange': {
        const [a, b] = [this.operand(0), this.operand(number(0))];
        return this.perform([...a.bad, ...b.bad], slow, () => {
          this.put(0, b);
          this.put(number(0), a);
          this.note();
          this.putStatus();
        });
      }
      case 'x87Sign': {
        const { head, body, bad } = this.operand(0);
        const changed = number(0) !== 0 ? this.and(head, EXPONENT) : this.i32(I32.xor, head, this.c32(SIGN));
        return this.perform(bad, slow, () => {
          this.put(0, { head: changed, body });
          this.note();
          this.putStatus();
        });
      }
      case 'x87CompareFlags':
        return this.compareFlags(number(0), number(2), slow);
      case 'x87Compare':
        return this.compare(number(0), number(2), slow);
      default:
        return null;
    }
  }

  // ---- nodes
  private c32(value: number): Node {
    return this.code.constant('i32', value);
  }
  private c64(value: number | bigint): Node {
    return this.code.constant('i64', value);
  }
  private i32(op: readonly number[], ...args: Node[]): Node {
    return this.code.node(op, 'i32', args);
  }
  private i64(op: readonly number[], ...args: Node[]): Node {
    return this.code.node(op, 'i64', args);
  }
  private and(value: Node, mask: number): Node {
    return this.i32(I32.and, value, this.c32(mask));
  }
  private plus(value: Node, by: number): Node {
    return this.i32(I32.add, value, this.c32(by));
  }
  private or(...values: Node[]): Node {
    return values.reduce((a, b) => this.i32(I32.or, a, b));
  }
  private shiftLeft(value: Node, by: number): Node {
    return this.i32(I32.shl, value, this.c32(by));
  }
  private widened(value: Node): Node {
    return this.i64(I64.extendU, value);
  }
  private select(condition: Node, a: Node, b: Node): Node {
    return this.code.node(SELECT, a.type as 'i32' | 'i64', [a, b, condition]);
  }
  private load(op: readonly number[], type: 'i32' | 'i64', align: number, at: Node, offset: number): Node {
    return this.code.node(op, type, [at], [align, ...unsignedBytes(offset)], false);
  }
  private store(op: readonly number[], at: Node, offset: number, value: Node): void {
    this.code.raw([...op, ...unsignedBytes(offset)], at, value);
  }

  // ---- the stack
  private state(): Seen {
    if (this.seen) return this.seen;
    const { code, cpu } = this;
    const fcw = this.load(LOAD32, 'i32', 2, cpu, L.S_FCW);
    const fsw = code.cell('i32', this.load(LOAD32, 'i32', 2, cpu, L.S_FSW));
    const ftw = code.cell('i32', this.load(LOAD32, 'i32', 2, cpu, L.S_FTW));
    const unusual = this.i32(I32.xor, this.and(fcw, FCW_CONTROL), this.c32(FCW_USUAL));
    const odd = code.cell('i32', this.or(unusual, this.and(code.read(fsw), SUMMARY)));
    const top = this.and(this.i32(I32.shrU, code.read(fsw), this.c32(TOP)), 7);
    this.seen = { odd, fsw, ftw, top };
    return this.seen;
  }
  /** Distance of ST(i) from the top that was. */
  private distance(i: number): number {
    return (this.moved + i) & 7;
  }
  private number(distance: number): Node {
    const { top } = this.state();
    return distance === 0 ? top : this.and(this.plus(top, distance), 7);
  }
  /** What S_FPR is added to for ST(i). */
  private place(i: number): Node {
    const distance = this.distance(i);
    let place = this.places.get(distance);
    if (!place) {
      place = this.i32(I32.add, this.cpu, this.shiftLeft(this.number(distance), 4));
      this.places.set(distance, place);
    }
    return place;
  }
  /** The bits of ST(i) in the tag word. */
  private tag(i: number): Node {
    const distance = this.distance(i);
    let tag = this.tags.get(distance);
    if (!tag) {
      tag = this.i32(I32.shl, this.c32(3), this.shiftLeft(this.number(distance), 1));
      this.tags.set(distance, tag);
    }
    return tag;
  }
  private tagsOf(i: number): Node {
    return this.i32(I32.and, this.code.read(this.state().ftw), this.tag(i));
  }
  /** i32: not zero if ST(i) is not empty. */
  private full(i: number): Node {
    return this.i32(I32.xor, this.tagsOf(i), this.tag(i));
  }
  /** ST(i), and what (i32) must be zero for it to be a normal number. */
  private operand(i: number): Parts & { readonly bad: readonly Node[] } {
    this.state();
    const known = this.known.get(this.distance(i));
    if (known) return { head: this.code.read(known.head), body: this.code.read(known.body), bad: [] };
    const place = this.place(i);
    const head = this.load(LOAD16_U, 'i32', 1, place, L.S_FPR + 8);
    const body = this.load(LOAD64, 'i64', 3, place, L.S_FPR);
    const bad = [
      this.unusual(this.and(head, EXPONENT)),
      this.i32([0x59], body, this.c64(0)),
      this.i32(I32.eqz, this.full(i)),
    ];
    return { head, body, bad };
  }
  /** i32: whether an exponent is none of normal numbers. */
  private unusual(exponent: Node): Node {
    return this.i32(I32.geU, this.i32(I32.sub, exponent, this.c32(1)), this.c32(MOST));
  }

  /**
   * Emits `fast` for where all of `bad` are zero and nothing is odd, and `slow` for else; gives what `slow` gives, or `result`.
   * What `fast` puts into registers is known then.
   */
  private perform(
    bad: readonly Node[],
    slow: () => Node,
    fast: () => void,
    result: Node | null = null,
  ): Node {
    const { code, places, tags } = this;
    const { odd } = this.state();
    const inside = (): void => {
      const before = new Set([...places.values(), ...tags.values()]);
      fast();
      // What was made there has no value where the slow way was gone.
      for (const cache of [places, tags])
        for (const [distance, node] of cache) if (!before.has(node)) cache.delete(distance);
    };
    const value = result && code.cell('i64', result);
    const any = this.or(code.read(odd), ...bad);
    code.if(
      any,
      () => {
        const found = slow();
        if (value) code.assign(value, found);
        code.assign(odd, this.c32(1));
      },
      inside,
      false,
    );
    return value ? code.read(value) : this.c64(0);
  }

  // ---- within `fast`
  private change(what: 'fsw' | 'ftw', f: (old: Node) => Node): void {
    const cell = this.state()[what];
    this.code.assign(cell, f(this.code.read(cell)));
  }
  private putStatus(): void {
    const { fsw, ftw } = this.state();
    this.store(STORE32, this.cpu, L.S_FSW, this.code.read(fsw));
    this.store(STORE32, this.cpu, L.S_FTW, this.code.read(ftw));
  }
  /** C1 and PE after rounding, or none. */
  private note(lost?: Node, up?: Node): void {
    this.change('fsw', (old) => {
      const cleared = this.and(old, CLEARED);
      return lost && up ? this.or(cleared, this.shiftLeft(lost, PE), this.shiftLeft(up, C1)) : cleared;
    });
  }
  private move(by: number): void {
    this.moved = (this.moved + by) & 7;
    const top = this.shiftLeft(this.number(this.moved), TOP);
    this.change('fsw', (old) => this.or(this.and(old, ~0x3800), top));
  }
  private put(i: number, { head, body }: Parts): void {
    const { code } = this;
    const place = this.place(i);
    this.store(STORE64, place, L.S_FPR, body);
    this.store(STORE16, place, L.S_FPR + 8, head);
    this.change('ftw', (old) => this.i32(I32.and, old, this.i32(I32.xor, this.tag(i), this.c32(-1))));
    this.known.set(this.distance(i), { head: code.cell('i32', head), body: code.cell('i64', body) });
  }
  private pop(): void {
    this.change('ftw', (old) => this.or(old, this.tag(0)));
    this.known.delete(this.distance(0));
    this.move(1);
  }
  private push(value: Parts): void {
    this.move(-1);
    this.put(0, value);
    this.note();
    this.putStatus();
  }

  // ---- floats in memory
  private widen(
    { bits: width, digits, bias, most }: FloatFormat,
    bits: Node,
  ): Parts & { readonly bad: Node } {
    const high = this.i32(I32.wrap, this.i64(I64.shrU, bits, this.c64(digits)));
    const exponent = this.and(high, most + 1);
    const sign = this.shiftLeft(this.i32(I32.wrap, this.i64(I64.shrU, bits, this.c64(width - 1))), 15);
    const head = this.or(this.and(sign, SIGN), this.plus(exponent, BIAS - bias));
    const body = this.i64(I64.or, this.i64(I64.shl, bits, this.c64(63 - digits)), this.c64(INTEGER_BIT));
    const bad = this.i32(I32.geU, this.i32(I32.sub, exponent, this.c32(1)), this.c32(most));
    return { head, body, bad };
  }
  private loadFloat(format: FloatFormat, bits: Node, slow: () => Node): Node {
    const value = this.widen(format, bits);
    return this.perform([value.bad, this.full(-1)], slow, () => this.push(value));
  }
  /** ST(0) as a float in memory has it. */
  private narrow({ bits: width, digits, bias, most }: FloatFormat, slow: () => Node): Node {
    const { head, body, bad } = this.operand(0);
    const drop = 63 - digits;
    const half = 1n << BigInt(drop - 1);
    const rest = this.i64(I64.and, body, this.c64((1n << BigInt(drop)) - 1n));
    const kept = this.i64(I64.shrU, body, this.c64(drop));
    // More than half, or half and the last digit odd.
    const tie = this.i64(I64.or, rest, this.i64(I64.and, kept, this.c64(1)));
    const up = this.i32([0x56], tie, this.c64(half));
    const rounded = this.i64(I64.add, kept, this.widened(up));
    const carry = this.i32(I32.wrap, this.i64(I64.shrU, rounded, this.c64(digits + 1)));
    const exponent = this.i32(I32.add, this.plus(this.and(head, EXPONENT), bias - BIAS), carry);
    const outside = this.i32(I32.geU, this.i32(I32.sub, exponent, this.c32(1)), this.c32(most));
    const sign = this.i64(I64.shl, this.widened(this.i32(I32.shrU, head, this.c32(15))), this.c64(width - 1));
    const above = this.i64(I64.shl, this.widened(exponent), this.c64(digits));
    const digitsOnly = this.i64(I64.and, rounded, this.c64((1n << BigInt(digits)) - 1n));
    const bits = this.i64(I64.or, this.i64(I64.or, sign, above), digitsOnly);
    const lost = this.i32(I64.ne, rest, this.c64(0));
    const fast = (): void => {
      this.store(STORE32, this.cpu, L.S_FPU_SKIP, this.c32(0));
      this.note(lost, up);
      this.putStatus();
    };
    return this.perform([...bad, outside], slow, fast, bits);
  }

  // ---- arithmetic
  private arithmetic(
    operation: number,
    target: number,
    b: Parts & { readonly bad: readonly Node[] },
    pop: boolean,
    slow: () => Node,
  ): Node {
    const a = this.operand(target);
    const result = operation === MUL ? this.product(a, b) : this.sum(a, b, operation);
    return this.perform([...a.bad, ...b.bad, result.bad], slow, () => {
      this.put(target, result);
      this.note(result.lost, result.up);
      if (pop) this.pop();
      this.putStatus();
    });
  }

  /** Rounds 128 bits, of which the highest is set, to 64. */
  private round(sign: Node, exponent: Node, high: Node, low: Node, bad: Node | null): Result {
    const tie = this.i64(I64.or, low, this.i64(I64.and, high, this.c64(1)));
    const up = this.i32([0x56], tie, this.c64(INTEGER_BIT));
    const rounded = this.i64(I64.add, high, this.widened(up));
    const carry = this.i32(I64.eqz, rounded);
    const body = this.i64(I64.or, rounded, this.c64(INTEGER_BIT));
    const whole = this.i32(I32.add, exponent, carry);
    const outside = this.unusual(whole);
    return {
      head: this.or(sign, whole),
      body,
      lost: this.i32(I64.ne, low, this.c64(0)),
      up,
      bad: bad ? this.or(bad, outside) : outside,
    };
  }

  private product(a: Parts, b: Parts): Result {
    const sign = this.and(this.i32(I32.xor, a.head, b.head), SIGN);
    const high = this.highProduct(a.body, b.body);
    const low = this.i64(I64.mul, a.body, b.body);
    // One digit to the left, if the highest is not there.
    const short = this.i64(I64.xor, this.i64(I64.shrU, high, this.c64(63)), this.c64(1));
    const next = this.i64(I64.and, this.i64(I64.shrU, low, this.c64(63)), short);
    const sum = this.i32(I32.add, this.and(a.head, EXPONENT), this.and(b.head, EXPONENT));
    const exponent = this.i32(I32.sub, this.plus(sum, 1 - BIAS), this.i32(I32.wrap, short));
    const aligned = this.i64(I64.or, this.i64(I64.shl, high, short), next);
    return this.round(sign, exponent, aligned, this.i64(I64.shl, low, short), null);
  }
  private highProduct(a: Node, b: Node): Node {
    const low = (v: Node): Node => this.i64(I64.and, v, this.c64(0xffffffff));
    const top = (v: Node): Node => this.i64(I64.shrU, v, this.c64(32));
    const mul = (x: Node, y: Node): Node => this.i64(I64.mul, x, y);
    const add = (x: Node, y: Node): Node => this.i64(I64.add, x, y);
    const [al, ah, bl, bh] = [low(a), top(a), low(b), top(b)];
    const t = add(mul(ah, bl), top(mul(al, bl)));
    const w = add(low(t), mul(al, bh));
    return add(add(mul(ah, bh), top(t)), top(w));
  }

  /** a + b, a - b or b - a, where the exponents are less than 64 apart. */
  private sum(a: Parts, b: Parts, operation: number): Result {
    const flip = (head: Node): Node => this.i32(I32.xor, head, this.c32(SIGN));
    const aHead = operation === SUBR ? flip(a.head) : a.head;
    const bHead = operation === ADD || operation === SUBR ? b.head : flip(b.head);
    const [aExponent, bExponent] = [this.and(aHead, EXPONENT), this.and(bHead, EXPONENT)];
    const same = this.i32(I32.and, this.i32(I32.eq, aExponent, bExponent), this.i32(I64.ltU, a.body, b.body));
    const swapped = this.or(this.i32(I32.ltU, aExponent, bExponent), same);
    const xHead = this.select(swapped, bHead, aHead);
    const xBody = this.select(swapped, b.body, a.body);
    const yBody = this.select(swapped, a.body, b.body);
    const exponent = this.and(xHead, EXPONENT);
    const apart = this.i32(I32.sub, exponent, this.select(swapped, aExponent, bExponent));
    const distance = this.widened(apart);
    const shifted = this.i64(I64.shrU, yBody, distance);
    const rest = this.i64(
      I64.shl,
      this.i64(I64.shl, yBody, this.c64(1)),
      this.i64(I64.xor, distance, this.c64(63)),
    );
    // The lesser one negated, if the signs differ: all ones, or zero.
    const differ = this.i32(I32.shrU, this.and(this.i32(I32.xor, aHead, bHead), SIGN), this.c32(15));
    const mask = this.i64(I64.sub, this.c64(0), this.widened(differ));
    const low = this.i64(I64.sub, this.i64(I64.xor, rest, mask), mask);
    const borrowed = this.i32(I32.and, differ, this.i32(I64.eqz, rest));
    const addend = this.i64(I64.add, this.i64(I64.xor, shifted, mask), this.widened(borrowed));
    const high = this.i64(I64.add, xBody, addend);
    const carry = this.i32(I32.and, this.i32(I32.eqz, differ), this.i32(I64.ltU, high, xBody));
    const one = this.c64(1);
    const carriedLow = this.i64(
      I64.or,
      this.i64(I64.or, this.i64(I64.shl, high, this.c64(63)), this.i64(I64.shrU, low, one)),
      this.i64(I64.and, low, one),
    );
    const carriedHigh = this.i64(I64.or, this.i64(I64.shrU, high, one), this.c64(INTEGER_BIT));
    const wholeHigh = this.select(carry, carriedHigh, high);
    const wholeLow = this.select(carry, carriedLow, low);
    const zeros = this.i64(I64.clz, wholeHigh);
    const entering = this.i64(
      I64.shrU,
      this.i64(I64.shrU, wholeLow, one),
      this.i64(I64.xor, zeros, this.c64(63)),
    );
    const aligned = this.i64(I64.or, this.i64(I64.shl, wholeHigh, zeros), entering);
    const moved = this.i32(I32.sub, this.i32(I32.add, exponent, carry), this.i32(I32.wrap, zeros));
    const bad = this.or(this.i32(I32.geU, apart, this.c32(64)), this.i32(I64.eqz, wholeHigh));
    return this.round(this.and(xHead, SIGN), moved, aligned, this.i64(I64.shl, wholeLow, zeros), bad);
  }

  // ---- comparisons
  /** ST(0) below and equal to ST(i) (i32: 0 or 1). */
  private ordered(a: Parts, b: Parts): { less: Node; equal: Node } {
    const equal = this.i32(I32.and, this.i32(I32.eq, a.head, b.head), this.i32(I64.eq, a.body, b.body));
    const sameHead = this.i32(I32.and, this.i32(I32.eq, a.head, b.head), this.i32(I64.ltU, a.body, b.body));
    const smaller = this.or(this.i32(I32.ltU, a.head, b.head), sameHead);
    const negative = this.i32(I32.shrU, a.head, this.c32(15));
    const differ = this.i32(I32.shrU, this.i32(I32.xor, a.head, b.head), this.c32(15));
    const byMagnitude = this.i32(I32.xor, smaller, negative);
    const less = this.select(differ, negative, this.i32(I32.and, byMagnitude, this.i32(I32.eqz, equal)));
    return { less, equal };
  }
  private popAll(pops: number): void {
    for (let n = 0; n < pops; n++) this.pop();
  }
  /** CF in bit 0, ZF in bit 6. */
  private compareFlags(i: number, pops: number, slow: () => Node): Node {
    const [a, b] = [this.operand(0), this.operand(i)];
    const { less, equal } = this.ordered(a, b);
    const flags = this.widened(this.or(less, this.shiftLeft(equal, 6)));
    const fast = (): void => {
      this.popAll(pops);
      if (pops > 0) this.putStatus();
    };
    return this.perform([...a.bad, ...b.bad], slow, fast, flags);
  }
  private compare(i: number, pops: number, slow: () => Node): Node {
    const [a, b] = [this.operand(0), this.operand(i)];
    const { less, equal } = this.ordered(a, b);
    return this.perform([...a.bad, ...b.bad], slow, () => {
      const conditions = this.or(this.shiftLeft(less, 8), this.shiftLeft(equal, 14));
      this.change('fsw', (old) => this.or(this.and(old, ~CONDITIONS), conditions));
      this.popAll(pops);
      this.putStatus();
    });
  }
}
