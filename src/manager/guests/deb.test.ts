import { test } from 'node:test';
import assert from 'node:assert/strict';
import { UserError } from '../../machine/user-error.js';
import { fileOfPackage } from './deb.js';
import { TarReader } from './tar.js';
import { ar, deb, tar } from './test-packages.js';

const FILES = { './usr/doc': 'words', './boot/vmlinuz-1': 'k'.repeat(1500), './boot/z': 'last' };

test('finds a file of a package', () => {
  const found = fileOfPackage('p', deb(FILES), /^boot\/vmlinuz-/);
  assert.equal(found.path, 'boot/vmlinuz-1');
  assert.equal(Buffer.from(found.bytes).toString(), FILES['./boot/vmlinuz-1']);
});

test('says which package lacks the file', () => {
  assert.throws(
    () => fileOfPackage('some-package', deb(FILES), /^nothing$/),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /some-package/);
      return true;
    },
  );
});

test('a package cut short anywhere is a UserError', () => {
  const whole = deb(FILES);
  for (let length = 0; length < whole.length - 1; length++) {
    assert.throws(
      () => fileOfPackage('p', whole.subarray(0, length), /vmlinuz/),
      UserError,
      `length ${length}`,
    );
  }
});

test('an unknown compression is named', () => {
  const archive = ar({ 'data.tar.zst': Buffer.from('?') });
  assert.throws(() => fileOfPackage('p', archive, /x/), /data\.tar\.zst/);
});

test('tar entries may arrive in pieces of any size', () => {
  const stream = tar(FILES);
  for (const size of [1, 7, 511, 512, 513, 5000]) {
    const reader = new TarReader((path) => path === 'boot/z');
    let found: string | undefined;
    for (let at = 0; at < stream.length && found === undefined; at += size) {
      const [file] = reader.push(stream.subarray(at, at + size));
      if (file) found = Buffer.from(file.bytes).toString();
    }
    assert.equal(found, 'last', `pieces of ${size}`);
  }
});

test('long names of GNU tar and of pax are understood', () => {
  const long = `${'d/'.repeat(80)}file`;
  const gnu = tar({ '././@LongLink': `${long}\0`, short: 'content' });
  gnu[156] = 'L'.charCodeAt(0);
  const record = ` path=${long}\n`;
  const pax = tar({ PaxHeader: `${record.length + 3}${record}`, short: 'content' });
  pax[156] = 'x'.charCodeAt(0);
  for (const stream of [gnu, pax]) {
    assert.equal([...new TarReader((path) => path === long).push(stream)][0]?.path, long);
  }
});
