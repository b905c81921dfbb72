import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from './clock.js';
import { EventQueue } from './events.js';

test('events come by time, then by when they were armed', () => {
  const queue = new EventQueue(new ManualClock());
  const log: string[] = [];
  const a = queue.timer('a', (deadline) => log.push(`a${deadline}`));
  const b = queue.timer('b', () => log.push('b'));
  queue.at(5, () => log.push('once'));
  b.arm(10);
  a.arm(10);
  assert.equal(queue.next(), 5);
  queue.runDue(10);
  assert.deepEqual(log, ['once', 'b', 'a10']);
  assert.equal(queue.next(), undefined);
});

test('arming again replaces the deadline, disarming and Infinity drop it', () => {
  const queue = new EventQueue(new ManualClock());
  let count = 0;
  const timer = queue.timer('t', () => count++);
  timer.arm(5);
  timer.arm(50);
  queue.runDue(10);
  assert.equal(count, 0);
  timer.arm(Infinity);
  assert.equal(timer.deadline, undefined);
  const event = queue.at(20, () => count++);
  queue.cancel(event);
  queue.runDue(100);
  assert.equal(count, 0);
});

test('a callback may arm for now: it comes in the same run', () => {
  const queue = new EventQueue(new ManualClock());
  let left = 3;
  const timer = queue.timer('t', (deadline) => {
    if (--left > 0) timer.arm(deadline);
  });
  timer.arm(1);
  queue.runDue(1);
  assert.equal(left, 0);
});

test('onEarlier is called only for what becomes the first event', () => {
  const queue = new EventQueue(new ManualClock());
  let calls = 0;
  queue.onEarlier = () => calls++;
  queue.at(10, () => {});
  queue.at(20, () => {});
  queue.at(5, () => {});
  assert.equal(calls, 2);
});

test('deadlines and their order are saved by name', () => {
  const log: string[] = [];
  const make = (): EventQueue => {
    const queue = new EventQueue(new ManualClock());
    for (const name of ['a', 'b']) queue.timer(name, () => log.push(name));
    return queue;
  };
  const first = make();
  first.load({
    version: 1,
    armed: [
      ['b', 7],
      ['a', 7],
    ],
  });
  const second = make();
  second.load(JSON.parse(JSON.stringify(first.save())));
  second.runDue(7);
  assert.deepEqual(log, ['b', 'a']);
});

test('two timers of one name are refused', () => {
  const queue = new EventQueue(new ManualClock());
  queue.timer('x', () => {});
  assert.throws(() => queue.timer('x', () => {}), /two timers named x/);
});
