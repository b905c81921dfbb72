import { test } from 'node:test';
import assert from 'node:assert/strict';
import { findPackage, parseParagraph } from './control-file.js';

const INDEX = `Package: linux-image-amd64-dbg
Version: 9

Package: linux-image-amd64
Version: 6.1.2-1
Depends: linux-image-6.1.0-2-amd64 (= 6.1.2-1), one:any | two
Description: text
 that mentions
 Package: linux-image-6.1.0-2-amd64
Filename: pool/x.deb
Size: 12
SHA256: abcd

Package: last
Version: 1
Filename: pool/l.deb
Size: 1
SHA256: 00
`;

test('finds a package by its whole name, at the end of the index too', () => {
  assert.deepEqual(findPackage(INDEX, 'linux-image-amd64'), {
    name: 'linux-image-amd64',
    version: '6.1.2-1',
    depends: ['linux-image-6.1.0-2-amd64', 'one'],
    filename: 'pool/x.deb',
    size: 12,
    sha256: 'abcd',
  });
  assert.equal(findPackage(INDEX, 'last')?.filename, 'pool/l.deb');
  assert.equal(findPackage(INDEX, 'linux-image'), null);
  assert.equal(findPackage(INDEX, 'linux-image-6.1.0-2-amd64'), null);
});

test('a package without checksum is not taken', () => {
  assert.equal(findPackage('Package: a\nVersion: 1\nFilename: f\nSize: 1\n', 'a'), null);
});

test('continuation lines belong to their field', () => {
  assert.equal(parseParagraph('A: 1\nSHA256:\n x 1 f\n y 2 g\nB: 2\n').get('sha256'), '\nx 1 f\ny 2 g');
});
