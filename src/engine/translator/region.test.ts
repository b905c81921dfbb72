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
  const how = { mode: L.MODE_LONG | L.MODE_PROTECTED, key: 0, entries: [], careful: new Set<number>() };
  const nothing = (): number => 0;
  const region = new Region(blocks, new ModuleWriter(), how, nothing, nothing, nothing);
  // It leaves for the UD2 alone.
  assert.deepEqual([...region.targets], [TWO_HEADS.length - 2]);
});

/** The same inside of another loop, with carries that come over the way back: rbx chooses where each round begins. */
// prettier-ignore
const NESTED = Uint8Array.of(
  0xbe, 0x0a, 0x00, 0x00, 0x00, // mov esi,10
  0xb9, 0x32, 0x00, 0x00, 0x00, // outer: mov ecx,50
  0x48, 0x83, 0xf3, 0x01, //       xor rbx,1
  0x48, 0x85, 0xdb, //             test rbx,rbx
  0x75, 0x04, //                   jnz middle
  0x48, 0x83, 0xd0, 0x01, // head: adc rax,1
  0x48, 0x83, 0xc2, 0x02, // middle: add rdx,2
  0x4c, 0x01, 0xc7, //             add rdi,r8
  0xe2, 0xf3, //                   loop head
  0x48, 0xff, 0xce, //             dec rsi
  0x75, 0xe0, //                   jnz outer
  0x0f, 0x0b, //                   ud2
);

/** Borrows out of SBB with zero, which is no subtraction of zero. */
// prettier-ignore
const BORROWS = Uint8Array.of(
  0xb9, 0x2c, 0x01, 0x00, 0x00, // mov ecx,300
  0x31, 0xc0, //                   again: xor eax,eax
  0xf9, //                         stc
  0x83, 0xd8, 0x00, //             sbb eax,0
  0x0f, 0x94, 0xc3, //             sete bl
  0x48, 0x83, 0xd2, 0x00, //       adc rdx,0
  0xf9, //                         stc
  0x83, 0xd8, 0x00, //             sbb eax,0
  0x7d, 0x04, //                   jge behind
  0x48, 0x83, 0xc6, 0x01, //       add rsi,1
  0xff, 0xc9, //                   behind: dec ecx
  0x75, 0xe5, //                   jnz again
  0x0f, 0x0b, //                   ud2
);

const CASES: Record<string, { code: Uint8Array; gpr: Record<number, bigint> }> = {
  'a loop with two heads that is entered at the first': { code: TWO_HEADS, gpr: { 1: 1500n } },
  'a loop with two heads that is entered at the second': { code: TWO_HEADS, gpr: { 1: 1500n, 3: 1n } },
  'SBB of zero with a borrow': { code: BORROWS, gpr: {} },
  'such a loop in another one': { code: NESTED, gpr: { 8: 0x3123456789abcdefn } },
};
for (const [name, { code, gpr }] of Object.entries(CASES))
  test(`${name} does the same, translated and interpreted`, () => {
    const state: UserState = {
      gpr: Array.from({ length: 16 }, (_, n) => gpr[n] ?? 0n),
      ...{ rip: 0n, rflags: 2n, vector: 0, error: 0, cr2: 0n, code32: false },
      fx: new Uint8Array(512),
      memory: new Uint8Array(4096),
    };
    const modules = loadEngineModules();
    const wanted = new UserMachine('interpret', modules).run(state, code);
    assert.equal(wanted.vector, 6);
    const machine = new UserMachine('translate', modules);
    const translated = (): bigint =>
      new DataView(machine.engine.memory.buffer).getBigUint64(
        machine.engine.processors[0]!.pointer + L.S_TRANSLATED,
        true,
      );
    let before = 0n;
    for (let i = 0; i < 20; i++) {
      before = translated();
      assert.deepEqual(machine.run(state, code), wanted);
    }
    // All but the fault and what comes before the loop.
    assert.ok(translated() - before > 1000n, `${translated() - before} translated in the last run`);
  });
