import * as L from '../layout.js';
import { EFER, Rig, type Fault } from './rig.js';

export const GDT = 0x1000;
export const IDT = 0x2000;
export const LDT = 0x3000;
export const TSS = 0x4000;
export const TSS2 = 0x5000;
export const RING0_STACK = 0x9000;
export const RING1_STACK = 0xa000;
export const IST1_STACK = 0xb008;
export const STACK = 0x10000;
export const RIP = 0x1234n;
const GDT_LIMIT = 0xff;

// Access bytes of descriptors (SDM vol. 3, 3.4.5), all present and accessed
export const CODE = 0x9b;
export const CODE_CONFORMING = 0x9f;
export const DATA = 0x93;
export const DATA_DOWN = 0x97;
export const NOT_PRESENT = 0x80;
export const dpl = (level: number): number => level << 5;
/** System types: present. */
export const TYPE = {
  TSS16: 0x81,
  LDT: 0x82,
  TSS16_BUSY: 0x83,
  CALL16: 0x84,
  TASK: 0x85,
  INT16: 0x86,
  TRAP16: 0x87,
  TSS: 0x89,
  TSS_BUSY: 0x8b,
  CALL: 0x8c,
  INT: 0x8e,
  TRAP: 0x8f,
};
// Upper flags: granularity, big, long
export const FLAT32 = 0xc;
export const FLAT64 = 0xa;
export const SMALL = 0;

export const SELECTOR = {
  CODE0: 0x08, DATA0: 0x10, CODE3: 0x1b, DATA3: 0x23, LONG0: 0x28, LONG3: 0x33, TSS: 0x38, CONFORMING: 0x48, CODE1: 0x51, DATA1: 0x59, LDT: 0x60, TSS2: 0x70,
  /** Room for what a test defines, 16 bytes each. */
  FREE: 0x80, FREE2: 0x90,
}; // prettier-ignore

export const EFLAGS_IF = 0x200;
export const RSP = 4;

export interface Descriptor {
  access: number;
  base?: number;
  /** In units of the granularity. */
  limit?: number;
  flags?: number;
}

export function descriptor(d: Descriptor): bigint {
  const base = BigInt(d.base ?? 0);
  const limit = BigInt(d.limit ?? 0xfffff);
  return (
    (limit & 0xffffn) |
    ((base & 0xffffffn) << 16n) |
    (BigInt(d.access) << 40n) |
    ((limit >> 16n) << 48n) |
    (BigInt(d.flags ?? FLAT32) << 52n) |
    ((base >> 24n) << 56n)
  );
}

/** A gate of the GDT or IDT; `count`: parameters of a call gate, or the IST of a 64-bit one. */
export function gate(access: number, selector: number, offset: number, count = 0): bigint {
  const at = BigInt(offset);
  return (
    (at & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(count) << 32n) |
    (BigInt(access) << 40n) |
    ((at & 0xffff0000n) << 32n)
  );
}

/** What a fault must leave alone. */
const STATE = { from: 0, to: L.S_FAULT, segments: L.S_SEG, end: L.S_CR0 };

/** The runtime with descriptor tables in memory: flat segments of levels 0, 1 and 3, a TSS, an IDT without gates. No paging. */
export class SystemRig extends Rig {
  constructor(readonly long = false) {
    super();
    const s = SELECTOR;
    this.gdt(s.CODE0, descriptor({ access: CODE }));
    this.gdt(s.DATA0, descriptor({ access: DATA }));
    this.gdt(s.CODE3, descriptor({ access: CODE | dpl(3) }));
    this.gdt(s.DATA3, descriptor({ access: DATA | dpl(3) }));
    this.gdt(s.LONG0, descriptor({ access: CODE, flags: FLAT64 }));
    this.gdt(s.LONG3, descriptor({ access: CODE | dpl(3), flags: FLAT64 }));
    this.gdt(s.TSS, descriptor({ access: TYPE.TSS_BUSY, base: TSS, limit: 0x67, flags: SMALL }));
    this.gdt(s.CONFORMING, descriptor({ access: CODE_CONFORMING }));
    this.gdt(s.CODE1, descriptor({ access: CODE | dpl(1) }));
    this.gdt(s.DATA1, descriptor({ access: DATA | dpl(1) }));
    this.gdt(s.LDT, descriptor({ access: TYPE.LDT, base: LDT, limit: 0x1f, flags: SMALL }));
    this.gdt(s.TSS2, descriptor({ access: TYPE.TSS, base: TSS2, limit: 0x67, flags: SMALL }));
    this.setU64(this.cpu + L.S_GDTR, BigInt(GDT));
    this.setU32(this.cpu + L.S_GDTR + 8, GDT_LIMIT);
    this.setU64(this.cpu + L.S_IDTR, BigInt(IDT));
    this.setU32(this.cpu + L.S_IDTR + 8, 0xfff);
    this.setU32(this.cpu + L.S_FEATURES, L.FEATURES_ALL);
    this.use(L.TR, s.TSS);
    if (long) {
      this.setRam64(TSS + 4, BigInt(RING0_STACK));
      this.setRam64(TSS + 0x24, BigInt(IST1_STACK));
    } else {
      this.setRam32(TSS + 4, RING0_STACK);
      this.setRam32(TSS + 8, s.DATA0);
      this.setRam32(TSS + 12, RING1_STACK);
      this.setRam32(TSS + 16, s.DATA1);
    }
    this.enter(0);
  }

  /** Code of a level: 64-bit (or 32-bit with `compatible`) in long mode, else 32-bit, with its data segments, at RIP, stack at STACK. */
  enter(cpl: 0 | 3, options: { eflags?: number; compatible?: boolean; cr4?: bigint } = {}): void {
    const s = SELECTOR;
    this.setup({
      cpl,
      eflags: options.eflags ?? 0,
      efer: this.long ? EFER.LMA | EFER.LME : 0n,
      cr4: options.cr4 ?? 0n,
    });
    const code = this.long && !options.compatible ? [s.LONG0, s.LONG3] : [s.CODE0, s.CODE3];
    this.use(L.CS, code[cpl === 0 ? 0 : 1]!);
    for (const n of [L.SS, L.DS, L.ES]) this.use(n, cpl === 0 ? s.DATA0 : s.DATA3);
    for (const n of [L.FS, L.GS]) this.call('setNull', n, 0);
    this.rip = RIP;
    this.rsp = BigInt(STACK);
    this.setFlags(options.eflags ?? 0);
  }

  /** Real-address mode with the interrupt table at 0. */
  enterReal(cs = 0x100, ss = 0x200): void {
    this.setU64(this.cpu + L.S_CR0, 0x10n);
    this.setU64(this.cpu + L.S_IDTR, 0n);
    this.setU32(this.cpu + L.S_IDTR + 8, 0x3ff);
    this.call('setSegment', L.CS, cs, 0x9b, BigInt(cs) << 4n, 0xffffn);
    for (const n of [L.SS, L.DS, L.ES]) this.call('setSegment', n, ss, 0x93, BigInt(ss) << 4n, 0xffffn);
    this.setFlags(0);
    this.rip = RIP;
    this.rsp = 0x1000n;
  }

  /** Virtual-8086 mode. */
  enterVirtual8086(options: { iopl?: number; eflags?: number; cr4?: bigint } = {}): void {
    this.enter(3, {
      eflags: 0x20000 | ((options.iopl ?? 3) << 12) | (options.eflags ?? 0),
      cr4: options.cr4 ?? 0n,
    });
    [0x201, 0x100, 0x202, 0x203, 0x204, 0x205].forEach((selector, n) =>
      this.call('setRealSegment', n, selector),
    );
    this.runtime.updateMode(this.cpu);
    this.rsp = 0x1000n;
  }

  /** Puts a descriptor into the GDT (or LDT, if the selector says so). */
  gdt(selector: number, value: bigint, upper?: bigint): void {
    const table = (selector & 4) !== 0 ? LDT : GDT;
    this.setRam64(table + (selector & 0xfff8), value);
    if (upper !== undefined) this.setRam64(table + (selector & 0xfff8) + 8, upper);
  }
  gdtAt(selector: number): bigint {
    return this.ram64(GDT + (selector & 0xfff8));
  }
  /** Access byte of a descriptor as it is in memory. */
  access(selector: number): number {
    return Number((this.gdtAt(selector) >> 40n) & 0xffn);
  }
  idt(vector: number, value: bigint, upper = 0n): void {
    this.setRam64(IDT + vector * (this.long ? 16 : 8), value);
    if (this.long) this.setRam64(IDT + vector * 16 + 8, upper);
  }
  /** Loads a segment register from the GDT without checks. */
  use(n: number, selector: number): void {
    this.call('setFromDescriptor', n, selector, BigInt.asIntN(64, this.ram64(GDT + (selector & 0xfff8))));
  }

  selector(n: number): number {
    return this.u32(this.cpu + L.S_SEG + n * L.SEG_BYTES + L.SEG_SELECTOR);
  }
  attributes(n: number): number {
    return this.u32(this.cpu + L.S_SEG + n * L.SEG_BYTES + L.SEG_ATTR);
  }
  base(n: number): bigint {
    return this.u64(this.cpu + L.S_SEG + n * L.SEG_BYTES + L.SEG_BASE);
  }
  isNull(n: number): boolean {
    return (this.attributes(n) & L.SEG_NULL) !== 0;
  }
  get cpl(): number {
    return this.u32(this.cpu + L.S_CPL);
  }
  get mode(): number {
    return this.u32(this.cpu + L.S_MODE);
  }
  get eflags(): number {
    return this.runtime.getEflags(this.cpu) >>> 0;
  }
  setFlags(value: number): void {
    this.runtime.setEflags(this.cpu, value, 0x3fffff);
    this.runtime.updateMode(this.cpu);
  }
  get rip(): bigint {
    return this.u64(this.cpu + L.S_RIP);
  }
  set rip(value: bigint) {
    this.setU64(this.cpu + L.S_RIP, value);
  }
  get rsp(): bigint {
    return this.register(RSP);
  }
  set rsp(value: bigint) {
    this.setRegister(RSP, value);
  }
  state64(offset: number): bigint {
    return this.u64(this.cpu + offset);
  }
  setState64(offset: number, value: bigint): void {
    this.setU64(this.cpu + offset, value);
  }
  state32(offset: number): number {
    return this.u32(this.cpu + offset);
  }

  /** `count` values of `bytes` bytes from the top of the stack (its base 0 unless given). */
  stack(bytes: 2 | 4 | 8, count: number, base = 0): number[] {
    const top = base + Number(BigInt.asUintN(bytes === 2 ? 16 : 32, this.rsp));
    return Array.from({ length: count }, (_, i) => {
      const at = this.host(top + i * bytes);
      if (bytes === 8) return Number(this.u64(at));
      return bytes === 4 ? this.u32(at) : this.view.getUint16(at, true);
    });
  }
  /** Puts values on the stack, the first one on top. */
  setStack(bytes: 2 | 4 | 8, ...values: (number | bigint)[]): void {
    values.forEach((value, i) => {
      const at = this.host(Number(this.rsp) + i * bytes);
      if (bytes === 8) this.setU64(at, BigInt(value));
      else if (bytes === 4) this.setU32(at, Number(value));
      else this.view.setUint16(at, Number(value), true);
    });
  }

  private snapshot(): string {
    const bytes = new Uint8Array(this.memory.buffer);
    const part = (from: number, to: number): string =>
      Buffer.from(bytes.slice(this.cpu + from, this.cpu + to)).toString('hex');
    return part(STATE.from, STATE.to) + part(STATE.segments, STATE.end);
  }
  /** Calls a helper that must fault, and must leave registers, flags and segments as they were. */
  faultOf(name: string, ...args: (bigint | number | boolean)[]): Fault | null {
    const before = this.snapshot();
    this.call(name, ...args);
    const fault = this.fault();
    if (fault !== null && this.snapshot() !== before)
      throw new Error(`${name} faulted (${fault.vector}) and changed the state`);
    return fault;
  }
  /** Delivers a fault that an instruction at RIP raised. */
  deliver(vector: number, error?: number, address?: bigint): void {
    this.setU32(
      this.cpu + L.S_FAULT,
      (L.FAULT_VALID | vector | (error === undefined ? 0 : L.FAULT_HAS_ERROR)) >>> 0,
    );
    this.setU32(this.cpu + L.S_FAULT_ERROR, error ?? 0);
    if (address !== undefined) this.setU64(this.cpu + L.S_FAULT_ADDRESS, address);
    this.call('deliverFault');
  }
  get shutdown(): boolean {
    return this.state32(L.S_RUN) === L.RUN_SHUTDOWN;
  }
}
