import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../machine/user-error.js';
import { parseClock, parseCpus, parseEngine, parseMemory, parseSerial, parseTimeout } from './config.js';

test('memory is taken in the usual units, in whole pages', () => {
  assert.equal(parseMemory('512M'), 512 * 2 ** 20);
  assert.equal(parseMemory('512'), 512 * 2 ** 20);
  assert.equal(parseMemory('1.5G'), 1.5 * 2 ** 30);
  assert.equal(parseMemory('65537K'), 65536 * 1024);
  assert.equal(parseMemory('64MiB'), 64 * 2 ** 20);
});

test('what cannot be is refused by name and value', () => {
  const refused: [() => unknown, RegExp][] = [
    [() => parseMemory('1M'), /--memory 1M: too little/],
    [() => parseMemory('64G'), /--memory 64G: more than fits/],
    [() => parseMemory('much'), /--memory much: not an amount/],
    [() => parseCpus('0'), /--cpus 0/],
    [() => parseCpus('2.5'), /--cpus 2.5/],
    [() => parseCpus('256'), /from 1 to 255/],
    [() => parseEngine('fast'), /--engine fast/],
    [() => parseSerial('tcp:1'), /--serial tcp:1/],
    [() => parseSerial('file:'), /--serial file:/],
    [() => parseTimeout('-1'), /--timeout -1/],
    [() => parseTimeout('soon'), /--timeout soon/],
    [() => parseClock('fast'), /--clock fast/],
  ];
  for (const [attempt, message] of refused)
    assert.throws(
      attempt,
      (error) => error instanceof UserError && message.test(error.message),
      String(message),
    );
});

test('places for the serial port', () => {
  assert.deepEqual(parseSerial('stdio'), { kind: 'stdio' });
  assert.deepEqual(parseSerial('none'), { kind: 'none' });
  assert.deepEqual(parseSerial('file:/tmp/a:b'), { kind: 'file', path: '/tmp/a:b' });
});
