import { readFileSync } from 'node:fs';
import type { BoardAccess } from '../cpu.js';
import * as L from '../layout.js';
import { loadRuntime, type RuntimeExports } from '../runtime-module.js';

export const LOW_BYTES = 0x400000;
export const HIGH_BYTES = 0x100000;
export const FOUR_GIB = 0x1_0000_0000n;
const ATTRIBUTES = L.CPU_BASE + 2 * L.CPU_BYTES;
const WASM_PAGE = 0x10000;
const RAM = ATTRIBUTES + 0x10000;
/** PLACE_DEVICE of runtime/tlb.ts. */
const DEVICE = 1n << 62n;

/** What the board says that time is: more than an i32, or a number with fractions, has room for. */
export const TIME = 2 ** 52 + 1;

export const CR0 = { PE: 1n, ET: 0x10n, WP: 0x10000n, AM: 0x40000n, PG: 0x80000000n };
export const CR4 = { PSE: 0x10n, PAE: 0x20n, PGE: 0x80n, LA57: 0x1000n, SMEP: 0x100000n, SMAP: 0x200000n };
export const EFER = { LME: 0x100n, LMA: 0x400n, NXE: 0x800n };
export const EFLAGS = { DF: 0x400, IOPL3: 0x3000, AC: 0x40000, VM: 0x20000 };
/** SEG_ATTR of a flat data segment, of 64-bit code, of 32-bit code. */
export const DATA32 = 0xc093;
export const CODE64 = 0xa09b;
export const CODE32 = 0xc09b;

export interface Setup {
  cr0?: bigint;
  cr3?: bigint;
  cr4?: bigint;
  efer?: bigint;
  cpl?: number;
  eflags?: number;
  code?: number;
}

export interface Fault {
  vector: number;
  error?: number;
  address?: bigint;
}

const module = new WebAssembly.Module(readFileSync(new URL('../runtime.wasm', import.meta.url)));

/** The runtime on a small memory (4 MiB from 0, 1 MiB from 4 GiB, two CPUs), with a board that writes down what it is asked. */
export class Rig {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly runtime: RuntimeExports;
  readonly log: string[] = [];
  /** Values that devices give when read, oldest first; then zero. */
  readonly answers: bigint[] = [];
  readonly codeWrites: { physical: number; length: number }[] = [];
  cpu = L.CPU_BASE;

  constructor() {
    const pages = (RAM + LOW_BYTES + HIGH_BYTES) / WASM_PAGE;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.view = new DataView(this.memory.buffer);
    this.runtime = loadRuntime(this.memory, module, this.board(), {
      written: (host, length) => void this.codeWrites.push({ physical: (host >>> 0) - RAM, length }),
      decode: () => 0,
    });
    this.setU32(L.G_RAM, RAM);
    this.setU32(L.G_LOW_BYTES, LOW_BYTES);
    this.setU32(L.G_HIGH_BYTES, HIGH_BYTES);
    this.setU32(L.G_PAGES, ATTRIBUTES);
    this.setU32(L.G_CPUS, 2);
    this.setU32(L.G_A20, 0xffffffff);
    for (const cpu of [L.CPU_BASE + L.CPU_BYTES, L.CPU_BASE]) {
      this.cpu = cpu;
      this.call('resetTlb');
      for (let i = 0; i < 8; i++) this.segment(i, { attributes: DATA32 });
      this.setup({});
    }
  }

  private board(): BoardAccess {
    const answer = (): bigint => this.answers.shift() ?? 0n;
    const hex = (value: number | bigint): string => value.toString(16);
    return {
      mmioRead: (_, physical, size) => (this.log.push(`read${size} ${hex(physical)}`), Number(answer())),
      mmioRead64: (_, physical) => (this.log.push(`read8 ${hex(physical)}`), answer()),
      mmioWrite: (_, physical, size, value) =>
        void this.log.push(`write${size} ${hex(physical)} ${hex(value)}`),
      mmioWrite64: (_, physical, value) => void this.log.push(`write8 ${hex(physical)} ${hex(value)}`),
      portRead: (_, port, size) => (this.log.push(`in${size} ${hex(port)}`), Number(answer())),
      portWrite: (_, port, size, value) => void this.log.push(`out${size} ${hex(port)} ${hex(value)}`),
      msrRead: () => undefined,
      msrWrite: () => false,
      tprRead: () => 0,
      tprWrite: () => undefined,
      now: () => TIME,
      random: () => 0n,
      hypercall: () => 0n,
      acknowledge: () => 0,
      hasInterrupt: () => false,
    };
  }

  /** Control registers and privilege as given, else of unpaged flat 32-bit protected mode at CPL 0. */
  setup(s: Setup): void {
    this.setU64(L.S_CR0 + this.cpu, CR0.PE | CR0.ET | (s.cr0 ?? 0n));
    this.setU64(L.S_CR3 + this.cpu, s.cr3 ?? 0n);
    this.setU64(L.S_CR4 + this.cpu, s.cr4 ?? 0n);
    this.setU64(L.S_EFER + this.cpu, s.efer ?? 0n);
    this.setU32(L.S_CPL + this.cpu, s.cpl ?? 0);
    this.setU32(L.S_EFLAGS + this.cpu, 2 | (s.eflags ?? 0));
    this.segment(L.CS, { attributes: s.code ?? ((s.efer ?? 0n) & EFER.LMA ? CODE64 : CODE32) });
    this.runtime.updateMode(this.cpu);
    this.runtime.flushTlb(this.cpu, false);
  }

  segment(number: number, s: { attributes: number; base?: bigint; limit?: bigint }): void {
    const at = this.cpu + L.S_SEG + number * L.SEG_BYTES;
    this.setU32(at + L.SEG_ATTR, s.attributes);
    this.setU64(at + L.SEG_BASE, s.base ?? 0n);
    this.setU64(at + L.SEG_LIMIT, s.limit ?? 0xffffffffn);
  }

  call(name: string, ...args: (bigint | number | boolean)[]): bigint | number | undefined {
    return this.runtime.helper(name)(this.cpu, ...(args as bigint[])) as bigint | undefined;
  }
  /** Result of an i64 helper as an unsigned value. */
  get(name: string, ...args: (bigint | number | boolean)[]): bigint {
    return BigInt.asUintN(64, this.call(name, ...args) as bigint);
  }

  /** Physical address that an access of the current code goes to; the fault is left raised. */
  physical(linear: bigint, access: 'read' | 'write' | 'execute'): bigint {
    const at = BigInt.asIntN(64, linear);
    if (access === 'execute') return this.call('translateCode', at) as bigint;
    const place = this.call(
      'resolve',
      at,
      access === 'write' ? L.ACCESS_WRITE : L.ACCESS_READ,
      this.u32(this.cpu + L.S_MMU),
    ) as bigint;
    if (place < 0n || (place & DEVICE) !== 0n) return place & ~DEVICE;
    const offset = place - BigInt(RAM);
    return offset < LOW_BYTES ? offset : offset - BigInt(LOW_BYTES) + FOUR_GIB;
  }

  /** The fault that was raised, which is taken away; null if none. */
  fault(): Fault | null {
    const raised = this.u32(this.cpu + L.S_FAULT);
    if (raised === 0) return null;
    this.setU32(this.cpu + L.S_FAULT, 0);
    const vector = raised & 0xff;
    const fault: Fault = { vector };
    if ((raised & L.FAULT_HAS_ERROR) !== 0) fault.error = this.u32(this.cpu + L.S_FAULT_ERROR);
    if (vector === 14) fault.address = this.u64(this.cpu + L.S_FAULT_ADDRESS);
    return fault;
  }

  register(number: number): bigint {
    return this.u64(this.cpu + L.S_GPR + 8 * number);
  }
  setRegister(number: number, value: bigint): void {
    this.setU64(this.cpu + L.S_GPR + 8 * number, value);
  }

  /** Address in the shared memory of a physical one. */
  host(physical: bigint | number): number {
    const at = BigInt(physical);
    return at < FOUR_GIB ? RAM + Number(at) : RAM + LOW_BYTES + Number(at - FOUR_GIB);
  }
  /** A copy of RAM. */
  bytes(physical: bigint | number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.host(physical), length).slice();
  }
  write(physical: bigint | number, bytes: ArrayLike<number>): void {
    new Uint8Array(this.memory.buffer).set(bytes, this.host(physical));
  }
  ram64(physical: bigint | number): bigint {
    return this.u64(this.host(physical));
  }
  setRam64(physical: bigint | number, value: bigint): void {
    this.setU64(this.host(physical), value);
  }
  ram32(physical: bigint | number): number {
    return this.u32(this.host(physical));
  }
  setRam32(physical: bigint | number, value: number): void {
    this.setU32(this.host(physical), value);
  }
  setPage(physical: number, attributes: number, chunks = 0): void {
    this.setU32(ATTRIBUTES + (physical >>> 12) * L.PAGE_BYTES, attributes);
    this.setU32(ATTRIBUTES + (physical >>> 12) * L.PAGE_BYTES + 4, chunks);
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }
  setU64(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, true);
  }
}
