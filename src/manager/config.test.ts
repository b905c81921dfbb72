import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../machine/user-error.js';
import { CpuTopology } from '../engine/cpu-topology.js';
import {
  parseClock,
  parseCpuCap,
  parseCpus,
  parseNodes,
  parseSeed,
  parseEngine,
  parseMemory,
  parseSerial,
  parseTimeout,
} from './config.js';

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
    [() => parseCpus('8,sockets=3'), /3 sockets.*do not make 8/],
    [() => parseCpus('8,cores=2,threads=2'), /1 sockets, 2 threads and 2 cores do not make 8/],
    [() => parseCpus('8,dies=2'), /there is no "dies"/],
    [() => parseCpus('8,cores=x'), /cores=x is not a number/],
    [() => parseCpus('8,cores=8,cores=8'), /cores is given twice/],
    [() => parseCpus('195,sockets=65,cores=3'), /APIC id 258/],
    [() => parseNodes('3', new CpuTopology(2, 2, 1)), /--numa 3.*from 1 to 2/],
    [() => parseSeed('0'), /--seed 0/],
    [() => parseCpuCap('0'), /--cpu-cap 0/],
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

test('CPUs are grouped as asked; cores are what is left to say', () => {
  const shape = (text: string): number[] => {
    const { sockets, cores, threads, cpus } = parseCpus(text);
    return [cpus, sockets, cores, threads];
  };
  assert.deepEqual(shape('4'), [4, 1, 4, 1]);
  assert.deepEqual(shape('32,sockets=2,threads=2'), [32, 2, 8, 2]);
  assert.deepEqual(shape('12,sockets=2,cores=3,threads=2'), [12, 2, 3, 2]);
  // Three cores take two bits: each socket's ids begin at a multiple of eight.
  assert.deepEqual(
    parseCpus('12,sockets=2,cores=3,threads=2').apicIds,
    [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13],
  );
});
