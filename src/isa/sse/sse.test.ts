import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decoded, Decoder, DecodeResult } from '../decoder.js';
import type { Encoding } from '../encoding.js';
import { instructions } from '../instructions.js';
import { sseInstructions } from './index.js';

const decoder = new Decoder(instructions);
const own = new Set(sseInstructions);
const encodings = decoder.set.encodings.filter((e) => own.has(e.instruction));

/** The encoding between register operands 1 and 2, or with memory at [RSI]. */
function encode(e: Encoding, memory: boolean): Uint8Array {
  const bytes: number[] = [];
  if (e.prefix !== 'NP' && e.prefix !== 'any') bytes.push(parseInt(e.prefix, 16));
  if (e.attributes.has('w1')) bytes.push(0x48);
  bytes.push(0x0f);
  if (e.map === 2) bytes.push(0x38);
  if (e.map === 3) bytes.push(0x3a);
  bytes.push(e.opcode);
  const extension = e.extension >= 0 ? e.extension : 1;
  if (e.modrm) bytes.push((memory ? 0x06 : 0xc2) | (extension << 3));
  if (e.operands.some((operand) => operand.kind === 'I')) bytes.push(0);
  return Uint8Array.from(bytes);
}

test('each encoding decodes to itself, among all instructions', () => {
  for (const encoding of encodings) {
    const kinds = encoding.operands.map((operand) => operand.kind);
    const canBeMemory = kinds.some((kind) => 'EMWQ'.includes(kind));
    for (const memory of [false, true]) {
      if (memory ? !canBeMemory : kinds.includes('M')) continue;
      const bytes = encode(encoding, memory);
      const decoded = new Decoded();
      const name = `${encoding.instruction.name} "${encoding.text}"`;
      assert.equal(
        decoder.decode(bytes, 0, bytes.length, { long: true, default32: true }, decoded),
        DecodeResult.Ok,
        name,
      );
      assert.equal(decoded.length, bytes.length, name);
      const found = decoded.form!.encoding;
      assert.equal(found, encoding, `${name} decodes to ${found.instruction.name} "${found.text}"`);
      assert.equal(decoded.form!.memory, memory, name);
    }
  }
});

test('every instruction checks the state that it uses, and names its CPUID feature', () => {
  for (const { text, attributes, cpuid, operands } of encodings) {
    assert.notEqual(cpuid, '', text);
    const kinds = operands.map((operand) => operand.kind);
    if (kinds.some((kind) => 'PQN'.includes(kind))) assert.ok(attributes.has('mmx'), text);
    else if (kinds.some((kind) => 'VWU'.includes(kind))) assert.ok(attributes.has('sse'), text);
  }
});

test('opcodes of the 0F map that MMX and SSE fill', () => {
  // SDM vol. 2, table A-3: rows 1, 5-7, and 77, 7C-7F, AE, C2, C4-C6, D to F of these extensions
  const expected = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x77, 0x7c, 0x7d, 0x7e, 0x7f, 0xae, 0xc2, 0xc4, 0xc5, 0xc6]; // prettier-ignore
  for (let opcode = 0x50; opcode <= 0x76; opcode++) expected.push(opcode);
  for (let opcode = 0xd0; opcode <= 0xfe; opcode++) expected.push(opcode);
  const defined = new Set(encodings.filter((e) => e.map === 1).map((e) => e.opcode));
  const byNumber = (a: number, b: number): number => a - b;
  assert.deepEqual([...defined].sort(byNumber), expected.sort(byNumber));
});
