import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { CR0, CR4, DATA32, EFER, Rig } from './rig.js';

const RSP = 4;
const RBP = 5;
const TABLES = 0x100000;
const STACK16 = 0x0093;

test('PUSH and POP use as much of RSP as the stack is wide', () => {
  const rig = new Rig();
  rig.setRegister(RSP, 0x12340000n);
  rig.segment(L.SS, { attributes: STACK16, base: 0x10000n, limit: 0xffffn });
  rig.runtime.updateMode(rig.cpu);
  rig.call('push', 16n, 0xabcdn);
  assert.equal(rig.register(RSP), 0x1234fffen);
  assert.equal(rig.ram32(0x1fffe) & 0xffff, 0xabcd);
  assert.equal(rig.get('pop', 16n), 0xabcdn);
  assert.equal(rig.register(RSP), 0x12340000n);
  rig.call('push', 32n, 0x12345678n);
  assert.equal(rig.register(RSP), 0x1234fffcn);
  rig.segment(L.SS, { attributes: DATA32 });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RSP, 0xffffffff00020000n);
  rig.call('push', 32n, 0x87654321n);
  assert.equal(rig.register(RSP), 0x1fffcn);
  assert.equal(rig.get('pop', 32n), 0x87654321n);
  rig.setup({ cr4: CR4.PAE, efer: EFER.LMA });
  rig.setRegister(RSP, 0x20000n);
  rig.call('push', 64n, -2n);
  assert.equal(rig.register(RSP), 0x1fff8n);
  assert.equal(rig.ram64(0x1fff8), 0xfffffffffffffffen);
  assert.equal(rig.get('pop', 16n), 0xfffen);
  assert.equal(rig.register(RSP), 0x1fffan);
});

test('a push that fails leaves RSP: #SS(0) beyond the limit and for addresses that are not canonical, #PF', () => {
  const rig = new Rig();
  rig.segment(L.SS, { attributes: DATA32, limit: 0xfffn });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RSP, 0x1002n);
  rig.call('push', 32n, 1n);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
  assert.equal(rig.register(RSP), 0x1002n);
  rig.call('pop', 16n);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
  rig.setup({ cr4: CR4.PAE, efer: EFER.LMA });
  rig.setRegister(RSP, 0x800000000008n);
  rig.call('push', 64n, 1n);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES) });
  rig.segment(L.SS, { attributes: DATA32 });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RSP, 0x5000n);
  rig.call('push', 32n, 1n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x4ffcn });
  assert.equal(rig.register(RSP), 0x5000n);
});

test('PUSHA stores the old SP and changes nothing when it faults; POPA skips it', () => {
  const rig = new Rig();
  for (let i = 0; i < 8; i++) rig.setRegister(i, BigInt(0x11111111 * (i + 1)));
  rig.setRegister(RSP, 0x20000n);
  rig.call('pushAll', 32n);
  assert.equal(rig.register(RSP), 0x1ffe0n);
  const stored = [7, 6, 5, 4, 3, 2, 1, 0].map((r) => (r === RSP ? 0x20000 : 0x11111111 * (r + 1)) >>> 0);
  assert.deepEqual(
    Array.from({ length: 8 }, (_, i) => rig.ram32(0x1ffe0 + 4 * i)),
    stored,
  );
  rig.setRam32(0x1ffec, 0xdeadbeef);
  for (let i = 0; i < 8; i++) if (i !== RSP) rig.setRegister(i, 0n);
  rig.call('popAll', 32n);
  for (let i = 0; i < 8; i++)
    assert.equal(rig.register(i), i === RSP ? 0x20000n : BigInt(0x11111111 * (i + 1)));
  rig.segment(L.SS, { attributes: 0xc097, limit: 0x1ffefn });
  rig.runtime.updateMode(rig.cpu);
  rig.setRam32(0x1fffc, 5);
  rig.call('pushAll', 32n);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
  assert.equal(rig.register(RSP), 0x20000n);
  assert.equal(rig.ram32(0x1fffc), 5);
});

test('ENTER copies the frame pointers of the outer levels', () => {
  const rig = new Rig();
  rig.setRegister(RSP, 0x20000n);
  rig.setRegister(RBP, 0x20100n);
  rig.setRam32(0x200fc, 0xaaaa);
  rig.setRam32(0x200f8, 0xbbbb);
  rig.call('enter', 32n, 0x40n, 3n);
  assert.equal(rig.register(RBP), 0x1fffcn);
  assert.deepEqual(
    [0x1fffc, 0x1fff8, 0x1fff4, 0x1fff0].map((at) => rig.ram32(at)),
    [0x20100, 0xaaaa, 0xbbbb, 0x1fffc],
  );
  assert.equal(rig.register(RSP), 0x1fff0n - 0x40n);
  rig.setRegister(RSP, 0x30000n);
  rig.call('enter', 32n, 0n, 0n);
  assert.equal(rig.register(RSP), 0x2fffcn);
  assert.equal(rig.register(RBP), 0x2fffcn);
});

test('ENTER with a 32-bit operand on a 16-bit stack takes all of ESP into EBP', () => {
  const rig = new Rig();
  rig.segment(L.SS, { attributes: STACK16, base: 0x10000n, limit: 0xffffn });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RSP, 0x77771000n);
  rig.setRegister(RBP, 0x5555n);
  rig.call('enter', 32n, 0x10n, 0n);
  assert.equal(rig.register(RBP), 0x77770ffcn);
  assert.equal(rig.register(RSP), 0x77770fecn);
});

test('ENTER whose frame cannot be written changes no register', () => {
  const rig = new Rig();
  rig.segment(L.SS, { attributes: 0xc097, limit: 0x1ffefn });
  rig.runtime.updateMode(rig.cpu);
  rig.setRegister(RSP, 0x20000n);
  rig.setRegister(RBP, 0x1234n);
  rig.call('enter', 32n, 0x40n, 0n);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
  assert.equal(rig.register(RSP), 0x20000n);
  assert.equal(rig.register(RBP), 0x1234n);
});
