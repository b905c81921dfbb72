import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { Rig } from './rig.js';
import { sequence } from '../../testing/sequence.js';

/** Rounding to nearest, 64 and 53 bits, all exceptions masked; the same with zero-divide unmasked takes the slow way. */
const CONTROLS = [0x37f, 0x27f];
const ZE = 4;
const CASES = 5000;

const rig = new Rig();
const { view, cpu } = rig;
const random = sequence(19800703);
const word = (): bigint =>
  BigInt(random(0x10000)) | (BigInt(random(0x10000)) << 16n) | (BigInt(random(0x10000)) << 32n) | (BigInt(random(0x10000)) << 48n); // prettier-ignore
const FULL = 1n << 63n;

interface Extended {
  readonly head: number;
  readonly body: bigint;
}

/** An 80-bit number: mostly near one, sometimes near the ends of the range, zero, denormal, infinite, NaN or unsupported. */
function extended(): Extended {
  const sign = random(2) << 15;
  const body = [word(), word() & ~0x7ffn, word() & (0x7n << 61n), 0xffffffffffffffffn, 0n, word() & 0xffn][
    random(6)
  ]!;
  const way = random(24);
  if (way === 0) return { head: sign, body: random(2) ? 0n : word() >> 1n };
  if (way === 1) return { head: sign | 0x7fff, body: FULL | (random(2) ? 0n : word()) };
  if (way === 2) return { head: sign | random(0x8000), body: word() };
  if (way === 3) return { head: sign | [1, 2, 0x7ffd, 0x7ffe][random(4)]!, body: body | FULL };
  if (way < 8) return { head: sign | (0x3fff - 1080 + random(2160)), body: body | FULL };
  return { head: sign | (0x3fff - 40 + random(80)), body: body | FULL };
}

function put(i: number, { head, body }: Extended): void {
  view.setBigUint64(cpu + L.S_FPR + 16 * i, body, true);
  view.setUint16(cpu + L.S_FPR + 16 * i + 8, head, true);
}
function get(i: number): Extended {
  return {
    body: view.getBigUint64(cpu + L.S_FPR + 16 * i, true),
    head: view.getUint16(cpu + L.S_FPR + 16 * i + 8, true),
  };
}
/** Tag as the processor makes it of what is in a register. */
function tagOf({ head, body }: Extended): number {
  if ((head & 0x7fff) === 0 && body === 0n) return 1;
  return (head & 0x7fff) === 0 || (head & 0x7fff) === 0x7fff || !(body & FULL) ? 2 : 0;
}

/** All of the x87's state as text, after `act` on these registers: ST(i) is register i, from `used` on they are empty. */
function outcome(control: number, registers: readonly Extended[], act: () => unknown): string {
  let tags = 0xffff;
  registers.forEach((value, i) => {
    put(i, value);
    tags = (tags & ~(3 << (2 * i))) | (tagOf(value) << (2 * i));
  });
  for (let i = registers.length; i < 8; i++) put(i, { head: 0, body: 0n });
  rig.setU32(cpu + L.S_FCW, control);
  rig.setU32(cpu + L.S_FSW, 0x200);
  rig.setU32(cpu + L.S_FTW, tags);
  const result = String(act());
  const all = Array.from({ length: 8 }, (_, i) => get(i)).map(
    ({ head, body }) => `${head.toString(16)}:${body.toString(16)}`,
  );
  const [fsw, ftw] = [rig.u32(cpu + L.S_FSW), rig.u32(cpu + L.S_FTW)];
  return `${all.join(' ')} fsw ${fsw.toString(16)} ftw ${ftw.toString(16)} ${result}`;
}

/** The quick way and the slow one give the same. */
function compare(registers: readonly Extended[], act: () => unknown, what: string): void {
  for (const control of CONTROLS) {
    const slow = outcome(control & ~ZE, registers, act);
    if (rig.u32(cpu + L.S_FSW) & ZE) continue;
    assert.equal(
      outcome(control, registers, act),
      slow,
      `${what} under ${control.toString(16)} of ${registers.map(({ head, body }) => `${head.toString(16)}:${body.toString(16)}`).join()}`,
    );
  }
}

const call = (name: string, ...args: (number | bigint)[]): unknown => rig.call(name, ...args.map(BigInt));

for (const [operation, name] of Object.entries({
  0: 'ADD',
  1: 'MUL',
  4: 'SUB',
  5: 'SUBR',
  6: 'DIV',
  7: 'DIVR',
}))
  test(`${name} of usual numbers is the same the quick way`, () => {
    for (let i = 0; i < CASES; i++) {
      const registers = [extended(), extended()];
      const [target, pop] = [random(2), random(2)];
      compare(registers, () => call('x87Arithmetic', Number(operation), target, 1 - target, pop), name);
      const bits = random(2) ? word() : (0x3fen << 52n) | (word() >> 12n);
      const format = random(2);
      compare(
        [extended()],
        () => call('x87ArithmeticMemory', Number(operation), format, BigInt.asIntN(64, bits)),
        `${name} memory`,
      );
    }
  });

test('loads, stores, exchanges and comparisons are the same the quick way', () => {
  for (let i = 0; i < CASES; i++) {
    const registers = [extended(), random(3) ? extended() : null].filter((value) => value !== null);
    const bits = BigInt.asIntN(
      64,
      [word(), (0x3f8n << 52n) | (word() >> 12n), 0n, FULL, word() & 0xffffffffn, 0x80000000n][random(6)]!,
    );
    const format = random(2);
    compare(registers, () => call('x87Load', format, bits), 'load');
    compare(registers, () => call('x87Value', format, 0), 'store');
    for (const pop of [0, 1]) compare(registers, () => call('x87StoreRegister', 1, pop), 'store register');
    for (const n of [0, 1]) compare(registers, () => call('x87LoadRegister', n), 'load register');
    compare(registers, () => call('x87Exchange', 1), 'exchange');
    for (const quiet of [0, 1]) {
      compare(registers, () => call('x87Compare', 1, quiet, quiet), 'compare');
      compare(registers, () => call('x87CompareFlags', 1, quiet, quiet), 'compare to flags');
    }
  }
});

/** Rounds a positive rational to 64 bits, to nearest and even; its exponent as that of the highest bit. */
function rounded(numerator: bigint, denominator: bigint): { body: bigint; exponent: number } {
  let exponent = numerator.toString(2).length - denominator.toString(2).length;
  const at = (e: number): [bigint, bigint] =>
    e > 63 ? [numerator, denominator << BigInt(e - 63)] : [numerator << BigInt(63 - e), denominator];
  if (at(exponent)[0] / at(exponent)[1] < FULL) exponent--;
  const [n, d] = at(exponent);
  let body = n / d;
  const twice = 2n * (n % d);
  if (twice > d || (twice === d && body & 1n)) body++;
  if (body === 2n * FULL) return { body: FULL, exponent: exponent + 1 };
  return { body, exponent };
}

test('quotients and roots are those of whole-number arithmetic', () => {
  for (let i = 0; i < CASES; i++) {
    const [a, b] = [0, 1].map(
      () => FULL | ([word(), 0xffffffffffffffffn, word() & 0xffffffffn, 0n, word() << 32n][random(5)]! & ~0n),
    ) as [bigint, bigint];
    outcome(
      0x37f,
      [
        { head: 0x3fff, body: BigInt.asUintN(64, a) | FULL },
        { head: 0x3fff, body: BigInt.asUintN(64, b) | FULL },
      ],
      () => call('x87Arithmetic', 6, 0, 1, 0),
    );
    const quotient = rounded(BigInt.asUintN(64, a) | FULL, BigInt.asUintN(64, b) | FULL);
    assert.deepEqual(get(0), { head: 0x3fff + quotient.exponent, body: quotient.body }, `${a} / ${b}`);

    const odd = random(2);
    const body = BigInt.asUintN(64, a) | FULL;
    outcome(0x37f, [{ head: 0x3fff + odd, body }], () => call('x87Root'));
    // The radicand's root has 64 bits; its square is compared with four times as much for the half behind them.
    const radicand = body << BigInt(63 + odd);
    const { body: root } = get(0);
    const doubled = 4n * radicand;
    assert.ok(
      (2n * root - 1n) ** 2n < doubled && doubled < (2n * root + 1n) ** 2n,
      `root of ${body} with ${odd}`,
    );
  }
});
