import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestRam } from './guest-ram.js';
import { FOUR_GIB, LOW_RAM_END, ramLayout } from './memory-map.js';

test('memory above the hole lies from 4 GiB up', () => {
  assert.deepEqual(ramLayout(64 * 2 ** 20 + 123), { lowBytes: 64 * 2 ** 20, highBytes: 0 });
  assert.deepEqual(ramLayout(LOW_RAM_END + 0x5000), { lowBytes: LOW_RAM_END, highBytes: 0x5000 });
});

test('addresses above 4 GiB are behind those below in the buffer; writes are told', () => {
  const buffer = new SharedArrayBuffer(0x4100);
  const written: [number, number][] = [];
  const layout = { lowBytes: 0x3000, highBytes: 0x1000 };
  const ram = new GuestRam(buffer, 0x100, layout, (offset, length) => written.push([offset, length]));
  ram.writeU32(0x10, 0x12345678);
  ram.writeU64(FOUR_GIB, 0x1122334455667788n);
  ram.write(FOUR_GIB + 8, Uint8Array.of(1, 2, 3));
  assert.equal(new DataView(buffer).getUint32(0x110, true), 0x12345678);
  assert.equal(new DataView(buffer).getUint8(0x3100), 0x88);
  assert.deepEqual([...ram.read(FOUR_GIB + 8, 3)], [1, 2, 3]);
  assert.equal(ram.readU16(0x12), 0x1234);
  assert.deepEqual(written, [
    [0x110, 4],
    [0x3100, 8],
    [0x3108, 3],
  ]);
});

test('what is not RAM is refused', () => {
  const ram = new GuestRam(new SharedArrayBuffer(0x4000), 0, { lowBytes: 0x3000, highBytes: 0x1000 });
  assert.equal(ram.contains(0x2fff, 1), true);
  assert.equal(ram.contains(0x2fff, 2), false);
  assert.equal(ram.contains(-1, 1), false);
  assert.equal(ram.contains(FOUR_GIB + 0xfff, 2), false);
  assert.equal(ram.contains(2 ** 63, 1), false);
  assert.throws(() => ram.readU32(0x2ffe), RangeError);
  assert.throws(() => ram.write(0x3000, Uint8Array.of(1)), RangeError);
});

test('each access has a fence where other threads look at the memory and the host needs one', (t) => {
  const fence = t.mock.method(Atomics, 'store');
  for (const fenced of [true, false]) {
    const memory = new SharedArrayBuffer(0x1000);
    const ram = new GuestRam(memory, 0, { lowBytes: 0x1000, highBytes: 0 }, () => {}, fenced);
    fence.mock.resetCalls();
    ram.writeU8(0, 1);
    ram.writeU16(0, 1);
    ram.writeU32(0, 1);
    ram.writeU64(0, 1n);
    ram.write(0, Uint8Array.of(1));
    ram.readU8(0);
    ram.readU16(0);
    ram.readU32(0);
    ram.readU64(0);
    ram.read(0, 1);
    assert.equal(fence.mock.callCount(), fenced ? 10 : 0);
  }
});
