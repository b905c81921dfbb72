import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus } from '../../machine/mmio-bus.js';
import { TestLine, TestTime } from '../../machine/testing.js';
import { Hpet } from './hpet.js';

const CONFIG = 0x10;
const STATUS = 0x20;
const COUNTER = 0xf0;
const timer = (index: number): { config: number; comparator: number } => ({
  config: 0x100 + 0x20 * index,
  comparator: 0x108 + 0x20 * index,
});

function make() {
  const time = new TestTime();
  const irq0 = new TestLine();
  const irq8 = new TestLine();
  const gsi20 = new TestLine();
  const gsi21 = new TestLine();
  const gsis = new Map([
    [20, gsi20.line],
    [21, gsi21.line],
  ]);
  const hpet = new Hpet(time.events, { irq0: irq0.line, irq8: irq8.line, gsis });
  const bus = new MmioBus();
  bus.map(0, 0x400, hpet);
  return { time, irq0, irq8, gsi20, gsi21, hpet, bus };
}

test('capabilities: 10 ns, 64 bits, three timers, legacy routing', () => {
  const { bus } = make();
  assert.equal(bus.read(0, 4), 0x8086a201);
  assert.equal(bus.read(4, 4), 10_000_000);
  assert.equal(bus.read64(timer(2).config), 0x00300000_00000030n);
});

test('the counter runs while enabled and can be set while it stands', () => {
  const { time, bus } = make();
  time.advance(1000);
  assert.equal(bus.read64(COUNTER), 0n);
  bus.write64(COUNTER, 0xffff_ffffn);
  bus.write(CONFIG, 1, 4);
  time.advance(50);
  assert.equal(bus.read64(COUNTER), 0x1_0000_0004n);
  assert.equal(bus.read(COUNTER + 4, 4), 1);
  bus.write(CONFIG, 0, 4);
  time.advance(1000);
  assert.equal(bus.read64(COUNTER), 0x1_0000_0004n);
});

test('one-shot, level triggered: asserted until the status is cleared', () => {
  const { time, gsi20, bus } = make();
  bus.write64(timer(0).config, BigInt((20 << 9) | 2 | 4));
  bus.write64(timer(0).comparator, 100n);
  bus.write(CONFIG, 1, 4);
  time.advance(999);
  assert.equal(gsi20.level, false);
  time.advance(1);
  assert.equal(gsi20.level, true);
  assert.equal(bus.read(STATUS, 4), 1);
  bus.write(STATUS, 1, 4);
  assert.equal(gsi20.level, false);
  assert.equal(time.events.next(), undefined);
});

test('periodic, edge triggered, with legacy routing: takes over IRQ 0 from the 8254', () => {
  const { time, irq0, hpet, bus } = make();
  hpet.pitLine(true);
  assert.equal(irq0.level, true);
  bus.write64(CONFIG, 3n);
  assert.equal(irq0.level, false);
  hpet.pitLine(false);
  hpet.pitLine(true);
  const before = irq0.rises;
  bus.write(timer(0).config, 0x14c, 4);
  bus.write(timer(0).comparator, 100_000, 4);
  bus.write(timer(0).comparator, 100_000, 4);
  time.advance(10 * 1e6 - 1);
  assert.equal(irq0.rises - before, 9);
  time.advance(1);
  assert.equal(irq0.rises - before, 10);
  assert.equal(bus.read(timer(0).comparator, 4), 1_100_000);
  bus.write64(CONFIG, 1n);
  assert.equal(irq0.level, true);
});

test('a comparator behind the counter comes round after 2^32 in 32-bit mode, practically never in 64', () => {
  const { time, gsi21, bus } = make();
  bus.write64(CONFIG, 1n);
  time.advance(10_000);
  bus.write64(timer(1).config, BigInt((21 << 9) | 4));
  bus.write64(timer(1).comparator, 10n);
  assert.equal(time.events.next(), undefined);
  bus.write64(timer(1).config, BigInt((21 << 9) | 4 | 0x100));
  bus.write64(timer(1).comparator, 10n);
  assert.equal(time.events.next(), (2 ** 32 + 10) * 10);
  assert.equal(gsi21.rises, 0);
});

test('a route that is not offered is not taken', () => {
  const { bus } = make();
  bus.write64(timer(0).config, BigInt((5 << 9) | 4));
  assert.equal(bus.read64(timer(0).config) & 0x3e00n, 0n);
});

test('a late or absurdly short period interrupts, and time goes on', () => {
  const { time, irq0, bus } = make();
  bus.write64(CONFIG, 3n);
  bus.write64(timer(0).config, 0x4cn);
  bus.write64(timer(0).comparator, 1n);
  bus.write64(timer(0).comparator, 1n);
  time.clock.time = 1e9;
  time.events.runDue();
  assert.ok(irq0.rises > 0);
  assert.ok(time.events.next()! > 1e9);
});

test('accesses of any size to any offset are borne', () => {
  const { time, bus } = make();
  for (let offset = 0; offset < 0x400; offset++) {
    for (const size of [1, 2, 4] as const) {
      bus.read(offset, size);
      bus.write(offset, 0xffffffff, size);
    }
    bus.read64(offset);
    bus.write64(offset, 0xffff_ffff_ffff_ffffn);
    time.advance(1e5);
  }
  assert.equal(bus.read(0, 4), 0x8086a201);
});

test('goes on from a saved state', () => {
  const { time, hpet, bus } = make();
  bus.write64(CONFIG, 1n);
  bus.write64(timer(0).config, BigInt((20 << 9) | 4));
  bus.write64(timer(0).comparator, 1000n);
  time.advance(4000);
  const saved = JSON.parse(JSON.stringify({ hpet: hpet.save(), events: time.events.save() }));
  const copy = make();
  copy.time.clock.time = 4000;
  copy.hpet.load(saved.hpet);
  copy.time.events.load(saved.events);
  assert.equal(copy.bus.read64(COUNTER), 400n);
  copy.time.advance(6000);
  assert.equal(copy.gsi20.rises, 1);
});
