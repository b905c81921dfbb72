import { test } from 'node:test';
import assert from 'node:assert/strict';
import { UserError } from '../../machine/user-error.js';
import { bootKernel } from './boot-kernel.js';
import { elf, pvhNote } from './test-kernels.js';
import { TestMemory, file, random, request } from './test-memory.js';

const MIB = 2 ** 20;
const CODE = {
  physical: 0x1000000,
  virtual: 0xc1000000,
  content: new Uint8Array(100).fill(0x90),
  memoryBytes: 0x3000,
};

for (const bits of [32, 64] as const) {
  test(`an ELF${bits} kernel with PVH note gets its start info`, () => {
    const memory = new TestMemory(64 * MIB);
    const modules = [{ ...file('initrd', Uint8Array.of(1, 2, 3)), text: 'initrd words' }];
    const kernel = elf(bits, 0x1000000, [CODE, pvhNote(0x1000850)]);
    const state = bootKernel(request(kernel, memory, { modules, commandLine: 'quiet', rsdp: 0xf0000 }));
    assert.equal(state.rip, 0x1000850n);
    assert.equal(state.cr0, 0x11n);
    assert.equal(state.segments.cs.attr, 0xc09b);
    assert.equal(state.segments.tr.limit, 0x67);
    assert.equal(state.segments.tr.attr, 0x8b);
    assert.ok(memory.read(0x1000000, 100).every((byte) => byte === 0x90));
    assert.ok(
      memory.read(0x1000064, 0x3000 - 100).every((byte) => byte === 0),
      'bss is zero',
    );

    const info = Number(state.registers.rbx);
    assert.equal(memory.u32(info), 0x336ec578);
    assert.equal(memory.u32(info + 4), 1);
    assert.equal(memory.u32(info + 12), 1);
    const module = memory.u64(info + 16);
    assert.deepEqual([...memory.read(memory.u64(module), memory.u64(module + 8))], [1, 2, 3]);
    assert.equal(memory.text(memory.u64(module + 16)), 'initrd words');
    assert.equal(memory.text(memory.u64(info + 24)), 'quiet');
    assert.equal(memory.u64(info + 32), 0xf0000);
    const map = memory.u64(info + 40);
    assert.equal(memory.u32(info + 48), 4);
    assert.deepEqual(
      [memory.u64(map + 72), memory.u64(map + 80), memory.u32(map + 88)],
      [0x100000, 63 * MIB, 1],
    );
  });
}

test('an ELF file cut short anywhere is a UserError', () => {
  const kernel = elf(64, 0x1000000, [CODE, pvhNote(0x1000850)]);
  for (let length = 0; length < kernel.length; length++) {
    const attempt = (): unknown => bootKernel(request(kernel.subarray(0, length), new TestMemory(64 * MIB)));
    assert.throws(attempt, UserError, `length ${length}`);
  }
});

test('ELF headers full of nonsense end in a boot or a UserError', () => {
  const next = random(2);
  for (const bits of [32, 64] as const) {
    let booted = 0;
    for (let round = 0; round < 2000; round++) {
      const kernel = elf(bits, 0x1000000, [CODE, pvhNote(0x1000850)]);
      for (let i = 0; i < 1 + (next() % 4); i++) kernel[next() % kernel.length] = next() & 0xff;
      try {
        bootKernel(request(kernel, new TestMemory(64 * MIB)));
        booted++;
      } catch (error) {
        assert.ok(error instanceof UserError, `round ${round}: ${String(error)}`);
      }
    }
    assert.ok(booted > 100 && booted < 2000, `${booted} of 2000 booted`);
  }
});

test('kernels that do not fit, or overlap the hole, are refused', () => {
  const at = (physical: number, memoryBytes: number): Uint8Array =>
    elf(64, physical, [{ ...CODE, physical, memoryBytes }, pvhNote(physical)]);
  for (const kernel of [
    at(0x1000000, 64 * MIB),
    at(0x9f000, 0x2000),
    at(2 ** 40, 0x1000),
    at(0x1000000, 2 ** 52),
  ]) {
    assert.throws(() => bootKernel(request(kernel, new TestMemory(64 * MIB))), /needs the memory/);
  }
});
