import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../machine/clock.js';
import { GuestRam } from '../../machine/guest-ram.js';
import { KvmClock } from './kvm-clock.js';

const WALL = 0x4b564d00;
const SYSTEM = 0x4b564d01;
const MASK_64 = 2n ** 64n - 1n;

function make() {
  const clock = new ManualClock(5_000_000_000);
  const ram = new GuestRam(new SharedArrayBuffer(0x4000), 0, { lowBytes: 0x4000, highBytes: 0 });
  const offsets = [0n, 2n ** 64n - 1000n];
  const kvmClock = new KvmClock(ram, 1_700_000_000_250, 2, (cpu) => offsets[cpu]!);
  return { clock, ram, offsets, kvmClock };
}

/** What a guest computes from the page (Linux, pvclock.h). */
function nanoseconds(ram: GuestRam, page: number, tsc: bigint): bigint {
  const delta = (tsc - ram.readU64(page + 8)) & MASK_64;
  const shift = BigInt((ram.readU8(page + 28) << 24) >> 24);
  const shifted = shift >= 0n ? (delta << shift) & MASK_64 : delta >> -shift;
  return ram.readU64(page + 16) + ((shifted * BigInt(ram.readU32(page + 24))) >> 32n);
}

test('the guest computes the clock from its TSC, on each CPU', () => {
  const { clock, ram, offsets, kvmClock } = make();
  for (const [cpu, page] of [
    [0, 0x1000],
    [1, 0x1040],
  ] as const) {
    assert.equal(kvmClock.writeMsr(cpu, SYSTEM, BigInt(page | 1)), true);
    assert.equal(ram.readU32(page) & 1, 0);
    assert.equal(ram.readU8(page + 29), 1);
    clock.time += 123_456_789;
    const tsc = (BigInt(clock.time) + offsets[cpu]!) & MASK_64;
    assert.equal(nanoseconds(ram, page, tsc), BigInt(clock.time));
    assert.equal(kvmClock.readMsr(cpu, SYSTEM), BigInt(page | 1));
  }
});

test('a changed TSC offset is followed, with a new even version', () => {
  const { clock, ram, offsets, kvmClock } = make();
  kvmClock.writeMsr(0, SYSTEM, 0x1001n);
  const version = ram.readU32(0x1000);
  offsets[0] = 77n;
  kvmClock.tscChanged(0);
  assert.notEqual(ram.readU32(0x1000), version);
  assert.equal(ram.readU32(0x1000) & 1, 0);
  assert.equal(nanoseconds(ram, 0x1000, BigInt(clock.time) + 77n), BigInt(clock.time));
});

test('the wall clock is that of power-on', () => {
  const { ram, kvmClock } = make();
  kvmClock.writeMsr(0, WALL, 0x2000n);
  assert.equal(ram.readU32(0x2000) & 1, 0);
  assert.equal(ram.readU32(0x2004), 1_700_000_000);
  assert.equal(ram.readU32(0x2008), 250_000_000);
});

test('disabled, outside of RAM, or another MSR: nothing is written', () => {
  const { ram, kvmClock } = make();
  assert.equal(kvmClock.writeMsr(0, SYSTEM, 0x1000n), true);
  assert.equal(kvmClock.writeMsr(0, SYSTEM, MASK_64), true);
  assert.equal(kvmClock.writeMsr(0, WALL, MASK_64), true);
  assert.equal(kvmClock.writeMsr(0, 0x4b564d02, 1n), false);
  assert.equal(kvmClock.readMsr(0, 0x4b564d02), undefined);
  assert.ok(ram.read(0, 0x4000).every((byte) => byte === 0));
});
