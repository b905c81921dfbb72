import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuTopology } from './cpu-topology.js';
import { instructions } from '../isa/instructions.js';
import { cpuidLeaves, cpuModels, findCpuModel, UnknownCpuModel } from './cpu-model.js';
import * as L from './layout.js';

const ANY = 0xffffffff;
type Registers = Record<'eax' | 'ebx' | 'ecx' | 'edx', number>;

function leaf(name: string, number: number, cpus = 1): Registers {
  const found = cpuidLeaves(findCpuModel(name), 0, CpuTopology.flat(cpus)).find(
    ([n, sub]) => n === number && (sub === ANY || sub === 0),
  )!;
  return { eax: found[2] >>> 0, ebx: found[3] >>> 0, ecx: found[4] >>> 0, edx: found[5] >>> 0 };
}
function characters(...registers: number[]): string {
  return Buffer.from(Uint32Array.from(registers).buffer).toString('latin1').replace(/\0+$/, '');
}

test('an unknown name tells the known ones', () => {
  assert.throws(
    () => findCpuModel('i9'),
    (error) => error instanceof UnknownCpuModel && /"i9".*default.*pentium3/.test(error.message),
  );
});

test('vendor, brand, signature and hypervisor', () => {
  const { ebx, ecx, edx } = leaf('default', 0);
  assert.equal(characters(ebx, edx, ecx), 'GenuineIntel');
  const brand = [2, 3, 4].map((n) => leaf('default', 0x80000000 + n));
  assert.equal(characters(...brand.flatMap((l) => [l.eax, l.ebx, l.ecx, l.edx])), 'Vivarium Virtual CPU');
  assert.equal(leaf('default', 1).eax, 0x106ca, 'family 6, model 1CH, stepping 10');
  assert.equal(leaf('core2duo', 1).eax, 0x6fb);
  const hypervisor = leaf('default', 0x40000000);
  assert.equal(characters(hypervisor.ebx, hypervisor.ecx, hypervisor.edx), 'KVMKVMKVM');
  assert.equal(leaf('default', 0x40000001).eax, 0x01002aa8);
  assert.equal(leaf('default', 0x40000010).eax, 1_000_000);
});

test('feature bits lie where the manual has them', () => {
  const bit = (value: number, n: number): number => (value >>> n) & 1;
  const one = leaf('default', 1);
  for (const n of [0, 4, 8, 11, 15, 23, 24, 25, 26]) assert.equal(bit(one.edx, n), 1, `1.EDX.${n}`);
  for (const n of [0, 1, 9, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 30, 31])
    assert.equal(bit(one.ecx, n), 1, `1.ECX.${n}`);
  for (const n of [3, 5, 12, 28, 29])
    assert.equal(bit(one.ecx, n), 0, `1.ECX.${n}: MONITOR, VMX, FMA, AVX, F16C`);
  const seven = leaf('default', 7);
  assert.equal(
    seven.ebx,
    (1 << 0) |
      (1 << 1) |
      (1 << 3) |
      (1 << 7) |
      (1 << 8) |
      (1 << 10) |
      (1 << 18) |
      (1 << 19) |
      (1 << 20) |
      (1 << 23) |
      (1 << 24) |
      (1 << 29),
  );
  assert.equal(seven.ecx, (1 << 2) | (1 << 22));
  assert.equal(leaf('la57', 7).ecx, (1 << 2) | (1 << 16) | (1 << 22));
  assert.equal(leaf('la57', 0x80000008).eax, (57 << 8) | L.CPUID_PHYSICAL_BITS);
  const extended = leaf('default', 0x80000001);
  assert.equal(extended.edx, (1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29));
  assert.equal(extended.ecx, 1 | (1 << 5) | (1 << 8));
  assert.equal(leaf('pentium3', 0x80000001).edx, 0);
  assert.equal(leaf('pentium3', 0x80000000).eax, 0x80000004);
});

test('the default model has every feature that instructions ask for, but MONITOR', () => {
  const asked = new Set<string>();
  for (const { encodings } of instructions)
    for (const text of encodings)
      for (const [, name] of String(typeof text === 'string' ? text : JSON.stringify(text)).matchAll(
        /cpuid=([A-Z0-9_.-]+)/g,
      ))
        asked.add(name!);
  assert.ok(asked.size > 20, `only ${asked.size} features are asked for`);
  const { features } = findCpuModel('default');
  assert.deepEqual(
    [...asked].filter((name) => !features.has(name)),
    ['MONITOR'],
  );
});

test('the table fits into the CPU block, whatever the model and the number of CPUs', () => {
  for (const model of cpuModels)
    for (const cpus of [1, 2, 3, 32]) {
      const leaves = cpuidLeaves(model, cpus - 1, CpuTopology.flat(cpus));
      assert.ok(leaves.length <= 64);
      assert.equal(new Set(leaves.map(([n, sub]) => `${n}.${sub}`)).size, leaves.length);
    }
});
