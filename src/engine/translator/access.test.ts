import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CR4_SMAP, DATA, kernelLoop, ROUNDS, runLoop } from '../../testing/kernel-loop.js';
import type { EngineKind } from '../engine.js';
import * as L from '../layout.js';

const STAC = [0x0f, 0x01, 0xcb];
const CLAC = [0x0f, 0x01, 0xca];

for (const [name, body, cr4, mmu] of [
  ['CLAC with SMAP', [...STAC, ...CLAC], CR4_SMAP, L.AS_SUPERVISOR_SMAP],
  ['CLAC without SMAP', [...STAC, ...CLAC], 0n, L.AS_SUPERVISOR],
  ['STAC with SMAP', [...CLAC, ...STAC], CR4_SMAP, L.AS_SUPERVISOR],
] as const)
  test(`${name}, translated, leaves the TLBs in use that it leaves interpreted`, () => {
    const inUse = (kind: EngineKind): readonly number[] => {
      const { u32, ends, translated } = runLoop(kind, kernelLoop(body, { cr4 }));
      assert.ok(ends);
      assert.equal(translated > ROUNDS, kind === 'translate', `${translated} instructions were translated`);
      return [L.S_MMU, L.S_TLB_READ, L.S_TLB_WRITE, L.S_EFLAGS].map(u32);
    };
    const translated = inUse('translate');
    assert.deepEqual(translated, inUse('interpret'));
    assert.equal(translated[0], mmu);
  });

test('what was accessed before CLAC may not be accessed behind it, translated and interpreted', () => {
  // mov rax,[rdi]; mov rbx,[rdi+8]
  const [first, second] = [
    [0x48, 0x8b, 0x07],
    [0x48, 0x8b, 0x5f, 0x08],
  ];
  const allowed = kernelLoop([...STAC, ...first, ...second, ...CLAC], { cr4: CR4_SMAP });
  const refused = kernelLoop([...STAC, ...first, ...CLAC, ...second], { cr4: CR4_SMAP });
  for (const kind of ['interpret', 'translate'] as const) {
    assert.equal(runLoop(kind, allowed).ends, true);
    // The page fault, which no gate is there for, shuts the machine down.
    const { ends, translated } = runLoop(kind, refused);
    assert.equal(ends, false);
    assert.equal(translated > 0, kind === 'translate');
  }
});

/** Two linear pages whose physical ones lie apart, and RDI, RSI and RSP 4 bytes before the second, from R8 and R9, which have DATA. */
const ACROSS = new Map([
  [DATA + 0x1000, DATA + 0x5000],
  [DATA + 0x2000, DATA + 0x3000],
]);
// lea rdi,[r8+0x1ffc]; lea rsi,[r9+0x1ffc]; mov rsp,rdi
const POINT = [0x49, 0x8d, 0xb8, 0xfc, 0x1f, 0, 0, 0x49, 0x8d, 0xb1, 0xfc, 0x1f, 0, 0, 0x48, 0x89, 0xfc];
const ADD_RAX = [0x48, 0x01, 0xc2];
/** What is read goes into RDX. */
const READS = [
  [0x48, 0x8b, 0x07], //             mov rax,[rdi]: both pages
  [0x8b, 0x47, 0x04], //             mov eax,[rdi+4]: its second half
  [0x88, 0x4e, 0x05], //             mov [rsi+5],cl: changes it
  [0x0f, 0xb6, 0x47, 0x05], //       movzx eax,byte [rdi+5]
  [0x48, 0x8b, 0x07], //             mov rax,[rdi]
  [0x88, 0x4e, 0x01], //             mov [rsi+1],cl: its first half
  [0x0f, 0xb7, 0x47, 0x01], //       movzx eax,word [rdi+1]
  [0x48, 0x8b, 0x07], //             mov rax,[rdi]
  [0x48, 0x8b, 0x47, 0xf8], //       mov rax,[rdi-8]: the first page
  [0x8b, 0x47, 0xfd], //             mov eax,[rdi-3]
  [0x48, 0x8b, 0x47, 0x08], //       mov rax,[rdi+8]: the second
  [0x0f, 0x10, 0x47, 0xfd], //       movups xmm0,[rdi-3]
  [0x66, 0x48, 0x0f, 0x7e, 0xc0], // movq rax,xmm0
  [0x0f, 0xb7, 0x47, 0x03], //       movzx eax,word [rdi+3]: both
  [0x8b, 0x44, 0x24, 0x02], //       mov eax,[rsp+2]
].flatMap((code) => [...code, ...ADD_RAX]);

test('reads of two pages see what is in both, without leaving translated code', () => {
  const state = kernelLoop([...POINT, ...READS], { moved: ACROSS });
  const translated = runLoop('translate', state);
  const interpreted = runLoop('interpret', state);
  assert.deepEqual(translated.gpr, interpreted.gpr);
  assert.deepEqual(translated.memory, interpreted.memory);
  // Of five times the first is not, in the second it is seen where code is left; the others are, and the loop before it in four of them.
  const each = ROUNDS * (3 + 30 + 2);
  assert.ok(translated.translated >= 3 * each + 4 * 40_000, `${translated.translated} were translated`);
});

test('writes to two pages change both, and nothing else', () => {
  // mov [rsi+1],eax; mov [rsi-3],rcx; movups [rsi-9],xmm0; add [rdi],rcx; then reads
  const writes = [0x89, 0x46, 0x01, 0x48, 0x89, 0x4e, 0xfd, 0x0f, 0x11, 0x46, 0xf7, 0x48, 0x01, 0x0f];
  const state = kernelLoop([...POINT, ...READS, ...writes], { moved: ACROSS });
  const translated = runLoop('translate', state);
  const interpreted = runLoop('interpret', state);
  assert.deepEqual(translated.gpr, interpreted.gpr);
  assert.deepEqual(translated.memory, interpreted.memory);
  assert.ok(translated.translated > 0);
});
