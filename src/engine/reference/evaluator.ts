import type { Decoded } from '../../isa/decoder.js';
import { BASE_RIP, NO_REGISTER } from '../../isa/decoder.js';
import type { Form } from '../../isa/forms.js';
import { VECTORS, WITH_ERROR_CODE } from '../../isa/faults.js';
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
import { registerOffset } from '../interpreter/block-decoder.js';
import * as L from '../layout.js';
import type { RuntimeExports } from '../runtime-module.js';
import { stateFields } from '../state-fields.js';
import { evaluateSimd } from './simd.js';

/** Ends an instruction whose fault is in S_FAULT. */
export class GuestFault extends Error {}

/** `segmentLinear` without any check. */
const UNCHECKED = 2;
const MASK64 = (1n << 64n) - 1n;

/** Evaluates definitions at once, on BigInts and the CPU's state: slow and obvious, the oracle of the other bindings. */
export class Evaluator implements Ops {
  bits: Bits = 32;
  asize: 16 | 32 | 64 = 64;
  long = false;
  locked = false;
  rep: 'none' | 'rep' | 'repne' = 'none';
  private form!: Form;
  private decoded!: Decoded;
  private next = 0n;
  /** Where the instruction goes, if not behind itself; null after a transfer that set S_RIP. */
  private target: bigint | null = 0n;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;

  constructor(
    memory: WebAssembly.Memory,
    private readonly cpu: number,
    private readonly runtime: RuntimeExports,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Executes one decoded instruction at S_RIP and sets S_RIP; throws GuestFault with the fault in S_FAULT. */
  execute(decoded: Decoded): void {
    const form = decoded.form!;
    this.form = form;
    this.decoded = decoded;
    this.bits = form.bits;
    this.asize = form.asize || 64;
    this.long = form.long;
    this.locked = form.locked;
    this.rep = form.rep;
    const rip = this.get64(L.S_RIP);
    this.next = (rip + BigInt(decoded.length)) & MASK64;
    this.target = this.next;
    const { attributes, instruction } = form.encoding;
    const kind = attributes.has('x87')
      ? 0
      : attributes.has('mmx')
        ? 1
        : attributes.has('sse')
          ? 2
          : attributes.has('x87nw')
            ? 3
            : -1;
    if (kind >= 0) this.call('fpuCheck' as HelperName, kind);
    if (attributes.has('cpl0')) this.requireCpl0();
    instruction.effect(this);
    if (this.target !== null) this.put64(L.S_RIP, this.target);
  }

  // ---- state
  private get64(offset: number): bigint {
    return this.view.getBigUint64(this.cpu + offset, true);
  }
  private put64(offset: number, value: bigint): void {
    this.view.setBigUint64(this.cpu + offset, value & MASK64, true);
  }
  private get32(offset: number): number {
    return this.view.getUint32(this.cpu + offset, true);
  }
  private put32(offset: number, value: number): void {
    this.view.setUint32(this.cpu + offset, value >>> 0, true);
  }
  private big(a: IntLike): bigint {
    return BigInt.asUintN(64, BigInt(a as unknown as bigint));
  }
  private signed(a: IntLike): bigint {
    return BigInt.asIntN(64, this.big(a));
  }
  private asInt(v: bigint): Int {
    return (v & MASK64) as unknown as Int;
  }
  private asBool(v: boolean): Bool {
    return v as unknown as Bool;
  }
  private truth(b: Bool): boolean {
    return b as unknown as boolean;
  }
  private faultCheck(): void {
    if (this.get32(L.S_FAULT) !== 0) throw new GuestFault();
  }

  // ---- values
  int(v: number | bigint): Int {
    return this.asInt(BigInt(v));
  }
  add(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) + this.big(b));
  }
  sub(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) - this.big(b));
  }
  mul(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) * this.big(b));
  }
  and(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) & this.big(b));
  }
  or(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) | this.big(b));
  }
  xor(a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(a) ^ this.big(b));
  }
  not(a: IntLike): Int {
    return this.asInt(~this.big(a));
  }
  shl(a: IntLike, n: IntLike): Int {
    return this.asInt(this.big(a) << (this.big(n) & 63n));
  }
  shr(a: IntLike, n: IntLike): Int {
    return this.asInt(this.big(a) >> (this.big(n) & 63n));
  }
  sar(a: IntLike, n: IntLike): Int {
    return this.asInt(this.signed(a) >> (this.big(n) & 63n));
  }
  rotl(bits: 32 | 64, a: IntLike, n: IntLike): Int {
    const value = BigInt.asUintN(bits, this.big(a));
    const count = BigInt.asUintN(bits === 32 ? 5 : 6, this.big(n));
    return this.asInt(BigInt.asUintN(bits, value << count) | (value >> (BigInt(bits) - count)));
  }
  clz(a: IntLike): Int {
    const value = this.big(a);
    return this.int(value === 0n ? 64 : 64 - value.toString(2).length);
  }
  ctz(a: IntLike): Int {
    const value = this.big(a);
    if (value === 0n) return this.int(64);
    let n = 0;
    while (((value >> BigInt(n)) & 1n) === 0n) n++;
    return this.int(n);
  }
  popcnt(a: IntLike): Int {
    return this.int([...this.big(a).toString(2)].filter((digit) => digit === '1').length);
  }
  zx(bits: number, a: IntLike): Int {
    return this.asInt(BigInt.asUintN(bits, this.big(a)));
  }
  sx(bits: Bits, a: IntLike): Int {
    return this.asInt(BigInt.asIntN(bits, this.big(a)));
  }
  eq(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.big(a) === this.big(b));
  }
  ne(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.big(a) !== this.big(b));
  }
  ltu(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.big(a) < this.big(b));
  }
  leu(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.big(a) <= this.big(b));
  }
  lts(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.signed(a) < this.signed(b));
  }
  les(a: IntLike, b: IntLike): Bool {
    return this.asBool(this.signed(a) <= this.signed(b));
  }
  bit(a: IntLike, n: number): Bool {
    return this.asBool(((this.big(a) >> BigInt(n)) & 1n) === 1n);
  }
  bool(v: boolean): Bool {
    return this.asBool(v);
  }
  negate(a: Bool): Bool {
    return this.asBool(!this.truth(a));
  }
  both(a: Bool, b: Bool): Bool {
    return this.asBool(this.truth(a) && this.truth(b));
  }
  either(a: Bool, b: Bool): Bool {
    return this.asBool(this.truth(a) || this.truth(b));
  }
  differ(a: Bool, b: Bool): Bool {
    return this.asBool(this.truth(a) !== this.truth(b));
  }
  toInt(a: Bool): Int {
    return this.int(this.truth(a) ? 1 : 0);
  }
  select(c: Bool, a: IntLike, b: IntLike): Int {
    return this.asInt(this.big(this.truth(c) ? a : b));
  }
  variable(init: IntLike): Var {
    return { value: this.big(init) } as unknown as Var;
  }
  get(v: Var): Int {
    return this.asInt((v as unknown as { value: bigint }).value);
  }
  assign(v: Var, value: IntLike): void {
    (v as unknown as { value: bigint }).value = this.big(value);
  }
  if(c: Bool, then: () => void, otherwise?: () => void): void {
    if (this.truth(c)) then();
    else otherwise?.();
  }

  // ---- operands
  private kind(i: number): string {
    const spec = this.form.encoding.operands[i];
    if (!spec) throw new Error(`${this.form.encoding.text}: no operand ${i}`);
    return spec.kind;
  }
  width(i: number): Bits | 128 | 80 {
    return this.form.widths[i]! || this.bits;
  }
  isMemory(i: number): boolean {
    const kind = this.kind(i);
    return kind === 'M' || kind === 'O' || ('EWQ'.includes(kind) && this.form.memory);
  }
  private registerAt(i: number): number {
    const spec = this.form.encoding.operands[i]!;
    if (spec.kind === 'fixed') return this.cpu + L.S_GPR + 8 * spec.value;
    return this.cpu + registerOffset(spec.kind, this.decoded.registers[i]!);
  }
  private getBits(bits: Bits, at: number): bigint {
    switch (bits) {
      case 8:
        return BigInt(this.view.getUint8(at));
      case 16:
        return BigInt(this.view.getUint16(at, true));
      case 32:
        return BigInt(this.view.getUint32(at, true));
      default:
        return this.view.getBigUint64(at, true);
    }
  }
  private putRegister(bits: Bits, at: number, value: bigint): void {
    if (bits === 8) this.view.setUint8(at, Number(value & 0xffn));
    else if (bits === 16) this.view.setUint16(at, Number(value & 0xffffn), true);
    else this.view.setBigUint64(at, BigInt.asUintN(bits, value), true);
  }
  private immediate(i: number): bigint {
    const kinds = this.form.encoding.operands.map((o) => o.kind);
    const all = kinds.flatMap((kind, n) => (kind === 'I' || kind === 'J' ? [n] : []));
    const { immediate, immediate2 } = this.decoded;
    if (kinds[i] === 'A') return BigInt(immediate >>> 0);
    if (all.indexOf(i) === 1) return BigInt(immediate2 >>> 0);
    if (all.length > 1) return BigInt(immediate >>> 0);
    return this.decoded.immediate64;
  }
  read(i: number): Int {
    const kind = this.kind(i);
    if (kind === 'const') return this.int(this.form.encoding.operands[i]!.value);
    if ('IJA'.includes(kind)) return this.asInt(this.immediate(i));
    if ('SCDT'.includes(kind)) return this.int(this.decoded.registers[i]!);
    const bits = this.width(i) as Bits;
    if (this.isMemory(i)) return this.load(bits, this.address(i, bits / 8, 'read'));
    return this.asInt(this.getBits(bits, this.registerAt(i)));
  }
  write(i: number, value: IntLike): void {
    const bits = this.width(i) as Bits;
    if (this.isMemory(i)) this.store(bits, this.address(i, bits / 8, 'write'), value);
    else this.putRegister(bits, this.registerAt(i), this.big(value));
  }
  update(i: number, f: (old: Int) => IntLike): Int {
    const bits = this.width(i) as Bits;
    if (!this.isMemory(i)) {
      const old = this.read(i);
      this.write(i, f(old));
      return old;
    }
    return this.updateAt(bits, this.address(i, bits / 8, 'write'), f);
  }
  probeWrite(linear: IntLike, bytes: number): void {
    this.runtime.probeWrite(this.cpu, this.signed(linear), bytes);
    this.faultCheck();
  }
  updateAt(bits: Bits, linear: IntLike, f: (old: Int) => IntLike): Int {
    this.runtime.probeWrite(this.cpu, this.big(linear), bits / 8);
    this.faultCheck();
    const old = this.load(bits, linear);
    this.store(bits, linear, f(old));
    return old;
  }
  offset(i: number): Int {
    const { decoded } = this;
    if (this.kind(i) === 'O') return this.asInt(decoded.immediate64);
    let value = BigInt(decoded.displacement);
    if (decoded.base === BASE_RIP) value += this.next;
    else if (decoded.base !== NO_REGISTER) value += this.get64(L.S_GPR + 8 * decoded.base);
    if (decoded.index !== NO_REGISTER)
      value += this.get64(L.S_GPR + 8 * decoded.index) << BigInt(decoded.scale);
    return this.asInt(BigInt.asUintN(decoded.asize, value));
  }
  address(i: number, bytes: number, access: 'read' | 'write'): Int {
    return this.addressBeyond(i, 0, bytes, access);
  }
  addressBeyond(i: number, distance: IntLike, bytes: number, access: 'read' | 'write'): Int {
    const offset = BigInt.asUintN(this.decoded.asize, this.big(this.offset(i)) + this.big(distance));
    const linear = this.runtime.segmentLinear(
      this.cpu,
      this.decoded.segment,
      BigInt.asIntN(64, offset),
      bytes,
      access === 'write' ? 1 : 0,
    );
    this.faultCheck();
    return this.asInt(BigInt.asUintN(64, linear));
  }
  linear(segment: Int, offset: IntLike, bytes: number, access: 'read' | 'write' | 'none'): Int {
    const write = access === 'none' ? 2 : access === 'write' ? 1 : 0;
    const linear = this.runtime.segmentLinear(
      this.cpu,
      Number(this.big(segment)),
      this.signed(offset),
      bytes,
      write,
    );
    this.faultCheck();
    return this.asInt(BigInt.asUintN(64, linear));
  }
  farSelector(): Int {
    return this.int(this.decoded.immediate2);
  }
  restoring(n: number, before: Int, body: () => void): void {
    try {
      body();
    } catch (error) {
      this.setReg(64, n, before);
      throw error;
    }
  }
  segment(): Int {
    return this.int(this.decoded.segment);
  }
  slot(i: number): Int {
    if (!this.isMemory(i)) return this.int(this.registerAt(i) - this.cpu);
    const temp = L.S_TEMP + 16 * i;
    if (this.width(i) === 128) {
      const v = this.toVec(this.readVec(i));
      this.bytes.set(v, this.cpu + temp);
    } else {
      this.put64(temp, this.big(this.read(i)));
      this.put64(temp + 8, 0n);
    }
    return this.int(temp);
  }
  private toVec(v: Vec): Uint8Array {
    return v as unknown as Uint8Array;
  }
  private asVec(v: Uint8Array): Vec {
    return v as unknown as Vec;
  }
  private vectorAddress(i: number, access: 'read' | 'write'): Int {
    const checked = !this.form.encoding.attributes.has('unaligned');
    if (checked && this.view.getUint32(this.cpu + L.S_MODE, true) & L.MODE_LONG) {
      // Alignment comes before whether the address is canonical.
      const offset = this.signed(this.offset(i));
      const linear = this.runtime.segmentLinear(this.cpu, this.decoded.segment, offset, 16, UNCHECKED);
      if (linear & 15n) this.raise('#GP', 0);
    }
    const linear = this.address(i, 16, access);
    if (checked && this.big(linear) & 15n) this.raise('#GP', 0);
    return linear;
  }
  readVec(i: number): Vec {
    if (this.isMemory(i)) {
      if (this.width(i) === 128) return this.loadVec(this.vectorAddress(i, 'read'));
      return this.vec(this.read(i), 0);
    }
    const at = this.registerAt(i);
    if ('PQN'.includes(this.kind(i))) return this.vec(this.asInt(this.view.getBigUint64(at, true)), 0);
    return this.asVec(this.bytes.slice(at, at + 16));
  }
  writeVec(i: number, v: Vec): void {
    if (this.isMemory(i)) {
      if (this.width(i) === 128) this.storeVec(this.vectorAddress(i, 'write'), v);
      else this.write(i, this.lane(this.width(i) as Bits, v, 0));
      return;
    }
    const at = this.registerAt(i);
    if ('PQN'.includes(this.kind(i))) {
      this.view.setBigUint64(at, this.big(this.lane(64, v, 0)), true);
      this.view.setUint16(at + 8, 0xffff, true);
    } else this.bytes.set(this.toVec(v), at);
  }

  // ---- memory
  load(bits: Bits, linear: IntLike): Int {
    const load = {
      8: this.runtime.load8,
      16: this.runtime.load16,
      32: this.runtime.load32,
      64: this.runtime.load64,
    }[bits];
    const value = load(this.cpu, this.signed(linear));
    this.faultCheck();
    return this.asInt(BigInt.asUintN(64, value));
  }
  store(bits: Bits, linear: IntLike, value: IntLike): void {
    const store = {
      8: this.runtime.store8,
      16: this.runtime.store16,
      32: this.runtime.store32,
      64: this.runtime.store64,
    }[bits];
    store(this.cpu, this.signed(linear), this.signed(value));
    this.faultCheck();
  }
  loadVec(linear: IntLike): Vec {
    this.runtime.loadSlot(this.cpu, L.S_TEMP + 48, this.signed(linear));
    this.faultCheck();
    return this.asVec(this.bytes.slice(this.cpu + L.S_TEMP + 48, this.cpu + L.S_TEMP + 64));
  }
  storeVec(linear: IntLike, v: Vec): void {
    this.bytes.set(this.toVec(v), this.cpu + L.S_TEMP + 48);
    this.runtime.storeSlot(this.cpu, L.S_TEMP + 48, this.signed(linear));
    this.faultCheck();
  }

  // ---- vectors
  simd(op: string, ...args: (Vec | IntLike)[]): Vec {
    const values = args.map((arg) => (arg instanceof Uint8Array ? arg : this.big(arg as IntLike)));
    return this.asVec(evaluateSimd(op, values as (Uint8Array | bigint)[]));
  }
  shuffle(a: Vec, b: Vec, lanes: number[]): Vec {
    const both = [...this.toVec(a), ...this.toVec(b)];
    return this.asVec(Uint8Array.from(lanes, (lane) => both[lane]!));
  }
  private laneView(v: Vec): DataView {
    const bytes = this.toVec(v);
    return new DataView(bytes.buffer, bytes.byteOffset, 16);
  }
  lane(bits: Bits, v: Vec, index: number): Int {
    const view = this.laneView(v);
    if (bits === 8) return this.int(view.getUint8(index));
    if (bits === 16) return this.int(view.getUint16(index * 2, true));
    if (bits === 32) return this.int(view.getUint32(index * 4, true));
    return this.asInt(view.getBigUint64(index * 8, true));
  }
  withLane(bits: Bits, v: Vec, index: number, value: IntLike): Vec {
    const copy = Uint8Array.from(this.toVec(v));
    const view = new DataView(copy.buffer);
    const big = this.big(value);
    if (bits === 8) view.setUint8(index, Number(big & 0xffn));
    else if (bits === 16) view.setUint16(index * 2, Number(big & 0xffffn), true);
    else if (bits === 32) view.setUint32(index * 4, Number(big & 0xffffffffn), true);
    else view.setBigUint64(index * 8, big, true);
    return this.asVec(copy);
  }
  splat(bits: Bits, value: IntLike): Vec {
    let v = this.asVec(new Uint8Array(16));
    for (let i = 0; i < 128 / bits; i++) v = this.withLane(bits, v, i, value);
    return v;
  }
  vec(low: IntLike, high: IntLike): Vec {
    return this.withLane(64, this.splat(64, low), 1, high);
  }
  bitmask(bits: Bits, v: Vec): Int {
    let mask = 0n;
    for (let i = 0; i < 128 / bits; i++)
      mask |= (this.big(this.lane(bits, v, i)) >> BigInt(bits - 1)) << BigInt(i);
    return this.asInt(mask);
  }

  // ---- registers
  reg(bits: Bits, n: number): Int {
    return this.asInt(this.getBits(bits, this.cpu + L.S_GPR + 8 * n));
  }
  setReg(bits: Bits, n: number, value: IntLike): void {
    this.putRegister(bits, this.cpu + L.S_GPR + 8 * n, this.big(value));
  }
  state(field: StateField): Int {
    const { offset, bytes } = stateFields[field];
    return bytes === 8 ? this.asInt(this.get64(offset)) : this.int(this.get32(offset));
  }
  setState(field: StateField, value: IntLike): void {
    const { offset, bytes } = stateFields[field];
    if (bytes === 8) this.put64(offset, this.big(value));
    else this.put32(offset, Number(this.big(value) & 0xffffffffn));
  }
  xmm(n: number): Vec {
    const at = this.cpu + L.S_XMM + L.XMM_BYTES * n;
    return this.asVec(this.bytes.slice(at, at + 16));
  }
  setXmm(n: number, v: Vec): void {
    this.bytes.set(this.toVec(v), this.cpu + L.S_XMM + L.XMM_BYTES * n);
  }

  // ---- flags: kept as six truths, written in the state's form
  private flagValues(): Record<ArithmeticFlag, boolean> {
    const s = this.get64(L.S_FLAG_S);
    const c = this.get64(L.S_FLAG_C);
    let ones = 0;
    for (let i = 0n; i < 8n; i++) if ((s >> i) & 1n) ones++;
    const bit = (n: bigint): boolean => ((c >> n) & 1n) === 1n;
    return {
      cf: bit(63n),
      of: bit(63n) !== bit(62n),
      af: bit(3n),
      zf: this.get64(L.S_FLAG_Z) === 0n,
      sf: s >> 63n === 1n,
      pf: ones % 2 === 0,
    };
  }
  private putFlags(flags: Partial<Record<ArithmeticFlag, boolean>>): void {
    const all = { ...this.flagValues(), ...flags };
    this.put64(L.S_FLAG_Z, all.zf ? 0n : 1n);
    this.put64(L.S_FLAG_S, (all.sf ? 1n << 63n : 0n) | (all.pf ? 0n : 1n));
    this.put64(
      L.S_FLAG_C,
      (all.cf ? 1n << 63n : 0n) | (all.cf !== all.of ? 1n << 62n : 0n) | (all.af ? 8n : 0n),
    );
  }
  private resultFlags(bits: Bits, r: bigint): { zf: boolean; sf: boolean; pf: boolean } {
    let ones = 0;
    for (let i = 0n; i < 8n; i++) if ((r >> i) & 1n) ones++;
    return { zf: BigInt.asUintN(bits, r) === 0n, sf: BigInt.asIntN(bits, r) < 0n, pf: ones % 2 === 0 };
  }
  flagsAdd(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    const [x, y, z] = [this.big(a), this.big(b), this.big(r)];
    const top = BigInt(bits - 1);
    const carries = (x & y) | ((x | y) & ~z);
    const of = (((x ^ z) & (y ^ z)) >> top) & 1n;
    this.putFlags({
      ...this.resultFlags(bits, z),
      cf: ((carries >> top) & 1n) === 1n,
      of: of === 1n,
      af: ((x ^ y ^ z) & 16n) !== 0n,
    });
  }
  flagsSub(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    const [x, y, z] = [this.big(a), this.big(b), this.big(r)];
    const top = BigInt(bits - 1);
    const borrows = (~x & y) | ((~x | y) & z);
    const of = (((x ^ y) & (x ^ z)) >> top) & 1n;
    this.putFlags({
      ...this.resultFlags(bits, z),
      cf: ((borrows >> top) & 1n) === 1n,
      of: of === 1n,
      af: ((x ^ y ^ z) & 16n) !== 0n,
    });
  }
  flagsLogic(bits: Bits, r: IntLike): void {
    this.putFlags({ ...this.resultFlags(bits, this.big(r)), cf: false, of: false, af: false });
  }
  flagsInc(bits: Bits, a: IntLike, r: IntLike): void {
    const z = this.big(r);
    this.putFlags({
      ...this.resultFlags(bits, z),
      of: z === 1n << BigInt(bits - 1),
      af: ((this.big(a) ^ 1n ^ z) & 16n) !== 0n,
    });
  }
  flagsDec(bits: Bits, a: IntLike, r: IntLike): void {
    const z = this.big(r);
    this.putFlags({
      ...this.resultFlags(bits, z),
      of: z === (1n << BigInt(bits - 1)) - 1n,
      af: ((this.big(a) ^ 1n ^ z) & 16n) !== 0n,
    });
  }
  flagsResult(bits: Bits, r: IntLike, cf: Bool, of: Bool): void {
    this.putFlags({
      ...this.resultFlags(bits, this.big(r)),
      cf: this.truth(cf),
      of: this.truth(of),
      af: false,
    });
  }
  setFlags(flags: Partial<Record<ArithmeticFlag, Bool>>): void {
    const values: Partial<Record<ArithmeticFlag, boolean>> = {};
    for (const [name, value] of Object.entries(flags)) values[name as ArithmeticFlag] = this.truth(value);
    this.putFlags(values);
  }
  flag(name: ArithmeticFlag): Bool {
    return this.asBool(this.flagValues()[name]);
  }
  condition(cc: ConditionCode): Bool {
    const { cf, of, zf, sf, pf } = this.flagValues();
    const base = [of, cf, zf, cf || zf, sf, pf, sf !== of, zf || sf !== of][cc >> 1]!;
    return this.asBool(base !== ((cc & 1) === 1));
  }

  // ---- control
  nextIp(): Int {
    return this.asInt(this.next);
  }
  jump(target: IntLike): void {
    this.checkJump(target);
    this.target = this.big(target);
  }
  checkJump(target: IntLike): void {
    const to = this.big(target);
    const width = this.get64(L.S_CR4) & 0x1000n ? 57 : 48;
    const allowed =
      this.bits === 64
        ? BigInt.asIntN(width, to) === BigInt.asIntN(64, to)
        : to <= this.get64(L.S_SEG + L.CS * L.SEG_BYTES + L.SEG_LIMIT);
    if (!allowed) this.raise('#GP', 0);
  }
  private relativeTarget(): bigint {
    const operand = this.form.encoding.operands.findIndex((o) => o.kind === 'J');
    return BigInt.asUintN(this.bits, this.next + this.immediate(operand));
  }
  jumpRelative(): void {
    this.jump(this.asInt(this.relativeTarget()));
  }
  branch(c: Bool): void {
    if (this.truth(c)) this.jumpRelative();
  }
  push(bits: Bits, value: IntLike): void {
    this.call('push' as HelperName, bits, value);
  }
  pop(bits: Bits): Int {
    return this.call('pop' as HelperName, bits);
  }
  raise(fault: FaultName, error?: IntLike): void {
    const hasError = WITH_ERROR_CODE.has(fault);
    this.put32(L.S_FAULT, L.FAULT_VALID | VECTORS[fault] | (hasError ? L.FAULT_HAS_ERROR : 0));
    if (hasError) this.put32(L.S_FAULT_ERROR, Number(this.big(error ?? 0) & 0xffffffffn));
    throw new GuestFault();
  }
  raiseIf(c: Bool, fault: FaultName, error?: IntLike): void {
    if (this.truth(c)) this.raise(fault, error);
  }
  raiseIfNotProtected(): void {
    if (!(this.get32(L.S_MODE) & L.MODE_PROTECTED)) this.raise('#UD');
  }
  requireCpl0(): void {
    if (this.get32(L.S_CPL) !== 0) this.raise('#GP', 0);
  }
  private invoke(name: string, args: readonly bigint[]): bigint {
    const helper = this.runtime.helper(name);
    const result = helper(this.cpu, ...args) as bigint | undefined;
    this.faultCheck();
    return BigInt.asUintN(64, result ?? 0n);
  }
  call(name: HelperName, ...args: IntLike[]): Int {
    if (!(name in helpers)) throw new Error(`${this.form.encoding.text}: no helper ${name}`);
    return this.asInt(
      this.invoke(
        name,
        args.map((a) => this.signed(a)),
      ),
    );
  }
  transfer(name: TransferName, ...args: IntLike[]): void {
    if (!(name in transferHelpers)) throw new Error(`${this.form.encoding.text}: no transfer ${name}`);
    this.invoke(name, [...args.map((a) => this.signed(a)), BigInt.asIntN(64, this.next)]);
    this.target = null;
  }
  repeat(name: HelperName, ...args: IntLike[]): void {
    if (this.big(this.call(name, ...args)) === 0n) this.target = this.get64(L.S_RIP);
  }
}
