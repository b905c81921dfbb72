import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEngineModules } from '../host/node/engine-modules.js';
import type { BoardAccess } from './cpu.js';
import { emptyBoard } from '../testing/user-machine.js';
import { Engine } from './engine.js';
import * as L from './layout.js';
import { RemoteEngine } from './remote-engine.js';

const modules = loadEngineModules();
const CODE = 0x2000;

/** A machine of two CPUs, and its CPUs as another thread has them. `asked`: decoding that was left to the machine's own. */
function make({
  codeBytes,
  mmioRead = emptyBoard.mmioRead,
}: { codeBytes?: number; mmioRead?: BoardAccess['mmioRead'] } = {}) {
  const board = { ...emptyBoard, mmioRead };
  const kind = 'interpret';
  const home = new Engine({
    ...{ kind, cpus: 2, lowBytes: 0x100000, highBytes: 0, board, threads: 1 },
    ...modules,
    ...(codeBytes === undefined ? {} : { codeBytes }),
  });
  const { cache, memory } = home;
  let asked = 0;
  const remote = new RemoteEngine({
    ...{ kind, memory, board, features: new Set<string>() },
    ...modules,
    code: {
      written: cache.written,
      decode: (...block) => {
        asked++;
        return cache.decode(...block);
      },
      heat: () => {},
    },
  });
  const put = (at: number, code: readonly number[]): void => {
    new Uint8Array(memory.buffer).set(code, home.ramBase + at);
    home.ramWritten(at, code.length);
  };
  /** Runs from `at` in the segment at `base` in real mode until HLT; AX. */
  const run = (processor: { pointer: number; run(budget: number): string }, at: number, base = 0): number => {
    const view = new DataView(memory.buffer);
    const cpu = processor.pointer;
    view.setBigUint64(cpu + L.S_SEG + L.SEG_BYTES * L.CS + L.SEG_BASE, BigInt(base), true);
    view.setBigUint64(cpu + L.S_RIP, BigInt(at), true);
    view.setUint32(cpu + L.S_RUN, L.RUN_RUNNING, true);
    home.runtime.updateMode(cpu);
    assert.equal(processor.run(1000), 'halted');
    return view.getUint16(cpu + L.S_GPR, true);
  };
  return { home, remote, put, run, asked: () => asked };
}

const MOV_AX = (value: number): number[] => [0xb8, value & 0xff, value >> 8, 0xf4];

test('a block that another thread decoded is the machine’s too, and goes when its bytes change', () => {
  const { home, remote, put, run, asked } = make();
  put(CODE, MOV_AX(0x1234));
  assert.equal(run(remote.processors[1]!, CODE), 0x1234);
  assert.equal(asked(), 0);
  const decoded = home.cache.decodedInstructions;
  assert.ok(decoded >= 2);
  // The other CPU, here: the same block.
  assert.equal(run(home.processors[0]!, CODE), 0x1234);
  assert.equal(home.cache.decodedInstructions, decoded);
  put(CODE, MOV_AX(0x4321));
  assert.equal(run(home.processors[0]!, CODE), 0x4321);
  assert.equal(run(remote.processors[1]!, CODE), 0x4321);
  assert.equal(home.cache.decodedInstructions, 2 * decoded);
});

test('who waited while the block was decoded gets that one', () => {
  const { home, remote, put, run } = make();
  put(CODE, MOV_AX(1));
  const { pointer } = remote.processors[1]!;
  run(remote.processors[1]!, CODE);
  const view = new DataView(home.memory.buffer);
  const known = home.cache.find(home.ramBase + CODE, view.getUint32(pointer + L.S_MODE, true));
  assert.notEqual(known, 0);
  view.setBigUint64(pointer + L.S_LOOKUP, BigInt(CODE), true);
  assert.equal(home.cache.decode(pointer, home.ramBase + CODE, CODE, 0), known);
});

test('where there is no room the machine makes some', () => {
  // The thread leaves as much as a translation may need.
  const { home, remote, put, run, asked } = make({ codeBytes: 0xc0000 + 0x4000 });
  for (let i = 0; i < 2000; i++) put(CODE + 16 * i, MOV_AX(i));
  for (let i = 0; i < 2000; i++) assert.equal(run(remote.processors[1]!, CODE + 16 * i), i);
  assert.ok(asked() > 0);
  for (let i = 0; i < 20000; i++) {
    put(CODE, MOV_AX(i));
    if (home.cache.flushes > 0) break;
    assert.equal(run(remote.processors[1]!, CODE), i);
  }
  assert.ok(home.cache.flushes > 0);
  assert.equal(run(remote.processors[1]!, CODE + 16 * 7), 7);
});

test('what reaches into another page, or is no RAM, is decoded by the machine, whatever happens meanwhile', () => {
  let devices = 0;
  const { home, remote, put, run, asked } = make({
    mmioRead: () => {
      devices++;
      // As if a device stored there: what is decoded changes while it is being decoded.
      put(CODE, MOV_AX(devices));
      return 0xf4;
    },
  });
  put(CODE, MOV_AX(0x1111));
  assert.equal(run(remote.processors[1]!, CODE), 0x1111);
  put(0x2ffe, MOV_AX(0x2222));
  assert.equal(asked(), 0);
  assert.equal(run(remote.processors[1]!, 0x2ffe), 0x2222);
  assert.equal(asked(), 1);
  // Behind the RAM: HLT everywhere.
  run(remote.processors[1]!, 0, 0x200000);
  assert.equal(asked(), 2);
  assert.ok(devices > 0);
  assert.equal(run(home.processors[0]!, CODE), devices);
});
