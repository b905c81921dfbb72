import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESTINATION, SOURCE, SseRig, slotOf } from './sse-rig.js';

const rig = new SseRig();
const EQUAL_ANY = 0n;
const RANGES = 4n;
const EQUAL_EACH = 8n;
const EQUAL_ORDERED = 12n;
const NEGATIVE = 0x10n;
const MASKED_NEGATIVE = 0x30n;
const WORDS = 1n;
const SIGNED = 2n;

function text(value: string, bytesEach = 1): bigint {
  return [...value].reduceRight((v, c) => (v << BigInt(8 * bytesEach)) | BigInt(c.charCodeAt(0)), 0n);
}

interface Comparison {
  bits: number;
  /** The second (ZF), the first string (SF) ends in the register. */
  zf: boolean;
  sf: boolean;
}
function unpack(result: bigint): Comparison {
  return { bits: Number(result & 0xffffn), zf: (result & 0x10000n) !== 0n, sf: (result & 0x20000n) !== 0n };
}
function implicit(a: bigint, b: bigint, control: bigint): Comparison {
  rig.setXmm(DESTINATION, a);
  rig.setXmm(SOURCE, b);
  return unpack(rig.call('pcmpistr', slotOf(DESTINATION), slotOf(SOURCE), control));
}
function explicit(a: bigint, b: bigint, control: bigint, lengthA: bigint, lengthB: bigint): Comparison {
  rig.setXmm(DESTINATION, a);
  rig.setXmm(SOURCE, b);
  return unpack(rig.call('pcmpestr', slotOf(DESTINATION), slotOf(SOURCE), control, lengthA, lengthB));
}

test('equal any: where a character of a set is', () => {
  assert.deepEqual(implicit(text(' ,'), text('one, two'), EQUAL_ANY), { bits: 0b11000, zf: true, sf: true });
});

test('ranges: pairs of limits, a last limit without partner counts for nothing', () => {
  assert.deepEqual(implicit(text('09az'), text('A1b!'), RANGES).bits, 0b0110);
  assert.deepEqual(implicit(text('09a'), text('A1b!'), RANGES).bits, 0b0010);
});

test('ranges compare signed when asked', () => {
  const limits = 0x01f0n; // -16 or 240 up to 1
  assert.equal(explicit(limits, 0xf8n, RANGES | SIGNED, 2n, 1n).bits, 1);
  assert.equal(explicit(limits, 0xf8n, RANGES, 2n, 1n).bits, 0);
});

test('equal each: behind both ends is equal, behind one is not', () => {
  assert.equal(implicit(text('abc'), text('abd'), EQUAL_EACH).bits, 0xfffb);
  assert.equal(implicit(text('abc'), text('abd'), EQUAL_EACH | NEGATIVE).bits, 0b100);
  assert.equal(implicit(text('abcd'), text('ab'), EQUAL_EACH | MASKED_NEGATIVE).bits, 0xfff0);
});

test('equal ordered: where a string begins, also where the register ends within it', () => {
  assert.equal(implicit(text('ab'), text('xxabxxxxxxxxxxxa'), EQUAL_ORDERED).bits, 0x8004);
});

test('explicit lengths are absolute values, at most the register', () => {
  const ones = (1n << 128n) - 1n;
  assert.deepEqual(explicit(ones, ones, EQUAL_EACH, -3n, 100n), { bits: 7, zf: false, sf: true });
  assert.deepEqual(explicit(ones, ones, EQUAL_EACH | WORDS, -(1n << 63n), 8n), {
    bits: 0xff,
    zf: false,
    sf: false,
  });
});
