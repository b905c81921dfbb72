import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { CR0, CR4, DATA32, EFER, EFLAGS, LOW_BYTES, Rig } from './rig.js';
import { sequence } from '../../testing/sequence.js';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;
const DS = BigInt(L.DS);
const TABLES = 0x100000;

/** Executes a repeated instruction until it is finished or faults; how often it was run. */
function repeat(rig: Rig, name: string, ...args: bigint[]): number {
  for (let times = 1; times <= 1000; times++) {
    const finished = rig.call(name, ...args);
    if (finished === 1n || rig.u32(rig.cpu + L.S_FAULT) !== 0) return times;
  }
  throw new Error(`${name} does not end`);
}

function fillRandom(rig: Rig, seed: number): Uint8Array {
  const random = sequence(seed);
  const bytes = Uint8Array.from({ length: 0x6000 }, () => random(256));
  rig.write(0x10000, bytes);
  return bytes;
}

test('MOVS moves as element by element does: any overlap, direction, size and page offset', () => {
  const rig = new Rig();
  const random = sequence(99);
  for (let trial = 0; trial < 400; trial++) {
    const size = 1 << random(4);
    const count = random(trial % 4 ? 40 : 1200);
    const down = random(3) === 0;
    const source = 0x2800 + random(0x1000);
    const target = random(2) ? source + random(64) - 32 : 0x1800 + random(0x2800);
    const model = fillRandom(rig, trial + 1);
    const step = down ? -size : size;
    for (let i = 0; i < count; i++) {
      const element = model.slice(source + i * step, source + i * step + size);
      model.set(element, target + i * step);
    }
    rig.setup({ cr4: CR4.PAE, efer: EFER.LMA, eflags: down ? EFLAGS.DF : 0 });
    rig.setRegister(RSI, BigInt(0x10000 + source));
    rig.setRegister(RDI, BigInt(0x10000 + target));
    rig.setRegister(RCX, BigInt(count));
    repeat(rig, 'movs', BigInt(size), 8n, DS, 1n);
    const what = `trial ${trial}: ${count} of ${size} bytes, ${source.toString(16)} to ${target.toString(16)}, ${down ? 'down' : 'up'}`;
    assert.equal(rig.fault(), null, what);
    assert.equal(Buffer.compare(model, rig.bytes(0x10000, model.length)), 0, what);
    assert.equal(rig.register(RCX), 0n);
    assert.equal(rig.register(RSI), BigInt(0x10000 + source + count * step));
    assert.equal(rig.register(RDI), BigInt(0x10000 + target + count * step));
  }
});

test('STOS fills with the accumulator, whatever lies above its size', () => {
  const rig = new Rig();
  const random = sequence(7);
  for (let trial = 0; trial < 200; trial++) {
    const size = 1 << random(4);
    const count = random(900);
    const target = 0x1000 + random(0x1800);
    const down = random(4) === 0;
    const model = fillRandom(rig, trial + 1);
    const value = 0x8192a3b4c5d6e7f8n;
    const at = (i: number): number => target + (down ? 0x1c00 - i * size : i * size);
    for (let i = 0; i < count; i++)
      for (let b = 0; b < size; b++) model[at(i) + b] = Number((value >> BigInt(8 * b)) & 0xffn);
    rig.setup({ eflags: down ? EFLAGS.DF : 0 });
    rig.setRegister(RAX, value);
    rig.setRegister(RDI, BigInt(0x10000 + at(0)));
    rig.setRegister(RCX, BigInt(count));
    repeat(rig, 'stos', BigInt(size), 4n, 1n);
    assert.equal(
      Buffer.compare(model, rig.bytes(0x10000, model.length)),
      0,
      `trial ${trial}: ${count} of ${size} at ${target}`,
    );
    assert.equal(rig.register(RDI), BigInt(0x10000 + at(count)));
  }
});

test('a long run is done in pieces, and one repetition at a time while something is pending', () => {
  const rig = new Rig();
  rig.setRegister(RDI, 0x10000n);
  rig.setRegister(RCX, 10000n);
  assert.equal(repeat(rig, 'stos', 1n, 4n, 1n), 3);
  rig.setRegister(RDI, 0x10000n);
  rig.setRegister(RCX, 5n);
  rig.setU32(rig.cpu + L.S_PENDING, L.PENDING_STEP);
  assert.equal(rig.call('stos', 1n, 4n, 1n), 0n);
  assert.equal(rig.register(RCX), 4n);
  assert.equal(repeat(rig, 'stos', 1n, 4n, 1n), 4);
});

test('a fault in the middle leaves the registers at the element that faulted', () => {
  const rig = new Rig();
  rig.setRam32(TABLES, TABLES + 0x1007);
  for (let i = 0; i < 0x40; i++) rig.setRam32(TABLES + 0x1000 + 4 * i, i === 0x22 ? 0 : i * 0x1000 + 7);
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES) });
  rig.write(
    0x10000,
    Uint8Array.from({ length: 0x3000 }, (_, i) => i),
  );
  rig.setRegister(RSI, 0x10000n);
  rig.setRegister(RDI, 0x20802n);
  rig.setRegister(RCX, 0x800n);
  repeat(rig, 'movs', 4n, 4n, DS, 1n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x22000n });
  // the element at 21ffe reaches into the missing page: nothing of it is written
  assert.equal(rig.register(RDI), 0x21ffen);
  assert.equal(rig.register(RSI), 0x117fcn);
  assert.equal(rig.register(RCX), 0x800n - 0x5ffn);
  assert.deepEqual([...rig.bytes(0x21ffa, 6)], [0xf8, 0xf9, 0xfa, 0xfb, 0, 0]);
  // a comparison that faults leaves the flags as they were
  rig.call('setEflags', 0x8d5, 0x8d5);
  rig.setRegister(RDI, 0x21ff8n);
  rig.setRegister(RCX, 0x20n);
  rig.setRegister(RAX, 0n);
  repeat(rig, 'scas', 4n, 4n, 2n);
  assert.deepEqual(rig.fault()?.vector, 14);
  assert.equal(Number(rig.call('getEflags')) & 0x8d5, 0x8d5);
});

test('segment limits stop a run at the exact element', () => {
  const rig = new Rig();
  rig.segment(L.ES, { attributes: DATA32, base: 0x10000n, limit: 0x0fffn });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RDI, 0xf00n);
  rig.setRegister(RCX, 0x200n);
  rig.setRegister(RAX, 0x55n);
  repeat(rig, 'stos', 1n, 4n, 1n);
  assert.deepEqual(rig.fault(), { vector: 13, error: 0 });
  assert.equal(rig.register(RDI), 0x1000n);
  assert.equal(rig.register(RCX), 0x100n);
  assert.deepEqual([...rig.bytes(0x10ffe, 4)], [0x55, 0x55, 0, 0]);
});

test('16-bit addresses wrap and leave the upper halves alone; 32-bit ones clear them', () => {
  const rig = new Rig();
  for (const [asize, above, after] of [
    [2n, 0xabcd0000n, 0xabcd0002n],
    [4n, 0xabcd_00000000n, 2n],
  ] as const) {
    const start = asize === 2n ? 0xfffen : 0xfffffffen;
    rig.setRegister(RDI, above + start);
    rig.setRegister(RCX, above + 4n);
    rig.setRegister(RAX, 0x77n);
    rig.segment(L.ES, { attributes: DATA32, base: asize === 2n ? 0x10000n : 0x10002n });
    rig.runtime.updateMode(rig.cpu);
    repeat(rig, 'stos', 1n, asize, 1n);
    assert.equal(rig.fault(), null);
    assert.equal(rig.register(RDI), after);
    assert.equal(rig.register(RCX), asize === 2n ? 0xabcd0000n : 0n);
  }
  assert.deepEqual([...rig.bytes(0x10000, 5)], [0x77, 0x77, 0x77, 0x77, 0]);
  assert.deepEqual([...rig.bytes(0x1fffe, 3)], [0x77, 0x77, 0]);
});

test('REPE CMPS stops behind the first difference, REPNE SCAS behind the first match, with the flags of SUB', () => {
  const rig = new Rig();
  rig.write(0x10000, Buffer.from('the same start, then a'));
  rig.write(0x11ff0, Buffer.from('the same start, then b'));
  rig.setRegister(RSI, 0x10000n);
  rig.setRegister(RDI, 0x11ff0n);
  rig.setRegister(RCX, 100n);
  repeat(rig, 'cmps', 1n, 4n, DS, 1n);
  assert.equal(rig.register(RCX), 100n - 22n);
  assert.equal(rig.register(RSI), 0x10016n);
  // 'a' - 'b': CF, PF, AF, SF
  assert.equal(Number(rig.call('getEflags')) & 0x8d5, 0x95);
  rig.setRegister(RDI, 0x10000n);
  rig.setRegister(RCX, 100n);
  rig.setRegister(RAX, 0xff00n + BigInt(','.charCodeAt(0)));
  repeat(rig, 'scas', 1n, 4n, 2n);
  assert.equal(rig.register(RDI), 0x1000fn);
  assert.equal(Number(rig.call('getEflags')) & 0x8d5, 0x44);
  // no repetition at all: nothing changes
  rig.setRegister(RCX, 0n);
  rig.call('setEflags', 0, 0x8d5);
  assert.equal(rig.call('scas', 1n, 4n, 2n), 1n);
  assert.equal(rig.register(RDI), 0x1000fn);
  assert.equal(Number(rig.call('getEflags')) & 0x8d5, 0);
});

test('LODS loads the last element', () => {
  const rig = new Rig();
  rig.setRam64(0x10000, 0x1122334455667788n);
  rig.setRegister(RAX, -1n & 0xffffffffffffffffn);
  rig.setRegister(RSI, 0x10000n);
  rig.setRegister(RCX, 3n);
  repeat(rig, 'lods', 2n, 4n, DS, 1n);
  assert.equal(rig.register(RAX), 0xffffffffffff3344n);
  rig.call('lods', 4n, 4n, DS, 0n);
  assert.equal(rig.register(RAX), 0x00001122n);
  assert.equal(rig.register(RSI), 0x1000an);
});

test('INS reads the port only when the store will succeed; OUTS writes it', () => {
  const rig = new Rig();
  rig.setRegister(RDX, 0x1f0n);
  rig.setRegister(RDI, BigInt(0x10ffe));
  rig.setRegister(RCX, 3n);
  rig.answers.push(0x1111n, 0x2222n, 0x3333n);
  repeat(rig, 'ins', 2n, 4n, 1n);
  assert.deepEqual([...rig.bytes(0x10ffe, 7)], [0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0]);
  rig.setRegister(RSI, 0x11000n);
  rig.setRegister(RCX, 2n);
  repeat(rig, 'outs', 1n, 4n, DS, 1n);
  assert.deepEqual(rig.log, ['in2 1f0', 'in2 1f0', 'in2 1f0', 'out1 1f0 22', 'out1 1f0 22']);
  rig.log.length = 0;
  rig.setRam32(TABLES, 0);
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES) });
  rig.call('ins', 1n, 4n, 0n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x11004n });
  assert.deepEqual(rig.log, []);
});

test('a store to a device in the middle of a run is seen as its own access', () => {
  const rig = new Rig();
  rig.setRegister(RDI, BigInt(LOW_BYTES - 4));
  rig.setRegister(RCX, 3n);
  rig.setRegister(RAX, 0xabcdn);
  repeat(rig, 'stos', 4n, 4n, 1n);
  assert.equal(rig.ram32(LOW_BYTES - 4), 0xabcd);
  assert.deepEqual(rig.log, ['write4 400000 abcd', 'write4 400004 abcd']);
});
