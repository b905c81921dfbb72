import { test } from 'node:test';
import assert from 'node:assert/strict';
import {
  buffer,
  byteFields,
  bytes,
  device,
  eisaId,
  integer,
  join,
  name,
  packageOf,
  path,
  processor,
  text,
} from './aml.js';

const hex = (term: Uint8Array): string => Buffer.from(term).toString('hex');

test('names are padded, and several segments are prefixed', () => {
  assert.equal(hex(path('_S5')), Buffer.from('_S5_').toString('hex'));
  assert.equal(hex(path('\\_SB.PCI0')), `5c2e${Buffer.from('_SB_PCI0').toString('hex')}`);
  assert.equal(hex(path('\\_SB.PCI0.ISA.PIRA')), `5c2f04${Buffer.from('_SB_PCI0ISA_PIRA').toString('hex')}`);
});

test('integers take the shortest form', () => {
  assert.deepEqual(
    [0, 1, 2, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 0x100000000].map((value) => hex(integer(value))),
    ['00', '01', '0a02', '0aff', '0b0001', '0bffff', '0c00000100', '0cffffffff', '0e0000000001000000'],
  );
});

test('package lengths count themselves and grow at the limits', () => {
  // A buffer holds: opcode, length, size (2 bytes for 0x20-0xff), content.
  const start = (content: number): string => hex(buffer(new Uint8Array(content))).slice(0, 10);
  assert.equal(start(60), '113f0a3c00');
  assert.equal(start(61), '1141040a3d');
  const long = buffer(new Uint8Array(0x1000));
  // 0x1000 + 3 bytes of size + 3 of length = 0x1006: the low nibble is in the lead byte.
  assert.equal(hex(long.subarray(0, 4)), '11860001');
  assert.equal(((long[1]! & 0xf) | (long[2]! << 4) | (long[3]! << 12)) + 1, long.length);
});

test('a plug-and-play id is compressed as EISAID does it', () => {
  assert.equal(hex(eisaId('PNP0A03')), '0c41d00a03');
});

test('terms nest', () => {
  assert.equal(
    hex(name('A', packageOf(integer(0), text('x')))),
    `08${Buffer.from('A___').toString('hex')}120602000d7800`,
  );
  assert.equal(hex(device('D', bytes(0xa3))), `5b8206${Buffer.from('D___').toString('hex')}a3`);
  assert.equal(hex(processor('C001', 1)), `5b830b${Buffer.from('C001').toString('hex')}010000000000`);
  assert.equal(
    hex(byteFields('R', 'F')),
    `5b810b${Buffer.from('R___').toString('hex')}01${Buffer.from('F___').toString('hex')}08`,
  );
  assert.equal(hex(join(bytes(1), bytes(2, 3))), '010203');
});
