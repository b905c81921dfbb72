import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { TestLine, TestTime } from '../../machine/testing.js';
import { Mc146818 } from './mc146818.js';

const A = 0x0a;
const B = 0x0b;
const C = 0x0c;

function make(wall = Date.UTC(2026, 1, 28, 23, 59, 58)) {
  const time = new TestTime();
  const irq = new TestLine();
  const ports = new PortBus();
  const rtc = new Mc146818(time.events, irq.line, wall);
  rtc.attach(ports);
  const read = (register: number): number => {
    ports.write(0x70, register, 1);
    return ports.read(0x71, 1);
  };
  const write = (register: number, value: number): void => {
    ports.write(0x70, register, 1);
    ports.write(0x71, value, 1);
  };
  const shown = (): string =>
    [0x32, 9, 8, 7, 4, 2, 0].map((register) => read(register).toString(16)).join(' ');
  return { time, irq, rtc, read, write, shown };
}

test('shows the wall clock in BCD and carries into the next month', () => {
  const { time, shown, read } = make();
  assert.equal(shown(), '20 26 2 28 23 59 58');
  assert.equal(read(6), 7);
  time.advance(2e9);
  assert.equal(shown(), '20 26 3 1 0 0 0');
  assert.equal(read(6), 1);
  assert.equal(read(0x0d), 0x80);
});

test('binary and 12-hour modes', () => {
  const { read, write } = make();
  write(B, 0x06);
  assert.equal(read(4), 23);
  assert.equal(read(0), 58);
  write(B, 0x00);
  assert.equal(read(4), 0x91);
  write(B, 0x80);
  write(4, 0x12);
  write(B, 0x00);
  write(B, 0x02);
  assert.equal(read(4), 0);
});

test('setting the time with SET, and without', () => {
  const { time, write, shown } = make();
  write(B, 0x82);
  for (const [register, value] of [
    [0, 0x30],
    [2, 0x15],
    [4, 0x08],
    [7, 0x04],
    [8, 0x07],
    [9, 0x99],
    [0x32, 0x19],
  ] as const) {
    write(register, value);
  }
  time.advance(5e9);
  assert.equal(shown(), '19 99 7 4 8 15 30');
  write(B, 0x02);
  time.advance(1e9);
  assert.equal(shown(), '19 99 7 4 8 15 31');
  write(2, 0x20);
  assert.equal(shown(), '19 99 7 4 8 20 31');
});

test('the divider held in reset stops the clock; it goes on half a second after the release', () => {
  const { time, write, shown, read } = make();
  write(A, 0x70);
  time.advance(10e9);
  assert.equal(shown(), '20 26 2 28 23 59 58');
  assert.equal(read(A), 0x70);
  write(A, 0x26);
  time.advance(499e6);
  assert.equal(shown(), '20 26 2 28 23 59 58');
  time.advance(1e6);
  assert.equal(shown(), '20 26 2 28 23 59 59');
});

test('UIP is set from 244 µs before the update until its end', () => {
  const { time, read } = make();
  time.advance(1e9 - 2_228_001);
  assert.equal(read(A) & 0x80, 0);
  time.advance(1);
  assert.equal(read(A) & 0x80, 0x80);
  time.advance(2_227_999);
  assert.equal(read(A) & 0x80, 0x80);
  time.advance(1);
  assert.equal(read(A) & 0x80, 0);
});

test('no events while no interrupt is enabled; flags come all the same', () => {
  const { time, read } = make();
  time.advance(3e9);
  assert.equal(time.events.next(), undefined);
  assert.equal(read(C) & 0x50, 0x50);
  assert.equal(read(C), 0);
});

test('periodic interrupts at 1024 Hz, the next only after register C was read', () => {
  const { time, irq, read, write } = make();
  write(B, 0x42);
  time.advance(10e6);
  assert.equal(irq.rises, 1);
  assert.equal(time.events.next(), undefined);
  read(C);
  let count = 0;
  for (let step = 0; step < 10_000; step++) {
    time.advance(100_000);
    if (irq.level) {
      count++;
      assert.equal(read(C) & 0xc0, 0xc0);
    }
  }
  assert.ok(count >= 1023 && count <= 1024, String(count));
});

test('an interrupt that is due while register C is read is an edge of its own', () => {
  const { time, irq, read, write } = make();
  write(B, 0x42);
  time.advance(1e6);
  assert.equal(irq.rises, 1);
  // Real time goes on meanwhile.
  time.clock.now = () => (time.clock.time += 1e6);
  read(C);
  assert.deepEqual([irq.level, irq.rises], [true, 2]);
});

test('update interrupts come each second', () => {
  const { time, irq, read, write } = make();
  write(B, 0x12);
  for (let second = 1; second <= 3; second++) {
    time.advance(999_999_999);
    assert.equal(irq.level, false);
    time.advance(1);
    assert.equal(irq.level, true);
    assert.equal(read(C) & 0x90, 0x90);
  }
});

test('alarms: at a time of day, and with "do not care"', () => {
  const { time, irq, read, write } = make();
  for (const [register, value] of [
    [5, 0x06],
    [3, 0x30],
    [1, 0x00],
  ] as const) {
    write(register, value);
  }
  read(C);
  write(B, 0x22);
  const sixThirty = (2 + 6.5 * 3600) * 1e9;
  assert.equal(time.events.next(), sixThirty);
  time.advance(sixThirty);
  assert.equal(read(C) & 0xa0, 0xa0);
  assert.equal(irq.level, false);
  write(5, 0xff);
  write(3, 0xff);
  assert.equal(time.events.next(), sixThirty + 60e9);
  write(1, 0x75);
  assert.equal(time.events.next(), undefined);
});

test('CMOS memory keeps what is written; registers C and D do not take writes', () => {
  const { read, write } = make();
  write(0x40, 0x5a);
  write(C, 0xff);
  write(0x0d, 0);
  assert.equal(read(0x40), 0x5a);
  assert.equal(read(0x0d), 0x80);
  assert.equal(read(0xc0), 0x5a);
});

test('any values in any register are borne', () => {
  const { time, read, write } = make();
  for (const value of [0xff, 0x00, 0x7f, 0x86, 0x5a]) {
    for (let register = 0; register < 0x80; register++) {
      write(register, value);
      time.advance(1e8);
      for (let other = 0; other < 0x33; other++) assert.ok(read(other) <= 0xff);
    }
  }
});

test('goes on from a saved state', () => {
  const { time, rtc } = make();
  time.advance(3e9);
  const copy = make(0);
  copy.time.clock.time = 3e9;
  copy.rtc.load(JSON.parse(JSON.stringify(rtc.save())));
  copy.time.advance(1e9);
  assert.equal(copy.shown(), '20 26 3 1 0 0 2');
});
