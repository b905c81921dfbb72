import type { BoardAccess } from './cpu.js';
import * as L from './layout.js';
import { fenceFunction } from './wasm/fence.js';

/** Functions of the runtime that TypeScript calls by name; helpers of definitions come through `helper`. */
export interface RuntimeExports {
  load8(cpu: number, linear: bigint): bigint;
  load16(cpu: number, linear: bigint): bigint;
  load32(cpu: number, linear: bigint): bigint;
  load64(cpu: number, linear: bigint): bigint;
  store8(cpu: number, linear: bigint, value: bigint): void;
  store16(cpu: number, linear: bigint, value: bigint): void;
  store32(cpu: number, linear: bigint, value: bigint): void;
  store64(cpu: number, linear: bigint, value: bigint): void;
  loadSlot(cpu: number, slot: number, linear: bigint): void;
  storeSlot(cpu: number, slot: number, linear: bigint): void;
  probeWrite(cpu: number, linear: bigint, bytes: number): void;
  segmentLinear(cpu: number, segment: number, offset: bigint, bytes: number, write: number): bigint;
  translateCode(cpu: number, linear: bigint): bigint;
  /** Physical address of a byte, or negative; raises and marks nothing. */
  peekPhysical(cpu: number, linear: bigint): bigint;
  /** S_JUMP_KEY or S_GLOBAL_KEY: the one for code at an address that was fetched from last. */
  codeKey(cpu: number, linear: bigint): number;
  fetchAddress(cpu: number, rip: bigint): bigint;
  ramAddress(physical: bigint): number;
  readPhysical8(cpu: number, physical: bigint): number;
  protectCodePage(host: number): void;
  lookupExactly(cpu: number, limit: number): number;
  notice(cpu: number): void;
  deliver(cpu: number): void;
  deliverInterrupt(cpu: number, vector: number, type: number, hasError: number, error: number): void;
  codeBreakpointsArmed(cpu: number): number;
  codeBreakpoint(cpu: number): number;
  debugFault(cpu: number, dr6: number): void;
  debugTrap(cpu: number, dr6: number): void;
  resetCpu(cpu: number, index: number): void;
  initCpu(cpu: number): void;
  startupIpi(cpu: number, vector: number): void;
  updateMode(cpu: number): void;
  getEflags(cpu: number): number;
  setEflags(cpu: number, value: number, mask: number): void;
  /** No entry of the jump cache holds any more. */
  newGeneration(cpu: number): void;
  emptyJumpCache(cpu: number): void;
  flushTlb(cpu: number, keepGlobal: boolean): void;
  /** Any export by name. */
  helper(name: string): (cpu: number, ...args: bigint[]) => bigint | void;
  /** All exports, for the modules that import them. */
  readonly all: WebAssembly.Exports;
}

export interface CodeImports {
  written(host: number, length: number): void;
  decode(cpu: number, host: number, physical: number, limit: number): number;
}

const GP_WITH_ERROR = L.FAULT_VALID | L.FAULT_HAS_ERROR | 13;

/** RAX, RBX, RCX, RDX, RSI: number and arguments. */
const HYPERCALL_REGISTERS = [0, 3, 1, 2, 6];
const indexOf = (cpu: number): number => (cpu - L.CPU_BASE) / L.CPU_BYTES;

/** What a CPU (pointer) asks with VMCALL, from its registers. */
export function hypercall(view: DataView, board: BoardAccess, cpu: number): bigint {
  const bits = view.getUint32(cpu + L.S_MODE, true) & L.MODE_LONG ? 64 : 32;
  const [number, ...args] = HYPERCALL_REGISTERS.map((n) =>
    BigInt.asUintN(bits, view.getBigUint64(cpu + L.S_GPR + 8 * n, true)),
  );
  return BigInt.asIntN(64, board.hypercall(indexOf(cpu), number!, args));
}

/** Makes the import object `board` of the runtime: CPU pointers become CPU numbers. */
function boardImports(
  memory: WebAssembly.Memory,
  board: BoardAccess,
): Record<string, WebAssembly.ImportValue> {
  const view = new DataView(memory.buffer);
  const refuse = (cpu: number): void => {
    view.setUint32(cpu + L.S_FAULT, GP_WITH_ERROR >>> 0, true);
    view.setUint32(cpu + L.S_FAULT_ERROR, 0, true);
  };
  return {
    mmioRead: (cpu: number, physical: number, size: 1 | 2 | 4) =>
      board.mmioRead(indexOf(cpu), physical, size),
    mmioRead64: (cpu: number, physical: number) => board.mmioRead64(indexOf(cpu), physical),
    mmioWrite: (cpu: number, physical: number, size: 1 | 2 | 4, value: number) =>
      board.mmioWrite(indexOf(cpu), physical, size, value >>> 0),
    mmioWrite64: (cpu: number, physical: number, value: bigint) =>
      board.mmioWrite64(indexOf(cpu), physical, BigInt.asUintN(64, value)),
    portRead: (cpu: number, port: number, size: 1 | 2 | 4) => board.portRead(indexOf(cpu), port, size),
    portWrite: (cpu: number, port: number, size: 1 | 2 | 4, value: number) =>
      board.portWrite(indexOf(cpu), port, size, value >>> 0),
    msrRead: (cpu: number, index: number) => {
      const value = board.msrRead(indexOf(cpu), index >>> 0);
      if (value === undefined) refuse(cpu);
      return BigInt.asIntN(64, value ?? 0n);
    },
    msrWrite: (cpu: number, index: number, value: bigint) => {
      if (!board.msrWrite(indexOf(cpu), index >>> 0, BigInt.asUintN(64, value))) refuse(cpu);
    },
    tprRead: (cpu: number) => board.tprRead(indexOf(cpu)),
    tprWrite: (cpu: number, value: number) => board.tprWrite(indexOf(cpu), value),
    now: (cpu: number) => board.now(indexOf(cpu)),
    random: () => BigInt.asIntN(64, board.random()),
    hypercall: (cpu: number) => hypercall(view, board, cpu),
  };
}

/** Instantiates the AssemblyScript runtime over the machine's memory. */
export function loadRuntime(
  memory: WebAssembly.Memory,
  module: WebAssembly.Module,
  board: BoardAccess,
  code: CodeImports,
): RuntimeExports {
  const instance = new WebAssembly.Instance(module, {
    env: { memory },
    board: boardImports(memory, board),
    code: { written: code.written, decode: code.decode },
    order: { fence: fenceFunction(memory) },
  });
  const all = instance.exports;
  return Object.assign(Object.create(null), all, {
    all,
    helper(name: string) {
      const found = all[name];
      if (typeof found !== 'function') throw new Error(`the runtime has no function ${name}`);
      return found;
    },
  }) as RuntimeExports;
}
