import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../port-bus.js';
import { TestLine } from '../testing.js';
import { I8259Pair } from './i8259-pair.js';

const EOI = 0x20;

function make(): { pic: I8259Pair; bus: PortBus; intr: TestLine } {
  const intr = new TestLine();
  const pic = new I8259Pair(intr.line);
  const bus = new PortBus();
  pic.attach(bus);
  pic.reset();
  for (const [port, vector, cascade] of [
    [0x20, 0x30, 4],
    [0xa0, 0x38, 2],
  ] as const) {
    bus.write(port, 0x11, 1);
    for (const value of [vector, cascade, 1, 0]) bus.write(port + 1, value, 1);
  }
  return { pic, bus, intr };
}

test('an edge interrupts once, with the programmed vector', () => {
  const { pic, bus, intr } = make();
  pic.setIrq(4, true);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x34);
  assert.equal(intr.level, false);
  bus.write(0x20, EOI, 1);
  assert.equal(intr.level, false);
  pic.setIrq(4, false);
  pic.setIrq(4, true);
  assert.equal(intr.level, true);
});

test('lower priority waits for the end of the higher, higher does not', () => {
  const { pic, bus, intr } = make();
  pic.setIrq(3, true);
  pic.acknowledge();
  pic.setIrq(5, true);
  assert.equal(intr.level, false);
  pic.setIrq(1, true);
  assert.equal(pic.acknowledge(), 0x31);
  bus.write(0x20, EOI, 1);
  bus.write(0x20, EOI, 1);
  assert.equal(pic.acknowledge(), 0x35);
});

test('the slave comes by way of IRQ 2 and needs two EOIs', () => {
  const { pic, bus, intr } = make();
  pic.setIrq(12, true);
  assert.equal(pic.acknowledge(), 0x3c);
  pic.setIrq(14, true);
  assert.equal(intr.level, false);
  bus.write(0xa0, EOI, 1);
  bus.write(0x20, EOI, 1);
  assert.equal(pic.acknowledge(), 0x3e);
});

test('an interrupt that went away is spurious: IRQ 7 or 15, and nothing in service', () => {
  const { pic, bus, intr } = make();
  pic.setIrq(3, true);
  bus.write(0x21, 0x08, 1);
  assert.equal(intr.level, false);
  assert.equal(pic.acknowledge(), 0x37);
  bus.write(0x20, 0x0b, 1);
  assert.equal(bus.read(0x20, 1), 0);
  bus.write(0x21, 0, 1);
  pic.acknowledge();
  bus.write(0x20, EOI, 1);
  pic.setIrq(10, true);
  bus.write(0xa1, 0x04, 1);
  assert.equal(pic.acknowledge(), 0x3f);
});

test('level inputs (ELCR) interrupt again while they are asserted', () => {
  const { pic, bus, intr } = make();
  bus.write(0x4d1, 0x0c, 1);
  assert.equal(bus.read(0x4d1, 1), 0x0c);
  bus.write(0x4d0, 0xff, 1);
  assert.equal(bus.read(0x4d0, 1), 0xf8);
  pic.setIrq(11, true);
  assert.equal(pic.acknowledge(), 0x3b);
  bus.write(0xa0, EOI, 1);
  bus.write(0x20, EOI, 1);
  assert.equal(intr.level, true);
  pic.setIrq(11, false);
  assert.equal(pic.acknowledge() & 7, 7);
});

test('mask, IRR and ISR read back; auto-EOI leaves nothing in service', () => {
  const { pic, bus } = make();
  bus.write(0x21, 0xf0, 1);
  assert.equal(bus.read(0x21, 1), 0xf0);
  pic.setIrq(6, true);
  bus.write(0x20, 0x0a, 1);
  assert.equal(bus.read(0x20, 1), 0x40);
  bus.write(0x20, 0x11, 1);
  for (const value of [0x30, 4, 3, 0]) bus.write(0x21, value, 1);
  pic.setIrq(1, true);
  pic.acknowledge();
  bus.write(0x20, 0x0b, 1);
  assert.equal(bus.read(0x20, 1), 0);
});

test('rotation makes the serviced input the lowest', () => {
  const { pic, bus } = make();
  pic.setIrq(0, true);
  pic.acknowledge();
  bus.write(0x20, 0xa0, 1);
  pic.setIrq(0, false);
  pic.setIrq(0, true);
  pic.setIrq(1, true);
  assert.equal(pic.acknowledge(), 0x31);
});

test('poll mode acknowledges by reading', () => {
  const { pic, bus, intr } = make();
  pic.setIrq(5, true);
  bus.write(0x20, 0x0c, 1);
  assert.equal(bus.read(0x20, 1), 0x85);
  assert.equal(intr.level, false);
});

test('goes on from a saved state', () => {
  const { pic } = make();
  pic.setIrq(4, true);
  const other = new I8259Pair(() => {});
  other.load(JSON.parse(JSON.stringify(pic.save())));
  assert.equal(other.interrupt, true);
  assert.equal(other.acknowledge(), 0x34);
});
