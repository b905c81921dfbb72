import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus, type MmioDevice } from './mmio-bus.js';

/** Memory of 16 bytes with values 0, 1, 2 ... */
function memory(): MmioDevice & { bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => index);
  const view = new DataView(bytes.buffer);
  return {
    bytes,
    mmioRead: (offset, size) =>
      size === 1
        ? view.getUint8(offset)
        : size === 2
          ? view.getUint16(offset, true)
          : view.getUint32(offset, true),
    mmioWrite: (offset, value, size) => {
      for (let index = 0; index < size; index++) bytes[offset + index] = value >>> (8 * index);
    },
  };
}

test('accesses of all sizes reach the device at its offset, above 4 GiB too', () => {
  const bus = new MmioBus();
  const base = 0x123_0000_0000;
  bus.map(base, 16, memory());
  assert.equal(bus.read(base + 1, 1), 1);
  assert.equal(bus.read(base + 4, 4), 0x07060504);
  assert.equal(bus.read64(base + 8), 0x0f0e0d0c0b0a0908n);
  bus.write64(base, 0x8877665544332211n);
  assert.equal(bus.read64(base), 0x8877665544332211n);
});

test('where nobody is, reads give ones; an access over the end is split', () => {
  const bus = new MmioBus();
  bus.map(0x1000, 16, memory());
  assert.equal(bus.read(0x2000, 4), 0xffffffff);
  assert.equal(bus.read64(0x2000), 0xffff_ffff_ffff_ffffn);
  assert.equal(bus.read(0x100e, 4), 0xffff0f0e);
  assert.equal(bus.read(0xffe, 4), 0x0100ffff);
  bus.write(0x2000, 1, 4);
});

test('the earlier region wins, whichever was accessed last', () => {
  const bus = new MmioBus();
  const first = memory();
  const second = memory();
  second.bytes.fill(0xaa);
  bus.map(0x1008, 8, first);
  const mapping = bus.map(0x1000, 16, second);
  assert.equal(bus.read(0x1000, 1), 0xaa);
  assert.equal(bus.read(0x1008, 1), 0);
  assert.equal(bus.read(0x1000, 1), 0xaa);
  mapping.unmap();
  assert.equal(bus.read(0x1000, 1), 0xff);
});
