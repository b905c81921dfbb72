import { test } from 'node:test';
import assert from 'node:assert/strict';
import { UserError } from '../../machine/user-error.js';
import { bootKernel } from './boot-kernel.js';
import { SETUP_BYTES, bzImage } from './test-kernels.js';
import { TestMemory, file, random, request } from './test-memory.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** All ranges that a guest's e820 table in the zero page tells. */
function e820(memory: TestMemory, zeroPage: number): [number, number, number][] {
  const count = memory.read(zeroPage + 0x1e8, 1)[0]!;
  return Array.from({ length: count }, (_, i) => {
    const at = zeroPage + 0x2d0 + 20 * i;
    return [memory.u64(at), memory.u64(at + 8), memory.u32(at + 16)];
  });
}

test('a 64-bit kernel is entered in long mode with its zero page', () => {
  const memory = new TestMemory(128 * MIB);
  const kernel = bzImage();
  const ramDisk = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);
  const modules = [file('initrd', ramDisk)];
  const state = bootKernel(request(kernel, memory, { modules, commandLine: 'console=ttyS0', rsdp: 0xf0000 }));
  assert.equal(state.rip, 0x100200n);
  assert.equal(state.efer, 0x500n);
  assert.equal(state.cr0, 0x80000011n);
  assert.equal(state.cr4, 0x20n);
  assert.deepEqual(state.segments.cs, { selector: 0x10, base: 0n, limit: 0xffffffff, attr: 0xa09b });
  assert.equal(state.segments.ds.selector, 0x18);
  assert.deepEqual(memory.read(0x100000, 0x1000), kernel.slice(SETUP_BYTES));

  const zeroPage = Number(state.registers.rsi);
  assert.deepEqual(memory.read(zeroPage + 0x1fe, 0x12), kernel.slice(0x1fe, 0x210));
  assert.equal(memory.text(memory.u32(zeroPage + 0x228)), 'console=ttyS0');
  assert.equal(memory.u16(zeroPage + 0x1fa), 0xffff);
  assert.equal(memory.u64(zeroPage + 0x70), 0xf0000);
  assert.equal(memory.u32(zeroPage + 0x21c), ramDisk.length);
  assert.deepEqual(memory.read(memory.u32(zeroPage + 0x218), ramDisk.length), ramDisk);
  assert.deepEqual(e820(memory, zeroPage), [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xe0000, 0x20000, 2],
    [0x100000, 127 * MIB, 1],
  ]);
});

test('the identity map covers the first 4 GiB', () => {
  const memory = new TestMemory(128 * MIB);
  const { cr3 } = bootKernel(request(bzImage(), memory));
  for (const address of [0, 0x100000, 0x3fffffff, 0x40000000, 0xffffffff]) {
    const directory = memory.u64(Number(cr3)) & ~0xfff;
    const table = memory.u64(directory + 8 * Math.floor(address / GIB)) - 3;
    const entry = memory.u64(table + 8 * (Math.floor(address / (2 * MIB)) % 512));
    assert.equal(entry, Math.floor(address / (2 * MIB)) * 2 * MIB + 0x83);
  }
});

test('32-bit kernels, and CPUs without long mode, take the 32-bit entry', () => {
  for (const [kernel, longMode] of [
    [bzImage({ xloadflags: 0 }), true],
    [bzImage(), false],
  ] as const) {
    const state = bootKernel(request(kernel, new TestMemory(64 * MIB), { longMode }));
    assert.equal(state.rip, 0x100000n);
    assert.equal(state.cr0, 0x11n);
    assert.equal(state.efer, 0n);
    assert.equal(state.segments.cs.attr, 0xc09b);
    const gdt = Number(state.gdtr.base);
    assert.equal(state.gdtr.limit, 31);
    assert.ok(gdt > 0);
  }
});

test('the descriptor table in memory says what the segment registers hold', () => {
  const memory = new TestMemory(64 * MIB);
  const { gdtr } = bootKernel(request(bzImage({ xloadflags: 0 }), memory));
  assert.equal(memory.u64(Number(gdtr.base) + 0x10).toString(16), (0xcf9b000000ffff).toString(16));
  assert.equal(memory.u64(Number(gdtr.base) + 0x18).toString(16), (0xcf93000000ffff).toString(16));
});

test('the RAM disk lies below its limit and above the kernel, whatever the memory', () => {
  const modules = [file('initrd', new Uint8Array(MIB))];
  for (const bytes of [32 * MIB, GIB, 3 * GIB, 6 * GIB, 64 * GIB]) {
    for (const initrdAddressMax of [0x37ffffff, 0x7fffffff, 0xffffffff]) {
      const memory = new TestMemory(bytes);
      const zeroPage = Number(
        bootKernel(request(bzImage({ initrdAddressMax }), memory, { modules })).registers.rsi,
      );
      const start = memory.u32(zeroPage + 0x218);
      assert.ok(start >= 0x1400000 && start + MIB - 1 <= initrdAddressMax, `${bytes} ${start}`);
      assert.equal(start % 4096, 0);
    }
  }
});

test('memory above 4 GiB is told', () => {
  const memory = new TestMemory(6 * GIB);
  const zeroPage = Number(bootKernel(request(bzImage(), memory)).registers.rsi);
  assert.deepEqual(e820(memory, zeroPage).at(-1), [4 * GIB, 3 * GIB, 1]);
});

test('several RAM disks are joined at multiples of 4 bytes', () => {
  const memory = new TestMemory(64 * MIB);
  const modules = [file('a', Uint8Array.of(1, 2, 3, 4, 5)), file('b', Uint8Array.of(6))];
  const zeroPage = Number(bootKernel(request(bzImage(), memory, { modules })).registers.rsi);
  assert.deepEqual([...memory.read(memory.u32(zeroPage + 0x218), 9)], [1, 2, 3, 4, 5, 0, 0, 0, 6]);
  assert.equal(memory.u32(zeroPage + 0x21c), 12);
});

test('a kernel that needs little boots in 16 MiB', () => {
  const kernel = bzImage({
    version: 0x20c,
    prefAddress: 0x100000,
    alignment: 0x1000,
    relocatable: 0,
    initSize: 0x6a000,
  });
  assert.equal(bootKernel(request(kernel, new TestMemory(16 * MIB))).rip, 0x100200n);
});

function refused(pattern: RegExp, ...given: Parameters<typeof request>): void {
  assert.throws(
    () => bootKernel(request(...given)),
    (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, pattern);
      return true;
    },
  );
}

test('what cannot be booted is told with what to do', () => {
  refused(
    /kernel: the kernel needs the memory .* guest of 15\.6 MiB: give the guest more with --memory/,
    bzImage(),
    new TestMemory(16 * MIB),
  );
  refused(/at least/, bzImage(), new TestMemory(64 * 1024));
  const large = [file('big.img', new Uint8Array(40 * MIB))];
  refused(/big\.img: the initial RAM disk \(40 MiB\) does not fit/, bzImage(), new TestMemory(32 * MIB), {
    modules: large,
  });
  const longLine = { commandLine: 'x'.repeat(256) };
  refused(
    /256 bytes, but kernel takes 255/,
    bzImage({ commandLineSize: 255 }),
    new TestMemory(64 * MIB),
    longLine,
  );
  refused(/zImage/, bzImage({ loadflags: 0 }), new TestMemory(64 * MIB));
  refused(/boot protocol 2\.1;/, bzImage({ version: 0x201 }), new TestMemory(64 * MIB));
});

test('a kernel cut short anywhere is a UserError', () => {
  const kernel = bzImage();
  // syssize counts paragraphs of 16 bytes: up to 15 bytes may rightly be missing.
  for (let length = 0; length <= kernel.length - 16; length++) {
    refused(/./, kernel.subarray(0, length), new TestMemory(64 * MIB));
  }
});

test('headers full of nonsense end in a boot or a UserError', () => {
  const next = random(1);
  let booted = 0;
  for (let round = 0; round < 2000; round++) {
    const kernel = bzImage();
    for (let i = 0; i < 1 + (next() % 6); i++) kernel[0x1f1 + (next() % 0x80)] = next() & 0xff;
    try {
      bootKernel(request(kernel, new TestMemory(64 * MIB), { modules: [file('m', new Uint8Array(100))] }));
      booted++;
    } catch (error) {
      assert.ok(error instanceof UserError, `round ${round}: ${String(error)}`);
    }
  }
  assert.ok(booted > 100 && booted < 2000, `${booted} of 2000 booted`);
});
