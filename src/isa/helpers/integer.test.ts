import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CPU_BASE, S_FAULT } from '../../engine/layout.js';
import { loadRuntime } from '../../engine/runtime-module.js';
import { Random } from '../../testing/random.js';
import { emptyBoard } from '../../testing/user-machine.js';

const memory = new WebAssembly.Memory({ initial: 64, maximum: 16384, shared: true });
const module = new WebAssembly.Module(readFileSync(new URL('../../engine/runtime.wasm', import.meta.url)));
const runtime = loadRuntime(memory, module, emptyBoard, { written: () => {}, decode: () => 0 });
const view = new DataView(memory.buffer);
const DIVIDE_ERROR = 0x80000000;
const ROUNDS = 2000;

/** Calls a helper of the first CPU; 'fault' with the fault word if it raised one. */
function call(name: string, ...args: bigint[]): bigint | { fault: number } {
  view.setUint32(CPU_BASE + S_FAULT, 0, true);
  const result = runtime.helper(name)(CPU_BASE, ...args.map((a) => BigInt.asIntN(64, a)));
  const fault = view.getUint32(CPU_BASE + S_FAULT, true);
  return fault !== 0 ? { fault } : BigInt.asUintN(64, result ?? 0n);
}

test('umulh and imulh are the high halves of products', () => {
  const random = new Random(1n);
  for (let i = 0; i < ROUNDS; i++) {
    const a = random.value();
    const b = random.value();
    assert.equal(call('umulh', a, b), (a * b) >> 64n);
    assert.equal(
      call('imulh', a, b),
      BigInt.asUintN(64, (BigInt.asIntN(64, a) * BigInt.asIntN(64, b)) >> 64n),
      `${a} ${b}`,
    );
  }
});

for (const bits of [8, 16, 32, 64]) {
  for (const signed of [false, true]) {
    const name = signed ? 'idivide' : 'divide';
    test(`${name} of ${2 * bits} bits by ${bits}`, () => {
      const random = new Random(BigInt(bits));
      const cut = (v: bigint): bigint => BigInt.asUintN(bits, v);
      const known = (v: bigint, width: number): bigint =>
        signed ? BigInt.asIntN(width, v) : BigInt.asUintN(width, v);
      let faults = 0;
      for (let i = 0; i < ROUNDS; i++) {
        const divisor = cut(random.value());
        const low = cut(random.value());
        // often a high half for which the quotient fits
        const kind = random.below(4);
        const high = cut(
          kind === 0 ? random.value() : kind === 1 ? 0n : kind === 2 ? -1n : known(divisor, bits) / 2n,
        );
        const dividend = known((high << BigInt(bits)) | low, 2 * bits);
        const by = known(divisor, bits);
        const got = call(name, BigInt(bits), high, low, divisor);
        const quotient = by === 0n ? null : dividend / by;
        if (quotient === null || known(quotient, bits) !== quotient) {
          assert.deepEqual(got, { fault: DIVIDE_ERROR }, `${dividend} / ${by}`);
          faults++;
          continue;
        }
        assert.equal(typeof got, 'bigint', `${dividend} / ${by}`);
        assert.equal(cut(got as bigint), cut(quotient), `${dividend} / ${by}`);
        assert.equal(cut(call('remainder') as bigint), cut(dividend % by), `${dividend} % ${by}`);
      }
      assert.ok(faults > 0 && faults < ROUNDS, `${faults} faults`);
    });
  }
}

test('the most negative quotient fits, one below it does not', () => {
  const low = 1n << 63n;
  assert.equal(call('idivide', 64n, -1n, low, 1n), low);
  assert.deepEqual(call('idivide', 64n, 0n, low, 1n), { fault: DIVIDE_ERROR });
  assert.deepEqual(call('idivide', 32n, 0x80000000n, 0n, 0xffffffffn), { fault: DIVIDE_ERROR });
});

test('pdep and pext scatter and gather', () => {
  const random = new Random(3n);
  for (let i = 0; i < ROUNDS; i++) {
    const source = random.value();
    const mask = random.value();
    let deposited = 0n;
    let extracted = 0n;
    let k = 0n;
    for (let bit = 0n; bit < 64n; bit++) {
      if (((mask >> bit) & 1n) === 0n) continue;
      deposited |= ((source >> k) & 1n) << bit;
      extracted |= ((source >> bit) & 1n) << k;
      k++;
    }
    assert.equal(call('pdep', source, mask), deposited);
    assert.equal(call('pext', source, mask), extracted);
  }
});

test('crc32 gives the check value of CRC-32C', () => {
  const run = (chunks: [bigint, number][]): bigint =>
    chunks.reduce((crc, [data, bits]) => call('crc32', crc, data, BigInt(bits)) as bigint, 0xffffffffn) ^
    0xffffffffn;
  // "123456789" by bytes, and by 8 + 1
  assert.equal(run([...'123456789'].map((c): [bigint, number] => [BigInt(c.charCodeAt(0)), 8])), 0xe3069283n);
  assert.equal(run([[0x3837363534333231n, 64], [0x39n, 8]]), 0xe3069283n); // prettier-ignore
});
