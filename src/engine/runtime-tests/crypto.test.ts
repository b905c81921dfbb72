import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import { sequence } from '../../testing/sequence.js';
import { DESTINATION, SOURCE, SseRig } from './sse-rig.js';

const rig = new SseRig();
const random = sequence(7);
const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random(256));
const toVector = (data: Uint8Array): bigint =>
  data.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
const fromVector = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

function run(name: string, destination: bigint, source: bigint, ...more: bigint[]): bigint {
  rig.setXmm(DESTINATION, destination);
  rig.setXmm(SOURCE, source);
  rig.onSlots(name, ...more);
  return rig.xmm(DESTINATION);
}

/** Round keys of AES-128 with AESKEYGENASSIST (SDM vol. 2). */
function roundKeys(key: bigint): bigint[] {
  const keys = [key];
  let constant = 1;
  for (let round = 1; round <= 10; round++) {
    const assist = run('aeskeygenassist', 0n, key, BigInt(constant)) >> 96n;
    for (const shift of [32n, 64n]) key ^= BigInt.asUintN(128, key << shift);
    key ^= assist | (assist << 32n) | (assist << 64n) | (assist << 96n);
    keys.push(key);
    constant = (constant << 1) ^ (constant & 0x80 ? 0x11b : 0);
  }
  return keys;
}

test('AES-128 with the round instructions gives the cipher, and back', () => {
  for (let i = 0; i < 20; i++) {
    const key = bytes(16);
    const plain = bytes(16);
    const keys = roundKeys(toVector(key));
    let state = toVector(plain) ^ keys[0]!;
    for (let round = 1; round < 10; round++) state = run('aesenc', state, keys[round]!);
    state = run('aesenclast', state, keys[10]!);
    const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    assert.deepEqual(fromVector(state), new Uint8Array(cipher.update(plain)));

    state ^= keys[10]!;
    for (let round = 9; round > 0; round--) state = run('aesdec', state, run('aesimc', 0n, keys[round]!));
    assert.deepEqual(fromVector(run('aesdeclast', state, keys[0]!)), plain);
  }
});

test('PCLMULQDQ chooses its halves and multiplies without carries', () => {
  const product = (a: bigint, b: bigint): bigint => {
    let sum = 0n;
    for (let bit = 0n; bit < 64n; bit++) if ((b >> bit) & 1n) sum ^= a << bit;
    return sum;
  };
  const halves = (v: bigint): [bigint, bigint] => [BigInt.asUintN(64, v), v >> 64n];
  for (let i = 0; i < 50; i++) {
    const [a, b] = [toVector(bytes(16)), toVector(bytes(16))];
    for (const [immediate, x, y] of [
      [0x00, 0, 0],
      [0x01, 1, 0],
      [0x10, 0, 1],
      [0xff, 1, 1],
    ] as const)
      // prettier-ignore
      assert.equal(run('pclmulqdq', a, b, BigInt(immediate)), product(halves(a)[x], halves(b)[y]));
  }
});

/** Doublewords of one padded block of `text`, big-endian as SHA reads them. */
function block(text: string): number[] {
  const data = new Uint8Array(64);
  new TextEncoder().encodeInto(text, data);
  data[text.length] = 0x80;
  const view = new DataView(data.buffer);
  view.setUint32(60, text.length * 8);
  return Array.from({ length: 16 }, (_, i) => view.getUint32(4 * i));
}
/** Four words with the first in the highest (`down`) or lowest doubleword. */
const join = (words: readonly number[]): bigint => words.reduce((v, w) => (v << 32n) | BigInt(w >>> 0), 0n);
const joinUp = (words: readonly number[]): bigint => join([...words].reverse());
const split = (v: bigint): number[] => [96n, 64n, 32n, 0n].map((shift) => Number((v >> shift) & 0xffffffffn));
const hex = (words: readonly number[]): string =>
  words.map((w) => (w >>> 0).toString(16).padStart(8, '0')).join('');

test('SHA-1 with the SHA instructions', () => {
  const initial = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  const words = block('abc');
  const schedule = [0, 4, 8, 12].map((i) => join(words.slice(i, i + 4)));
  for (let i = 4; i < 20; i++) {
    const mixed = run('sha1msg1', schedule[i - 4]!, schedule[i - 3]!) ^ schedule[i - 2]!;
    schedule.push(run('sha1msg2', mixed, schedule[i - 1]!));
  }
  let abcd = join(initial.slice(0, 4));
  let before = 0n;
  for (let i = 0; i < 20; i++) {
    const e = i === 0 ? schedule[0]! + (BigInt(initial[4]!) << 96n) : run('sha1nexte', before, schedule[i]!);
    const input = BigInt.asUintN(128, e);
    before = abcd;
    abcd = run('sha1rnds4', abcd, input, BigInt(Math.floor(i / 5)));
  }
  const e = split(run('sha1nexte', before, BigInt(initial[4]!) << 96n))[0]!;
  const sum = [...split(abcd).map((w, i) => w + initial[i]!), e];
  assert.equal(hex(sum), createHash('sha1').update('abc').digest('hex'));
});

test('SHA-256 with the SHA instructions', () => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  const fraction = (x: number): number => Math.floor((x - Math.floor(x)) * 2 ** 32);
  const constants = primes.map((p) => fraction(Math.cbrt(p)));
  const [a, b, c, d, e, f, g, h] = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p))) as [number, number, number, number, number, number, number, number]; // prettier-ignore
  const words = block('abc');
  const schedule = [0, 4, 8, 12].map((i) => joinUp(words.slice(i, i + 4)));
  const lanes = (v: bigint): number[] => split(v).reverse();
  for (let i = 4; i < 16; i++) {
    const seven = [...lanes(schedule[i - 2]!), ...lanes(schedule[i - 1]!)].slice(1, 5);
    const partial = lanes(run('sha256msg1', schedule[i - 4]!, schedule[i - 3]!));
    const sum = joinUp(partial.map((w, n) => w + seven[n]!));
    schedule.push(run('sha256msg2', sum, schedule[i - 1]!));
  }
  let abef = join([a, b, e, f]);
  let cdgh = join([c, d, g, h]);
  for (let i = 0; i < 64; i += 2) {
    const input = lanes(schedule[i >> 2]!).slice(i & 2, (i & 2) + 2);
    rig.setXmm(0, joinUp([input[0]! + constants[i]!, input[1]! + constants[i + 1]!]));
    [abef, cdgh] = [run('sha256rnds2', cdgh, abef), abef];
  }
  const [a2, b2, e2, f2] = split(abef) as [number, number, number, number];
  const [c2, d2, g2, h2] = split(cdgh) as [number, number, number, number];
  const sum = [a + a2, b + b2, c + c2, d + d2, e + e2, f + f2, g + g2, h + h2];
  assert.equal(hex(sum), createHash('sha256').update('abc').digest('hex'));
});
