import type { Form } from '../../isa/forms.js';
import { VECTORS, WITH_ERROR_CODE } from '../../isa/faults.js';
import { helpers, transferHelpers, type HelperName, type TransferName } from '../../isa/helpers.js';
import type { Bits, Bool, FaultName, Int, IntLike, Ops, StateField, Vec } from '../../isa/ops.js';
import { helperSignature } from '../imports.js';
import * as L from '../layout.js';
import { stateFields } from '../state-fields.js';
import { unsignedBytes } from '../wasm/bytes.js';
import { Code, type Label, type Node } from '../wasm/code.js';
import { ALIGN, ATOMIC_CMPXCHG, EffectRecorder, LOAD_I64, STORE_I64 } from '../wasm/effect-recorder.js';
import { I32, I64 } from '../wasm/opcodes.js';
import type { ModuleWriter } from '../wasm/module.js';
import * as R from './record.js';

interface TlbProbe {
  /** Whether the entry is that of the linear address (i32). */
  readonly matches: Node;
  /** The address in this memory, if it is. */
  readonly host: () => Node;
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
export class InterpreterOps extends EffectRecorder implements Ops {
  private readonly record: Node;
  /** The effect has left the handler in its last statement. */
  private left = false;

  constructor(
    form: Form,
    code: Code,
    module: ModuleWriter,
    private readonly exits: Exits,
  ) {
    super(form, code, code.parameter(CPU_PARAMETER, 'i32'), module);
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
      // Serialising instructions are among these (SDM vol. 3, 9.3).
      this.fence();
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

  private recordByte(offset: number): Node {
    return this.loadAt(0x2d, 'i32', 0, this.record, offset);
  }
  private recordHalf(offset: number): Node {
    return this.loadAt(0x2f, 'i32', 1, this.record, offset);
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
  protected override exitIfFaulted(): void {
    this.code.if(this.loadState32(L.S_FAULT), () => this.exitFault(), undefined, false);
  }

  if(c: Bool, then: () => void, otherwise?: () => void): void {
    const before = this.left;
    this.code.if(this.boolNode(c), then, otherwise);
    this.left = before;
  }

  // ---- operands
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
    const { matches, host: address } = this.probeTlb(bits / 8, linear, L.S_TLB_WRITE);
    const aligned =
      this.locked && bits > 8
        ? this.i32(I32.eqz, this.i32(I32.and, this.wrap(this.asInt(linear)), this.const32(bits / 8 - 1)))
        : null;
    const fast = aligned ? this.i32(I32.and, matches, aligned) : matches;
    const slow = this.code.cell('i32', this.const32(0));
    this.code.if(
      fast,
      () => {
        this.code.assign(host, address());
        if (!this.locked) this.code.assign(old, this.loadGuest(bits, this.code.read(host)));
      },
      () => {
        this.noteRecord();
        const bytes = this.const32(bits / 8);
        if (this.locked) {
          this.code.assign(slow, this.const32(1));
          this.code.assign(
            host,
            this.code.node(this.import('lockedPlace'), 'i32', [this.cpu, linear, bytes], [], false),
          );
        } else this.code.raw(this.import('probeWrite'), this.cpu, linear, bytes);
        this.exitIfFaulted();
        const load = (): void => {
          this.code.assign(old, this.slowLoad(bits, linear));
          this.exitIfFaulted();
        };
        // What is exchanged in RAM is loaded there.
        if (this.locked) this.code.if(this.i32(I32.eqz, this.code.read(host)), load);
        else load();
      },
      true,
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
        () => this.storeGuest(bits, this.code.read(host), value),
        () => slowStore(this.asInt(value)),
      );
      return this.asInt(this.code.read(old));
    }
    this.code.if(
      this.code.read(host),
      () => {
        this.code.loop((again) => {
          const seen = this.atomicLoad(bits, this.code.read(host));
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
        this.code.if(
          this.code.read(slow),
          () => {
            const bytes = this.const32(bits / 8);
            this.code.raw(this.import('noticeLocked'), this.cpu, this.code.read(host), bytes);
          },
          undefined,
          false,
        );
      },
      () => slowStore(f(this.asInt(this.code.read(old)))),
    );
    this.fence();
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
    const { matches, host: address } = this.probeTlb(16, linear, L.S_TLB_READ);
    this.code.if(
      matches,
      () => {
        this.code.assign(result, this.loadVecState(address(), 0));
        this.fence();
      },
      () => {
        this.loadSlotAt(L.S_TEMP + 48, linear);
        this.code.assign(result, this.loadVecState(this.cpu, L.S_TEMP + 48));
      },
      true,
    );
    return this.asVec(this.code.read(result));
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
  /** The TLB entry of a linear address in its first place (translated code: translator/tlb-probe.ts). */
  private probeTlb(bytes: number, linear: Node, table: number): TlbProbe {
    const low = this.i32(I32.wrap, linear);
    const index = this.i32(I32.and, this.i32(I32.shrU, low, this.const32(8)), this.const32(L.TLB_INDEX_MASK));
    const entry = this.i32(I32.add, this.loadState32(table), index);
    const differs = this.i64(I64.xor, this.loadAt(0x29, 'i64', 3, entry, 0), this.lastOf(bytes, linear));
    const otherPage = this.i64(I64.and, differs, this.node64(-0x1000n));
    return {
      matches: this.i32(I64.eqz, otherPage),
      host: () => this.i32(I32.add, low, this.loadAt(0x28, 'i32', 2, entry, 8)),
    };
  }
  private slowLoad(bits: Bits, linear: Node): Node {
    return this.code.node(this.import(`load${bits}`), 'i64', [this.cpu, linear], [], false);
  }
  load(bits: Bits, linear: IntLike): Int {
    const at = this.node64(linear);
    const result = this.code.cell('i64', this.node64(0));
    const { matches, host: address } = this.probeTlb(bits / 8, at, L.S_TLB_READ);
    this.code.if(
      matches,
      () => this.code.assign(result, this.loadGuest(bits, address())),
      () => {
        this.noteRecord();
        this.code.assign(result, this.slowLoad(bits, at));
        this.exitIfFaulted();
      },
      true,
    );
    return this.asInt(this.code.read(result));
  }
  store(bits: Bits, linear: IntLike, value: IntLike): void {
    const at = this.node64(linear);
    const what = this.node64(value);
    const { matches, host: address } = this.probeTlb(bits / 8, at, L.S_TLB_WRITE);
    this.code.if(
      matches,
      () => this.storeGuest(bits, address(), what),
      () => {
        this.noteRecord();
        this.code.raw(this.import(`store${bits}`), this.cpu, at, what);
        this.exitIfFaulted();
      },
      true,
    );
  }
  loadVec(linear: IntLike): Vec {
    return this.loadVecFrom(this.node64(linear));
  }
  storeVec(linear: IntLike, v: Vec): void {
    this.storeVecTo(this.node64(linear), v);
  }
  private storeVecTo(linear: Node, v: Vec): void {
    const { matches, host: address } = this.probeTlb(16, linear, L.S_TLB_WRITE);
    this.code.if(
      matches,
      () => {
        this.fence();
        this.storeVecState(address(), 0, this.vecNode(v));
      },
      () => {
        this.storeVecState(this.cpu, L.S_TEMP + 48, this.vecNode(v));
        this.noteRecord();
        this.code.raw(this.import('storeSlot'), this.cpu, this.const32(L.S_TEMP + 48), linear);
        this.exitIfFaulted();
      },
      true,
    );
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

  protected override flagWord(word: number): Int {
    return this.asInt(this.loadState64(word));
  }
  protected override setFlagWord(word: number, value: Int): void {
    this.storeState64(word, this.node64(value));
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
    this.code.if(this.boolNode(c), () => this.raise(fault, error), undefined, false);
  }
  raiseIfNotProtected(): void {
    const mode = this.i32(I32.and, this.loadState32(L.S_MODE), this.const32(L.MODE_PROTECTED));
    this.code.if(this.i32(I32.eqz, mode), () => this.raise('#UD'));
  }
  requireCpl0(): void {
    this.code.if(this.loadState32(L.S_CPL), () => this.raise('#GP', 0));
  }
  private helperIndex(name: string, args: number, result: boolean): number {
    return this.module.import('runtime', name, helperSignature(args, result));
  }
  call(name: HelperName, ...args: IntLike[]): Int {
    const helper = (helpers as Record<string, { args: number; result: boolean; faults: boolean }>)[name];
    if (!helper) throw new Error(`${this.form.encoding.text}: no helper ${name}`);
    if (args.length !== helper.args)
      throw new Error(
        `${this.form.encoding.text}: ${name} takes ${helper.args} arguments, not ${args.length}`,
      );
    this.noteRecord();
    return this.emitHelperCall(this.helperIndex(name, helper.args, helper.result), helper, args);
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
    this.code.raw([0x10, ...unsignedBytes(this.helperIndex(name, helper.args, false))], ...nodes);
    this.exitIfFaulted();
    // IRET is serialising.
    this.fence();
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
