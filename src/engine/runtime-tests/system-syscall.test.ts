import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { EFER } from './rig.js';
import { EFLAGS_IF, RIP, SystemRig } from './system-rig.js';

const NEXT = RIP + 2n;
const SCE = 1n;
const RCX = 1;
const RDX = 2;
const R11 = 11;
const DF = 0x400;
const RF = 0x10000;
const VM = 0x20000;
const KERNEL = 0xffffffff81000000n;

function longRig(): SystemRig {
  const rig = new SystemRig(true);
  rig.setState64(L.S_STAR, (0x23n << 48n) | (0x10n << 32n));
  rig.setState64(L.S_LSTAR, KERNEL);
  rig.setState64(L.S_SFMASK, BigInt(EFLAGS_IF | DF));
  rig.setState64(L.S_SYSENTER_CS, 0x10n);
  rig.setState64(L.S_SYSENTER_ESP, 0xffff888000001000n);
  rig.setState64(L.S_SYSENTER_EIP, KERNEL);
  return rig;
}
function user(rig: SystemRig, compatible = false, eflags = EFLAGS_IF | 1): void {
  rig.enter(3, { eflags, compatible });
  rig.setState64(L.S_EFER, EFER.LMA | EFER.LME | SCE);
}

test('SYSCALL: RCX, R11, masked flags, flat segments from STAR', () => {
  const rig = longRig();
  user(rig);
  rig.call('syscall', NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, KERNEL);
  assert.equal(rig.register(RCX), NEXT);
  assert.equal(rig.register(R11), BigInt(EFLAGS_IF | 3));
  assert.equal(rig.eflags, 3);
  assert.equal(rig.cpl, 0);
  assert.deepEqual([rig.selector(L.CS), rig.selector(L.SS)], [0x10, 0x18]);
  assert.equal(rig.mode & (L.MODE_LONG | L.MODE_CPL3), L.MODE_LONG);
  assert.notEqual(rig.state32(L.S_MMU), 0);
});

test('SYSCALL is #UD without SCE and in compatibility mode', () => {
  const rig = longRig();
  rig.enter(3);
  assert.deepEqual(rig.faultOf('syscall', NEXT), { vector: 6 });
  user(rig, true);
  assert.deepEqual(rig.faultOf('syscall', NEXT), { vector: 6 });
});

test('SYSRET to 64-bit and to 32-bit code', () => {
  const rig = longRig();
  for (const [bits, cs, ss] of [
    [64n, 0x33, 0x2b],
    [32n, 0x23, 0x2b],
  ] as const) {
    user(rig);
    rig.enter(0);
    rig.setState64(L.S_EFER, EFER.LMA | EFER.LME | SCE);
    rig.setRegister(RCX, 0x7fff12345678n);
    rig.setRegister(R11, BigInt(EFLAGS_IF | RF | VM | 0x41));
    rig.call('sysret', bits, NEXT);
    assert.equal(rig.fault(), null);
    assert.equal(rig.rip, bits === 64n ? 0x7fff12345678n : 0x12345678n);
    assert.deepEqual([rig.selector(L.CS), rig.selector(L.SS)], [cs, ss]);
    assert.equal(rig.eflags, EFLAGS_IF | 0x43);
    assert.equal(rig.cpl, 3);
    assert.equal(rig.mode & L.MODE_LONG, bits === 64n ? L.MODE_LONG : 0);
  }
  user(rig);
  rig.setRegister(RCX, 0x800000000000n);
  assert.deepEqual(rig.faultOf('sysret', 64n, NEXT), { vector: 13, error: 0 });
});

test('SYSENTER and SYSEXIT, in long mode and in protected mode', () => {
  const rig = longRig();
  user(rig, true);
  rig.call('sysenter', NEXT);
  assert.equal(rig.rip, KERNEL);
  assert.equal(rig.rsp, 0xffff888000001000n);
  assert.deepEqual([rig.selector(L.CS), rig.selector(L.SS)], [0x10, 0x18]);
  assert.equal(rig.eflags, 3);
  assert.equal(rig.mode & L.MODE_LONG, L.MODE_LONG);
  rig.setRegister(RDX, 0x7fff00001234n);
  rig.setRegister(RCX, 0x7fff00008000n);
  rig.call('sysexit', 64n, NEXT);
  assert.deepEqual([rig.selector(L.CS), rig.selector(L.SS)], [0x33, 0x3b]);
  assert.equal(rig.rip, 0x7fff00001234n);
  assert.equal(rig.rsp, 0x7fff00008000n);
  rig.enter(0);
  rig.setRegister(RDX, 0x7fff00001234n);
  rig.setRegister(RCX, 0x7fff00008000n);
  rig.call('sysexit', 32n, NEXT);
  assert.deepEqual(
    [rig.selector(L.CS), rig.selector(L.SS), rig.rip, rig.rsp],
    [0x23, 0x2b, 0x1234n, 0x8000n],
  );
  rig.enter(0);
  rig.setRegister(RDX, 0x800000000000n);
  assert.deepEqual(rig.faultOf('sysexit', 64n, NEXT), { vector: 13, error: 0 });

  const short = new SystemRig();
  assert.deepEqual(short.faultOf('sysenter', NEXT), { vector: 13, error: 0 }, 'SYSENTER_CS is null');
  short.setState64(L.S_SYSENTER_CS, 0x08n);
  short.setState64(L.S_SYSENTER_ESP, 0x1_0000_9000n);
  short.setState64(L.S_SYSENTER_EIP, 0x4000n);
  short.enter(3, { eflags: EFLAGS_IF });
  short.call('sysenter', NEXT);
  assert.deepEqual([short.rip, short.rsp, short.cpl, short.eflags], [0x4000n, 0x9000n, 0, 2]);
  short.enterReal();
  assert.deepEqual(short.faultOf('sysenter', NEXT), { vector: 13, error: 0 });
});
