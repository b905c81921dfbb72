import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { DebugConsole } from './debug-console.js';
import { DebugExit, debugExitStatus } from './debug-exit.js';

test('port 0xE9 reads as itself and passes bytes on', () => {
  const ports = new PortBus();
  const out: number[] = [];
  new DebugConsole((byte) => out.push(byte)).attach(ports);
  assert.equal(ports.read(0xe9, 1), 0xe9);
  ports.write(0xe9, 0x41, 1);
  assert.deepEqual(out, [0x41]);
});

test('isa-debug-exit takes a value of any width; its status is (v << 1) | 1', () => {
  const ports = new PortBus();
  const values: number[] = [];
  new DebugExit((value) => values.push(value)).attach(ports);
  ports.write(0xf4, 0x10, 4);
  ports.write(0xf4, 0x3, 1);
  assert.deepEqual(values, [0x10, 3]);
  assert.equal(debugExitStatus(0x10), 0x21);
  assert.equal(debugExitStatus(0xff), 0xff);
  assert.equal(debugExitStatus(0x80000000), 1);
});
