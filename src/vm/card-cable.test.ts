import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame, NO_OFFLOAD } from '../machine/frame.js';
import { Switch } from '../network/switch/switch.js';
import { TestTimers } from '../testing/test-timers.js';
import { CardCable } from './card-cable.js';

test('a card that waits goes on, and its machine wakes, when the cable has room or is another one', () => {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const rateIn = { bitsPerSecond: 8e6, burstBytes: 3000, framesPerSecond: Infinity };
  const [first, second] = [wire.addPort({ name: 'first', rateIn }), wire.addPort({ name: 'second' })];
  let [woken, told] = [0, 0];
  const cable = new CardCable(first, () => woken++);
  cable.plug({ abilities: NO_OFFLOAD, receive: () => true, ready: () => told++ });
  const fill = (): void => {
    while (!cable.busy) cable.send(Frame.of(new Uint8Array(1000)));
    woken = told = 0;
  };
  fill();
  timers.advance(50);
  assert.deepEqual([cable.busy, told, woken], [false, 1, 1]);
  fill();
  cable.replug(second);
  assert.equal(cable.busy, false);
  assert.ok(told > 0 && woken > 0);
});
