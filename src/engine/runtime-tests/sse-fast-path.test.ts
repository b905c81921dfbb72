import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sequence } from '../../testing/sequence.js';
import { DESTINATION, SOURCE, SseRig, slotOf } from './sse-rig.js';

/** All exceptions masked, rounding to nearest. Without PE set every operation takes the soft path. */
const SOFT = 0x1f80;
const PE = 0x20;
const CASES = 3000;

const rig = new SseRig();
const random = sequence(20240607);
const word = (): bigint => BigInt(random(0x10000)) | (BigInt(random(0x10000)) << 16n);

const SINGLES = [0n, 1n, 0x7fffffn, 0x800000n, 0x800001n, 0x3f800000n, 0x3f7fffffn, 0x3effffffn, 0x4effffffn, 0x4f000000n, 0x5f000000n, 0x7f7fffffn, 0x7f800000n, 0x7f800001n, 0x7fc00000n]; // prettier-ignore
const DOUBLES = [0n, 1n, 0x000fffffffffffffn, 0x0010000000000000n, 0x0010000000000001n, 0x3ff0000000000000n, 0x3fefffffffffffffn, 0x3fdfffffffffffffn, 0x41dfffffffdfffffn, 0x41e0000000000000n, 0x43e0000000000000n, 0x380fffffffffffffn, 0x3810000000000000n, 0x47efffffefffffffn, 0x7fefffffffffffffn, 0x7ff0000000000000n, 0x7ff0000000000001n, 0x7ff8000000000000n]; // prettier-ignore

/** A float of any kind: edges, near one, anywhere, or so that products and quotients are near the limits. */
function float(bits: 32 | 64): bigint {
  const exponentAt = bits === 32 ? 23n : 52n;
  const bias = bits === 32 ? 127 : 1023;
  const sign = BigInt(random(2)) << BigInt(bits - 1);
  const edges = bits === 32 ? SINGLES : DOUBLES;
  const fraction = ((word() << 32n) | word()) & ((1n << exponentAt) - 1n);
  switch (random(5)) {
    case 0:
      return sign | edges[random(edges.length)]!;
    case 1:
      return (
        sign |
        (BigInt(bias - 4 + random(8)) << exponentAt) |
        (random(2) ? fraction : fraction & (7n << (exponentAt - 3n)))
      );
    case 2:
      return sign | (BigInt(random(2 * bias + 1)) << exponentAt) | fraction;
    case 3:
      return sign | (BigInt(random(4)) << exponentAt) | fraction;
    default:
      return (
        sign |
        (BigInt(Math.floor(bias / 2) - 2 + random(4) + (random(2) ? bias : 0)) << exponentAt) |
        fraction
      );
  }
}

function vector(bits: 32 | 64): bigint {
  let v = 0n;
  for (let at = 0; at < 128; at += bits) v |= float(bits) << BigInt(at);
  return v;
}

/** Runs `act` with PE clear and with PE set; what it gives and the flags must be the same but for PE. */
function compare(destination: bigint, source: bigint, act: () => bigint, what: string): void {
  const outcomes = [SOFT, SOFT | PE].map((mxcsr) => {
    rig.mxcsr = mxcsr;
    rig.setXmm(DESTINATION, destination);
    rig.setXmm(SOURCE, source);
    const result = act();
    return `${result.toString(16)} ${rig.xmm(DESTINATION).toString(16)} ${(rig.mxcsr | PE).toString(16)}`;
  });
  assert.equal(outcomes[1], outcomes[0], `${what} of ${destination.toString(16)} and ${source.toString(16)}`);
}

const arithmetic = ['add', 'sub', 'mul', 'div', 'min', 'max', 'sqrt'].flatMap((base) => ['ps', 'pd', 'ss', 'sd'].map((suffix) => base + suffix)); // prettier-ignore
const conversions = ['cvtps2dq', 'cvttps2dq', 'cvtsd2ss', 'cvtss2sd', 'cvtdq2ps'];

for (const name of [...arithmetic, ...conversions])
  test(`${name}: native arithmetic gives what exact arithmetic gives`, () => {
    const bits = /pd$|sd$|sd2ss$/.test(name) ? 64 : 32;
    for (let i = 0; i < CASES; i++) compare(vector(bits), vector(bits), () => (rig.onSlots(name), 0n), name);
  });

for (const name of ['cvtss2si', 'cvttss2si', 'cvtsd2si', 'cvttsd2si'])
  test(`${name}: native arithmetic gives what exact arithmetic gives`, () => {
    const bits = name.includes('sd') ? 64 : 32;
    for (let i = 0; i < CASES; i++) {
      const width = i % 2 ? 32n : 64n;
      compare(
        0n,
        vector(bits),
        () => BigInt.asUintN(Number(width), rig.call(name, slotOf(SOURCE), width)),
        `${name} ${width}`,
      );
    }
  });

for (const name of ['cvtsi2ss', 'cvtsi2sd'])
  test(`${name}: native arithmetic gives what exact arithmetic gives`, () => {
    for (let i = 0; i < CASES; i++) {
      const value = BigInt.asIntN(64, (word() << 32n) | word()) >> BigInt(random(64));
      compare(0n, 0n, () => rig.call(name, slotOf(DESTINATION), value), `${name} ${value}`);
    }
  });
