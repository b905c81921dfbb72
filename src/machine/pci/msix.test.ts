import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MsiX } from './msix.js';

const PENDING = 0x800;

function make() {
  const sent: [bigint, number][] = [];
  const msix = new MsiX(3, (address, data) => sent.push([address, data]));
  for (let vector = 0; vector < 3; vector++) {
    msix.mmioWrite(vector * 16, 0xfee00000 + (vector << 12), 4);
    msix.mmioWrite(vector * 16 + 8, 0x40 + vector, 4);
    msix.mmioWrite(vector * 16 + 12, 0, 4);
  }
  return { msix, sent };
}

test('sends address and data of the vector while enabled', () => {
  const { msix, sent } = make();
  msix.notify(1);
  assert.deepEqual(sent, []);
  msix.configure(0x8000);
  msix.notify(1);
  msix.notify(7);
  assert.deepEqual(sent, [[0xfee01000n, 0x41]]);
});

test('a masked vector stays pending until it is unmasked', () => {
  const { msix, sent } = make();
  msix.configure(0x8000);
  msix.mmioWrite(2 * 16 + 12, 1, 4);
  msix.notify(2);
  assert.equal(msix.mmioRead(PENDING, 4), 4);
  msix.mmioWrite(2 * 16 + 12, 0, 4);
  assert.equal(msix.mmioRead(PENDING, 4), 0);
  msix.configure(0xc000);
  msix.notify(0);
  assert.equal(sent.length, 1);
  msix.configure(0x8000);
  assert.deepEqual(
    sent.map(([, data]) => data),
    [0x42, 0x40],
  );
});

test('accesses outside of the table do nothing', () => {
  const { msix } = make();
  for (let offset = 0; offset < 0x1000; offset++) {
    msix.mmioWrite(offset, 0xffffffff, offset & 1 ? 1 : 2);
    msix.mmioRead(offset, 4);
  }
  msix.mmioWrite(48, 0xffffffff, 4);
  assert.equal(msix.mmioRead(48, 4), 0);
  assert.equal(msix.mmioRead(8, 4), 0x40);
});
