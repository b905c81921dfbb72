import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImageError } from './disk-image.js';
import type { FolderEntry } from './folder.js';
import { FolderCd } from './iso9660.js';

const file = (name: string, content: string): FolderEntry => ({
  name,
  modified: 0,
  executable: false,
  children: [],
  file: {
    size: content.length,
    read: (position, target) => {
      const bytes = new TextEncoder().encode(content).subarray(position, position + target.length);
      target.fill(0);
      target.set(bytes);
    },
  },
});
const folder = (name: string, ...children: FolderEntry[]): FolderEntry => ({
  name,
  modified: 0,
  executable: false,
  children,
  file: null,
});

test('the descriptors say what they are, and contents are read in any pieces', () => {
  const cd = new FolderCd(folder('top', file('a.txt', 'alpha'), folder('sub', file('b', 'beta'))), 'label');
  const whole = new Uint8Array(cd.bytes);
  cd.read(0, whole);
  const text = (at: number, length: number): string =>
    String.fromCharCode(...whole.subarray(at, at + length));
  assert.equal(text(0x8001, 5), 'CD001');
  assert.equal(text(0x8028, 5), 'LABEL');
  assert.deepEqual([...whole.subarray(0x8800, 0x8801)], [2]);
  assert.equal(whole.length % 2048, 0);
  const all = String.fromCharCode(...whole);
  for (const found of ['alpha', 'beta', 'A.TXT;1', 'RRIP_1991A']) assert.ok(all.includes(found), found);
  const pieces = new Uint8Array(cd.bytes);
  for (let at = 0; at < pieces.length; at += 777)
    cd.read(at, pieces.subarray(at, Math.min(at + 777, pieces.length)));
  assert.deepEqual(pieces, whole);
});

test('names that look the same in eight letters stay apart; names that are too long are refused', () => {
  const cd = new FolderCd(folder('top', file('same-name-1.text', '1'), file('same-name-2.text', '2')), 'x');
  const whole = new Uint8Array(cd.bytes);
  cd.read(0, whole);
  const all = String.fromCharCode(...whole);
  assert.ok(all.includes('SAME_NAM.TEX;1') && all.includes('SAME_NA1.TEX;1'));
  assert.throws(() => new FolderCd(folder('top', file('n'.repeat(120), '')), 'x'), ImageError);
});

test('many files whose names begin alike get names in time', () => {
  const started = performance.now();
  const names = Array.from({ length: 20_000 }, (_, n) => file(`photograph number ${n}.jpeg`, ''));
  assert.ok(new FolderCd(folder('top', ...names), 'x').bytes > 20_000 * 100);
  assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
});
