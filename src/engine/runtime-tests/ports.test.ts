import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { EFLAGS, Rig } from './rig.js';

const TSS = 0x30000n;
const TSS32 = 0x8b;
const MAP = 0x70;

function withMap(rig: Rig, limit: number, attributes = TSS32): void {
  rig.segment(L.TR, { attributes, base: TSS, limit: BigInt(limit) });
  rig.setRam32(Number(TSS) + 0x64, MAP << 16);
}

function allowed(rig: Rig, port: bigint, size: bigint): boolean {
  rig.log.length = 0;
  rig.call('portOut', port, size, 0n);
  const fault = rig.fault();
  if (fault) assert.deepEqual(fault, { vector: 13, error: 0 });
  assert.equal(rig.log.length, fault ? 0 : 1);
  return fault === null;
}

test('ports: values are cut to their size', () => {
  const rig = new Rig();
  rig.answers.push(0x1234n, 0xfedcba98n);
  assert.equal(rig.get('portIn', 0x60n, 1n), 0x34n);
  assert.equal(rig.get('portIn', 0x1cf8n, 4n), 0xfedcba98n);
  rig.call('portOut', 0x12345n, 2n, 0x98765n);
  assert.deepEqual(rig.log, ['in1 60', 'in4 1cf8', 'out2 2345 8765']);
});

test('ports at a CPL above IOPL are those that the bitmap of the TSS clears', () => {
  const rig = new Rig();
  rig.setup({ cpl: 3 });
  withMap(rig, MAP + 0x100);
  rig.setRam32(Number(TSS) + MAP + 0x60 / 8, 0b1110_1111_0001_0000);
  assert.equal(allowed(rig, 0x60n, 4n), true);
  assert.equal(allowed(rig, 0x61n, 4n), false);
  assert.equal(allowed(rig, 0x64n, 1n), false);
  assert.equal(allowed(rig, 0x65n, 2n), true);
  assert.equal(allowed(rig, 0x67n, 2n), false);
  assert.equal(allowed(rig, 0x6cn, 1n), true);
  // beyond the limit: the byte behind the last is always read too
  withMap(rig, MAP + 12);
  assert.equal(allowed(rig, 0x5fn, 1n), true);
  assert.equal(allowed(rig, 0x60n, 1n), false);
  // a 16-bit TSS has no bitmap
  withMap(rig, MAP + 0x100, 0x83);
  assert.equal(allowed(rig, 0x60n, 1n), false);
  withMap(rig, MAP + 0x100);
  rig.setup({ cpl: 3, eflags: EFLAGS.IOPL3 });
  assert.equal(allowed(rig, 0x64n, 1n), true);
  // virtual-8086 code is always checked
  rig.setup({ cpl: 3, eflags: EFLAGS.IOPL3 | EFLAGS.VM });
  assert.equal(allowed(rig, 0x64n, 1n), false);
  assert.equal(allowed(rig, 0x60n, 1n), true);
});
