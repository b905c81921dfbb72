import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { StorageError } from '../../media/storage.js';
import { FileStorage } from './file-storage.js';

const folder = mkdtempSync(join(tmpdir(), 'viv-file-storage-'));
after(() => rmSync(folder, { recursive: true }));

/** 2500 parts of one to nine bytes, all numbers in turn, with gaps between them as in a guest's memory. */
function manyParts(): { parts: Uint8Array[]; length: number } {
  const memory = new Uint8Array(new SharedArrayBuffer(0x10000));
  let length = 0;
  const parts = Array.from({ length: 2500 }, (_, n) => {
    const part = memory.subarray(n * 16, n * 16 + 1 + (n % 9));
    for (let i = 0; i < part.length; i++) part[i] = length++ % 251;
    return part;
  });
  return { parts, length };
}

const counted = (length: number): Uint8Array => Uint8Array.from({ length }, (_, n) => n % 251);

test('parts of memory are written one after the other, and read back', () => {
  const path = join(folder, 'parts');
  const file = FileStorage.open('test', path, 'create');
  const { parts, length } = manyParts();
  file.writeParts(100, parts);
  assert.equal(file.size, 100 + length);
  assert.deepEqual(new Uint8Array(readFileSync(path).subarray(100)), counted(length));
  for (const part of parts) part.fill(0);
  file.readParts(100, parts);
  assert.deepEqual(Uint8Array.from(parts.flatMap((part) => [...part])), counted(length));
  file.close();
  assert.throws(() => file.read(0, new Uint8Array(1)), StorageError);
});

test('behind the end are zeros; a file that has lost its end says so', () => {
  const path = join(folder, 'short');
  writeFileSync(path, counted(1000));
  const file = FileStorage.open('test', path, 'read');
  const parts = [new Uint8Array(60).fill(9), new Uint8Array(60).fill(9)];
  file.readParts(930, parts);
  assert.deepEqual(parts[0], counted(1000).slice(930, 990));
  assert.deepEqual([...parts[1]!], [...counted(1000).slice(990), ...new Array<number>(50).fill(0)]);
  truncateSync(path, 950);
  assert.throws(() => file.readParts(930, parts), /ends at 950, before 1000/);
  file.close();
});

test('reads, writes and flushes beside this thread end before the file is closed', async () => {
  const path = join(folder, 'beside');
  const file = FileStorage.open('test', path, 'create');
  const bytes = counted(5000);
  await file.writeBeside(10, bytes);
  assert.equal(file.size, 5010);
  const read = new Uint8Array(5000);
  const under = [file.readBeside(10, read), file.writeBeside(5010, bytes), file.flushBeside()];
  file.close();
  await Promise.all(under);
  assert.deepEqual(read, bytes);
  assert.equal(readFileSync(path).length, 10010);
  assert.throws(() => file.write(0, bytes), StorageError);
});
