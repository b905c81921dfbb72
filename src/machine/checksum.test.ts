import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish, sum, sumParts } from './checksum.js';

/** RFC 1071, 1, word by word. */
function plainChecksum(bytes: Uint8Array): number {
  let total = 0;
  for (let n = 0; n < bytes.length; n += 2) {
    total += (bytes[n]! << 8) | (bytes[n + 1] ?? 0);
    total = (total & 0xffff) + (total >>> 16);
  }
  return ~total & 0xffff;
}

test('the example of RFC 1071', () => {
  const words = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(finish(sum(words)), ~0xddf2 & 0xffff);
});

test('sums of any length, at any place, whole and in parts', () => {
  const bytes = Uint8Array.from({ length: 200_001 }, (_, n) => (n * 7 + (n >> 8) * 13 + 3) & 0xff);
  const ones = new Uint8Array(70_000).fill(0xff);
  for (const length of [0, 1, 2, 15, 16, 63, 64, 65, 79, 80, 1459, 1460, 65_535, 65_536, 65_537, 150_001]) {
    for (const start of [0, 1, 7]) {
      const part = bytes.subarray(start, start + length);
      assert.equal(finish(sum(bytes, start, start + length)), plainChecksum(part), `${length} from ${start}`);
      assert.equal(finish(sum(part)), plainChecksum(part));
    }
    const cut = Math.floor(length / 3);
    const parts = [bytes.subarray(0, cut), new Uint8Array(0), bytes.subarray(cut, length)];
    assert.equal(finish(sumParts(parts)), plainChecksum(bytes.subarray(0, length)), `${length} in parts`);
  }
  assert.equal(finish(sum(ones)), plainChecksum(ones));
});
