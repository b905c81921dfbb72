import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bytes } from '../wasm/bytes.js';
import { simdOpcodes, type SimdType } from '../wasm/simd-opcodes.js';
import { evaluateSimd } from './simd.js';

const LOAD: Record<SimdType, number[]> = { v128: [0xfd, 0, 0, 0], i32: [0x28, 0, 0], i64: [0x29, 0, 0] };
const STORE: Record<SimdType, number[]> = { v128: [0xfd, 11, 0, 0], i32: [0x36, 0, 0], i64: [0x37, 0, 0] };

/** A module that exports `run`: takes operands at 16, 32, 48 of its memory, and puts the result at 0. */
function moduleOf(op: string): { memory: Uint8Array; run: () => void } {
  const { code, args, result } = simdOpcodes[op]!;
  const body = new Bytes().u8(0).u8(0x41).signed(0);
  args.forEach((type, i) =>
    body
      .u8(0x41)
      .signed(16 + 16 * i)
      .raw(LOAD[type]),
  );
  body.u8(0xfd).unsigned(code).raw(STORE[result]).u8(0x0b);
  const out = new Bytes().raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, content: Bytes): Bytes =>
    out.u8(id).unsigned(content.length).raw(content.view());
  section(1, new Bytes().raw([1, 0x60, 0, 0]));
  section(3, new Bytes().raw([1, 0]));
  section(5, new Bytes().raw([1, 0, 1]));
  section(7, new Bytes().unsigned(2).text('run').raw([0, 0]).text('memory').raw([2, 0]));
  section(10, new Bytes().unsigned(1).unsigned(body.length).raw(body.view()));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(out.view()));
  return {
    memory: new Uint8Array((exports.memory as WebAssembly.Memory).buffer),
    run: exports.run as () => void,
  };
}

let seed = 12345;
function random(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}

/** Random bytes, with many at the limits of signed and unsigned numbers. */
function randomVector(): Uint8Array {
  const edges = [0, 1, 0x7f, 0x80, 0xff, 0x0f];
  const mostlyEdges = random() % 2 === 0;
  return Uint8Array.from({ length: 16 }, () =>
    mostlyEdges ? edges[random() % edges.length]! : random() & 0xff,
  );
}

for (const op of Object.keys(simdOpcodes))
  test(`${op} gives what WebAssembly gives`, () => {
    const { memory, run } = moduleOf(op);
    const { args } = simdOpcodes[op]!;
    for (let i = 0; i < 200; i++) {
      const operands = args.map((type) => (type === 'v128' ? randomVector() : BigInt(random() % 80)));
      operands.forEach((operand, n) => {
        if (operand instanceof Uint8Array) memory.set(operand, 16 + 16 * n);
        else new DataView(memory.buffer).setBigUint64(16 + 16 * n, operand, true);
      });
      run();
      assert.deepEqual(evaluateSimd(op, operands), memory.slice(0, 16), `${op} of ${operands.join(' and ')}`);
    }
  });

test('an unknown operation is refused by name', () => {
  assert.throws(() => evaluateSimd('i8x16.nothing', [new Uint8Array(16)]), /i8x16\.nothing/);
});
