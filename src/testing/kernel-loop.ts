import { loadEngineModules } from '../host/node/engine-modules.js';
import type { EngineKind } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import { RAM_BYTES, SystemMachine, type SystemState } from './system-machine.js';

const PML4 = 0x1000;
const PDPT = 0x2000;
const DIRECTORY = 0x3000;
const TABLE = 0x4000;
const PAGE = 0x1000;
const CODE = 0x20000;
/** What all general registers have at first. */
export const DATA = 0x60000;
/** How often the body runs each time. */
export const ROUNDS = 50;
const TIMES = 5;

const CR4_PAE_OSFXSR = 0x220n;
export const CR4_SMAP = 1n << 21n;

/**
 * 64-bit kernel code that does `body`, which leaves RCX, again and again, in 2 MiB that a user may access too; each linear page is the physical
 * one, but for those of `moved`.
 */
export function kernelLoop(
  body: readonly number[],
  { cr4 = 0n, moved = new Map<number, number>() }: { cr4?: bigint; moved?: ReadonlyMap<number, number> } = {},
): SystemState {
  const memory = Uint8Array.from({ length: RAM_BYTES }, (_, i) => (i >= DATA ? (i * 37) ^ (i >> 8) : 0));
  const view = new DataView(memory.buffer);
  view.setBigUint64(PML4, BigInt(PDPT) | 7n, true);
  view.setBigUint64(PDPT, BigInt(DIRECTORY) | 7n, true);
  view.setBigUint64(DIRECTORY, BigInt(TABLE) | 7n, true);
  for (let page = 0; page < 512; page++) {
    const physical = moved.get(page * PAGE) ?? page * PAGE;
    view.setBigUint64(TABLE + 8 * page, BigInt(physical) | 7n, true);
  }
  // What gets hot is translated after a while: a loop of 20,000 rounds, and then that of `body`.
  const wait = [0xb9, 0x20, 0x4e, 0, 0, 0xff, 0xc9, 0x75, 0xfc];
  const loop = [...wait, 0xb9, ROUNDS, 0, 0, 0, ...body, 0xff, 0xc9, 0x75, -(body.length + 4), 0xf4];
  memory.set(loop, CODE);
  const flat = [0, 0xc093, 0, 0xffffffff] as const;
  return {
    memory,
    gpr: new Array<bigint>(16).fill(BigInt(DATA)),
    rip: BigInt(CODE),
    rflags: 2,
    cpl: 0,
    control: new Map([
      [L.S_CR0, 0x80000011n],
      [L.S_CR3, BigInt(PML4)],
      [L.S_CR4, CR4_PAE_OSFXSR | cr4],
      [L.S_EFER, 0x500n],
    ]),
    segments: [flat, [8, 0xa09b, 0, 0xffffffff], flat, flat, flat, flat, [0, 0x82, 0, 0], [0, 0x8b, 0, 0x67]],
    gdt: [0, 0],
    idt: [0, 0],
    fcw: 0x37f,
    mxcsr: 0x1f80,
  };
}

export interface LoopRun {
  /** It came to its end. */
  readonly ends: boolean;
  /** Instructions that translated code did, of all times that it ran. */
  readonly translated: number;
  /** A 32-bit value of the CPU's block (S_ offset). */
  readonly u32: (offset: number) => number;
  readonly gpr: readonly bigint[];
  readonly memory: Uint8Array;
}

/** Runs it several times from its start; what is hot is translated the first time. */
export function runLoop(kind: EngineKind, state: SystemState): LoopRun {
  const machine = new SystemMachine(kind, loadEngineModules(), 1);
  const { pointer } = machine.processor;
  for (let round = 0; round < TIMES; round++) {
    machine.load(state, round > 0);
    for (let n = 0; n < 5; n++) machine.step(20_000);
  }
  const { buffer } = machine.engine.memory;
  const view = new DataView(buffer);
  const u64 = (offset: number): bigint => view.getBigUint64(pointer + offset, true);
  return {
    ends: view.getUint32(pointer + L.S_RUN, true) === L.RUN_HALTED,
    translated: Number(u64(L.S_TRANSLATED)),
    u32: (offset) => view.getUint32(pointer + offset, true),
    gpr: Array.from({ length: 16 }, (_, n) => u64(L.S_GPR + 8 * n)),
    memory: new Uint8Array(buffer).slice(machine.engine.ramBase, machine.engine.ramBase + RAM_BYTES),
  };
}
