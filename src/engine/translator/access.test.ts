import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEngineModules } from '../../host/node/engine-modules.js';
import { RAM_BYTES, SystemMachine, type SystemState } from '../../testing/system-machine.js';
import type { EngineKind } from '../engine.js';
import * as L from '../layout.js';

const PML4 = 0x1000;
const PDPT = 0x2000;
const DIRECTORY = 0x3000;
const CODE = 0x20000;
const DATA = 0x60000;
const STAC = [0x0f, 0x01, 0xcb];
const CLAC = [0x0f, 0x01, 0xca];
const ROUNDS = 50;

/** 64-bit kernel code that does `body` again and again, with SMAP or without, in 2 MiB that a user may access too. */
function kernel(body: readonly number[], smap: boolean): SystemState {
  const memory = new Uint8Array(RAM_BYTES);
  const view = new DataView(memory.buffer);
  view.setBigUint64(PML4, BigInt(PDPT) | 7n, true);
  view.setBigUint64(PDPT, BigInt(DIRECTORY) | 7n, true);
  view.setBigUint64(DIRECTORY, 0x87n, true);
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
      [L.S_CR4, 0x20n | (smap ? 1n << 21n : 0n)],
      [L.S_EFER, 0x500n],
    ]),
    segments: [flat, [8, 0xa09b, 0, 0xffffffff], flat, flat, flat, flat, [0, 0x82, 0, 0], [0, 0x8b, 0, 0x67]],
    gdt: [0, 0],
    idt: [0, 0],
    fcw: 0x37f,
    mxcsr: 0x1f80,
  };
}

/** Whether it came to its end, which TLBs are in use then, and how many instructions were translated. */
function run(kind: EngineKind, state: SystemState): { ends: boolean; inUse: number[]; translated: number } {
  const machine = new SystemMachine(kind, loadEngineModules(), 1);
  const { pointer } = machine.processor;
  for (let round = 0; round < 5; round++) {
    machine.load(state, round > 0);
    for (let n = 0; n < 5; n++) machine.step(20_000);
  }
  const view = new DataView(machine.engine.memory.buffer);
  const u32 = (offset: number): number => view.getUint32(pointer + offset, true);
  const inUse = [u32(L.S_MMU), u32(L.S_TLB_READ) - pointer, u32(L.S_TLB_WRITE) - pointer, u32(L.S_EFLAGS)];
  const ends = u32(L.S_RUN) === L.RUN_HALTED;
  return { ends, inUse, translated: Number(view.getBigUint64(pointer + L.S_TRANSLATED, true)) };
}

for (const [name, body, smap, mmu] of [
  ['CLAC with SMAP', [...STAC, ...CLAC], true, L.AS_SUPERVISOR_SMAP],
  ['CLAC without SMAP', [...STAC, ...CLAC], false, L.AS_SUPERVISOR],
  ['STAC with SMAP', [...CLAC, ...STAC], true, L.AS_SUPERVISOR],
] as const)
  test(`${name}, translated, leaves the TLBs in use that it leaves interpreted`, () => {
    const state = kernel(body, smap);
    const translated = run('translate', state);
    assert.deepEqual(translated.inUse, run('interpret', state).inUse);
    assert.ok(translated.ends);
    assert.equal(translated.inUse[0], mmu);
    assert.ok(translated.translated > ROUNDS, `${translated.translated} instructions were translated`);
  });

test('what was accessed before CLAC may not be accessed behind it, translated and interpreted', () => {
  // mov rax,[rdi]; mov rbx,[rdi+8]
  const [first, second] = [
    [0x48, 0x8b, 0x07],
    [0x48, 0x8b, 0x5f, 0x08],
  ];
  const allowed = kernel([...STAC, ...first, ...second, ...CLAC], true);
  const refused = kernel([...STAC, ...first, ...CLAC, ...second], true);
  for (const kind of ['interpret', 'translate'] as const) {
    assert.equal(run(kind, allowed).ends, true);
    // The page fault, which no gate is there for, shuts the machine down.
    const { ends, translated } = run(kind, refused);
    assert.equal(ends, false);
    assert.equal(translated > 0, kind === 'translate');
  }
});
