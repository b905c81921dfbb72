import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rig } from './rig.js';
import { sequence } from '../../testing/sequence.js';

const ARITHMETIC = 0x8d5;

test('every combination of the arithmetic flags can be set and read back, whole or one at a time', () => {
  const rig = new Rig();
  const bits = [0x1, 0x4, 0x10, 0x40, 0x80, 0x800];
  for (let combination = 0; combination < 64; combination++) {
    const value = bits.reduce((sum, bit, i) => sum | (combination & (1 << i) ? bit : 0), 0);
    rig.call('setEflags', value, ARITHMETIC);
    assert.equal(rig.call('getEflags'), value | 2);
    for (const bit of bits) {
      rig.call('setEflags', ~value, bit);
      assert.equal(Number(rig.call('getEflags')) & ARITHMETIC, value ^ bit);
      rig.call('setEflags', value, bit);
    }
  }
  rig.call('setEflags', 0x244000, 0x244000);
  assert.equal(Number(rig.call('getEflags')) & ~ARITHMETIC, 0x244002);
});

test('the flags of a subtraction', () => {
  const rig = new Rig();
  const random = sequence(5);
  for (let trial = 0; trial < 2000; trial++) {
    const bytes = 1 << random(4);
    const bits = 8 * bytes;
    const some = (): bigint => {
      const value =
        (BigInt(random(0x10000)) << 48n) | (BigInt(random(0x10000)) << 16n) | BigInt(random(0x10000));
      return BigInt.asUintN(
        bits,
        random(3) ? value : BigInt([0, 1, -1, 1 << (bits < 32 ? bits - 1 : 30)][random(4)]!),
      );
    };
    const a = some();
    const b = random(5) ? some() : a;
    rig.call('setSubFlags', BigInt.asIntN(64, a), BigInt.asIntN(64, b), bytes);
    const r = BigInt.asUintN(bits, a - b);
    let parity = 1;
    for (let i = 0n; i < 8n; i++) parity ^= Number((r >> i) & 1n);
    let expected = 2;
    if (a < b) expected |= 1;
    if (parity) expected |= 4;
    if ((a & 15n) < (b & 15n)) expected |= 0x10;
    if (r === 0n) expected |= 0x40;
    if (BigInt.asIntN(bits, r) < 0n) expected |= 0x80;
    if (BigInt.asIntN(bits, a) - BigInt.asIntN(bits, b) !== BigInt.asIntN(bits, r)) expected |= 0x800;
    assert.equal(rig.call('getEflags'), expected, `${a.toString(16)} - ${b.toString(16)} of ${bits} bits`);
  }
});
