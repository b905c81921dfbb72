import assert from 'node:assert/strict';
import { test } from 'node:test';
import { A20Gate } from './a20.js';
import { PORT_92, Port92 } from './port92.js';

test('either source enables line 20', () => {
  const log: boolean[] = [];
  const gate = new A20Gate((enabled) => log.push(enabled));
  gate.setKeyboard(true);
  gate.setFast(true);
  gate.setKeyboard(false);
  gate.setFast(false);
  assert.deepEqual(log, [true, false]);
});

test('port 0x92: bit 1 is A20, a rising bit 0 resets the CPU', () => {
  let resets = 0;
  let a20 = false;
  const port = new Port92(
    (enabled) => (a20 = enabled),
    () => resets++,
  );
  port.writePort(PORT_92, 2);
  assert.equal(a20, true);
  assert.equal(port.readPort(), 2);
  port.writePort(PORT_92, 3);
  port.writePort(PORT_92, 3);
  assert.equal(resets, 1);
});
