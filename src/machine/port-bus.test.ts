import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus, type PortDevice } from './port-bus.js';

function recorder(log: string[], value: (port: number) => number = () => 0): PortDevice {
  return {
    readPort: (port, size) => {
      log.push(`r${size} ${port.toString(16)}`);
      return value(port);
    },
    writePort: (port, data, size) => log.push(`w${size} ${port.toString(16)}=${data.toString(16)}`),
  };
}

test('unclaimed ports read as all ones', () => {
  const bus = new PortBus();
  assert.equal(bus.read(0x1234, 1), 0xff);
  assert.equal(bus.read(0x1234, 2), 0xffff);
  assert.equal(bus.read(0x1234, 4), 0xffffffff);
  assert.equal(bus.read(0xffff, 4), 0xffffffff);
  bus.write(0xffff, 1, 4);
});

test('wide accesses to a narrow device are split, low byte first', () => {
  const bus = new PortBus();
  const log: string[] = [];
  bus.map(
    0x60,
    2,
    recorder(log, (port) => port & 0xff),
  );
  assert.equal(bus.read(0x60, 2), 0x6160);
  assert.equal(bus.read(0x60, 4), 0xffff6160);
  bus.write(0x60, 0xaabbccdd, 4);
  assert.deepEqual(log, ['r1 60', 'r1 61', 'r1 60', 'r1 61', 'w1 60=dd', 'w1 61=cc']);
});

test('a wide device gets what fits into its range whole', () => {
  const bus = new PortBus();
  const log: string[] = [];
  bus.map(0x100, 4, recorder(log), 4);
  bus.write(0x100, 0x11223344, 4);
  bus.write(0x102, 0x11223344, 4);
  assert.deepEqual(log, ['w4 100=11223344', 'w2 102=3344']);
});

test('the earlier of two overlapping claims wins, and gives way when unmapped', () => {
  const bus = new PortBus();
  const log: string[] = [];
  const first = bus.map(
    0xcf9,
    1,
    recorder(log, () => 1),
  );
  bus.map(
    0xcf8,
    8,
    recorder(log, () => 2),
    4,
  );
  assert.equal(bus.read(0xcf9, 1), 1);
  assert.equal(bus.read(0xcf8, 4), 2);
  first.unmap();
  assert.equal(bus.read(0xcf9, 1), 2);
});
