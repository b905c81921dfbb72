import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operandWidth, parseEncoding, type Encoding } from '../encoding.js';
import { enumerateForms, type Form } from '../forms.js';
import { helpers, transferHelpers } from '../helpers.js';
import type { Ops } from '../ops.js';
import { systemInstructions } from '../system/index.js';
import { integerInstructions } from './index.js';

const all = [...integerInstructions, ...systemInstructions];
const encodings = all.flatMap((item) => item.encodings.map((text) => parseEncoding(item, text)));

/** What tells two encodings apart for the decoder; register and memory forms of one opcode are two. */
function places(e: Encoding): string[] {
  const kinds = e.operands.map((operand) => operand.kind);
  const modes = e.attributes.has('no64') ? ['16/32'] : e.attributes.has('only64') ? ['64'] : ['16/32', '64'];
  const widths = e.attributes.has('w0') ? ['W0'] : e.attributes.has('w1') ? ['W1'] : ['W0', 'W1'];
  const ways = !e.modrm
    ? ['-']
    : kinds.includes('M')
      ? ['memory']
      : kinds.includes('R')
        ? ['register']
        : ['register', 'memory'];
  const opcodes = e.plusRegister ? Array.from({ length: 8 }, (_, i) => e.opcode + i) : [e.opcode];
  const exact = e.exactModrm >= 0 ? `=${e.exactModrm}` : `/${e.extension}`;
  const out: string[] = [];
  for (const mode of modes)
    for (const width of widths)
      for (const way of ways)
        for (const opcode of opcodes)
          out.push([e.map, opcode.toString(16), e.prefix, exact, mode, width, way].join(' '));
  return out;
}

test('no two encodings claim the same place', () => {
  const seen = new Map<string, string>();
  for (const encoding of encodings)
    for (const place of places(encoding)) {
      const name = `${encoding.instruction.name} "${encoding.text}"`;
      const other = seen.get(place);
      const nopOrExchange = /^(NOP|XCHG) /.test(name) && /^(NOP|XCHG) /.test(other ?? '');
      assert.ok(other === undefined || nopOrExchange, `${name} and ${other ?? ''} at ${place}`);
      seen.set(place, name);
    }
});

test('every opcode of the one-byte map that the manual defines is there', () => {
  // prefixes, the escape 0F, x87 (D8-DF) and FWAIT (9B) are not definitions of integer instructions
  const others = new Set([0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0x9b, 0xf0, 0xf2, 0xf3]);
  const defined = new Set<number>();
  for (const e of encodings)
    if (e.map === 0) for (let i = 0; i < (e.plusRegister ? 8 : 1); i++) defined.add(e.opcode + i);
  for (let opcode = 0; opcode < 256; opcode++) {
    if (others.has(opcode) || (opcode >= 0xd8 && opcode <= 0xdf)) continue;
    assert.ok(defined.has(opcode), `opcode ${opcode.toString(16)} has no definition`);
  }
});

/** Runs the effect on operations that only note what is called; all sides of every condition. */
function note(form: Form, heard: (operation: string, args: unknown[]) => void): void {
  const { operands } = form.encoding;
  const value = {};
  const facts: Record<string, unknown> = {
    bits: form.bits,
    asize: form.asize || 64,
    long: form.long,
    locked: form.locked,
    rep: form.rep,
    width: (i: number) => operandWidth(operands[i]!, form.bits) || form.bits,
    isMemory: (i: number) =>
      operands[i]!.kind === 'M' || operands[i]!.kind === 'O' || (operands[i]!.kind === 'E' && form.memory),
  };
  const listener = new Proxy(facts, {
    get: (known, operation: string) =>
      known[operation] ??
      ((...args: unknown[]) => {
        heard(operation, args);
        for (const arg of args) if (typeof arg === 'function') (arg as (v: unknown) => void)(value);
        return value;
      }),
  });
  form.encoding.instruction.effect(listener as unknown as Ops);
}

const BY_OPERAND = new Set(['read', 'write', 'update', 'offset', 'address', 'addressBeyond']);

test('effects name operands and helpers that there are, in every form', () => {
  let forms = 0;
  for (const form of enumerateForms(all).forms) {
    forms++;
    const what = `${form.encoding.instruction.name} "${form.encoding.text}"`;
    note(form, (operation, args) => {
      if (BY_OPERAND.has(operation))
        assert.ok((args[0] as number) < form.encoding.operands.length, `${what}: operand ${String(args[0])}`);
      const table: Record<string, { args: number }> | null =
        operation === 'call' || operation === 'repeat'
          ? helpers
          : operation === 'transfer'
            ? transferHelpers
            : null;
      if (!table) return;
      const [name, ...rest] = args as [string, ...unknown[]];
      // the binder adds the address of the next instruction to a transfer's
      assert.equal(
        rest.length + (operation === 'transfer' ? 1 : 0),
        table[name]?.args,
        `${what}: arguments of ${name}`,
      );
    });
  }
  assert.ok(forms > 1000, `${forms} forms`);
});
