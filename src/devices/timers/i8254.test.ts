import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { TestLine, TestTime } from '../../machine/testing.js';
import { timeOfTick } from '../../machine/ticks.js';
import { I8254, PIT_HZ } from './i8254.js';
import { Port61 } from './port61.js';

function make() {
  const time = new TestTime();
  const irq = new TestLine();
  const ports = new PortBus();
  const pit = new I8254(time.events, irq.line);
  pit.attach(ports);
  const port61 = new Port61(pit);
  port61.attach(ports);
  const program = (counter: number, mode: number, count: number): void => {
    ports.write(0x43, (counter << 6) | 0x30 | (mode << 1), 1);
    ports.write(0x40 + counter, count & 0xff, 1);
    ports.write(0x40 + counter, count >> 8, 1);
  };
  const readCount = (counter: number): number => {
    ports.write(0x43, counter << 6, 1);
    return ports.read(0x40 + counter, 1) | (ports.read(0x40 + counter, 1) << 8);
  };
  /** Lets so many ticks of the input clock pass, from an exact tick on. */
  let ticks = 0;
  const pass = (count: number): void => {
    ticks += count;
    time.advance(timeOfTick(ticks, PIT_HZ) - time.clock.time);
  };
  return { time, irq, ports, pit, program, readCount, pass };
}

test('mode 2 interrupts at its rate: 1000 times in 1193 * 1000 ticks', () => {
  const { irq, program, pass } = make();
  program(0, 2, 1193);
  const before = irq.rises;
  pass(1193 * 1000 + 1);
  assert.equal(irq.rises - before, 1000);
});

test('mode 2 counts down and reloads; a latched count stands still', () => {
  const { ports, program, readCount, pass } = make();
  program(0, 2, 100);
  pass(1);
  assert.equal(readCount(0), 100);
  pass(30);
  assert.equal(readCount(0), 70);
  pass(70);
  assert.equal(readCount(0), 100);
  ports.write(0x43, 0, 1);
  pass(10);
  assert.equal(ports.read(0x40, 1) | (ports.read(0x40, 1) << 8), 100);
  assert.equal(readCount(0), 90);
});

test('mode 0: output low until the count ends, then one interrupt; no event is left', () => {
  const { time, irq, program, readCount, pass } = make();
  program(0, 0, 50);
  assert.equal(irq.level, false);
  pass(50);
  assert.equal(irq.level, false);
  pass(1);
  assert.equal(irq.level, true);
  assert.equal(time.events.next(), undefined);
  pass(3);
  assert.equal(readCount(0), 0xfffd);
});

test('mode 3: square wave, seen at counter 2 through port 0x61', () => {
  const { ports, program, readCount, pass } = make();
  ports.write(0x61, 1, 1);
  program(2, 3, 10);
  pass(1);
  const levels: number[] = [];
  for (let tick = 0; tick < 10; tick++) {
    levels.push((ports.read(0x61, 1) >> 5) & 1);
    pass(1);
  }
  assert.deepEqual(levels, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
  assert.equal(readCount(2), 10);
  pass(2);
  assert.equal(readCount(2), 6);
});

test('counter 2 in mode 0, as systems use it to measure the TSC', () => {
  const { ports, program, pass } = make();
  ports.write(0x61, 0, 1);
  program(2, 0, 1000);
  pass(5000);
  assert.equal(ports.read(0x61, 1) & 0x20, 0);
  ports.write(0x61, 1, 1);
  pass(999);
  assert.equal(ports.read(0x61, 1) & 0x20, 0);
  pass(2);
  assert.equal(ports.read(0x61, 1) & 0x20, 0x20);
});

test('the gate holds mode 0 and restarts mode 2', () => {
  const { ports, program, readCount, pass } = make();
  ports.write(0x61, 1, 1);
  program(2, 0, 1000);
  pass(101);
  ports.write(0x61, 0, 1);
  pass(500);
  assert.equal(readCount(2), 900);
  ports.write(0x61, 1, 1);
  pass(100);
  assert.equal(readCount(2), 800);
  program(2, 2, 1000);
  pass(301);
  ports.write(0x61, 0, 1);
  ports.write(0x61, 1, 1);
  pass(1);
  assert.equal(readCount(2), 1000);
});

test('mode 4 strobes once', () => {
  const { irq, time, program, pass } = make();
  program(0, 4, 20);
  const before = irq.rises;
  pass(22);
  assert.equal(irq.rises, before + 1);
  assert.equal(time.events.next(), undefined);
});

test('a new count in mode 2 begins after the period', () => {
  const { program, ports, readCount, pass } = make();
  program(0, 2, 100);
  pass(51);
  ports.write(0x40, 200, 1);
  ports.write(0x40, 0, 1);
  assert.equal(readCount(0), 50);
  pass(50);
  assert.equal(readCount(0), 200);
  pass(100);
  assert.equal(readCount(0), 100);
});

test('read-back gives status before count', () => {
  const { ports, program, pass } = make();
  program(0, 2, 0x1234);
  pass(1);
  for (let again = 0; again < 100; again++) ports.write(0x43, 0xc2, 1);
  assert.equal(ports.read(0x40, 1), 0x80 | 0x34);
  assert.equal(ports.read(0x40, 1), 0x34);
  assert.equal(ports.read(0x40, 1), 0x12);
  ports.write(0x43, 0x30, 1);
  ports.write(0x43, 0xe2, 1);
  assert.equal(ports.read(0x40, 1), 0x40 | 0x30);
});

test('BCD counts to 9999, single bytes can be chosen', () => {
  const { ports, pass } = make();
  ports.write(0x43, 0x35, 1);
  ports.write(0x40, 0x00, 1);
  ports.write(0x40, 0x10, 1);
  pass(2);
  assert.equal(ports.read(0x40, 1), 0x99);
  assert.equal(ports.read(0x40, 1), 0x09);
  ports.write(0x43, 0x14, 1);
  ports.write(0x40, 7, 1);
  pass(3);
  assert.equal(ports.read(0x40, 1), 5);
});

test('a count of 1 in mode 2 cannot stop the machine', () => {
  const { time, program } = make();
  program(0, 2, 1);
  time.clock.time = 5e9;
  time.events.runDue();
  assert.ok(time.events.next()! > 5e9);
});

test('the refresh bit of port 0x61 toggles every 15 µs', () => {
  const { time, ports } = make();
  let toggles = 0;
  let last = ports.read(0x61, 1) & 0x10;
  for (let step = 0; step < 1000; step++) {
    time.advance(1000);
    const now = ports.read(0x61, 1) & 0x10;
    if (now !== last) toggles++;
    last = now;
  }
  assert.equal(toggles, 66);
});

test('goes on from a saved state', () => {
  const { time, pit, program, pass } = make();
  program(0, 2, 1000);
  pass(301);
  const saved = JSON.parse(JSON.stringify({ pit: pit.save(), events: time.events.save() }));
  const copy = make();
  copy.time.clock.time = time.clock.time;
  copy.pit.load(saved.pit);
  copy.time.events.load(saved.events);
  assert.equal(copy.readCount(0), 700);
  assert.equal(copy.time.events.next(), time.events.next());
});
