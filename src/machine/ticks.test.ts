import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ticksAt, timeOfTick } from './ticks.js';

test('ticks and times are exact, also after months', () => {
  for (const hz of [32768, 1193182, 3579545]) {
    assert.equal(ticksAt(1e9, hz), hz);
    for (const tick of [0, 1, 17, hz - 1, hz, hz * 7_000_000 + 12345]) {
      const time = timeOfTick(tick, hz);
      assert.equal(ticksAt(time, hz), tick);
      if (tick > 0) assert.equal(ticksAt(time - 1, hz), tick - 1);
    }
  }
});
