import { test } from 'node:test';
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { CpioArchive } from './cpio.js';
import { INIT, initramfs } from './initramfs.js';

interface Entry {
  name: string;
  mode: number;
  device: [number, number];
  content: Buffer;
}

/** Reads an archive back by the format's description. */
function entries(archive: Buffer): Entry[] {
  const list: Entry[] = [];
  for (let at = 0; ;) {
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const field = (index: number): number =>
      parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const nameStart = at + 110;
    const nameBytes = field(11);
    const contentStart = Math.ceil((nameStart + nameBytes) / 4) * 4;
    const name = archive.toString('latin1', nameStart, nameStart + nameBytes - 1);
    if (name === 'TRAILER!!!') return list;
    const content = archive.subarray(contentStart, contentStart + field(6));
    list.push({ name, mode: field(1), device: [field(9), field(10)], content });
    at = Math.ceil((contentStart + field(6)) / 4) * 4;
  }
}

test('an archive lists what was put in', () => {
  const archive = new CpioArchive()
    .directory('dev')
    .characterDevice('dev/console', 5, 1)
    .file('x', Buffer.from('12345'), 0o755);
  const list = entries(archive.finish());
  assert.deepEqual(
    list.map(({ name, mode }) => [name, mode.toString(8)]),
    [
      ['dev', '40755'],
      ['dev/console', '20600'],
      ['x', '100755'],
    ],
  );
  assert.deepEqual(list[1]!.device, [5, 1]);
  assert.equal(list[2]!.content.toString(), '12345');
});

test('the initramfs holds busybox, init, and the script when there is one', () => {
  const busybox = Buffer.from('not really busybox');
  const find = (list: Entry[], name: string): string | undefined =>
    list.find((entry) => entry.name === name)?.content.toString();
  const plain = entries(gunzipSync(initramfs(busybox)));
  assert.equal(find(plain, 'bin/busybox'), busybox.toString());
  assert.equal(find(plain, 'init'), INIT);
  assert.equal(find(plain, 'script'), undefined);
  assert.equal(find(entries(gunzipSync(initramfs(busybox, 'echo hi\n'))), 'script'), 'echo hi\n');
});

test('the same input makes the same initramfs', () => {
  assert.deepEqual(initramfs(Buffer.from('b'), 's'), initramfs(Buffer.from('b'), 's'));
});
