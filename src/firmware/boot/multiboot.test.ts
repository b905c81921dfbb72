import { test } from 'node:test';
import assert from 'node:assert/strict';
import { UserError } from '../../machine/user-error.js';
import { bootKernel } from './boot-kernel.js';
import type { BootState } from './boot-state.js';
import { elf, multibootHeader } from './test-kernels.js';
import { TestMemory, file, random, request } from './test-memory.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ALIGN_AND_MEMORY = 3;
const ADDRESSES = 0x10000;

/** At 2 MiB, linked at 3 GiB, with memory behind the file's part. */
function elfKernel(bits: 32 | 64): Uint8Array {
  const content = multibootHeader(ALIGN_AND_MEMORY);
  return elf(bits, 0xc020000c, [{ physical: 0x200000, virtual: 0xc0200000, content, memoryBytes: 0x5000 }]);
}

/** Padding, then the header at file offset 64, which is loaded from file offset 32 to 1 MiB. */
function flatKernel(given: { loadEnd?: number; bssEnd?: number; headerAddress?: number } = {}): Uint8Array {
  const load = 0x100000;
  const header = given.headerAddress ?? load + 32;
  const addresses = [header, load, given.loadEnd ?? load + 80, given.bssEnd ?? load + 200, load + 64];
  return Buffer.concat([
    new Uint8Array(64).fill(0x11),
    multibootHeader(ALIGN_AND_MEMORY | ADDRESSES, addresses),
  ]);
}

function info(memory: TestMemory, state: BootState): (index: number) => number {
  assert.equal(state.registers.rax, 0x2badb002n);
  return (index) => memory.u32(Number(state.registers.rbx) + 4 * index);
}

for (const bits of [32, 64] as const) {
  test(`an ELF${bits} multiboot kernel gets its boot information`, () => {
    const memory = new TestMemory(5 * GIB);
    const modules = [
      { ...file('one', new Uint8Array(5000).fill(7)), text: 'one with words' },
      file('two', Uint8Array.of(9)),
    ];
    const state = bootKernel(request(elfKernel(bits), memory, { modules, commandLine: 'a b' }));
    assert.equal(state.rip, 0x20000cn, 'the entry is physical');
    assert.equal(state.cr0, 0x11n);
    assert.ok(
      memory.read(0x200100, 0x4f00).every((byte) => byte === 0),
      'bss is zero',
    );
    const field = info(memory, state);
    assert.equal(field(0), 0x24d);
    assert.deepEqual([field(1), field(2)], [639, (3 * GIB - MIB) / 1024]);
    assert.equal(memory.text(field(4)), 'kernel a b');
    assert.equal(field(5), 2);
    const module = (i: number): number[] => [0, 1, 2].map((word) => memory.u32(field(6) + 16 * i + 4 * word));
    const [start, end, text] = module(0) as [number, number, number];
    assert.ok(start >= 0x205000 && start % 4096 === 0 && end - start === 5000);
    assert.ok(memory.read(start, 5000).every((byte) => byte === 7));
    assert.equal(memory.text(text), 'one with words');
    assert.equal(memory.text(module(1)[2]!), 'two');
    assert.equal(field(11), 5 * 24);
    const last = field(12) + 4 * 24;
    assert.deepEqual([memory.u32(last), memory.u64(last + 4), memory.u64(last + 12)], [20, 4 * GIB, 2 * GIB]);
    assert.equal(memory.text(field(16)), 'Vivarium');
  });
}

test('the header may tell where a file of any format is loaded', () => {
  const memory = new TestMemory(16 * MIB);
  const state = bootKernel(request(flatKernel(), memory));
  assert.equal(state.rip, 0x100040n);
  assert.deepEqual(memory.read(0x100000, 32), new Uint8Array(32).fill(0x11));
  assert.equal(memory.u32(0x100020), 0x1badb002);
  assert.ok(
    memory.read(0x100050, 120).every((byte) => byte === 0),
    'bss is zero',
  );
  const whole = bootKernel(request(flatKernel({ loadEnd: 0, bssEnd: 0 }), new TestMemory(16 * MIB)));
  assert.equal(whole.rip, 0x100040n);
});

test('what is told to the kernel does not lie in the kernel', () => {
  const content = Buffer.concat([multibootHeader(ALIGN_AND_MEMORY), new Uint8Array(0x8f000).fill(0x33)]);
  const kernel = elf(32, 0x2000, [{ physical: 0x2000, content }]);
  const memory = new TestMemory(16 * MIB);
  const state = bootKernel(
    request(kernel, memory, { modules: [file('m', new Uint8Array(3))], commandLine: 'x' }),
  );
  assert.deepEqual(memory.read(0x2000, content.length), new Uint8Array(content));
  assert.equal(memory.text(info(memory, state)(4)), 'kernel x');
});

function refused(pattern: RegExp, kernel: Uint8Array): void {
  assert.throws(
    () => bootKernel(request(kernel, new TestMemory(16 * MIB))),
    (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, pattern);
      return true;
    },
  );
}

test('what cannot be loaded is told', () => {
  refused(/asks for features 0x8/, multibootHeader(8));
  refused(/no ELF file and its header tells no addresses/, multibootHeader(ALIGN_AND_MEMORY));
  refused(/contradict/, flatKernel({ headerAddress: 0x100100 }));
  refused(/contradict/, flatKernel({ headerAddress: 0xff000 }));
  refused(/cut short/, flatKernel({ loadEnd: 0x101000 }));
  refused(/needs the memory/, flatKernel({ bssEnd: 0xf0000000 }));
});

test('kernels cut short anywhere are UserErrors', () => {
  for (const kernel of [elfKernel(32), elfKernel(64), flatKernel({ loadEnd: 0x100000 + 80 })]) {
    for (let length = 0; length < kernel.length; length++) refused(/./, kernel.subarray(0, length));
  }
});

test('headers full of nonsense end in a boot or a UserError', () => {
  const next = random(3);
  let booted = 0;
  for (let round = 0; round < 3000; round++) {
    const kernel = Uint8Array.from(round & 1 ? flatKernel() : elfKernel(32));
    for (let i = 0; i < 1 + (next() % 3); i++) kernel[next() % kernel.length] = next() & 0xff;
    try {
      bootKernel(request(kernel, new TestMemory(16 * MIB)));
      booted++;
    } catch (error) {
      assert.ok(error instanceof UserError, `round ${round}: ${String(error)}`);
    }
  }
  assert.ok(booted > 100 && booted < 3000, `${booted} of 3000 booted`);
});
