import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decoder } from '../../isa/decoder.js';
import { instructions } from '../../isa/instructions.js';
import { loadEngineModules } from '../../host/node/engine-modules.js';
import { UserMachine, type UserState } from '../../testing/user-machine.js';
import * as L from '../layout.js';
import { ModuleWriter } from '../wasm/module.js';
import { findBlocks, type Treatment } from './blocks.js';
import { Region } from './region.js';

/** A loop that is entered at its head or, by the first jump, in its middle. */
// prettier-ignore
const TWO_HEADS = Uint8Array.of(
  0x48, 0x85, 0xdb, //             test rbx,rbx
  0x75, 0x04, //                   jnz middle
  0x48, 0x83, 0xc0, 0x01, // head: add rax,1
  0x48, 0x83, 0xc2, 0x02, // middle: add rdx,2
  0x48, 0xff, 0xc9, //             dec rcx
  0x75, 0xf3, //                   jnz head
  0x0f, 0x0b, //                   ud2
);

test('a loop with two heads stays in its region', () => {
  const treatment: Treatment = {
    executed: (offset) => offset < TWO_HEADS.length - 2,
    elsewhere: () => false,
    leadsTo: () => [],
    of: () => 'translate',
  };
  const bytes = new Uint8Array(0x2000);
  bytes.set(TWO_HEADS, 0x1000);
  const mode = { long: true, default32: false };
  const pageAt = (distance: number): number => (distance === 0 ? 0x1000 : 0);
  const blocks = findBlocks(bytes, pageAt, 0, mode, new Decoder(instructions), treatment);
  assert.deepEqual(
    blocks.map(({ start }) => start).sort((a, b) => a - b),
    [0, 5, 9],
  );
  const how = { mode: L.MODE_LONG | L.MODE_PROTECTED, key: 0, entries: [] };
  const nothing = (): number => 0;
  const region = new Region(blocks, new ModuleWriter(), how, nothing, nothing, nothing);
  // It leaves for the UD2 alone.
  assert.deepEqual([...region.targets], [TWO_HEADS.length - 2]);
});

for (const rbx of [0n, 1n])
  test(`a loop with two heads that is entered ${rbx === 0n ? 'at the first' : 'at the second'} does the same, translated and interpreted`, () => {
    const state: UserState = {
      gpr: Array.from({ length: 16 }, (_, n) => (n === 1 ? 1500n : n === 3 ? rbx : 0n)),
      ...{ rip: 0n, rflags: 2n, vector: 0, error: 0, cr2: 0n, code32: false },
      fx: new Uint8Array(512),
      memory: new Uint8Array(4096),
    };
    const modules = loadEngineModules();
    for (const kind of ['interpret', 'translate'] as const) {
      const machine = new UserMachine(kind, modules);
      // Translated from the second time on.
      for (let i = 0; i < 3; i++) {
        const { gpr, vector } = machine.run(state, TWO_HEADS);
        assert.equal(vector, 6);
        assert.deepEqual(gpr.slice(0, 4), [1500n - rbx, 0n, 3000n, rbx], kind);
      }
      if (kind === 'translate') assert.ok(machine.engine.translator!.counts.regions > 0);
    }
  });
