import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { sequence } from '../../testing/sequence.js';
import { VmwarePointer } from './vmware-pointer.js';

const PORT = 0x5658;
const MAGIC = 0x564d5868;
const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3];

function made(): {
  pointer: VmwarePointer;
  registers: Uint32Array;
  ask: (command: number, argument: number) => number;
  knocks: () => number;
} {
  const registers = new Uint32Array(16);
  const ports = new PortBus();
  let knocks = 0;
  const caller = {
    get: (n: number) => registers[n]!,
    set: (n: number, value: number) => void (registers[n] = value),
  };
  const pointer = new VmwarePointer(
    () => caller,
    () => knocks++,
  );
  pointer.attach(ports);
  const ask = (command: number, argument: number): number => {
    registers[EAX] = MAGIC;
    registers[ECX] = command;
    registers[EBX] = argument;
    return (registers[EAX] = ports.read(PORT, 4));
  };
  return { pointer, registers, ask, knocks: () => knocks };
}

test('a driver finds the pointer, asks for places, and is told them', () => {
  const { pointer, registers, ask, knocks } = made();
  assert.equal(ask(10, 0), 6);
  assert.equal(registers[EBX], MAGIC);
  assert.equal(ask(40, 0), 0xffff0000, 'not enabled');
  ask(41, 0x45414552);
  assert.equal(ask(40, 0), 1);
  assert.equal(ask(39, 1), 0x3442554a);
  assert.equal(pointer.listening, false);
  ask(41, 0x53424152);
  assert.equal(pointer.listening, true);
  pointer.move(1, 0.5, -1, 5);
  assert.equal(knocks(), 1);
  assert.equal(ask(40, 0), 4);
  assert.equal(ask(39, 4), 0x28, 'left and middle');
  assert.deepEqual([registers[EBX], registers[ECX], registers[EDX]], [0xffff, 0x8000, 0xffffffff]);
  ask(41, 0x4c455252);
  assert.equal(pointer.listening, false);
});

test('what is asked wrongly, or without end, breaks nothing', () => {
  const { pointer, registers, ask } = made();
  ask(41, 0x45414552);
  ask(41, 0x53424152);
  for (let n = 0; n < 5000; n++) pointer.move(2, -1, 0, 0);
  assert.ok(ask(40, 0) <= 1024);
  assert.equal(ask(39, 7), 0xffffffff, 'there are six registers');
  assert.equal(pointer.listening, false, 'it begins anew');
  registers[EAX] = 1;
  const other = new PortBus();
  pointer.attach(other);
  assert.equal(other.read(PORT, 4), 0xffffffff, 'without the magic number');
  const next = sequence(5);
  for (let n = 0; n < 20000; n++) {
    ask(next(2) ? 39 + next(3) : next(100), [next(8), 0x45414552, 0x53424152, 0xf5, next(2 ** 31)][next(5)]!);
    if (next(3) === 0) pointer.move(next(3) / 2, next(3) / 2, next(3) - 1, next(8));
  }
  const saved = structuredClone(pointer.save());
  const again = made();
  again.pointer.load(saved);
  assert.deepEqual(again.pointer.save(), saved);
});
