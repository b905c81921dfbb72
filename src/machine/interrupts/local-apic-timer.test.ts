import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from '../events.js';
import { LocalApicTimer, ONE_SHOT } from './local-apic-timer.js';

/** A clock as the host's: it has gone on each time that one looks. */
class RunningClock {
  time = 0;
  now(): number {
    return (this.time += 1000);
  }
}

test('a one-shot count that runs out while it is set interrupts all the same', () => {
  const clock = new RunningClock();
  const events = new EventQueue(clock);
  let fired = 0;
  const timer = new LocalApicTimer(
    events,
    'timer',
    () => 0n,
    () => fired++,
  );
  timer.configure(ONE_SHOT, false);
  for (const count of [1, 15, 499, 600]) {
    fired = 0;
    timer.writeInitialCount(count);
    for (let i = 0; i < 5; i++) events.runDue();
    assert.equal(fired, 1, `count of ${count}`);
  }
});

test('a change of the divisor keeps the count that is left, however short', () => {
  const clock = new RunningClock();
  const events = new EventQueue(clock);
  let fired = 0;
  const timer = new LocalApicTimer(
    events,
    'timer',
    () => 0n,
    () => fired++,
  );
  timer.configure(ONE_SHOT, false);
  timer.writeInitialCount(1000);
  timer.writeDivide(0b1011);
  for (let i = 0; i < 5; i++) events.runDue();
  assert.equal(fired, 1);
});

test('a count that has run out while masked does not interrupt when it is unmasked', () => {
  const clock = new RunningClock();
  const events = new EventQueue(clock);
  let fired = 0;
  const timer = new LocalApicTimer(
    events,
    'timer',
    () => 0n,
    () => fired++,
  );
  timer.configure(ONE_SHOT, true);
  timer.writeInitialCount(100);
  clock.time += 10_000;
  timer.configure(ONE_SHOT, false);
  for (let i = 0; i < 5; i++) events.runDue();
  assert.equal(fired, 0);
});
