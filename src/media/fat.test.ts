import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImageError } from './disk-image.js';
import { FolderFat } from './fat.js';
import { nameAll, shortNameBytes } from './fat-names.js';
import type { FolderEntry } from './folder.js';

const entry = (name: string, size: number | null, ...children: FolderEntry[]): FolderEntry => ({
  name,
  modified: 0,
  executable: false,
  children,
  file: size === null ? null : { size, read: (_at, target) => void target.fill(0) },
});

test('short names: kept where they are such, else made; each once', () => {
  const shorts = (...names: string[]): string[] => nameAll(names).map(({ short }) => short);
  assert.deepEqual(shorts('README.TXT', 'readme.txt'), ['README.TXT', 'README~1.TXT']);
  assert.deepEqual(shorts('long name.text', 'long name.textual', 'LONGNA~1.TEX'), [
    'LONGNA~2.TEX',
    'LONGNA~3.TEX',
    'LONGNA~1.TEX',
  ]);
  assert.deepEqual(shorts('.profile', 'a.b.c'), ['PROFIL~1', 'AB~1.C']);
  assert.equal(String.fromCharCode(...shortNameBytes('AB~1.C')), 'AB~1    C  ');
});

test('long names: cut from the end; those that differ in the size of letters alone stay apart', () => {
  const [first, second] = nameAll(['A long name.text', 'a LONG name.text']);
  assert.deepEqual(first!.parts, ['ext', 'A long name.t']);
  assert.equal([...second!.parts].reverse().join(''), 'a LONG name (2).text');
  assert.deepEqual(nameAll(['UPPER'])[0], { short: 'UPPER', parts: [] });
  assert.throws(() => nameAll(['n'.repeat(256)]), ImageError);
});

test('the kind of table follows the room that is needed; what does not fit is refused', () => {
  const kindOf = (folder: FolderEntry): string => {
    const boot = new Uint8Array(512);
    new FolderFat(folder, 'x', 'disk').read(63 * 512, boot);
    return String.fromCharCode(...boot.subarray(54, 59), ...boot.subarray(82, 87));
  };
  assert.ok(kindOf(entry('small', null, entry('a', 1000))).startsWith('FAT16'));
  assert.ok(kindOf(entry('large', null, entry('a', 3e9))).endsWith('FAT32'));
  const many = Array.from({ length: 600 }, (_, n) => entry(`f${n}`, 1));
  assert.ok(kindOf(entry('many', null, ...many)).endsWith('FAT32'));
  assert.equal(new FolderFat(entry('f', null, entry('a', 1.4e6)), 'x', 'floppy').bytes, 1474560);
  assert.equal(new FolderFat(entry('f', null, entry('a', 2e6)), 'x', 'floppy').bytes, 2949120);
  assert.throws(() => new FolderFat(entry('f', null, entry('a', 3e6)), 'x', 'floppy'), /give it as a --disk/);
  assert.throws(() => new FolderFat(entry('f', null, entry('a', 2 ** 32)), 'x', 'disk'), /4 GiB/);
});

test('many files whose names begin alike get their short names in time', () => {
  const started = performance.now();
  const names = nameAll(Array.from({ length: 60_000 }, (_, n) => `photograph number ${n}.jpeg`));
  assert.equal(new Set(names.map(({ short }) => short)).size, 60_000);
  assert.ok(performance.now() - started < 5000);
});
