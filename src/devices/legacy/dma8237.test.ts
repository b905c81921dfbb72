import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { DmaControllers } from './dma8237.js';

function make() {
  const ports = new PortBus();
  const dma = new DmaControllers();
  dma.attach(ports);
  dma.reset();
  return { ports, dma };
}

test('addresses read back in the order of the flip-flop', () => {
  const { ports } = make();
  ports.write(0x0c, 0, 1);
  ports.write(0x04, 0x34, 1);
  ports.write(0x04, 0x12, 1);
  assert.equal(ports.read(0x04, 1), 0x34);
  assert.equal(ports.read(0x04, 1), 0x12);
  ports.write(0xd8, 0, 1);
  ports.write(0xc4, 0x78, 1);
  ports.write(0xc4, 0x56, 1);
  assert.equal(ports.read(0xc4, 1), 0x78);
  assert.equal(ports.read(0x08, 1), 0);
});

test('page registers and the POST code port keep their byte; masks are kept', () => {
  const { ports, dma } = make();
  ports.write(0x80, 0x42, 1);
  ports.write(0x83, 0x13, 1);
  assert.equal(ports.read(0x80, 1), 0x42);
  assert.equal(ports.read(0x0f, 1), 0xff);
  ports.write(0x0a, 2, 1);
  assert.equal(ports.read(0x0f, 1), 0xfb);
  const copy = make();
  copy.dma.load(JSON.parse(JSON.stringify(dma.save())));
  assert.equal(copy.ports.read(0x83, 1), 0x13);
  assert.equal(copy.ports.read(0x0f, 1), 0xfb);
});
