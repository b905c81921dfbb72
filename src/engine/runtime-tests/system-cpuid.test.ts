import { CpuTopology } from '../cpu-topology.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCpuModel, installCpuModel } from '../cpu-model.js';
import * as L from '../layout.js';
import { SystemRig } from './system-rig.js';

type Answer = [eax: bigint, ebx: bigint, ecx: bigint, edx: bigint];

function ask(rig: SystemRig, leaf: number, subleaf = 0): Answer {
  rig.setRegister(0, BigInt(leaf) | (0xffffn << 32n));
  rig.setRegister(1, BigInt(subleaf));
  rig.call('cpuid');
  return [rig.register(0), rig.register(3), rig.register(1), rig.register(2)];
}
function rigWith(name: string, options: { index?: number; cpus?: number; long?: boolean } = {}): SystemRig {
  const rig = new SystemRig(options.long ?? false);
  installCpuModel(
    rig.view,
    rig.cpu,
    findCpuModel(name),
    options.index ?? 0,
    CpuTopology.flat(options.cpus ?? 1),
  );
  rig.setU32(rig.cpu + L.S_INDEX, options.index ?? 0);
  return rig;
}

test('OSXSAVE follows CR4, SYSCALL is shown in 64-bit mode', () => {
  const rig = rigWith('default');
  assert.equal((ask(rig, 1)[2] >> 27n) & 1n, 0n);
  assert.equal((ask(rig, 0x80000001)[3] >> 11n) & 1n, 0n);
  rig.enter(0, { cr4: 0x40000n });
  assert.equal((ask(rig, 1)[2] >> 27n) & 1n, 1n);
  assert.equal((ask(rigWith('default', { long: true }), 0x80000001)[3] >> 11n) & 1n, 1n);
});

test('leaves beyond the last answer as the last basic one', () => {
  const rig = rigWith('default');
  const last = ask(rig, 0x16);
  assert.deepEqual(last, [1000n, 1000n, 1000n, 0n]);
  for (const leaf of [0x17, 0x3fffffff, 0x40000011, 0x80000009, 0xffffffff])
    assert.deepEqual(ask(rig, leaf), last, leaf.toString(16));
  assert.deepEqual(ask(rig, 3), [0n, 0n, 0n, 0n], 'a leaf without meaning');
  assert.deepEqual(ask(rig, 7, 5), [0n, 0n, 0n, 0n], 'a subleaf without meaning');
  const old = rigWith('pentium3');
  assert.deepEqual(ask(old, 7), ask(old, 2));
});

test('topology of several CPUs', () => {
  const rig = rigWith('default', { index: 2, cpus: 3 });
  assert.deepEqual(ask(rig, 0xb, 0), [0n, 1n, 0x100n, 2n]);
  assert.deepEqual(ask(rig, 0xb, 1), [2n, 3n, 0x201n, 2n]);
  assert.deepEqual(ask(rig, 0xb, 2), [0n, 0n, 2n, 2n]);
  const [, ebx, , edx] = ask(rig, 1);
  assert.equal(ebx, (2n << 24n) | (4n << 16n) | (8n << 8n));
  assert.equal((edx >> 28n) & 1n, 1n);
  assert.equal(ask(rig, 4)[0] >> 26n, 3n);
});

test('caches by geometry', () => {
  const size = ([, ebx, ecx]: Answer): bigint => ((ebx >> 22n) + 1n) * ((ebx & 0xfffn) + 1n) * (ecx + 1n);
  const rig = rigWith('default');
  assert.deepEqual(
    [0, 1, 2].map((i) => size(ask(rig, 4, i))),
    [0x8000n, 0x8000n, 0x80000n],
  );
  assert.equal(ask(rig, 4, 3)[0], 0n);
});
