import type { BoardAccess } from '../engine/cpu.js';
import { Engine, type EngineKind, type EngineModules } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';

/** State of a piece of user code before or after it ran; the same layout as `struct state` of the native harness. */
export interface UserState {
  gpr: bigint[];
  rip: bigint;
  rflags: bigint;
  vector: number;
  error: number;
  cr2: bigint;
  code32: boolean;
  /** FXSAVE image: 416 bytes are used. */
  fx: Uint8Array;
  memory: Uint8Array;
}

export const CODE_ADDRESS = 0x10000000n;
export const DATA_ADDRESS = 0x20000000n;
export const MEMORY_OFFSET = 0;
export const MEMORY_BYTES = 4096;

const KERNEL = 0x100000;
const PML4 = 0x1000;
const PDPT = 0x2000;
const PD = 0x3000;
const PT_CODE = 0x4000;
const PT_DATA = 0x5000;
const PT_KERNEL = 0x6000;
const GDT = 0x7000;
const IDT = 0x8000;
const TSS = 0x9000;
const STACK_TOP = 0xb000;
const STUBS = 0xc000;
const CODE_PAGE = 0x10000;
const DATA_PAGE = 0x11000;
const USER_CS64 = 0x33;
const USER_CS32 = 0x23;
const USER_DS = 0x2b;
const STUB_BYTES = 16;

/** Nothing but CPUs and RAM. */
export const emptyBoard: BoardAccess = {
  mmioRead: () => 0xffffffff,
  mmioRead64: () => 0xffffffffffffffffn,
  mmioWrite: () => {},
  mmioWrite64: () => {},
  portRead: () => 0xffffffff,
  portWrite: () => {},
  msrRead: () => undefined,
  msrWrite: () => false,
  tprRead: () => 0,
  tprWrite: () => {},
  now: () => 0,
  random: () => 0x123456789abcdef0n,
  hypercall: () => 0n,
  acknowledge: () => 0,
  hasInterrupt: () => false,
};

/**
 * A machine that runs single pieces of user-mode code as a Linux process of the native harness does: the same pages at
 * the same addresses, and every exception noted. Kernel side: 32 gates whose handlers halt.
 */
export class UserMachine {
  readonly engine: Engine;
  private readonly processor: Processor;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly ram: number;

  constructor(kind: EngineKind, modules: EngineModules) {
    this.engine = new Engine({
      kind,
      cpus: 1,
      lowBytes: 0x200000,
      highBytes: 0,
      board: emptyBoard,
      ...modules,
      codeBytes: 0x200000,
      heat: 1,
    });
    this.processor = this.engine.processors[0]!;
    this.view = new DataView(this.engine.memory.buffer);
    this.bytes = new Uint8Array(this.engine.memory.buffer);
    this.ram = this.engine.ramBase;
    this.prepare();
  }

  private put64(physical: number, value: bigint): void {
    this.view.setBigUint64(this.ram + physical, BigInt.asUintN(64, value), true);
  }

  private prepare(): void {
    const user = 7n;
    this.put64(PML4, BigInt(PDPT) | user);
    this.put64(PDPT, BigInt(PD) | user);
    // 0-2 MiB for the kernel alone; the code page and the data page for the user
    this.put64(PD, BigInt(PT_KERNEL) | 3n);
    for (let page = 0; page < 512; page++) this.put64(PT_KERNEL + 8 * page, BigInt(page * 0x1000) | 3n);
    this.put64(PD + 8 * Number(CODE_ADDRESS >> 21n), BigInt(PT_CODE) | user);
    this.put64(PT_CODE, BigInt(CODE_PAGE) | user);
    this.put64(PD + 8 * Number(DATA_ADDRESS >> 21n), BigInt(PT_DATA) | user);
    // no code there, as in the native process
    this.put64(PT_DATA, BigInt(DATA_PAGE) | user | (1n << 63n));

    this.put64(GDT + 8, 0x00af9a000000ffffn);
    this.put64(GDT + 16, 0x00cf92000000ffffn);
    this.put64(GDT + USER_CS32 - 3, 0x00cffa000000ffffn);
    this.put64(GDT + USER_DS - 3, 0x00cff2000000ffffn);
    this.put64(GDT + USER_CS64 - 3, 0x00affa000000ffffn);
    this.put64(TSS + 4, BigInt(STACK_TOP));
    for (let vector = 0; vector < 32; vector++) {
      const stub = BigInt(STUBS + vector * STUB_BYTES);
      this.bytes[this.ram + STUBS + vector * STUB_BYTES] = 0xf4;
      this.put64(
        IDT + vector * 16,
        (stub & 0xffffn) | (0x08n << 16n) | (0xeen << 40n) | ((stub >> 16n) << 48n),
      );
      this.put64(IDT + vector * 16 + 8, 0n);
    }
  }

  private set32(offset: number, value: number): void {
    this.view.setUint32(this.processor.pointer + offset, value >>> 0, true);
  }
  private set64(offset: number, value: bigint): void {
    this.view.setBigUint64(this.processor.pointer + offset, BigInt.asUintN(64, value), true);
  }
  private segment(n: number, selector: number, attributes: number, base: bigint, limit: bigint): void {
    const at = L.S_SEG + L.SEG_BYTES * n;
    this.set32(at + L.SEG_SELECTOR, selector);
    this.set32(at + L.SEG_ATTR, attributes);
    this.set64(at + L.SEG_BASE, base);
    this.set64(at + L.SEG_LIMIT, limit);
  }

  /** Runs the code from the state until it faults or traps; at most 10,000 instructions. */
  run(input: UserState, code: Uint8Array): UserState {
    const { processor, engine, ram, bytes, view } = this;
    const { pointer } = processor;
    engine.runtime.resetCpu(pointer, 0);
    // The same code again stays as it is: it may have been translated since.
    if (Buffer.compare(code, bytes.subarray(ram + CODE_PAGE, ram + CODE_PAGE + code.length)) !== 0) {
      bytes.set(code, ram + CODE_PAGE);
      engine.ramWritten(CODE_PAGE, code.length);
    }
    bytes.set(input.memory, ram + DATA_PAGE + MEMORY_OFFSET);

    this.set64(L.S_CR0, 0x80050033n);
    this.set64(L.S_CR4, 0x6a0n);
    this.set64(L.S_EFER, 0xd01n);
    this.set64(L.S_CR3, BigInt(PML4));
    this.set64(L.S_GDTR, BigInt(GDT));
    this.set32(L.S_GDTR + 8, 0xff);
    this.set64(L.S_IDTR, BigInt(IDT));
    this.set32(L.S_IDTR + 8, 0x1ff);
    const flat = 0xffffffffn;
    this.segment(L.CS, input.code32 ? USER_CS32 : USER_CS64, input.code32 ? 0xc0fb : 0xa0fb, 0n, flat);
    for (const n of [L.SS, L.DS, L.ES]) this.segment(n, USER_DS, 0xc0f3, 0n, flat);
    for (const n of [L.FS, L.GS]) this.segment(n, 0, L.SEG_NULL, 0n, 0n);
    this.segment(L.TR, 0x40, 0x008b, BigInt(TSS), 0x67n);
    this.segment(L.LDTR, 0, L.SEG_NULL, 0n, 0n);
    this.set32(L.S_CPL, 3);
    engine.runtime.setEflags(pointer, Number(input.rflags) | 2, 0x3fffff);
    for (let i = 0; i < 16; i++) this.set64(L.S_GPR + 8 * i, input.gpr[i]!);
    this.set64(L.S_RIP, CODE_ADDRESS);
    engine.runtime.updateMode(pointer);
    this.fxrstor(input.fx);
    engine.runtime.flushTlb(pointer, false);

    processor.run(10_000);

    if (view.getUint32(pointer + L.S_RUN, true) !== L.RUN_HALTED)
      throw new Error(
        `the code did not end: state ${view.getUint32(pointer + L.S_RUN, true)}, RIP ${view.getBigUint64(pointer + L.S_RIP, true).toString(16)}`,
      );
    const stub = Number(view.getBigUint64(pointer + L.S_RIP, true)) - 1;
    const vector = (stub - STUBS) / STUB_BYTES;
    let sp = Number(view.getBigUint64(pointer + L.S_GPR + 8 * 4, true));
    const pop = (): bigint => {
      const value = view.getBigUint64(ram + sp, true);
      sp += 8;
      return value;
    };
    const error = [8, 10, 11, 12, 13, 14, 17].includes(vector) ? Number(pop()) : 0;
    const rip = pop();
    pop();
    const rflags = pop();
    const rsp = pop();
    const gpr = Array.from({ length: 16 }, (_, i) =>
      i === 4 ? rsp : view.getBigUint64(pointer + L.S_GPR + 8 * i, true),
    );
    return {
      gpr,
      rip,
      rflags,
      vector,
      error,
      cr2: vector === 14 ? view.getBigUint64(pointer + L.S_CR2, true) : 0n,
      code32: input.code32,
      fx: this.fxsave(),
      memory: bytes.slice(ram + DATA_PAGE + MEMORY_OFFSET, ram + DATA_PAGE + MEMORY_OFFSET + MEMORY_BYTES),
    };
  }

  /** The FXSAVE layout of 64-bit mode (SDM vol. 1, table 10-2), by the runtime's own FXRSTOR through kernel memory. */
  private fxrstor(image: Uint8Array): void {
    const { engine, bytes, ram } = this;
    const { pointer } = this.processor;
    bytes.set(image.subarray(0, 416), ram + KERNEL);
    this.asKernel(() => engine.runtime.helper('fxrstor')(pointer, BigInt(KERNEL), 1n));
  }
  private fxsave(): Uint8Array {
    const { engine, bytes, ram } = this;
    const { pointer } = this.processor;
    this.asKernel(() => engine.runtime.helper('fxsave')(pointer, BigInt(KERNEL), 1n));
    return bytes.slice(ram + KERNEL, ram + KERNEL + 512);
  }
  private asKernel(action: () => void): void {
    const { view } = this;
    const { pointer } = this.processor;
    const cpl = view.getUint32(pointer + L.S_CPL, true);
    this.set32(L.S_CPL, 0);
    this.engine.runtime.updateMode(pointer);
    action();
    if (view.getUint32(pointer + L.S_FAULT, true) !== 0) throw new Error('FXSAVE or FXRSTOR faulted');
    this.set32(L.S_CPL, cpl);
    this.engine.runtime.updateMode(pointer);
  }
}
