import type { Form } from '../../isa/forms.js';
import { helpers, transferHelpers, type HelperName, type TransferName } from '../../isa/helpers.js';
import type {
  ArithmeticFlag,
  Bits,
  Bool,
  ConditionCode,
  FaultName,
  Int,
  IntLike,
  Ops,
  StateField,
  Var,
  Vec,
} from '../../isa/ops.js';
import * as L from '../layout.js';
import { stateFields } from '../state-fields.js';
import { Bytes } from '../wasm/bytes.js';
import { Code, type Cell, type Label, type Node } from '../wasm/code.js';
import type { ModuleWriter, Signature, WasmType } from '../wasm/module.js';
import { simdOpcodes } from '../wasm/simd-opcodes.js';
import * as R from './record.js';

/** WebAssembly opcodes used below (core specification, 5.4). */
const I32 = { eqz: [0x45], eq: [0x46], ne: [0x47], ltU: [0x49], geU: [0x4f], add: [0x6a], sub: [0x6b], and: [0x71], or: [0x72], xor: [0x73], shl: [0x74], shrU: [0x76], wrap: [0xa7] }; // prettier-ignore
const I64 = {
  eqz: [0x50], eq: [0x51], ne: [0x52], ltS: [0x53], ltU: [0x54], leS: [0x57], leU: [0x58],
  clz: [0x79], ctz: [0x7a], popcnt: [0x7b], add: [0x7c], sub: [0x7d], mul: [0x7e], and: [0x83], or: [0x84], xor: [0x85],
  shl: [0x86], shrS: [0x87], shrU: [0x88], extendU: [0xad], extend8: [0xc2], extend16: [0xc3], extend32: [0xc4],
}; // prettier-ignore
const SELECT = [0x1b];
const LOAD_I64: Record<Bits, number> = { 8: 0x31, 16: 0x33, 32: 0x35, 64: 0x29 };
const STORE_I64: Record<Bits, number> = { 8: 0x3c, 16: 0x3d, 32: 0x3e, 64: 0x37 };
/** i64.atomic.load / rmw.cmpxchg of 8, 16, 32, 64 bits (threads proposal). */
const ATOMIC_LOAD: Record<Bits, number> = { 8: 0x14, 16: 0x15, 32: 0x16, 64: 0x11 };
const ATOMIC_CMPXCHG: Record<Bits, number> = { 8: 0x4c, 16: 0x4d, 32: 0x4e, 64: 0x49 };
const ALIGN: Record<Bits, number> = { 8: 0, 16: 1, 32: 2, 64: 3 };

const VECTORS: Record<FaultName, number> = {
  '#DE': 0, '#DB': 1, '#BP': 3, '#OF': 4, '#BR': 5, '#UD': 6, '#NM': 7, '#TS': 10, '#NP': 11, '#SS': 12, '#GP': 13,
  '#PF': 14, '#MF': 16, '#AC': 17, '#XM': 19,
}; // prettier-ignore
const WITH_ERROR_CODE = new Set<FaultName>(['#TS', '#NP', '#SS', '#GP', '#PF', '#AC']);

/** Runtime functions that only the bindings call, beside the helpers of definitions. */
export const bindingImports: Record<string, Signature> = {
  load8: { params: ['i32', 'i64'], results: ['i64'] },
  load16: { params: ['i32', 'i64'], results: ['i64'] },
  load32: { params: ['i32', 'i64'], results: ['i64'] },
  load64: { params: ['i32', 'i64'], results: ['i64'] },
  store8: { params: ['i32', 'i64', 'i64'], results: [] },
  store16: { params: ['i32', 'i64', 'i64'], results: [] },
  store32: { params: ['i32', 'i64', 'i64'], results: [] },
  store64: { params: ['i32', 'i64', 'i64'], results: [] },
  loadSlot: { params: ['i32', 'i32', 'i64'], results: [] },
  storeSlot: { params: ['i32', 'i32', 'i64'], results: [] },
  probeWrite: { params: ['i32', 'i64', 'i32'], results: [] },
  effectiveAddress: { params: ['i32', 'i32', 'i32', 'i32'], results: ['i64'] },
  effectiveAddressBeyond: { params: ['i32', 'i32', 'i64', 'i32', 'i32'], results: ['i64'] },
  segmentLinear: { params: ['i32', 'i32', 'i64', 'i32', 'i32'], results: ['i64'] },
  repeatAgain: { params: ['i32', 'i32'], results: [] },
};

export function helperSignature(args: number, result: boolean): Signature {
  return {
    params: ['i32', ...Array.from({ length: args }, () => 'i64' as WasmType)],
    results: result ? ['i64'] : [],
  };
}

/** Ways out of a handler. */
export interface Exits {
  /** Inside the interpreter's loop: labels. Otherwise the handler is a function that returns HandlerStatus. */
  readonly inline: { next: Label; fault: Label; resolve: Label } | null;
}
/** What an out-of-line handler returns. */
export const STATUS_NEXT = 0;
export const STATUS_FAULT = 1;
export const STATUS_RESOLVE = 2;

const CPU_PARAMETER = 0;
const RECORD_PARAMETER = 1;

/** Binds a definition to WebAssembly that takes its operands from a decoded record. */
export class InterpreterOps implements Ops {
  readonly bits: Bits;
  readonly asize: 16 | 32 | 64;
  readonly long: boolean;
  readonly locked: boolean;
  readonly rep: 'none' | 'rep' | 'repne';
  private readonly cpu: Node;
  private readonly record: Node;
  /** The effect has left the handler in its last statement. */
  private left = false;

  constructor(
    private readonly form: Form,
    private readonly code: Code,
    private readonly module: ModuleWriter,
    private readonly exits: Exits,
  ) {
    this.bits = form.bits;
    this.asize = form.asize || 64;
    this.long = form.long;
    this.locked = form.locked;
    this.rep = form.rep;
    this.cpu = code.parameter(CPU_PARAMETER, 'i32');
    this.record = code.parameter(RECORD_PARAMETER, 'i32');
  }

  /** Binds the whole instruction: checks, effect, and what comes after. */
  bind(): void {
    const { attributes, instruction } = this.form.encoding;
    this.fpuCheck(attributes);
    if (attributes.has('cpl0')) this.requireCpl0();
    instruction.effect(this);
    if (this.left) return;
    if (attributes.has('end')) {
      this.storeState64(L.S_RIP, this.node64(this.nextIp()));
      this.exitResolve();
    } else this.exitNext();
  }

  private fpuCheck(attributes: ReadonlySet<string>): void {
    const kind = attributes.has('x87')
      ? 0
      : attributes.has('mmx')
        ? 1
        : attributes.has('sse')
          ? 2
          : attributes.has('x87nw')
            ? 3
            : -1;
    if (kind < 0) return;
    const mode = this.i32(I32.and, this.loadState32(L.S_MODE), this.const32(L.MODE_FPU_CHECK));
    const waiting =
      kind < 2
        ? this.i32(I32.or, mode, this.i32(I32.and, this.loadState32(L.S_FSW), this.const32(0x80)))
        : mode;
    this.code.if(waiting, () => {
      this.call('fpuCheck' as HelperName, kind);
    });
  }

  // ---- node making
  private i32(op: readonly number[], ...args: Node[]): Node {
    return this.code.node(op, 'i32', args);
  }
  private i64(op: readonly number[], ...args: Node[]): Node {
    return this.code.node(op, 'i64', args);
  }
  private const32(value: number): Node {
    return this.code.constant('i32', BigInt(value));
  }
  private node64(value: IntLike): Node {
    if (typeof value === 'number' || typeof value === 'bigint')
      return this.code.constant('i64', BigInt(value));
    return value as unknown as Node;
  }
  private asInt(node: Node): Int {
    return node as unknown as Int;
  }
  private asBool(node: Node): Bool {
    return node as unknown as Bool;
  }
  private boolNode(b: Bool): Node {
    return b as unknown as Node;
  }
  private vecNode(v: Vec): Node {
    return v as unknown as Node;
  }
  private op64(op: readonly number[], a: IntLike, b: IntLike): Int {
    return this.asInt(this.i64(op, this.node64(a), this.node64(b)));
  }
  private compare(op: readonly number[], a: IntLike, b: IntLike): Bool {
    return this.asBool(this.i32(op, this.node64(a), this.node64(b)));
  }
  private wrap(value: IntLike): Node {
    return this.i32(I32.wrap, this.node64(value));
  }
  private extend(node: Node): Node {
    return this.i64(I64.extendU, node);
  }

  private memoryImmediate(align: number, offset: number): Uint8Array {
    return new Bytes().unsigned(align).unsigned(offset).view();
  }
  private loadAt(op: number, type: WasmType, align: number, address: Node, offset: number): Node {
    return this.code.node([op], type, [address], this.memoryImmediate(align, offset), false);
  }
  private storeAt(op: number, align: number, address: Node, offset: number, value: Node): void {
    this.code.raw([op, ...this.memoryImmediate(align, offset)], address, value);
  }
  private loadState32(offset: number): Node {
    return this.loadAt(0x28, 'i32', 2, this.cpu, offset);
  }
  private loadState64(offset: number): Node {
    return this.loadAt(0x29, 'i64', 3, this.cpu, offset);
  }
  private storeState32(offset: number, value: Node): void {
    this.storeAt(0x36, 2, this.cpu, offset, value);
  }
  private storeState64(offset: number, value: Node): void {
    this.storeAt(0x37, 3, this.cpu, offset, value);
  }
  private recordByte(offset: number): Node {
    return this.loadAt(0x2d, 'i32', 0, this.record, offset);
  }
  private recordHalf(offset: number): Node {
    return this.loadAt(0x2f, 'i32', 1, this.record, offset);
  }

  private import(name: string): number[] {
    const signature = bindingImports[name];
    if (!signature) throw new Error(`no binding import ${name}`);
    return [0x10, ...new Bytes().unsigned(this.module.import('runtime', name, signature)).view()];
  }
  private noteRecord(): void {
    this.storeState32(L.S_RECORD, this.record);
  }

  // ---- leaving
  private leave(status: number, label: 'next' | 'fault' | 'resolve'): void {
    const { inline } = this.exits;
    if (inline) this.code.branch(inline[label]);
    else this.code.raw([0x41, status, 0x0f]);
  }
  private exitFault(): void {
    this.undo?.();
    this.leave(STATUS_FAULT, 'fault');
  }
  private exitResolve(): void {
    this.leave(STATUS_RESOLVE, 'resolve');
    this.left = true;
  }
  private exitNext(): void {
    if (this.exits.inline)
      this.code.raw([0x21, RECORD_PARAMETER], this.i32(I32.add, this.record, this.const32(R.RECORD_BYTES)));
    this.leave(STATUS_NEXT, 'next');
  }
  private exitIfFaulted(): void {
    this.code.if(this.loadState32(L.S_FAULT), () => this.exitFault());
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
    if (bits === 64) return this.asInt(this.node64(a));
    return this.and(a, (1n << BigInt(bits)) - 1n);
  }
  sx(bits: Bits, a: IntLike): Int {
    if (bits === 64) return this.asInt(this.node64(a));
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
    return this.asInt(this.extend(this.boolNode(a)));
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
  if(c: Bool, then: () => void, otherwise?: () => void): void {
    const before = this.left;
    this.code.if(this.boolNode(c), then, otherwise);
    this.left = before;
  }

  // ---- operands
  private operand(i: number): { kind: string; width: number } {
    const spec = this.form.encoding.operands[i];
    if (!spec) throw new Error(`${this.form.encoding.text}: no operand ${i}`);
    return { kind: spec.kind, width: this.form.widths[i]! };
  }
  width(i: number): Bits | 128 | 80 {
    return (this.operand(i).width || this.bits) as Bits;
  }
  private intWidth(i: number): Bits {
    const width = this.width(i);
    if (width === 128 || width === 80)
      throw new Error(`${this.form.encoding.text}: operand ${i} is not an integer`);
    return width;
  }
  isMemory(i: number): boolean {
    const { kind } = this.operand(i);
    return kind === 'M' || kind === 'O' || ('EWQ'.includes(kind) && this.form.memory);
  }
  /** Address of the register that is operand i: cpu + offset from the record, and a static offset to add. */
  private registerAddress(i: number): [Node, number] {
    const { kind } = this.operand(i);
    if (kind === 'fixed') return [this.cpu, L.S_GPR + 8 * this.form.encoding.operands[i]!.value];
    const field = [R.R_REG0, R.R_REG1, R.R_REG2][i];
    if (field === undefined) throw new Error(`${this.form.encoding.text}: operand ${i} is a register`);
    return [this.i32(I32.add, this.cpu, this.recordHalf(field)), 0];
  }
  private immediate(i: number): Node {
    const kinds = this.form.encoding.operands.map((o) => o.kind);
    const all = kinds.flatMap((kind, n) => (kind === 'I' || kind === 'J' ? [n] : []));
    if (all.length < 2 && kinds[i] !== 'A') return this.loadAt(0x29, 'i64', 3, this.record, R.R_IMM);
    return this.loadAt(0x35, 'i64', 2, this.record, all.indexOf(i) === 1 ? R.R_IMM2 : R.R_IMM);
  }
  read(i: number): Int {
    const { kind } = this.operand(i);
    if (kind === 'const') return this.int(this.form.encoding.operands[i]!.value);
    if (kind === 'I' || kind === 'J' || kind === 'A') return this.asInt(this.immediate(i));
    if (kind === 'S' || kind === 'C' || kind === 'D' || kind === 'T')
      return this.asInt(this.extend(this.recordHalf(i === 0 ? R.R_REG0 : R.R_REG1)));
    if (this.isMemory(i)) {
      const bits = this.intWidth(i);
      return this.load(bits, this.address(i, bits / 8, 'read'));
    }
    const bits = this.intWidth(i);
    const [address, offset] = this.registerAddress(i);
    return this.asInt(this.loadAt(LOAD_I64[bits], 'i64', 0, address, offset));
  }
  write(i: number, value: IntLike): void {
    const bits = this.intWidth(i);
    if (this.isMemory(i)) {
      this.store(bits, this.address(i, bits / 8, 'write'), value);
      return;
    }
    const [address, offset] = this.registerAddress(i);
    this.storeRegister(bits, address, offset, value);
  }
  private storeRegister(bits: Bits, address: Node, offset: number, value: IntLike): void {
    if (bits === 32) this.storeAt(STORE_I64[64], 0, address, offset, this.node64(this.zx(32, value)));
    else this.storeAt(STORE_I64[bits], 0, address, offset, this.node64(value));
  }
  update(i: number, f: (old: Int) => IntLike): Int {
    const bits = this.intWidth(i);
    if (!this.isMemory(i)) {
      const old = this.read(i);
      this.write(i, f(old));
      return old;
    }
    return this.updateAt(bits, this.address(i, bits / 8, 'write'), f);
  }
  probeWrite(linear: IntLike, bytes: number): void {
    this.noteRecord();
    this.code.raw(this.import('probeWrite'), this.cpu, this.node64(linear), this.const32(bytes));
    this.exitIfFaulted();
  }
  updateAt(bits: Bits, at: IntLike, f: (old: Int) => IntLike): Int {
    const linear = this.node64(at);
    const host = this.code.cell('i32', this.const32(0));
    const old = this.code.cell('i64', this.node64(0));
    const [matches, address] = this.probeTlb(bits / 8, linear, L.S_TLB_WRITE);
    const aligned =
      this.locked && bits > 8
        ? this.i32(I32.eqz, this.i32(I32.and, this.wrap(this.asInt(linear)), this.const32(bits / 8 - 1)))
        : null;
    const fast = aligned ? this.i32(I32.and, matches, aligned) : matches;
    this.code.if(
      fast,
      () => {
        this.code.assign(host, address());
        if (!this.locked)
          this.code.assign(old, this.loadAt(LOAD_I64[bits], 'i64', 0, this.code.read(host), 0));
      },
      () => {
        this.noteRecord();
        this.code.raw(this.import('probeWrite'), this.cpu, linear, this.const32(bits / 8));
        this.exitIfFaulted();
        this.code.assign(old, this.slowLoad(bits, linear));
        this.exitIfFaulted();
      },
    );
    const slowStore = (value: IntLike): void => {
      this.code.raw(this.import(`store${bits}`), this.cpu, linear, this.node64(value));
      this.exitIfFaulted();
    };
    if (!this.locked) {
      const value = this.node64(f(this.asInt(this.code.read(old))));
      const isFast = this.code.read(host);
      this.code.if(
        isFast,
        () => this.storeAt(STORE_I64[bits], 0, this.code.read(host), 0, value),
        () => slowStore(this.asInt(value)),
      );
      return this.asInt(this.code.read(old));
    }
    this.code.if(
      this.code.read(host),
      () => {
        this.code.loop((again) => {
          const seen = this.code.node(
            [0xfe, ATOMIC_LOAD[bits]],
            'i64',
            [this.code.read(host)],
            this.memoryImmediate(ALIGN[bits], 0),
            false,
          );
          this.code.assign(old, seen);
          const value = this.node64(f(this.asInt(seen)));
          const now = this.code.node(
            [0xfe, ATOMIC_CMPXCHG[bits]],
            'i64',
            [this.code.read(host), seen, this.node64(this.zx(bits, this.asInt(value)))],
            this.memoryImmediate(ALIGN[bits], 0),
            false,
          );
          this.code.if(this.i32(I64.ne, now, seen), () => this.code.branch(again));
        });
      },
      () => slowStore(f(this.asInt(this.code.read(old)))),
    );
    return this.asInt(this.code.read(old));
  }
  offset(i: number): Int {
    if (this.operand(i).kind === 'O') return this.asInt(this.loadAt(0x29, 'i64', 3, this.record, R.R_IMM));
    const mask = this.i64(I64.shrU, this.node64(-1n), this.extend(this.recordByte(R.R_ASIZE)));
    return this.asInt(this.i64(I64.and, this.rawOffset(), mask));
  }
  private rawOffset(): Node {
    const base = this.loadAt(0x29, 'i64', 3, this.i32(I32.add, this.cpu, this.recordHalf(R.R_BASE)), 0);
    const index = this.loadAt(0x29, 'i64', 3, this.i32(I32.add, this.cpu, this.recordHalf(R.R_INDEX)), 0);
    const scaled = this.i64(I64.shl, index, this.extend(this.recordByte(R.R_SCALE)));
    const displacement = this.loadAt(0x34, 'i64', 2, this.record, R.R_DISPLACEMENT);
    return this.i64(I64.add, this.i64(I64.add, base, scaled), displacement);
  }
  address(i: number, bytes: number, access: 'read' | 'write'): Int {
    const way = this.recordByte(R.R_EA);
    const linear = this.code.cell('i64', this.node64(0));
    const general = (): void => {
      this.noteRecord();
      const address = this.code.node(
        this.import('effectiveAddress'),
        'i64',
        [this.cpu, this.record, this.const32(bytes), this.const32(access === 'write' ? 1 : 0)],
        [],
        false,
      );
      this.code.assign(linear, address);
      this.exitIfFaulted();
    };
    if (this.operand(i).kind === 'O') {
      general();
      return this.asInt(this.code.read(linear));
    }
    this.code.if(
      this.i32(I32.ltU, way, this.const32(R.EA_GENERAL)),
      () => {
        const mask = this.i64(I64.shrU, this.node64(-1n), this.extend(way));
        const segment = this.loadAt(
          0x29,
          'i64',
          3,
          this.i32(I32.add, this.cpu, this.recordHalf(R.R_SEGMENT_BASE)),
          0,
        );
        this.code.assign(linear, this.i64(I64.add, this.i64(I64.and, this.rawOffset(), mask), segment));
      },
      general,
    );
    return this.asInt(this.code.read(linear));
  }
  addressBeyond(_i: number, distance: IntLike, bytes: number, access: 'read' | 'write'): Int {
    this.noteRecord();
    const linear = this.code.node(
      this.import('effectiveAddressBeyond'),
      'i64',
      [
        this.cpu,
        this.record,
        this.node64(distance),
        this.const32(bytes),
        this.const32(access === 'write' ? 1 : 0),
      ],
      [],
      false,
    );
    this.exitIfFaulted();
    return this.asInt(linear);
  }
  linear(segment: Int, offset: IntLike, bytes: number, access: 'read' | 'write' | 'none'): Int {
    this.noteRecord();
    const write = access === 'none' ? 2 : access === 'write' ? 1 : 0;
    const linear = this.code.node(
      this.import('segmentLinear'),
      'i64',
      [this.cpu, this.wrap(segment), this.node64(offset), this.const32(bytes), this.const32(write)],
      [],
      false,
    );
    this.exitIfFaulted();
    return this.asInt(linear);
  }
  farSelector(): Int {
    return this.asInt(this.loadAt(0x35, 'i64', 2, this.record, R.R_IMM2));
  }
  restoring(n: number, before: Int, body: () => void): void {
    const outer = this.undo;
    this.undo = () => this.setReg(64, n, before);
    body();
    this.undo = outer;
  }
  private undo: (() => void) | null = null;
  segment(): Int {
    return this.asInt(this.extend(this.recordByte(R.R_SEGMENT)));
  }
  slot(i: number): Int {
    if (!this.isMemory(i))
      return this.asInt(this.extend(this.recordHalf([R.R_REG0, R.R_REG1, R.R_REG2][i]!)));
    const temp = L.S_TEMP + 16 * i;
    const width = this.width(i);
    if (width === 128) this.loadSlotAt(temp, this.vectorAddress(i, 'read'));
    else {
      const value = this.node64(this.read(i));
      this.storeState64(temp, value);
      this.storeState64(temp + 8, this.node64(0));
    }
    return this.int(temp);
  }
  private vectorAddress(i: number, access: 'read' | 'write'): Node {
    const linear = this.node64(this.address(i, 16, access));
    if (!this.form.encoding.attributes.has('unaligned'))
      this.raiseIf(this.ne(this.and(this.asInt(linear), 15), 0), '#GP', 0);
    return linear;
  }
  private loadSlotAt(slot: number, linear: Node): void {
    this.noteRecord();
    this.code.raw(this.import('loadSlot'), this.cpu, this.const32(slot), linear);
    this.exitIfFaulted();
  }
  private loadVecState(address: Node, offset: number): Node {
    return this.code.node([0xfd, 0], 'v128', [address], this.memoryImmediate(0, offset), false);
  }
  private storeVecState(address: Node, offset: number, value: Node): void {
    this.storeAt2([0xfd, 11], address, offset, value);
  }
  private storeAt2(op: number[], address: Node, offset: number, value: Node): void {
    this.code.raw([...op, ...this.memoryImmediate(0, offset)], address, value);
  }
  private isMmx(i: number): boolean {
    return 'PQN'.includes(this.operand(i).kind);
  }
  readVec(i: number): Vec {
    if (this.isMemory(i)) {
      if (this.width(i) === 128) return this.loadVecFrom(this.vectorAddress(i, 'read'));
      return this.vec(this.read(i), 0);
    }
    const [address, offset] = this.registerAddress(i);
    if (this.isMmx(i))
      return this.asVec(
        this.code.node([0xfd, 93], 'v128', [address], this.memoryImmediate(0, offset), false),
      );
    return this.asVec(this.loadVecState(address, offset));
  }
  private loadVecFrom(linear: Node): Vec {
    const result = this.code.cell('v128', this.vecNode(this.vec(0, 0)));
    const [matches, address] = this.probeTlb(16, linear, L.S_TLB_READ);
    this.code.if(
      matches,
      () => this.code.assign(result, this.loadVecState(address(), 0)),
      () => {
        this.loadSlotAt(L.S_TEMP + 48, linear);
        this.code.assign(result, this.loadVecState(this.cpu, L.S_TEMP + 48));
      },
    );
    return this.asVec(this.code.read(result));
  }
  private asVec(node: Node): Vec {
    return node as unknown as Vec;
  }
  writeVec(i: number, v: Vec): void {
    if (this.isMemory(i)) {
      if (this.width(i) === 128) this.storeVecTo(this.vectorAddress(i, 'write'), v);
      else this.write(i, this.lane(this.intWidth(i), v, 0));
      return;
    }
    const [address, offset] = this.registerAddress(i);
    if (this.isMmx(i)) {
      this.storeAt(STORE_I64[64], 0, address, offset, this.node64(this.lane(64, v, 0)));
      this.storeAt(STORE_I64[16], 0, address, offset + 8, this.node64(0xffff));
    } else this.storeVecState(address, offset, this.vecNode(v));
  }

  // ---- memory
  /** Condition that the TLB entry matches, and the host address if it does. */
  private probeTlb(bytes: number, linear: Node, table: number): [Node, () => Node] {
    const low = this.i32(I32.wrap, linear);
    const index = this.i32(I32.and, this.i32(I32.shrU, low, this.const32(8)), this.const32(L.TLB_INDEX_MASK));
    const entry = this.i32(I32.add, this.loadState32(table), index);
    const tag = this.loadAt(0x29, 'i64', 3, entry, 0);
    const last = bytes > 1 ? this.i64(I64.add, linear, this.node64(bytes - 1)) : linear;
    const difference = this.i64(I64.and, this.i64(I64.xor, tag, last), this.node64(-0x1000n));
    const matches = this.i32(I64.eqz, difference);
    return [matches, () => this.i32(I32.add, low, this.loadAt(0x28, 'i32', 2, entry, 8))];
  }
  private slowLoad(bits: Bits, linear: Node): Node {
    return this.code.node(this.import(`load${bits}`), 'i64', [this.cpu, linear], [], false);
  }
  load(bits: Bits, linear: IntLike): Int {
    const at = this.node64(linear);
    const result = this.code.cell('i64', this.node64(0));
    const [matches, address] = this.probeTlb(bits / 8, at, L.S_TLB_READ);
    this.code.if(
      matches,
      () => this.code.assign(result, this.loadAt(LOAD_I64[bits], 'i64', 0, address(), 0)),
      () => {
        this.noteRecord();
        this.code.assign(result, this.slowLoad(bits, at));
        this.exitIfFaulted();
      },
    );
    return this.asInt(this.code.read(result));
  }
  store(bits: Bits, linear: IntLike, value: IntLike): void {
    const at = this.node64(linear);
    const what = this.node64(value);
    const [matches, address] = this.probeTlb(bits / 8, at, L.S_TLB_WRITE);
    this.code.if(
      matches,
      () => this.storeAt(STORE_I64[bits], 0, address(), 0, what),
      () => {
        this.noteRecord();
        this.code.raw(this.import(`store${bits}`), this.cpu, at, what);
        this.exitIfFaulted();
      },
    );
  }
  loadVec(linear: IntLike): Vec {
    return this.loadVecFrom(this.node64(linear));
  }
  storeVec(linear: IntLike, v: Vec): void {
    this.storeVecTo(this.node64(linear), v);
  }
  private storeVecTo(linear: Node, v: Vec): void {
    const [matches, address] = this.probeTlb(16, linear, L.S_TLB_WRITE);
    this.code.if(
      matches,
      () => this.storeVecState(address(), 0, this.vecNode(v)),
      () => {
        this.storeVecState(this.cpu, L.S_TEMP + 48, this.vecNode(v));
        this.noteRecord();
        this.code.raw(this.import('storeSlot'), this.cpu, this.const32(L.S_TEMP + 48), linear);
        this.exitIfFaulted();
      },
    );
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
    return this.asVec(this.code.node([0xfd, ...new Bytes().unsigned(spec.code).view()], 'v128', nodes));
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

  // ---- registers
  reg(bits: Bits, n: number): Int {
    return this.asInt(this.loadAt(LOAD_I64[bits], 'i64', 0, this.cpu, L.S_GPR + 8 * n));
  }
  setReg(bits: Bits, n: number, value: IntLike): void {
    this.storeRegister(bits, this.cpu, L.S_GPR + 8 * n, value);
  }
  state(field: StateField): Int {
    const { offset, bytes } = stateFields[field];
    return this.asInt(bytes === 8 ? this.loadState64(offset) : this.extend(this.loadState32(offset)));
  }
  setState(field: StateField, value: IntLike): void {
    const { offset, bytes } = stateFields[field];
    if (bytes === 8) this.storeState64(offset, this.node64(value));
    else this.storeState32(offset, this.wrap(value));
  }
  xmm(n: number): Vec {
    return this.asVec(this.loadVecState(this.cpu, L.S_XMM + L.XMM_BYTES * n));
  }
  setXmm(n: number, v: Vec): void {
    this.storeVecState(this.cpu, L.S_XMM + L.XMM_BYTES * n, this.vecNode(v));
  }

  // ---- flags (representation: layout.ts, S_FLAG_Z)
  private setCarries(bits: Bits, carries: Int): void {
    // The copy that is not shifted keeps AF at bit 3; it does not reach bits 62 and 63.
    const moved = bits === 64 ? carries : this.or(this.shl(carries, 64 - bits), carries);
    this.storeState64(L.S_FLAG_C, this.node64(moved));
  }
  private setResult(bits: Bits, r: IntLike): void {
    const value = this.node64(this.sx(bits, r));
    this.storeState64(L.S_FLAG_Z, value);
    this.storeState64(L.S_FLAG_S, value);
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
    this.storeState64(L.S_FLAG_C, this.node64(0));
    this.setResult(bits, r);
  }
  private flagsStep(bits: Bits, a: IntLike, r: IntLike, overflow: bigint): void {
    const carry = this.shr(this.asInt(this.loadState64(L.S_FLAG_C)), 63);
    const of = this.toInt(this.eq(r, overflow));
    const af = this.and(this.shr(this.xor(this.xor(a, 1), r), 1), 8);
    const carries = this.or(this.or(this.shl(carry, 63), this.shl(this.xor(carry, of), 62)), af);
    this.storeState64(L.S_FLAG_C, this.node64(carries));
    this.setResult(bits, r);
  }
  flagsInc(bits: Bits, a: IntLike, r: IntLike): void {
    this.flagsStep(bits, a, r, 1n << BigInt(bits - 1));
  }
  flagsDec(bits: Bits, a: IntLike, r: IntLike): void {
    this.flagsStep(bits, a, r, (1n << BigInt(bits - 1)) - 1n);
  }
  private carryWord(cf: Bool, of: Bool): Int {
    return this.or(this.shl(this.toInt(cf), 63), this.shl(this.toInt(this.differ(cf, of)), 62));
  }
  flagsResult(bits: Bits, r: IntLike, cf: Bool, of: Bool): void {
    this.storeState64(L.S_FLAG_C, this.node64(this.carryWord(cf, of)));
    this.setResult(bits, r);
  }
  setFlags(flags: Partial<Record<ArithmeticFlag, Bool>>): void {
    if (flags.zf) this.storeState64(L.S_FLAG_Z, this.node64(this.toInt(this.negate(flags.zf))));
    if (flags.sf || flags.pf) {
      let s = flags.sf && flags.pf ? this.int(0) : this.asInt(this.loadState64(L.S_FLAG_S));
      if (flags.sf) s = this.or(this.and(s, 0x7fffffffffffffffn), this.shl(this.toInt(flags.sf), 63));
      if (flags.pf) s = this.or(this.and(s, -0x100n), this.toInt(this.negate(flags.pf)));
      this.storeState64(L.S_FLAG_S, this.node64(s));
    }
    if (flags.cf || flags.of || flags.af) {
      const old = this.asInt(this.loadState64(L.S_FLAG_C));
      const af = flags.af ? this.shl(this.toInt(flags.af), 3) : this.and(old, 8);
      if (!flags.cf && !flags.of) {
        this.storeState64(L.S_FLAG_C, this.node64(this.or(this.and(old, -9n), af)));
        return;
      }
      const cf = flags.cf ?? this.flag('cf');
      const of = flags.of ?? this.flag('of');
      this.storeState64(L.S_FLAG_C, this.node64(this.or(this.carryWord(cf, of), af)));
    }
  }
  flag(name: ArithmeticFlag): Bool {
    const c = (): Int => this.asInt(this.loadState64(L.S_FLAG_C));
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
        return this.asBool(this.i32(I64.eqz, this.loadState64(L.S_FLAG_Z)));
      case 'sf':
        return this.lts(this.asInt(this.loadState64(L.S_FLAG_S)), 0);
      case 'pf':
        return this.negate(
          this.bit(this.popcnt(this.and(this.asInt(this.loadState64(L.S_FLAG_S)), 0xff)), 0),
        );
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
  private less(): Bool {
    const carries = this.asInt(this.loadState64(L.S_FLAG_C));
    const s = this.asInt(this.loadState64(L.S_FLAG_S));
    return this.lts(this.xor(s, this.xor(carries, this.shl(carries, 1))), 0);
  }

  // ---- control
  nextIp(): Int {
    return this.asInt(
      this.i64(I64.add, this.loadState64(L.S_PAGE_BASE), this.extend(this.recordHalf(R.R_NEXT))),
    );
  }
  jump(target: IntLike): void {
    this.checkJump(target);
    this.goTo(target);
  }
  private goTo(target: IntLike): void {
    this.storeState64(L.S_RIP, this.node64(target));
    this.exitResolve();
  }
  /** The branch itself faults, not the fetch behind it (SDM vol. 2, JMP; so does AMD's processor). */
  checkJump(target: IntLike): void {
    if (this.bits === 64) {
      const differs = (shift: number): Bool => this.ne(this.sar(this.shl(target, shift), shift), target);
      this.if(differs(64 - 48), () => {
        // 57 bits with CR4.LA57
        this.raiseIf(this.either(this.negate(this.bit(this.state('cr4'), 12)), differs(64 - 57)), '#GP', 0);
      });
      return;
    }
    const flat = this.i32(I32.and, this.loadState32(L.S_MODE), this.const32(L.MODE_FLAT));
    this.code.if(this.i32(I32.eqz, flat), () => {
      const limit = this.loadState64(L.S_SEG + L.CS * L.SEG_BYTES + L.SEG_LIMIT);
      this.raiseIf(this.ltu(this.asInt(limit), target), '#GP', 0);
    });
  }
  private linkedJump(link: number, check: boolean, target: () => Int): void {
    const { inline } = this.exits;
    if (inline) {
      const record = this.loadAt(0x28, 'i32', 2, this.record, link);
      this.code.if(record, () => {
        this.code.raw([0x21, RECORD_PARAMETER], record);
        this.code.branch(inline.next);
      });
    }
    const to = target();
    if (check) this.checkJump(to);
    if (inline) this.storeState32(L.S_LINK_FROM, this.i32(I32.add, this.record, this.const32(link)));
    this.goTo(to);
  }
  private relativeTarget(): Int {
    const operand = this.form.encoding.operands.findIndex((o) => o.kind === 'J');
    return this.zx(this.bits, this.add(this.nextIp(), this.asInt(this.immediate(operand))));
  }
  jumpRelative(): void {
    this.linkedJump(R.R_LINK, true, () => this.relativeTarget());
  }
  branch(c: Bool): void {
    this.code.if(this.boolNode(c), () => this.linkedJump(R.R_LINK, true, () => this.relativeTarget()));
    this.linkedJump(R.R_LINK_NEXT, false, () => this.nextIp());
  }
  push(bits: Bits, value: IntLike): void {
    const what = this.node64(value);
    if (bits === 64) {
      const top = this.sub(this.reg(64, 4), 8);
      this.store(64, top, this.asInt(what));
      this.setReg(64, 4, top);
      return;
    }
    const helper = (): void => {
      this.call('push' as HelperName, bits, this.asInt(what));
    };
    if (bits !== 32) return helper();
    this.ifFlatStack(() => {
      const top = this.zx(32, this.sub(this.reg(32, 4), 4));
      this.store(32, top, this.asInt(what));
      this.setReg(32, 4, top);
    }, helper);
  }
  private ifFlatStack(then: () => void, otherwise: () => void): void {
    const flat = L.MODE_FLAT | L.MODE_SS32;
    const mode = this.i32(I32.and, this.loadState32(L.S_MODE), this.const32(flat | L.MODE_LONG));
    this.code.if(this.i32(I32.eq, mode, this.const32(flat)), then, otherwise);
  }
  pop(bits: Bits): Int {
    if (bits === 64) {
      const top = this.reg(64, 4);
      const value = this.load(64, top);
      this.setReg(64, 4, this.add(top, 8));
      return value;
    }
    if (bits !== 32) return this.call('pop' as HelperName, bits);
    const result = this.variable(0);
    this.ifFlatStack(
      () => {
        const top = this.reg(32, 4);
        this.assign(result, this.load(32, top));
        this.setReg(32, 4, this.add(top, 4));
      },
      () => this.assign(result, this.call('pop' as HelperName, bits)),
    );
    return this.get(result);
  }
  raise(fault: FaultName, error?: IntLike): void {
    const vector = VECTORS[fault];
    const hasError = WITH_ERROR_CODE.has(fault);
    if (hasError) this.storeState32(L.S_FAULT_ERROR, this.wrap(error ?? 0));
    this.storeState32(
      L.S_FAULT,
      this.const32(L.FAULT_VALID | vector | (hasError ? L.FAULT_HAS_ERROR : 0) | 0),
    );
    this.exitFault();
  }
  raiseIf(c: Bool, fault: FaultName, error?: IntLike): void {
    this.code.if(this.boolNode(c), () => this.raise(fault, error));
  }
  raiseIfNotProtected(): void {
    const mode = this.i32(I32.and, this.loadState32(L.S_MODE), this.const32(L.MODE_PROTECTED));
    this.code.if(this.i32(I32.eqz, mode), () => this.raise('#UD'));
  }
  requireCpl0(): void {
    this.code.if(this.loadState32(L.S_CPL), () => this.raise('#GP', 0));
  }
  private helperCall(name: string, args: number, result: boolean): number[] {
    return [
      0x10,
      ...new Bytes().unsigned(this.module.import('runtime', name, helperSignature(args, result))).view(),
    ];
  }
  call(name: HelperName, ...args: IntLike[]): Int {
    const helper = (helpers as Record<string, { args: number; result: boolean; faults: boolean }>)[name];
    if (!helper) throw new Error(`${this.form.encoding.text}: no helper ${name}`);
    if (args.length !== helper.args)
      throw new Error(
        `${this.form.encoding.text}: ${name} takes ${helper.args} arguments, not ${args.length}`,
      );
    const nodes = [this.cpu, ...args.map((a) => this.node64(a))];
    this.noteRecord();
    const call = this.helperCall(name, helper.args, helper.result);
    if (!helper.result) {
      this.code.raw(call, ...nodes);
      if (helper.faults) this.exitIfFaulted();
      return this.int(0);
    }
    const result = this.code.node(call, 'i64', nodes, [], false);
    if (helper.faults) this.exitIfFaulted();
    return this.asInt(result);
  }
  private ownIp(): Int {
    return this.sub(this.nextIp(), this.asInt(this.extend(this.recordByte(R.R_LENGTH))));
  }
  transfer(name: TransferName, ...args: IntLike[]): void {
    const helper = (transferHelpers as Record<string, { args: number; result: boolean }>)[name];
    if (!helper) throw new Error(`${this.form.encoding.text}: no transfer ${name}`);
    if (args.length + 1 !== helper.args)
      throw new Error(
        `${this.form.encoding.text}: ${name} takes ${helper.args - 1} arguments, not ${args.length}`,
      );
    this.storeState64(L.S_RIP, this.node64(this.ownIp()));
    this.noteRecord();
    const nodes = [this.cpu, ...[...args, this.nextIp()].map((a) => this.node64(a))];
    this.code.raw(this.helperCall(name, helper.args, false), ...nodes);
    this.exitIfFaulted();
    this.exitResolve();
  }
  repeat(name: HelperName, ...args: IntLike[]): void {
    const finished = this.call(name, ...args);
    this.code.if(this.i32(I64.eqz, this.node64(finished)), () => {
      this.code.raw(this.import('repeatAgain'), this.cpu, this.record);
      this.leave(STATUS_RESOLVE, 'resolve');
    });
  }
}
