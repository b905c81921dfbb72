import type { Form } from '../../isa/forms.js';
import type { ArithmeticFlag, Bits, Bool, ConditionCode, Int, IntLike, Var, Vec } from '../../isa/ops.js';
import { bindingImports } from '../imports.js';
import * as L from '../layout.js';
import { unsignedBytes } from './bytes.js';
import { Code, Node, type Cell } from './code.js';
import { fold32, fold64, ONES, widthOf } from './folding.js';
import type { ModuleWriter, WasmType } from './module.js';
import { FENCE, I32, I64 } from './opcodes.js';
import { simdOpcodes } from './simd-opcodes.js';

const SELECT = [0x1b];
export const LOAD_I64: Record<Bits, number> = { 8: 0x31, 16: 0x33, 32: 0x35, 64: 0x29 };
export const STORE_I64: Record<Bits, number> = { 8: 0x3c, 16: 0x3d, 32: 0x3e, 64: 0x37 };
/** Bits that i64.load8_u, load16_u and load32_u give. */
const LOADED_WIDTH: Partial<Record<number, number>> = { 0x31: 8, 0x33: 16, 0x35: 32 };
/** i64.atomic.load / store / rmw.cmpxchg of 8, 16, 32, 64 bits (threads proposal). */
const ATOMIC_LOAD: Record<Bits, number> = { 8: 0x14, 16: 0x15, 32: 0x16, 64: 0x11 };
const ATOMIC_STORE: Record<Bits, number> = { 8: 0x1b, 16: 0x1c, 32: 0x1d, 64: 0x18 };
export const ATOMIC_CMPXCHG: Record<Bits, number> = { 8: 0x4c, 16: 0x4d, 32: 0x4e, 64: 0x49 };
export const ALIGN: Record<Bits, number> = { 8: 0, 16: 1, 32: 2, 64: 3 };

/** Bytes that are needed again and again: alignment and offset, an opcode alone, one with both. */
const memoryImmediates = new Map<number, readonly number[]>();
const opcodes: (readonly number[])[] = [];
const stores = new Map<number, readonly number[]>();

/** The operations of an effect that do not depend on where operands, registers and flags are: they become WebAssembly. */
export abstract class EffectRecorder {
  readonly bits: Bits;
  readonly asize: 16 | 32 | 64;
  readonly long: boolean;
  readonly locked: boolean;
  readonly rep: 'none' | 'rep' | 'repne';

  protected constructor(
    protected readonly form: Form,
    protected readonly code: Code,
    /** Pointer to the CPU's state. */
    protected readonly cpu: Node,
    protected readonly module: ModuleWriter,
  ) {
    this.bits = form.bits;
    this.asize = form.asize || 64;
    this.long = form.long;
    this.locked = form.locked;
    this.rep = form.rep;
  }

  /** One of the three words that hold the arithmetic flags, by its S_FLAG_ offset. */
  protected abstract flagWord(word: number): Int;
  protected abstract setFlagWord(word: number, value: Int): void;
  /** Leaves the instruction if a helper has raised a fault. */
  protected abstract exitIfFaulted(): void;

  /** Code of a call of what only bindings call (imports.ts). */
  protected import(name: string): number[] {
    const signature = bindingImports[name];
    if (!signature) throw new Error(`no binding import ${name}`);
    return [0x10, ...unsignedBytes(this.module.import('runtime', name, signature))];
  }

  // ---- node making
  protected i32(op: readonly number[], ...args: Node[]): Node {
    const known = fold32(op, args);
    if (known !== null) return this.code.constant('i32', known);
    return this.code.node(op, 'i32', args);
  }
  protected i64(op: readonly number[], ...args: Node[]): Node {
    const known = fold64(op, args);
    if (known instanceof Node) return known;
    if (known !== null) return this.code.constant('i64', known);
    const node = this.code.node(op, 'i64', args);
    node.width = widthOf(op, args);
    return node;
  }
  protected const32(value: number): Node {
    return this.code.constant('i32', value);
  }
  protected node64(value: IntLike): Node {
    if (typeof value === 'number' || typeof value === 'bigint') return this.code.constant('i64', value);
    return value as unknown as Node;
  }
  protected asInt(node: Node): Int {
    return node as unknown as Int;
  }
  protected asBool(node: Node): Bool {
    return node as unknown as Bool;
  }
  protected boolNode(b: Bool): Node {
    return b as unknown as Node;
  }
  protected asVec(node: Node): Vec {
    return node as unknown as Vec;
  }
  protected vecNode(v: Vec): Node {
    return v as unknown as Node;
  }
  protected op64(op: readonly number[], a: IntLike, b: IntLike): Int {
    return this.asInt(this.i64(op, this.node64(a), this.node64(b)));
  }
  protected compare(op: readonly number[], a: IntLike, b: IntLike): Bool {
    return this.asBool(this.i32(op, this.node64(a), this.node64(b)));
  }
  protected wrap(value: IntLike): Node {
    return this.i32(I32.wrap, this.node64(value));
  }
  protected extend(node: Node): Node {
    return this.i64(I64.extendU, node);
  }

  protected memoryImmediate(align: number, offset: number): readonly number[] {
    const key = align * 2 ** 32 + offset;
    let bytes = memoryImmediates.get(key);
    if (!bytes) memoryImmediates.set(key, (bytes = [align, ...unsignedBytes(offset)]));
    return bytes;
  }
  protected loadAt(op: number, type: WasmType, align: number, address: Node, offset: number): Node {
    const opcode = (opcodes[op] ??= [op]);
    const node = this.code.node(opcode, type, [address], this.memoryImmediate(align, offset), false);
    node.width = LOADED_WIDTH[op] ?? 64;
    return node;
  }
  protected storeAt(op: number, align: number, address: Node, offset: number, value: Node): void {
    const key = (op * 8 + align) * 2 ** 32 + offset;
    let bytes = stores.get(key);
    if (!bytes) stores.set(key, (bytes = [op, ...this.memoryImmediate(align, offset)]));
    this.code.raw(bytes, address, value);
  }
  protected loadState32(offset: number): Node {
    return this.loadAt(0x28, 'i32', 2, this.cpu, offset);
  }
  protected loadState64(offset: number): Node {
    return this.loadAt(0x29, 'i64', 3, this.cpu, offset);
  }
  protected storeState32(offset: number, value: Node): void {
    this.storeAt(0x36, 2, this.cpu, offset, value);
  }
  protected storeState64(offset: number, value: Node): void {
    this.storeAt(0x37, 3, this.cpu, offset, value);
  }

  // ---- values
  int(v: number | bigint): Int {
    return this.asInt(this.node64(v));
  }
  add(a: IntLike, b: IntLike): Int {
    return this.op64(I64.add, a, b);
  }
  sub(a: IntLike, b: IntLike): Int {
    return this.op64(I64.sub, a, b);
  }
  mul(a: IntLike, b: IntLike): Int {
    return this.op64(I64.mul, a, b);
  }
  and(a: IntLike, b: IntLike): Int {
    return this.op64(I64.and, a, b);
  }
  or(a: IntLike, b: IntLike): Int {
    return this.op64(I64.or, a, b);
  }
  xor(a: IntLike, b: IntLike): Int {
    return this.op64(I64.xor, a, b);
  }
  not(a: IntLike): Int {
    return this.xor(a, -1n);
  }
  shl(a: IntLike, n: IntLike): Int {
    return this.op64(I64.shl, a, n);
  }
  shr(a: IntLike, n: IntLike): Int {
    return this.op64(I64.shrU, a, n);
  }
  sar(a: IntLike, n: IntLike): Int {
    return this.op64(I64.shrS, a, n);
  }
  rotl(bits: 32 | 64, a: IntLike, n: IntLike): Int {
    if (bits === 64) return this.op64(I64.rotl, a, n);
    return this.asInt(this.extend(this.i32(I32.rotl, this.wrap(a), this.wrap(n))));
  }
  clz(a: IntLike): Int {
    return this.asInt(this.i64(I64.clz, this.node64(a)));
  }
  ctz(a: IntLike): Int {
    return this.asInt(this.i64(I64.ctz, this.node64(a)));
  }
  popcnt(a: IntLike): Int {
    return this.asInt(this.i64(I64.popcnt, this.node64(a)));
  }
  zx(bits: number, a: IntLike): Int {
    const node = this.node64(a);
    if (node.width <= bits) return this.asInt(node);
    return this.and(a, ONES[bits]!);
  }
  sx(bits: Bits, a: IntLike): Int {
    if (bits === 64) return this.asInt(this.node64(a));
    if (this.node64(a).width < bits) return this.asInt(this.node64(a));
    const op = bits === 8 ? I64.extend8 : bits === 16 ? I64.extend16 : I64.extend32;
    return this.asInt(this.i64(op, this.node64(a)));
  }
  eq(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.eq, a, b);
  }
  ne(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.ne, a, b);
  }
  ltu(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.ltU, a, b);
  }
  leu(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.leU, a, b);
  }
  lts(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.ltS, a, b);
  }
  les(a: IntLike, b: IntLike): Bool {
    return this.compare(I64.leS, a, b);
  }
  bit(a: IntLike, n: number): Bool {
    return this.asBool(this.wrap(this.and(this.shr(a, n), 1)));
  }
  bool(v: boolean): Bool {
    return this.asBool(this.const32(v ? 1 : 0));
  }
  negate(a: Bool): Bool {
    return this.asBool(this.i32(I32.eqz, this.boolNode(a)));
  }
  both(a: Bool, b: Bool): Bool {
    return this.asBool(this.i32(I32.and, this.boolNode(a), this.boolNode(b)));
  }
  either(a: Bool, b: Bool): Bool {
    return this.asBool(this.i32(I32.or, this.boolNode(a), this.boolNode(b)));
  }
  differ(a: Bool, b: Bool): Bool {
    return this.asBool(this.i32(I32.xor, this.boolNode(a), this.boolNode(b)));
  }
  toInt(a: Bool): Int {
    const node = this.extend(this.boolNode(a));
    if (node.constant === null) node.width = 1;
    return this.asInt(node);
  }
  select(c: Bool, a: IntLike, b: IntLike): Int {
    return this.asInt(this.i64(SELECT, this.node64(a), this.node64(b), this.boolNode(c)));
  }
  variable(init: IntLike): Var {
    return this.code.cell('i64', this.node64(init)) as unknown as Var;
  }
  get(v: Var): Int {
    return this.asInt(this.code.read(v as unknown as Cell));
  }
  assign(v: Var, value: IntLike): void {
    this.code.assign(v as unknown as Cell, this.node64(value));
  }
  // ---- vectors
  simd(op: string, ...args: (Vec | IntLike)[]): Vec {
    const spec = simdOpcodes[op];
    if (!spec) throw new Error(`unknown vector operation ${op}`);
    if (spec.result !== 'v128') throw new Error(`${op} does not give a vector`);
    const nodes = args.map((arg, i) => {
      const type = spec.args[i];
      if (type === 'v128') return this.vecNode(arg as Vec);
      if (type === 'i32') return this.wrap(arg as IntLike);
      return this.node64(arg as IntLike);
    });
    return this.asVec(this.code.node([0xfd, ...unsignedBytes(spec.code)], 'v128', nodes));
  }
  shuffle(a: Vec, b: Vec, lanes: number[]): Vec {
    return this.asVec(this.code.node([0xfd, 13], 'v128', [this.vecNode(a), this.vecNode(b)], lanes));
  }
  lane(bits: Bits, v: Vec, index: number): Int {
    const vec = this.vecNode(v);
    if (bits === 64) return this.asInt(this.code.node([0xfd, 29], 'i64', [vec], [index]));
    const op = bits === 8 ? 22 : bits === 16 ? 25 : 27;
    return this.asInt(this.extend(this.code.node([0xfd, op], 'i32', [vec], [index])));
  }
  withLane(bits: Bits, v: Vec, index: number, value: IntLike): Vec {
    const op = bits === 8 ? 23 : bits === 16 ? 26 : bits === 32 ? 28 : 30;
    const scalar = bits === 64 ? this.node64(value) : this.wrap(value);
    return this.asVec(this.code.node([0xfd, op], 'v128', [this.vecNode(v), scalar], [index]));
  }
  splat(bits: Bits, value: IntLike): Vec {
    const op = bits === 8 ? 15 : bits === 16 ? 16 : bits === 32 ? 17 : 18;
    const scalar = bits === 64 ? this.node64(value) : this.wrap(value);
    return this.asVec(this.code.node([0xfd, op], 'v128', [scalar]));
  }
  vec(low: IntLike, high: IntLike): Vec {
    return this.withLane(64, this.splat(64, low), 1, high);
  }
  bitmask(bits: Bits, v: Vec): Int {
    const op =
      bits === 8
        ? [0xfd, 100]
        : bits === 16
          ? [0xfd, 0x84, 1]
          : bits === 32
            ? [0xfd, 0xa4, 1]
            : [0xfd, 0xc4, 1];
    return this.asInt(this.extend(this.code.node(op, 'i32', [this.vecNode(v)])));
  }
  // ---- flags (representation: layout.ts, S_FLAG_Z)
  protected setCarries(bits: Bits, carries: Int): void {
    // The copy that is not shifted keeps AF at bit 3; it does not reach bits 62 and 63.
    const moved = bits === 64 ? carries : this.or(this.shl(carries, 64 - bits), carries);
    this.setFlagWord(L.S_FLAG_C, moved);
  }
  protected setResult(bits: Bits, r: IntLike): void {
    const value = this.sx(bits, r);
    this.setFlagWord(L.S_FLAG_Z, value);
    this.setFlagWord(L.S_FLAG_S, value);
  }
  flagsAdd(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    this.setCarries(bits, this.or(this.and(a, b), this.and(this.or(a, b), this.not(r))));
    this.setResult(bits, r);
  }
  flagsSub(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    const notA = this.not(a);
    this.setCarries(bits, this.or(this.and(notA, b), this.and(this.or(notA, b), r)));
    this.setResult(bits, r);
  }
  flagsLogic(bits: Bits, r: IntLike): void {
    this.setFlagWord(L.S_FLAG_C, this.int(0));
    this.setResult(bits, r);
  }
  protected flagsStep(bits: Bits, a: IntLike, r: IntLike, overflow: bigint): void {
    const carry = this.shr(this.flagWord(L.S_FLAG_C), 63);
    const of = this.toInt(this.eq(r, overflow));
    const af = this.and(this.shr(this.xor(this.xor(a, 1), r), 1), 8);
    const carries = this.or(this.or(this.shl(carry, 63), this.shl(this.xor(carry, of), 62)), af);
    this.setFlagWord(L.S_FLAG_C, carries);
    this.setResult(bits, r);
  }
  flagsInc(bits: Bits, a: IntLike, r: IntLike): void {
    this.flagsStep(bits, a, r, 1n << BigInt(bits - 1));
  }
  flagsDec(bits: Bits, a: IntLike, r: IntLike): void {
    this.flagsStep(bits, a, r, (1n << BigInt(bits - 1)) - 1n);
  }
  protected carryWord(cf: Bool, of: Bool): Int {
    return this.or(this.shl(this.toInt(cf), 63), this.shl(this.toInt(this.differ(cf, of)), 62));
  }
  flagsResult(bits: Bits, r: IntLike, cf: Bool, of: Bool): void {
    this.setFlagWord(L.S_FLAG_C, this.carryWord(cf, of));
    this.setResult(bits, r);
  }
  setFlags(flags: Partial<Record<ArithmeticFlag, Bool>>): void {
    if (flags.zf) this.setFlagWord(L.S_FLAG_Z, this.toInt(this.negate(flags.zf)));
    if (flags.sf || flags.pf) {
      let s = flags.sf && flags.pf ? this.int(0) : this.flagWord(L.S_FLAG_S);
      if (flags.sf) s = this.or(this.and(s, 0x7fffffffffffffffn), this.shl(this.toInt(flags.sf), 63));
      if (flags.pf) s = this.or(this.and(s, -0x100n), this.toInt(this.negate(flags.pf)));
      this.setFlagWord(L.S_FLAG_S, s);
    }
    if (flags.cf || flags.of || flags.af) {
      const old = this.flagWord(L.S_FLAG_C);
      const af = flags.af ? this.shl(this.toInt(flags.af), 3) : this.and(old, 8);
      if (!flags.cf && !flags.of) {
        this.setFlagWord(L.S_FLAG_C, this.or(this.and(old, -9n), af));
        return;
      }
      const cf = flags.cf ?? this.flag('cf');
      const of = flags.of ?? this.flag('of');
      this.setFlagWord(L.S_FLAG_C, this.or(this.carryWord(cf, of), af));
    }
  }
  flag(name: ArithmeticFlag): Bool {
    const c = (): Int => this.flagWord(L.S_FLAG_C);
    switch (name) {
      case 'cf':
        return this.lts(c(), 0);
      case 'of': {
        const carries = c();
        return this.lts(this.xor(carries, this.shl(carries, 1)), 0);
      }
      case 'af':
        return this.bit(c(), 3);
      case 'zf':
        return this.asBool(this.i32(I64.eqz, this.node64(this.flagWord(L.S_FLAG_Z))));
      case 'sf':
        return this.lts(this.flagWord(L.S_FLAG_S), 0);
      case 'pf':
        return this.negate(this.bit(this.popcnt(this.and(this.flagWord(L.S_FLAG_S), 0xff)), 0));
    }
  }
  condition(cc: ConditionCode): Bool {
    const base = ((): Bool => {
      switch (cc >> 1) {
        case 0:
          return this.flag('of');
        case 1:
          return this.flag('cf');
        case 2:
          return this.flag('zf');
        case 3:
          return this.either(this.flag('cf'), this.flag('zf'));
        case 4:
          return this.flag('sf');
        case 5:
          return this.flag('pf');
        case 6:
          return this.less();
        default:
          return this.either(this.flag('zf'), this.less());
      }
    })();
    return cc & 1 ? this.negate(base) : base;
  }
  /** SF != OF in one sign test. */
  protected less(): Bool {
    const carries = this.flagWord(L.S_FLAG_C);
    const s = this.flagWord(L.S_FLAG_S);
    return this.lts(this.xor(s, this.xor(carries, this.shl(carries, 1))), 0);
  }

  // ---- memory
  /** Where the host does not see to it: no access behind this goes before one that comes earlier. */
  protected fence(): void {
    if (this.module.ordered) this.code.raw(FENCE);
  }
  /**
   * Guest memory at an address in this memory. Where the host does not see to it, no later access goes before a load, and
   * none before a store goes behind it (SDM vol. 3, 9.2.2): atomic accesses are like that, and cost less than fences, but
   * trap where they are not aligned.
   */
  protected loadGuest(bits: Bits, host: Node): Node {
    if (!this.module.ordered) return this.loadAt(LOAD_I64[bits], 'i64', 0, host, 0);
    const value = this.code.cell('i64', this.node64(0));
    this.ifAligned(
      bits,
      host,
      () => this.code.assign(value, this.atomicLoad(bits, host)),
      () => {
        this.code.assign(value, this.loadAt(LOAD_I64[bits], 'i64', 0, host, 0));
        this.fence();
      },
    );
    const node = this.code.read(value);
    node.width = bits;
    return node;
  }
  protected storeGuest(bits: Bits, host: Node, value: Node): void {
    const store = (): void => this.storeAt(STORE_I64[bits], 0, host, 0, value);
    if (!this.module.ordered) return store();
    this.ifAligned(
      bits,
      host,
      () => this.code.raw([0xfe, ATOMIC_STORE[bits], ...this.memoryImmediate(ALIGN[bits], 0)], host, value),
      () => {
        this.fence();
        store();
      },
    );
  }
  private ifAligned(bits: Bits, host: Node, then: () => void, otherwise: () => void): void {
    if (bits === 8) return then();
    const misaligned = this.i32(I32.and, host, this.const32(bits / 8 - 1));
    this.code.if(this.i32(I32.eqz, misaligned), then, otherwise, true);
  }
  protected atomicLoad(bits: Bits, host: Node): Node {
    const immediate = this.memoryImmediate(ALIGN[bits], 0);
    const node = this.code.node([0xfe, ATOMIC_LOAD[bits]], 'i64', [host], immediate, false);
    node.width = bits;
    return node;
  }
  /** Address of the last of some bytes. */
  protected lastOf(bytes: number, linear: Node): Node {
    return bytes > 1 ? this.i64(I64.add, linear, this.node64(bytes - 1)) : linear;
  }

  // ---- helpers
  protected emitHelperCall(
    index: number,
    helper: { readonly result: boolean; readonly faults: boolean },
    args: readonly IntLike[],
  ): Int {
    const nodes = [this.cpu, ...args.map((a) => this.node64(a))];
    const call = [0x10, ...unsignedBytes(index)];
    let result = this.int(0);
    if (helper.result) result = this.asInt(this.code.node(call, 'i64', nodes, [], false));
    else this.code.raw(call, ...nodes);
    if (helper.faults) this.exitIfFaulted();
    return result;
  }

  // ---- what the form says of operands
  protected operand(i: number): { kind: string; width: number } {
    const spec = this.form.encoding.operands[i];
    if (!spec) throw new Error(`${this.form.encoding.text}: no operand ${i}`);
    return { kind: spec.kind, width: this.form.widths[i]! };
  }
  width(i: number): Bits | 128 | 80 {
    return (this.operand(i).width || this.bits) as Bits;
  }
  protected intWidth(i: number): Bits {
    const width = this.width(i);
    if (width === 128 || width === 80)
      throw new Error(`${this.form.encoding.text}: operand ${i} is not an integer`);
    return width;
  }
  isMemory(i: number): boolean {
    const { kind } = this.operand(i);
    return kind === 'M' || kind === 'O' || ('EWQ'.includes(kind) && this.form.memory);
  }
  protected isMmx(i: number): boolean {
    return 'PQN'.includes(this.operand(i).kind);
  }
}
