import { BASE_RIP, HIGH_BYTE, NO_REGISTER, type Decoded } from '../../isa/decoder.js';
import { helpers, type HelperName } from '../../isa/helpers.js';
import { sseHelpers } from '../../isa/helpers/sse.js';
import { x87Helpers } from '../../isa/helpers/x87.js';
import type {
  ArithmeticFlag,
  Bits,
  Bool,
  ConditionCode,
  Int,
  IntLike,
  Ops,
  StateField,
  Vec,
} from '../../isa/ops.js';
import { helperSignature } from '../imports.js';
import { FLAT_SEGMENTS, registerOffset } from '../interpreter/block-decoder.js';
import * as L from '../layout.js';
import { stateFields } from '../state-fields.js';
import { Code, Label, type Cell, type Node } from '../wasm/code.js';
import { ALIGN, ATOMIC_CMPXCHG, EffectRecorder, LOAD_I64, STORE_I64 } from '../wasm/effect-recorder.js';
import type { ModuleWriter } from '../wasm/module.js';
import { I32, I64 } from '../wasm/opcodes.js';
import type { FlagState } from './flag-state.js';
import { FloatEmitter, type FloatSource } from './floats.js';
import { PAGE } from './blocks.js';
import { CPU, FLAGS, WHERE_BIAS, type RegionFrame } from './frame.js';
import { Vectors } from './vectors.js';
import { SUMMARY, X87 } from './x87.js';
import { OTHER_PAGE, probesFor } from './tlb-probe.js';

/** Thrown where an instruction cannot be translated: the interpreter's handler runs it. */
export class NotTranslatable extends Error {}

/** How a block's last instruction leaves it. */
export type Leaving =
  /** To operand J, if `condition` (none: always). */
  { kind: 'relative'; condition: Node | null; target: Node } | { kind: 'computed'; target: Node };

const RAX = 0;
const RCX = 1;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
/** v128.load32_zero, v128.load64_zero; i64x2.extract_lane. */
const LOAD_ZERO = { 32: [0xfd, 92], 64: [0xfd, 93] };
const EXTRACT_I64 = [0xfd, 29];
const CR4_SMAP_BIT = 21;
const EFLAGS_BITS: Record<ArithmeticFlag, number> = { cf: 0, pf: 2, af: 4, zf: 6, sf: 7, of: 11 };
const FLAG_WIDTHS: Record<Bits, number> = { 8: 0, 16: 1, 32: 2, 64: 3 };
const DIV_U = [0x80];
const DIV_S = [0x7f];
const REM_U = [0x82];
const REM_S = [0x81];
/** Helpers that touch nothing that a region keeps in locals. */
const PLAIN_HELPERS = new Set<string>([
  ...Object.keys(sseHelpers),
  ...Object.keys(x87Helpers),
  'pdep',
  'pext',
  'crc32',
]);
PLAIN_HELPERS.delete('maskmov');
const READ_STATE = new Set<StateField>([
  'fcw',
  'fsw',
  'ftw',
  'fop',
  'fip',
  'fdp',
  'mxcsr',
  'fsBase',
  'gsBase',
  'cr4',
  'cpl',
]);
const WRITTEN_STATE = new Set<StateField>(['fcw', 'fsw', 'ftw', 'fop', 'fip', 'fdp']);

/** A linear address as a value and a distance from it; below 4 GiB the sum may be cut to 32 bits. */
interface Place {
  readonly root: Node;
  readonly offset: number;
}
/** A place whose address in memory is known; if it reaches into the next page, that of a copy of what was read there. */
interface KnownPlace extends Place {
  readonly linear: Node;
  readonly bytes: number;
  readonly host: Node;
  /** Memory that may be written may be read. */
  readonly access: 'read' | 'write';
}

function placeOf(linear: Node): Place {
  let root = linear;
  let offset = 0;
  for (;;) {
    const [value, constant] = root.args;
    const by = constant?.constant ?? null;
    if (by === null) break;
    const step = Number(BigInt.asIntN(64, by));
    if (root.opcode === I64.add) offset += step;
    else if (root.opcode === I64.sub) offset -= step;
    else if (root.opcode !== I64.and || by !== 0xffffffffn) break;
    root = value!;
  }
  return { root, offset };
}

/** What is known while one block is recorded: values of registers and flags. */
export class BlockRecorder {
  readonly code = new Code();
  readonly cpu = this.code.parameter(CPU, 'i32');
  /** Value of each general register where it is known. */
  readonly values = new Array<Node | null>(16).fill(null);
  flags: FlagState = { op: 'unknown' };
  /** The frame's flags are those of `flags`. */
  synced = true;
  /** What the frame's kind is known to be. */
  kind: number | null = null;
  base: Node | null = null;
  /** What RSP is at the start. */
  stack: Node | null = null;
  /** What the block may have changed so far, and what it has changed for certain: masks as of frame.ts. */
  written = 0;
  private certain = 0;
  private readonly reads: { readonly bit: number; readonly node: Node }[] = [];
  private needed = 0;
  readonly exits: Exit[] = [];

  readonly vectors = new Vectors(this.code, this.cpu);
  readonly x87 = new X87(this.code, this.cpu);
  private readonly places = new Map<Node, KnownPlace[]>();

  /**
   * A place in memory that is known, and may be accessed so, less than a page from `bytes` bytes that begin at or
   * behind it, or end before it or with its first byte.
   */
  nearPlace({ root, offset }: Place, bytes: number, access: 'read' | 'write'): KnownPlace | undefined {
    return this.places.get(root)?.find(
      (known) =>
        (known.access === 'write' || access === 'read') &&
        Math.abs(known.offset - offset) < PAGE &&
        // Not a part of it, which may have changed since it was copied.
        (offset >= known.offset
          ? known.access === 'write' || offset + bytes >= known.offset + known.bytes
          : offset + bytes <= known.offset + 1),
    );
  }
  /** What may be accessed changes. */
  forgetPlaces(): void {
    this.places.clear();
  }
  notePlace(place: KnownPlace): void {
    const known = this.places.get(place.root);
    if (known) known.unshift(place);
    else this.places.set(place.root, [place]);
  }

  /** The block reads this from the frame: it needs what was there before, unless it has changed it. */
  noteRead(bit: number, node: Node | null): void {
    if (this.certain & bit) return;
    if (node) this.reads.push({ bit, node });
    else this.needed |= bit;
  }
  noteWritten(bit: number, certain: boolean): void {
    this.written |= bit;
    if (certain) this.certain |= bit;
    else this.noteRead(bit, null);
  }
  /** What must be in the frame at its start; when all is recorded. */
  needs(): number {
    this.code.prune();
    let mask = this.needed;
    for (const { bit, node } of this.reads) if (node.uses > 0) mask |= bit;
    return mask;
  }
  /** A way out at the frame's `where`, from here. */
  exit(): Exit {
    const exit = new Exit(this.written);
    this.exits.push(exit);
    return exit;
  }
}

/** A place that leaves the region when `written` of its block was changed. */
export class Exit extends Label {
  constructor(readonly written: number) {
    super();
  }
}

/** Binds a definition to WebAssembly whose operands are constants and whose registers are locals. */
export class TranslatorOps extends EffectRecorder implements Ops {
  leaving: Leaving | null = null;
  /** Registers that this instruction has changed, as a mask, and the values that they had before: for leaving within it. */
  private changed = 0;
  private readonly before: Node[] = [];
  private whereSet = false;
  private flagsChanged = false;
  private nested = 0;
  private changedNested = false;

  constructor(
    private readonly decoded: Decoded,
    private readonly block: BlockRecorder,
    private readonly frame: RegionFrame,
    module: ModuleWriter,
    /** MODE_ bits of the region. */
    private readonly mode: number,
    /** Offset from the region's page of the instruction, and of the one behind it. */
    private readonly start: number,
    private readonly next: number,
    /** Instructions of the block from this one on. */
    private readonly left: number,
    /** Its accesses are all looked up where the TLB does not have them. */
    private readonly careful: boolean,
  ) {
    super(decoded.form!, block.code, block.cpu, module);
  }

  bind(): void {
    const { attributes, instruction } = this.form.encoding;
    if (attributes.has('cpl0')) {
      if (instruction.name !== 'SWAPGS') throw new NotTranslatable();
      this.exitUnlessCpl0();
    }
    const waits = attributes.has('x87') || attributes.has('mmx');
    if (waits || attributes.has('sse') || attributes.has('x87nw')) {
      if (this.mode & L.MODE_FPU_CHECK) throw new NotTranslatable();
      this.waits = waits;
      // Before memory is touched; else where the x87's state is looked at anyway.
      if (attributes.has('mmx') || this.form.memory) this.wait();
    }
    instruction.effect(this);
    this.wait();
  }

  /** An exception of the x87 that waits must be raised before this instruction does anything. */
  private waits = false;
  private wait(): void {
    if (this.waits) this.exitIf(this.hasWaiting());
    this.waits = false;
  }
  private hasWaiting(): Node {
    return this.i32(I32.and, this.loadState32(L.S_FSW), this.const32(SUMMARY));
  }

  // ---- leaving
  private exitIf(condition: Node): void {
    if (condition.constant === 0n) return;
    this.prepareExit()(condition);
  }
  /** Gets ready to leave before this instruction; the result does so if its argument (i32) is not zero. */
  private prepareExit(): (condition: Node) => void {
    if (this.flagsChanged || this.changedNested) throw new NotTranslatable();
    const costly = !this.block.synced && this.block.flags.op === 'words';
    if (!costly) this.syncFlags();
    if (!this.whereSet) {
      this.code.assign(this.frame.where, this.where());
      this.whereSet = true;
    }
    if (this.changed === 0 && !costly)
      return (condition) => this.code.branch(this.block.exit(), condition, false);
    if (this.nested > 0 && this.changed !== 0) throw new NotTranslatable();
    return (condition) => this.code.if(condition, () => this.undoAndExit(), undefined, false);
  }
  /**
   * Address in memory of `bytes` bytes at a linear address; leaves if it cannot be accessed so. What the TLB does not have is looked up
   * by a call, whose place costs V8's optimiser much though it is seldom reached; so where the TLB nearly always has it, on the stack and
   * near another access, there is a call only if the region was left there (`careful`).
   */
  private host(bytes: number, linear: Node, access: 'read' | 'write'): Node {
    const leaveIf = this.prepareExit();
    const place = placeOf(linear);
    const near = this.block.nearPlace(place, bytes, access);
    let found: Cell;
    let misses: Node;
    if (near) {
      // Mostly all is in the same page: from the one end to the other, the known place's included.
      const ends =
        place.offset >= near.offset
          ? [near.linear, this.lastOf(bytes, linear)]
          : [near.access === 'write' ? near.linear : this.lastOf(near.bytes, near.linear), linear];
      const distance = this.const32(place.offset - near.offset);
      found = this.code.cell('i32', this.i32(I32.add, near.host, distance));
      misses = this.code.node(OTHER_PAGE, 'i32', ends);
    } else {
      const probe = probesFor(this.mode, this.frame.alone)[access];
      found = this.code.cell('i32', this.code.node(probe.place, 'i32', [linear]));
      misses = this.code.node(probe.misses, 'i32', [this.lastOf(bytes, linear)]);
    }
    const find = (): void => {
      const args = [this.cpu, linear, this.const32(bytes), this.const32(access === 'write' ? 1 : 0)];
      this.code.assign(found, this.code.node(this.import('findPlace'), 'i32', args, [], false));
      leaveIf(this.i32(I32.eqz, this.code.read(found)));
    };
    const likely = near !== undefined || place.root === this.block.stack;
    if (likely && !this.careful) leaveIf(misses);
    else this.code.if(misses, find, undefined, false);
    const host = this.code.read(found);
    const { root, offset } = place;
    if (this.nested === 0) this.block.notePlace({ root, offset, linear, bytes, host, access });
    return host;
  }
  /** A helper raised a fault: the interpreter will raise it again. */
  protected override exitIfFaulted(): void {
    this.exitAsideIf(this.loadState32(L.S_FAULT), () => this.storeState32(L.S_FAULT, this.const32(0)));
  }
  /** On a way that is seldom gone. */
  private exitAsideIf(condition: Node, first: () => void): void {
    if (this.flagsChanged || this.changedNested || this.nested > 0) throw new NotTranslatable();
    const leave = (): void => {
      first();
      this.code.assign(this.frame.where, this.where());
      this.undoAndExit();
    };
    this.code.if(condition, leave, undefined, false);
  }
  private where(): Node {
    return this.const32((this.start + WHERE_BIAS) | (this.left << 16));
  }
  /** Leaves behind this instruction, the last of a block of the interpreter's, if something is pending. */
  private exitBehindIfPending(): void {
    const leave = (): void => {
      this.code.assign(this.frame.where, this.const32((this.next + WHERE_BIAS) | ((this.left - 1) << 16)));
      this.exitWithFlags();
    };
    this.code.if(this.loadState32(L.S_PENDING), leave, undefined, false);
  }
  /** Leaves with registers and flags as they were before this instruction; flags that cost something are made here only. */
  private undoAndExit(): void {
    this.before.forEach((value, n) => this.code.assign(this.frame.gpr[n]!, value));
    this.exitWithFlags();
  }
  private exitWithFlags(): void {
    const { kind, synced } = this.block;
    this.syncFlags();
    this.block.kind = kind;
    this.block.synced = synced;
    this.code.branch(this.block.exit());
  }
  raise(): void {
    this.exitIf(this.const32(1));
  }
  raiseIf(c: Bool): void {
    this.exitIf(this.boolNode(c));
  }
  raiseIfNotProtected(): void {
    if (!(this.mode & L.MODE_PROTECTED)) this.raise();
  }
  private exitUnlessCpl0(): void {
    if (this.mode & L.MODE_CPL3 || !(this.mode & L.MODE_PROTECTED)) throw new NotTranslatable();
    this.exitIf(this.loadState32(L.S_CPL));
  }
  requireCpl0(): void {
    if (this.mode & L.MODE_CPL3) this.raise();
  }
  if(c: Bool, then: () => void, otherwise?: () => void): void {
    const condition = this.boolNode(c);
    if (condition.constant !== null) {
      if (condition.constant !== 0n) then();
      else otherwise?.();
      return;
    }
    const { block } = this;
    // Both sides start and end with all in the frame.
    this.syncFlags();
    const flags = block.flags;
    const kind = block.kind;
    const values = [...block.values];
    const base = block.base;
    const changed = new Set<number>();
    let flagsTouched = false;
    const whereSet = this.whereSet;
    const side = (body: () => void) => (): void => {
      this.nested++;
      body();
      this.nested--;
      this.syncFlags();
      flagsTouched ||= block.flags !== flags;
      block.values.forEach((value, n) => {
        if (value !== values[n] && this.changed & (1 << n)) changed.add(n);
        block.values[n] = values[n]!;
      });
      block.flags = flags;
      block.kind = kind;
      block.base = base;
      this.whereSet = whereSet;
    };
    this.code.if(condition, side(then), otherwise ? side(otherwise) : undefined);
    for (const n of changed) block.values[n] = null;
    if (changed.size > 0) this.changedNested = true;
    if (flagsTouched) {
      block.flags = { op: 'unknown' };
      block.kind = null;
      block.synced = true;
    }
  }

  // ---- general registers
  private general(n: number): Node {
    const known = this.block.values[n];
    if (known) return known;
    const node = this.code.read(this.frame.gpr[n]!);
    if (n === RSP) this.block.stack ??= node;
    this.block.noteRead(1 << n, node);
    this.block.values[n] = node;
    return node;
  }
  private setGeneral(n: number, value: Node): void {
    if (!(this.changed & (1 << n))) this.before[n] = this.general(n);
    this.changed |= 1 << n;
    if (this.nested > 0) this.changedNested = true;
    this.block.noteWritten(1 << n, this.nested === 0);
    this.code.assign(this.frame.gpr[n]!, value);
    this.block.values[n] = value;
  }
  reg(bits: Bits, n: number): Int {
    return this.zx(bits, this.asInt(this.general(n)));
  }
  setReg(bits: Bits, n: number, value: IntLike): void {
    const low = this.zx(bits, this.asInt(this.node64(value)));
    if (bits >= 32) {
      this.setGeneral(n, this.node64(low));
      return;
    }
    const rest = this.and(this.asInt(this.general(n)), ~((1n << BigInt(bits)) - 1n));
    this.setGeneral(n, this.node64(this.or(rest, low)));
  }
  private readByteRegister(register: number): Int {
    if (register < HIGH_BYTE) return this.reg(8, register);
    return this.zx(8, this.shr(this.asInt(this.general(register - HIGH_BYTE)), 8));
  }
  private writeByteRegister(register: number, value: IntLike): void {
    if (register < HIGH_BYTE) {
      this.setReg(8, register, value);
      return;
    }
    const n = register - HIGH_BYTE;
    const rest = this.and(this.asInt(this.general(n)), ~0xff00n);
    this.setGeneral(n, this.node64(this.or(rest, this.shl(this.zx(8, value), 8))));
  }

  // ---- operands
  private registerNumber(i: number): number {
    const spec = this.form.encoding.operands[i]!;
    return spec.kind === 'fixed' ? spec.value : this.decoded.registers[i]!;
  }
  private immediate(i: number): Int {
    const { decoded } = this;
    let own = 0;
    let count = 0;
    this.form.encoding.operands.forEach(({ kind }, n) => {
      if (kind !== 'I' && kind !== 'J') return;
      if (n === i) own = count;
      count++;
    });
    if (own === 1) return this.int(decoded.immediate2 >>> 0);
    if (count > 1) return this.int(decoded.immediate >>> 0);
    return this.wideImmediate();
  }
  private wideImmediate(): Int {
    const { decoded } = this;
    const isShort = decoded.immediateHigh === decoded.immediate >> 31;
    return this.int(isShort ? decoded.immediate : decoded.immediate64);
  }
  read(i: number): Int {
    const { kind } = this.operand(i);
    if (kind === 'const') return this.int(this.form.encoding.operands[i]!.value);
    if (kind === 'I' || kind === 'J') return this.immediate(i);
    if ('SCDTAXY'.includes(kind)) {
      if ('SCDT'.includes(kind)) return this.int(this.decoded.registers[i]!);
      throw new NotTranslatable();
    }
    const bits = this.intWidth(i);
    if (this.isMemory(i)) return this.load(bits, this.address(i));
    if (kind !== 'fixed' && !'EGRZB'.includes(kind)) {
      const offset = registerOffset(kind, this.decoded.registers[i]!);
      const { vectors } = this.block;
      if (vectors.has(offset)) return this.lane(bits, this.asVec(vectors.get(offset)), 0);
      return this.asInt(this.loadAt(LOAD_I64[bits], 'i64', 0, this.cpu, offset));
    }
    const n = this.registerNumber(i);
    return bits === 8 ? this.readByteRegister(n) : this.reg(bits, n);
  }
  write(i: number, value: IntLike): void {
    const bits = this.intWidth(i);
    if (this.isMemory(i)) {
      this.store(bits, this.address(i), value);
      return;
    }
    const { kind } = this.operand(i);
    if (kind !== 'fixed' && !'EGRZB'.includes(kind)) {
      const offset = registerOffset(kind, this.decoded.registers[i]!);
      this.storeAt(STORE_I64[bits], 0, this.cpu, offset, this.node64(value));
      this.block.vectors.forget(offset);
      this.block.x87.forget();
      return;
    }
    const n = this.registerNumber(i);
    if (bits === 8) this.writeByteRegister(n, value);
    else this.setReg(bits, n, value);
  }
  update(i: number, f: (old: Int) => IntLike): Int {
    if (this.isMemory(i)) return this.updateAt(this.intWidth(i), this.address(i), f);
    const old = this.read(i);
    this.write(i, f(old));
    return old;
  }
  updateAt(bits: Bits, at: IntLike, f: (old: Int) => IntLike): Int {
    const linear = this.node64(at);
    if (this.locked && bits > 8)
      this.exitIf(this.i32(I32.and, this.wrap(this.asInt(linear)), this.const32(bits / 8 - 1)));
    const host = this.host(bits / 8, linear, 'write');
    if (!this.locked) {
      const old = this.loadGuest(bits, host);
      this.storeGuest(bits, host, this.node64(f(this.asInt(old))));
      return this.asInt(old);
    }
    const result = this.code.cell('i64', this.node64(0));
    this.code.loop((again) => {
      this.nested++;
      const seen = this.atomicLoad(bits, host);
      this.code.assign(result, seen);
      const value = this.zx(bits, f(this.asInt(seen)));
      const now = this.code.node(
        [0xfe, ATOMIC_CMPXCHG[bits]],
        'i64',
        [host, seen, this.node64(value)],
        this.memoryImmediate(ALIGN[bits], 0),
        false,
      );
      this.code.branch(again, this.i32(I64.ne, now, seen), false);
      this.nested--;
    });
    this.fence();
    const old = this.code.read(result);
    old.width = bits;
    return this.asInt(old);
  }
  probeWrite(linear: IntLike, bytes: number): void {
    this.host(bytes, this.node64(linear), 'write');
  }
  restoring(_n: number, _before: Int, body: () => void): void {
    body();
  }

  // ---- addresses
  private pageBase(): Node {
    return (this.block.base ??= this.code.read(this.frame.base));
  }
  private rawOffset(): Int {
    const { base, index, scale, displacement } = this.decoded;
    let sum: Int;
    if (base === BASE_RIP) sum = this.add(this.asInt(this.pageBase()), displacement + this.next);
    else {
      const start = base === NO_REGISTER ? this.int(0) : this.asInt(this.general(base));
      const scaled = index === NO_REGISTER ? this.int(0) : this.shl(this.asInt(this.general(index)), scale);
      sum = this.add(this.add(start, scaled), displacement);
    }
    return sum;
  }
  private inSegment(offset: Int, bytes: number): Int {
    const { segment, asize } = this.decoded;
    if (this.mode & L.MODE_LONG) {
      const masked = this.zx(asize as Bits, offset);
      if (segment !== L.FS && segment !== L.GS) return masked;
      const base = this.loadState64(L.S_SEG + L.SEG_BYTES * segment + L.SEG_BASE);
      return this.add(masked, this.asInt(base));
    }
    if (asize !== 32 || segment === L.CS) throw new NotTranslatable();
    if (FLAT_SEGMENTS.has(segment)) return this.zx(32, offset);
    // FS and GS have bases (thread-local and per-CPU data), and mostly no limit.
    const open = this.i32(I32.and, this.loadState32(L.S_OPEN_SEGMENTS), this.const32(1 << segment));
    this.exitIf(this.i32(I32.eqz, open));
    const within = this.zx(32, offset);
    this.exitIf(this.boolNode(this.ltu(2 ** 32 - bytes, within)));
    const base = this.loadState64(L.S_SEG + L.SEG_BYTES * segment + L.SEG_BASE);
    return this.zx(32, this.add(within, this.asInt(base)));
  }
  /** Bytes of memory operand i. */
  private bytesOf(i: number): number {
    const { width } = this.operand(i);
    return (width || this.bits) / 8;
  }
  offset(i: number): Int {
    if (this.operand(i).kind === 'O') throw new NotTranslatable();
    return this.zx(this.decoded.asize as Bits, this.rawOffset());
  }
  address(i: number, bytes = this.bytesOf(i)): Int {
    if (this.operand(i).kind !== 'O') return this.inSegment(this.rawOffset(), bytes);
    return this.inSegment(this.wideImmediate(), bytes);
  }
  addressBeyond(_i: number, distance: IntLike, bytes: number): Int {
    return this.inSegment(this.add(this.rawOffset(), distance), bytes);
  }
  linear(): Int {
    throw new NotTranslatable();
  }
  farSelector(): Int {
    throw new NotTranslatable();
  }
  segment(): Int {
    return this.int(this.decoded.segment);
  }

  // ---- memory
  load(bits: Bits, linear: IntLike): Int {
    return this.asInt(this.loadGuest(bits, this.host(bits / 8, this.node64(linear), 'read')));
  }
  store(bits: Bits, linear: IntLike, value: IntLike): void {
    const what = this.node64(value);
    this.storeGuest(bits, this.host(bits / 8, this.node64(linear), 'write'), what);
  }
  loadVec(linear: IntLike): Vec {
    const value = this.loadVecState(this.host(16, this.node64(linear), 'read'), 0);
    this.fence();
    return this.asVec(value);
  }
  storeVec(linear: IntLike, v: Vec): void {
    const host = this.host(16, this.node64(linear), 'write');
    this.fence();
    this.storeVecState(host, 0, this.vecNode(v));
  }
  private loadVecState(address: Node, offset: number): Node {
    return this.code.node([0xfd, 0], 'v128', [address], this.memoryImmediate(0, offset), false);
  }
  private storeVecState(address: Node, offset: number, value: Node): void {
    this.code.raw([0xfd, 11, ...this.memoryImmediate(0, offset)], address, value);
  }

  // ---- vectors
  private vectorAddress(i: number): Int {
    const linear = this.address(i);
    if (!this.form.encoding.attributes.has('unaligned')) this.raiseIf(this.ne(this.and(linear, 15), 0));
    return linear;
  }
  slot(i: number): Int {
    if (!this.isMemory(i)) return this.int(registerOffset(this.operand(i).kind, this.decoded.registers[i]!));
    const temp = L.S_TEMP + 16 * i;
    (this.slots ??= new Map()).set(temp, this.vecNode(this.readVec(i)));
    return this.int(temp);
  }
  /** Operands from memory, by the slot where helpers look for them: stored only if one is called. */
  private slots: Map<number, Node> | null = null;
  private fillSlots(): void {
    for (const [temp, value] of this.slots ?? []) this.storeVecState(this.cpu, temp, value);
  }
  readVec(i: number): Vec {
    if (this.isMemory(i)) {
      const width = this.width(i);
      if (width === 128) return this.loadVec(this.vectorAddress(i));
      if (this.module.ordered || (width !== 32 && width !== 64)) return this.vec(this.read(i), 0);
      const host = this.host(width / 8, this.node64(this.address(i)), 'read');
      return this.asVec(this.code.node(LOAD_ZERO[width], 'v128', [host], this.memoryImmediate(0, 0), false));
    }
    const offset = registerOffset(this.operand(i).kind, this.decoded.registers[i]!);
    if (this.isMmx(i))
      return this.asVec(
        this.code.node(LOAD_ZERO[64], 'v128', [this.cpu], this.memoryImmediate(0, offset), false),
      );
    return this.asVec(this.block.vectors.get(offset, this.nested === 0));
  }
  writeVec(i: number, v: Vec): void {
    if (this.isMemory(i)) {
      if (this.width(i) === 128) this.storeVec(this.vectorAddress(i), v);
      else this.write(i, this.lane(this.intWidth(i), v, 0));
      return;
    }
    const offset = registerOffset(this.operand(i).kind, this.decoded.registers[i]!);
    if (this.isMmx(i)) {
      this.storeState64(offset, this.node64(this.lane(64, v, 0)));
      this.storeAt(STORE_I64[16], 0, this.cpu, offset + 8, this.node64(0xffff));
      this.block.x87.forget();
    } else this.block.vectors.set(offset, this.vecNode(v), this.nested === 0);
  }
  xmm(n: number): Vec {
    return this.asVec(this.block.vectors.get(L.S_XMM + L.XMM_BYTES * n, this.nested === 0));
  }
  setXmm(n: number, v: Vec): void {
    this.block.vectors.set(L.S_XMM + L.XMM_BYTES * n, this.vecNode(v), this.nested === 0);
  }
  /** A vector whose lowest lane is another one's is made of it without a general register. */
  override withLane(bits: Bits, v: Vec, index: number, value: IntLike): Vec {
    const scalar = this.node64(value);
    if (
      bits !== 64 ||
      index !== 0 ||
      scalar.opcode[0] !== 0xfd ||
      scalar.opcode[1] !== EXTRACT_I64[1] ||
      scalar.immediate[0] !== 0
    )
      return super.withLane(bits, v, index, value);
    return this.asVec(
      this.block.vectors.withLow('f64', this.vecNode(v), this.block.vectors.low('f64', scalar.args[0]!)),
    );
  }
  override vec(low: IntLike, high: IntLike): Vec {
    if (this.node64(high).constant !== 0n) return super.vec(low, high);
    return this.withLane(64, this.splat(64, 0), 0, low);
  }

  // ---- other state
  state(field: StateField): Int {
    if (!READ_STATE.has(field) && !field.endsWith('Selector')) throw new NotTranslatable();
    this.wait();
    const { offset, bytes } = stateFields[field];
    return this.asInt(bytes === 8 ? this.loadState64(offset) : this.extend(this.loadState32(offset)));
  }
  setState(field: StateField, value: IntLike): void {
    if (!WRITTEN_STATE.has(field)) throw new NotTranslatable();
    this.wait();
    this.block.x87.forget();
    const { offset, bytes } = stateFields[field];
    if (bytes === 8) this.storeState64(offset, this.node64(value));
    else this.storeState32(offset, this.wrap(value));
  }

  // ---- flags
  private setFlagState(state: FlagState): void {
    this.block.flags = state;
    this.block.synced = false;
    this.flagsChanged = true;
    this.block.noteWritten(FLAGS, this.nested === 0);
  }
  /** Puts the flags into the frame, unless they are there. */
  syncFlags(): void {
    const { block, frame } = this;
    if (block.synced) return;
    const { flags } = block;
    let kind = L.FLAGS_WORDS;
    const put = (z: Node, s: Node, c: Node): void => {
      this.code.assign(frame.flags.z, z);
      this.code.assign(frame.flags.s, s);
      this.code.assign(frame.flags.c, c);
    };
    if (flags.op === 'add' || flags.op === 'sub') {
      kind = (flags.op === 'add' ? L.FLAGS_ADD : L.FLAGS_SUB) + FLAG_WIDTHS[flags.bits];
      put(flags.r, flags.a, flags.b);
    } else if (flags.op === 'logic') put(flags.r, flags.r, this.node64(0));
    else if (flags.op === 'words') put(flags.z, flags.s, flags.c());
    if (block.kind !== kind) this.code.assign(frame.kind, this.const32(kind));
    block.kind = kind;
    block.synced = true;
  }
  /** The flags as three words, whatever they were known as. */
  private words(): { z: Node; s: Node; c: () => Node } {
    const { block, frame } = this;
    const { flags } = block;
    switch (flags.op) {
      case 'words':
        return flags;
      case 'logic':
        return { z: flags.r, s: flags.r, c: () => this.node64(0) };
      case 'add':
      case 'sub': {
        const { a, b, r, bits } = flags;
        const result = this.node64(this.sx(bits, this.asInt(r)));
        return {
          z: result,
          s: result,
          c: () => this.carries(flags.op, bits, this.asInt(a), this.asInt(b), this.asInt(r)),
        };
      }
      case 'unknown': {
        block.noteRead(FLAGS, null);
        if (block.kind !== L.FLAGS_WORDS) this.code.if(this.code.read(frame.kind), () => this.settle());
        const [z, s, c] = [frame.flags.z, frame.flags.s, frame.flags.c].map((cell) => this.code.read(cell));
        const words = { op: 'words', z: z!, s: s!, c: () => c! } as const;
        block.kind = L.FLAGS_WORDS;
        // Within a condition the other side knows nothing of it.
        if (this.nested === 0) block.flags = words;
        return words;
      }
    }
  }
  /** As settleFlags of runtime/flags.ts, on the frame. */
  private settle(): void {
    const { flags, kind } = this.frame;
    const read = (cell: Cell): Int => this.asInt(this.code.read(cell));
    const [a, b, r] = [read(flags.s), read(flags.c), read(flags.z)];
    const of = this.extend(this.code.read(kind));
    const up = this.sub(64, this.shl(8, this.and(this.sub(this.asInt(of), L.FLAGS_SUB), 3)));
    const isSub = this.ltu(this.asInt(of), L.FLAGS_ADD);
    const x = this.select(isSub, this.not(a), a);
    const y = this.select(isSub, r, this.not(r));
    const carries = this.or(this.and(x, b), this.and(this.or(x, b), y));
    const result = this.node64(this.sar(this.shl(r, up), up));
    this.code.assign(flags.z, result);
    this.code.assign(flags.s, result);
    this.code.assign(flags.c, this.node64(this.or(this.shl(carries, up), carries)));
    this.code.assign(kind, this.const32(L.FLAGS_WORDS));
  }
  private carries(op: 'add' | 'sub', bits: Bits, a: Int, b: Int, r: Int): Node {
    const carries =
      op === 'add'
        ? this.or(this.and(a, b), this.and(this.or(a, b), this.not(r)))
        : this.or(this.and(this.not(a), b), this.and(this.or(this.not(a), b), r));
    return this.node64(bits === 64 ? carries : this.or(this.shl(carries, 64 - bits), carries));
  }
  protected override flagWord(word: number): Int {
    const words = this.words();
    return this.asInt(word === L.S_FLAG_Z ? words.z : word === L.S_FLAG_S ? words.s : words.c());
  }
  protected override setFlagWord(word: number, value: Int): void {
    const words = this.words();
    const node = this.node64(value);
    this.setFlagState({
      op: 'words',
      z: word === L.S_FLAG_Z ? node : words.z,
      s: word === L.S_FLAG_S ? node : words.s,
      c: word === L.S_FLAG_C ? () => node : words.c,
    });
  }
  /** Whether r is the sum or difference of just a and b. */
  private isPlain(op: readonly number[], r: Node, a: Node, b: Node): boolean {
    let node = r;
    if (node.opcode === I64.and && node.args[1]!.constant !== null) node = node.args[0]!;
    return node.opcode === op && node.args[0] === a && same(node.args[1]!, b);
  }
  override flagsAdd(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    const [x, y, z] = [this.node64(a), this.node64(b), this.node64(r)];
    this.setFlagState({ op: 'add', bits, a: x, b: y, r: z, plain: this.isPlain(I64.add, z, x, y) });
  }
  override flagsSub(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void {
    const [x, y, z] = [this.node64(a), this.node64(b), this.node64(r)];
    // Nothing is left of a subtraction of zero; SBB of zero is one of the carry.
    const plain = this.isPlain(I64.sub, z, x, y) || (y.constant === 0n && z === x);
    this.setFlagState({ op: 'sub', bits, a: x, b: y, r: z, plain });
  }
  override flagsLogic(bits: Bits, r: IntLike): void {
    this.setFlagState({ op: 'logic', r: this.node64(this.sx(bits, r)) });
  }
  override flagsResult(bits: Bits, r: IntLike, cf: Bool, of: Bool): void {
    const result = this.node64(this.sx(bits, r));
    this.setFlagState({
      op: 'words',
      z: result,
      s: result,
      c: () => this.node64(this.carryWord(cf, of)),
      cf: () => cf,
    });
  }
  protected override flagsStep(bits: Bits, a: IntLike, r: IntLike, overflow: bigint): void {
    const cf = this.flag('cf');
    const result = this.node64(this.sx(bits, r));
    const c = (): Node => {
      const carry = this.toInt(cf);
      const of = this.toInt(this.eq(r, overflow));
      const af = this.and(this.shr(this.xor(this.xor(a, 1), r), 1), 8);
      return this.node64(this.or(this.or(this.shl(carry, 63), this.shl(this.xor(carry, of), 62)), af));
    };
    this.setFlagState({ op: 'words', z: result, s: result, c, cf: () => cf });
  }
  override setFlags(flags: Partial<Record<ArithmeticFlag, Bool>>): void {
    const old = this.words();
    let z = old.z;
    let s = this.asInt(old.s);
    if (flags.zf) z = this.node64(this.toInt(this.negate(flags.zf)));
    if (flags.sf && flags.pf) s = this.int(0);
    if (flags.sf) s = this.or(this.and(s, 0x7fffffffffffffffn), this.shl(this.toInt(flags.sf), 63));
    if (flags.pf) s = this.or(this.and(s, -0x100n), this.toInt(this.negate(flags.pf)));
    const { cf, of, af } = flags;
    let c = old.c;
    if (cf || of || af)
      c = (): Node => {
        const carries = this.asInt(old.c());
        const oldCf = (): Bool => this.lts(carries, 0);
        const oldOf = (): Bool => this.lts(this.xor(carries, this.shl(carries, 1)), 0);
        const kept = af ? this.shl(this.toInt(af), 3) : this.and(carries, 8);
        if (!cf && !of) return this.node64(this.or(this.and(carries, -9n), kept));
        return this.node64(this.or(this.carryWord(cf ?? oldCf(), of ?? oldOf()), kept));
      };
    this.setFlagState({ op: 'words', z, s: this.node64(s), c, ...(cf ? { cf: () => cf } : {}) });
  }
  override flag(name: ArithmeticFlag): Bool {
    const { flags } = this.block;
    if (name === 'cf') {
      if (flags.op === 'logic') return this.bool(false);
      if (flags.op === 'words' && flags.cf) return flags.cf();
      if (flags.op === 'sub' && flags.plain) return this.ltu(this.asInt(flags.a), this.asInt(flags.b));
      if (flags.op === 'add' && flags.plain) return this.ltu(this.asInt(flags.r), this.asInt(flags.a));
    }
    if (name === 'of' && flags.op === 'logic') return this.bool(false);
    if (name === 'zf') {
      if (flags.op === 'sub' && flags.plain) return this.eq(this.asInt(flags.a), this.asInt(flags.b));
      if (flags.op === 'sub' || flags.op === 'add') return this.eq(this.asInt(flags.r), 0);
    }
    return super.flag(name);
  }
  override condition(cc: ConditionCode): Bool {
    const { flags } = this.block;
    const negated = (cc & 1) !== 0;
    const base = cc & ~1;
    if (flags.op === 'sub' && flags.plain) {
      const [a, b] = [this.asInt(flags.a), this.asInt(flags.b)];
      if (base === 6) return negated ? this.ltu(b, a) : this.leu(a, b);
      if (base === 12 || base === 14) {
        const [x, y] = [this.sx(flags.bits, a), this.sx(flags.bits, b)];
        if (base === 12) return negated ? this.les(y, x) : this.lts(x, y);
        return negated ? this.lts(y, x) : this.les(x, y);
      }
      if (base === 2) return negated ? this.leu(b, a) : this.ltu(a, b);
      if (base === 4) return negated ? this.ne(a, b) : this.eq(a, b);
    }
    if (flags.op === 'logic') {
      const r = this.asInt(flags.r);
      if (base === 4 || base === 6) return negated ? this.ne(r, 0) : this.eq(r, 0);
      if (base === 8 || base === 12) return negated ? this.les(0, r) : this.lts(r, 0);
      if (base === 14) return negated ? this.lts(0, r) : this.les(r, 0);
    }
    return super.condition(cc);
  }

  // ---- control
  nextIp(): Int {
    const ip = this.add(this.asInt(this.pageBase()), this.next);
    return this.mode & L.MODE_LONG ? ip : this.zx(32, ip);
  }
  private relativeTarget(): Int {
    const operand = this.form.encoding.operands.findIndex((o) => o.kind === 'J');
    return this.zx(this.bits, this.add(this.nextIp(), this.immediate(operand)));
  }
  checkJump(target: IntLike): void {
    if (this.bits === 64) this.exitUnlessCanonical(target);
  }
  /** With 57-bit addresses the interpreter looks closer. */
  private exitUnlessCanonical(address: IntLike): void {
    const extended = this.sar(this.shl(address, 64 - 48), 64 - 48);
    this.exitIf(this.boolNode(this.ne(extended, address)));
  }
  jump(target: IntLike): void {
    if (this.bits === 16) throw new NotTranslatable();
    this.checkJump(target);
    this.leaving = { kind: 'computed', target: this.code.use(this.node64(target)) };
  }
  jumpRelative(): void {
    this.leaveTo(null);
  }
  branch(c: Bool): void {
    this.leaveTo(this.boolNode(c));
  }
  private leaveTo(condition: Node | null): void {
    if (this.bits === 16) throw new NotTranslatable();
    const target = this.relativeTarget();
    if (condition) this.code.use(condition);
    this.leaving = { kind: 'relative', condition, target: this.code.use(this.node64(target)) };
  }

  // ---- stack
  private stackBits(): 32 | 64 {
    return this.mode & L.MODE_LONG ? 64 : 32;
  }
  push(bits: Bits, value: IntLike): void {
    const size = this.stackBits();
    const top = this.zx(size, this.sub(this.reg(size, RSP), bits / 8));
    this.store(bits, top, value);
    this.setReg(size, RSP, top);
  }
  pop(bits: Bits): Int {
    const size = this.stackBits();
    const top = this.reg(size, RSP);
    const value = this.load(bits, top);
    this.setReg(size, RSP, this.zx(size, this.add(top, bits / 8)));
    return value;
  }

  // ---- helpers
  call(name: HelperName, ...args: IntLike[]): Int {
    switch (name) {
      case 'stackFromFrame':
        this.setReg(this.stackBits(), RSP, this.reg(this.stackBits(), RBP));
        return this.int(0);
      case 'dropStack':
        this.setReg(this.stackBits(), RSP, this.add(this.reg(this.stackBits(), RSP), args[0]!));
        return this.int(0);
      case 'umulh':
        return this.highProduct(args[0]!, args[1]!);
      case 'imulh':
        return this.signedHighProduct(args[0]!, args[1]!);
      case 'cli':
      case 'sti':
        this.exitUnlessCpl0();
        if (name === 'cli') this.changeEflags(L.EFLAGS_IF, false);
        else this.allowInterrupts();
        this.exitBehindIfPending();
        return this.int(0);
      case 'clac':
      case 'stac':
        this.changeAccess(name === 'stac');
        this.exitBehindIfPending();
        return this.int(0);
      case 'swapgs': {
        const gs = L.S_SEG + L.SEG_BYTES * L.GS + L.SEG_BASE;
        const [base, other] = [this.loadState64(gs), this.loadState64(L.S_KERNEL_GS_BASE)];
        this.storeState64(gs, other);
        this.storeState64(L.S_KERNEL_GS_BASE, base);
        return this.int(0);
      }
      case 'pushf':
        return this.eflags();
      case 'divide':
      case 'idivide':
        return this.divide(name === 'idivide', args);
      case 'remainder':
        return this.remainder!;
    }
    if (!PLAIN_HELPERS.has(name)) throw new NotTranslatable();
    if (this.nested > 0) throw new NotTranslatable();
    if (name in x87Helpers) return this.callX87(name, args);
    const inline = this.inlineFloat(name, args);
    if (inline !== null) return inline;
    const result = this.callHelper(name, args);
    if (name in sseHelpers) this.block.vectors.forget();
    return result;
  }
  // ---- EFLAGS (runtime/control-flags.ts)
  private changeEflags(bit: number, set: boolean): void {
    const old = this.loadState32(L.S_EFLAGS);
    const mask = this.const32(set ? bit : ~bit);
    this.storeState32(L.S_EFLAGS, this.i32(set ? I32.or : I32.and, old, mask));
  }
  /** STI: the interpreter does it if an interrupt waits for it; if not, none comes in between this and the next instruction. */
  private allowInterrupts(): void {
    this.exitIf(this.loadState32(L.S_LINE));
    const isSet = this.i32(I32.and, this.loadState32(L.S_EFLAGS), this.const32(L.EFLAGS_IF));
    const allow = (): void => {
      const left = this.add(this.asInt(this.code.read(this.frame.budget)), this.left - 1);
      const retired = this.sub(this.asInt(this.loadState64(L.S_RETIRED_END)), left);
      this.storeState64(L.S_SHADOW, this.node64(retired));
      this.changeEflags(L.EFLAGS_IF, true);
    };
    this.code.if(this.i32(I32.eqz, isSet), allow);
  }
  /** STAC and CLAC: which of the supervisor's TLBs is in use. */
  private changeAccess(allowed: boolean): void {
    this.changeEflags(L.EFLAGS_AC, allowed);
    this.block.forgetPlaces();
    let mmu = this.int(L.AS_SUPERVISOR);
    if (!allowed) {
      const prevents = this.bit(this.asInt(this.loadState64(L.S_CR4)), CR4_SMAP_BIT);
      mmu = this.select(prevents, L.AS_SUPERVISOR_SMAP, mmu);
    }
    const table = this.add(
      this.asInt(this.extend(this.cpu)),
      this.add(this.mul(mmu, 2 * L.TLB_BYTES), L.S_TLB),
    );
    this.storeState32(L.S_MMU, this.wrap(mmu));
    this.storeState32(L.S_TLB_READ, this.wrap(table));
    this.storeState32(L.S_TLB_WRITE, this.wrap(this.add(table, L.TLB_BYTES)));
  }
  /** What PUSHF pushes, but in virtual-8086 mode. */
  private eflags(): Int {
    if (this.mode & L.MODE_VM86) throw new NotTranslatable();
    const rest = this.i32(I32.and, this.loadState32(L.S_EFLAGS), this.const32(~(L.EFLAGS_VM | L.EFLAGS_RF)));
    return Object.entries(EFLAGS_BITS).reduce(
      (sum, [flag, bit]) => this.or(sum, this.shl(this.toInt(this.flag(flag as ArithmeticFlag)), bit)),
      this.asInt(this.extend(rest)),
    );
  }
  private callX87(name: HelperName, args: IntLike[]): Int {
    if (name === 'x87Stored')
      return this.asInt(this.extend(this.i32(I32.eqz, this.loadState32(L.S_FPU_SKIP))));
    const { waits } = this;
    const slow = (): Node => {
      if (waits) this.exitAsideIf(this.hasWaiting(), () => {});
      return this.node64(this.callHelper(name, args));
    };
    const nodes = args.map((arg) => this.node64(arg));
    const inline = this.block.x87.emit(name, nodes, slow);
    if (inline) {
      this.waits = false;
      return this.asInt(inline);
    }
    this.wait();
    const result = this.callHelper(name, args);
    this.block.x87.forget();
    return result;
  }
  /** Floating point whose operands are ordinary numbers; null: not one of those. */
  private inlineFloat(name: string, args: IntLike[]): Int | null {
    const { code } = this;
    const place = (arg: IntLike): number => Number(this.node64(arg).constant ?? -1n);
    const source = (arg: IntLike): FloatSource => {
      const value = this.slots?.get(place(arg));
      return value ? { kind: 'vector', value } : { kind: 'register', offset: place(arg) };
    };
    const floats = new FloatEmitter(code, this.cpu, this.block.vectors, () => this.import('oddFloats'));
    const slow = (): Int => this.callHelper(name as HelperName, args);
    if (/^u?comis[sd]$/.test(name) || /^cvtts[sd]2si$/.test(name)) {
      const result = code.cell('i64', this.node64(0));
      const converts = name.startsWith('cvt');
      const bits = converts ? place(args[1]!) : 64;
      const { guard, value } = converts
        ? floats.toInteger(name === 'cvttss2si' ? 'f32' : 'f64', source(args[0]!), bits)
        : floats.compare(name.endsWith('ss') ? 'f32' : 'f64', place(args[0]!), source(args[1]!));
      code.if(
        guard,
        () => code.assign(result, this.node64(this.zx(bits, this.asInt(value)))),
        () => code.assign(result, this.node64(slow())),
        true,
      );
      return this.asInt(code.read(result));
    }
    if (name === 'cvtsi2sd' || name === 'cvtsi2ss') {
      floats.fromInteger(
        name === 'cvtsi2sd' ? 'f64' : 'f32',
        place(args[0]!),
        this.node64(args[1]!),
        this.width(1) as number,
        slow,
      );
      return this.int(0);
    }
    if (args.length !== 2 || place(args[0]!) < 0) return null;
    return floats.emit(name, place(args[0]!), source(args[1]!), slow) ? this.int(0) : null;
  }
  private callHelper(name: HelperName, args: IntLike[]): Int {
    const helper = (helpers as Record<string, { args: number; result: boolean; faults: boolean }>)[name]!;
    this.fillSlots();
    const index = this.module.import('runtime', name, helperSignature(helper.args, helper.result));
    return this.emitHelperCall(index, helper, args);
  }
  private highProduct(a: IntLike, b: IntLike): Int {
    const low = 0xffffffffn;
    const [al, ah, bl, bh] = [this.and(a, low), this.shr(a, 32), this.and(b, low), this.shr(b, 32)];
    const t = this.add(this.mul(ah, bl), this.shr(this.mul(al, bl), 32));
    const w = this.add(this.and(t, low), this.mul(al, bh));
    return this.add(this.add(this.mul(ah, bh), this.shr(t, 32)), this.shr(w, 32));
  }
  private signedHighProduct(a: IntLike, b: IntLike): Int {
    const high = this.highProduct(a, b);
    return this.sub(this.sub(high, this.and(this.sar(a, 63), b)), this.and(this.sar(b, 63), a));
  }
  private remainder: Int | null = null;
  /** Division whose dividend fits into 64 bits; others, and those that fault, are left to the interpreter. */
  private divide(signed: boolean, [, high, low, divisor]: IntLike[]): Int {
    const { bits } = this;
    const by = signed ? this.sx(bits, divisor!) : this.asInt(this.node64(divisor!));
    this.exitIf(this.boolNode(this.eq(by, 0)));
    let dividend: Int;
    if (bits === 64) {
      dividend = this.asInt(this.node64(low!));
      this.exitIf(this.boolNode(this.ne(high!, signed ? this.sar(dividend, 63) : 0)));
      if (signed) this.exitIf(this.boolNode(this.both(this.eq(by, -1n), this.eq(dividend, 1n << 63n))));
    } else {
      const whole = this.or(this.shl(high!, bits), low!);
      dividend =
        signed && bits < 32 ? this.sx((2 * bits) as Bits, this.zx((2 * bits) as Bits, whole)) : whole;
      if (signed && bits === 32)
        this.exitIf(this.boolNode(this.both(this.eq(by, -1n), this.eq(dividend, 1n << 63n))));
    }
    // It traps in WebAssembly where it faults here, so it may not be moved before the tests.
    const op = (code: readonly number[]): Int =>
      this.asInt(this.code.node(code, 'i64', [this.node64(dividend), this.node64(by)], [], false));
    const quotient = op(signed ? DIV_S : DIV_U);
    if (bits < 64) {
      const cut = signed ? this.sx(bits, quotient) : this.zx(bits, quotient);
      this.exitIf(this.boolNode(this.ne(cut, quotient)));
    }
    this.remainder = op(signed ? REM_S : REM_U);
    return this.zx(bits, quotient);
  }
  transfer(): void {
    throw new NotTranslatable();
  }
  /** MOVS and STOS of flat addresses; repeated ones by the runtime, if all of it can be done at once. */
  repeat(name: HelperName): void {
    const { bits, asize, decoded } = this;
    const wide = (this.mode & L.MODE_LONG) !== 0;
    if ((name !== 'movs' && name !== 'stos') || asize !== (wide ? 64 : 32)) throw new NotTranslatable();
    const flat = wide
      ? decoded.segment !== L.FS && decoded.segment !== L.GS
      : FLAT_SEGMENTS.has(decoded.segment);
    if (name === 'movs' && !flat) throw new NotTranslatable();
    const from = this.reg(asize, RSI);
    const to = this.reg(asize, RDI);
    // Else it faults before it touches the source, whose page would be marked accessed here.
    if (name === 'movs' && wide) this.exitUnlessCanonical(to);
    let distance: IntLike = bits / 8;
    if (this.rep === 'none') {
      this.exitIf(this.i32(I32.and, this.loadState32(L.S_EFLAGS), this.const32(L.EFLAGS_DF)));
      this.store(bits, to, name === 'movs' ? this.load(bits, from) : this.reg(bits, RAX));
    } else {
      const count = this.reg(asize, RCX);
      const source = name === 'movs' ? from : this.reg(64, RAX);
      const args = [this.node64(distance), ...[source, to, count].map((value) => this.node64(value))];
      const call = this.import(name === 'movs' ? 'moveWhole' : 'fillWhole');
      this.exitIf(this.i32(I32.eqz, this.code.node(call, 'i32', [this.cpu, ...args], [], false)));
      distance = this.mul(count, distance);
      this.setReg(asize, RCX, 0);
    }
    if (name === 'movs') this.setReg(asize, RSI, this.add(from, distance));
    this.setReg(asize, RDI, this.add(to, distance));
  }
}

const same = (a: Node, b: Node): boolean => a === b || (a.constant !== null && a.constant === b.constant);
