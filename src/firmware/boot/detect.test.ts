import { test } from 'node:test';
import assert from 'node:assert/strict';
import { UserError } from '../../machine/user-error.js';
import { detectKernel } from './detect.js';
import { bzImage, elf, multibootHeader, pvhNote } from './test-kernels.js';
import { file, random } from './test-memory.js';

const CODE = { physical: 0x100000, content: new Uint8Array(16) };

/** A file with `text` at `at`. */
function bytesWith(text: string, at = 0, length = 0x9000): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(text, 'latin1'), at);
  return bytes;
}

test('kernels are recognised', () => {
  assert.equal(detectKernel(file('k', bzImage())), 'linux');
  assert.equal(
    detectKernel(file('k', Buffer.concat([new Uint8Array(8192 - 28), multibootHeader(0)]))),
    'multiboot',
  );
  assert.equal(detectKernel(file('k', elf(64, 0, [CODE, pvhNote(0x100000)]))), 'pvh');
});

test('a multiboot header must be whole, aligned, early and right', () => {
  const header = multibootHeader(0);
  const behindLimit = Buffer.concat([new Uint8Array(8192), header]);
  const unaligned = Buffer.concat([new Uint8Array(2), header]);
  const wrongSum = Uint8Array.from(header, (byte, i) => (i === 8 ? byte ^ 1 : byte));
  for (const bytes of [behindLimit, unaligned, wrongSum, header.subarray(0, 11)]) {
    assert.throws(() => detectKernel(file('k', bytes)), UserError);
  }
});

const OTHERS: [string, Uint8Array, RegExp][] = [
  ['empty', new Uint8Array(0), /empty/],
  ['gzip', bytesWith('\x1f\x8b'), /gzip file.*--initrd/],
  ['xz', bytesWith('\xfd7zXZ\0'), /xz file/],
  ['zstd', bytesWith('\x28\xb5\x2f\xfd'), /zstd/],
  ['initramfs', bytesWith('070701'), /initramfs.*--initrd/],
  ['iso', bytesWith('CD001', 0x8001), /ISO 9660/],
  ['qcow2', bytesWith('QFI\xfb'), /qcow2/],
  ['script', bytesWith('#!/bin/sh'), /script/],
  ['disk', bytesWith('\x55\xaa', 0x1fe), /disk image or boot sector/],
  ['EFI', bytesWith('MZ'), /EFI or DOS/],
  ['ARM', bytesWith('ARM\x64', 0x38), /for ARM/],
  ['multiboot 2', bytesWith('\xd6\x50\x52\xe8', 64), /multiboot 2/],
  ['ELF without note', elf(64, 0, [CODE]), /ELF file of 64 bits without.*bzImage/],
  ['foreign ELF', elf(64, 0, [CODE], 183), /machine 183.*not for x86/],
  ['text', bytesWith('hello'), /not a kernel.*use a Linux bzImage/],
];

for (const [name, bytes, says] of OTHERS) {
  test(`what is no kernel is named: ${name}`, () => {
    assert.throws(
      () => detectKernel(file('the-file', bytes)),
      (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /^the-file: /);
        assert.match(error.message, says);
        return true;
      },
    );
  });
}

test('random bytes are no kernel and no crash', () => {
  const next = random(4);
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: next() % 3000 }, () => next() & 0xff);
    if (round & 1) bytes.set([0x7f, 0x45, 0x4c, 0x46, 1 + (round & 2) / 2, 1].slice(0, bytes.length));
    assert.throws(() => detectKernel(file('k', bytes)), UserError);
  }
});
