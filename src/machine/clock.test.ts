import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealClock, VirtualClock } from './clock.js';

test('the real clock counts from power-on and goes on from a saved moment', () => {
  let host = 1_000_000;
  const clock = new RealClock(() => host);
  host += 500;
  assert.equal(clock.now(), 500);
  const later = new RealClock(() => host);
  later.load(clock.save());
  host += 7;
  assert.equal(later.now(), 507);
});

test('the virtual clock is the instruction count plus what was skipped', () => {
  let instructions = 10;
  const clock = new VirtualClock(() => instructions);
  assert.equal(clock.now(), 10);
  clock.advanceTo(1000);
  assert.equal(clock.now(), 1000);
  clock.advanceTo(500);
  assert.equal(clock.now(), 1000);
  instructions += 5;
  assert.equal(clock.now(), 1005);
  const other = new VirtualClock(() => 3);
  other.load(clock.save());
  assert.equal(other.now(), 1005);
});
