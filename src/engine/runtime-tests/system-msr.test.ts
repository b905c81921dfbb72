import { CpuTopology } from '../cpu-topology.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCpuModel, installCpuModel } from '../cpu-model.js';
import { EFER } from './rig.js';
import { SystemRig } from './system-rig.js';

const GP0 = { vector: 13, error: 0 };
const SCE = 1n;
const NOT_CANONICAL = 1n << 47n;

const EFER_MSR = 0xc0000080n;
const LSTAR = 0xc0000082n;
const FMASK = 0xc0000084n;
const FS_BASE = 0xc0000100n;
const KERNEL_GS_BASE = 0xc0000102n;
const TSC_AUX = 0xc0000103n;
const SYSENTER_EIP = 0x176n;
const PAT = 0x277n;
const MTRR_DEF_TYPE = 0x2ffn;
const MC0_CTL = 0x400n;

const write = (rig: SystemRig, index: bigint, value: bigint): unknown =>
  rig.faultOf('wrmsr', index, BigInt.asIntN(64, value));
const read = (rig: SystemRig, index: bigint): bigint => rig.get('rdmsr', index);

test('what is written is read', () => {
  const rig = new SystemRig(true);
  for (const index of [
    0xc0000081n,
    LSTAR,
    0xc0000083n,
    FS_BASE,
    0xc0000101n,
    KERNEL_GS_BASE,
    0x174n,
    0x175n,
    SYSENTER_EIP,
    0x17an,
    0x17bn,
  ]) {
    assert.equal(write(rig, index, 0xffff888012345678n), null);
    assert.equal(read(rig, index), 0xffff888012345678n, index.toString(16));
  }
});

test('addresses must be canonical', () => {
  const rig = new SystemRig(true);
  for (const index of [LSTAR, 0xc0000083n, FS_BASE, 0xc0000101n, KERNEL_GS_BASE, 0x175n, SYSENTER_EIP])
    assert.deepEqual(write(rig, index, NOT_CANONICAL), GP0, index.toString(16));
  rig.enter(0, { cr4: 0x1000n });
  assert.equal(write(rig, FS_BASE, NOT_CANONICAL), null, '57 bits with LA57');
});

test('EFER: known bits of the model; LMA only tells', () => {
  const rig = new SystemRig();
  assert.deepEqual(write(rig, EFER_MSR, 1n << 12n), GP0);
  assert.equal(write(rig, EFER_MSR, EFER.NXE | SCE | EFER.LMA), null);
  assert.equal(read(rig, EFER_MSR), EFER.NXE | SCE);
  installCpuModel(rig.view, rig.cpu, findCpuModel('pentium3'), 0, CpuTopology.flat(1));
  for (const index of [EFER_MSR, 0xc0000081n, LSTAR, KERNEL_GS_BASE, TSC_AUX]) {
    assert.deepEqual(rig.faultOf('rdmsr', index), GP0, index.toString(16));
    assert.deepEqual(write(rig, index, 0n), GP0, index.toString(16));
  }
  assert.equal(write(rig, SYSENTER_EIP, 0x1000n), null);
});

test('PAT and MTRRs take memory types, and addresses of 40 bits', () => {
  const rig = new SystemRig();
  assert.equal(write(rig, PAT, 0x0007040600010506n), null);
  for (const type of [2n, 3n, 8n]) assert.deepEqual(write(rig, PAT, type << 24n), GP0);
  assert.equal(read(rig, PAT), 0x0007040600010506n);
  assert.equal(read(rig, 0xfen), 0x508n, 'eight variable ranges, fixed ranges, WC');
  assert.equal(write(rig, MTRR_DEF_TYPE, 0xc06n), null);
  for (const value of [0x1000n, 0x207n, 7n, 2n]) assert.deepEqual(write(rig, MTRR_DEF_TYPE, value), GP0);
  for (const fixed of [0x250n, 0x258n, 0x259n, 0x268n, 0x26fn]) {
    assert.equal(write(rig, fixed, 0x0606060606060606n), null);
    assert.deepEqual(write(rig, fixed, 0x0706060606060606n), GP0);
    assert.equal(read(rig, fixed), 0x0606060606060606n);
  }
  assert.deepEqual(rig.faultOf('rdmsr', 0x25an), GP0);
  assert.equal(write(rig, 0x20en, 0xe0000001n), null);
  assert.equal(write(rig, 0x20fn, 0xffe0000800n), null);
  assert.equal(read(rig, 0x20fn), 0xffe0000800n);
  for (const [index, value] of [
    [0x200n, 2n],
    [0x200n, 0x100n],
    [0x200n, 1n << 40n],
    [0x201n, 0x400n],
    [0x201n, 1n << 40n],
  ] as const)
    assert.deepEqual(write(rig, index, value), GP0);
  assert.deepEqual(rig.faultOf('rdmsr', 0x210n), GP0);
});

test('machine-check banks read as healthy and are cleared with zero', () => {
  const rig = new SystemRig();
  assert.equal(read(rig, 0x179n), 0x104n);
  for (let index = MC0_CTL; index < MC0_CTL + 16n; index++) assert.equal(read(rig, index), 0n);
  assert.equal(write(rig, MC0_CTL, -1n), null);
  assert.equal(write(rig, MC0_CTL + 1n, 0n), null);
  assert.deepEqual(write(rig, MC0_CTL + 1n, 1n), GP0);
  assert.deepEqual(rig.faultOf('rdmsr', MC0_CTL + 16n), GP0);
});

test('values of fixed width, microcode, and what is not there', () => {
  const rig = new SystemRig();
  assert.deepEqual(write(rig, TSC_AUX, 1n << 32n), GP0);
  assert.deepEqual(write(rig, FMASK, 1n << 32n), GP0);
  assert.deepEqual(write(rig, 0x1d9n, 4n), GP0);
  write(rig, 0x8bn, 0n);
  assert.equal(read(rig, 0x8bn), 1n << 32n);
  for (const index of [0x12345n, 0xc0010015n, 0x3an, 0xcen, 0x1a2n]) {
    assert.deepEqual(rig.faultOf('rdmsr', index), GP0, index.toString(16));
    assert.deepEqual(write(rig, index, 0n), GP0, index.toString(16));
  }
});
