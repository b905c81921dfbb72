import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import {
  CODE32,
  CR0,
  CR4,
  DATA32,
  EFER,
  EFLAGS,
  FOUR_GIB,
  HIGH_BYTES,
  LOW_BYTES,
  Rig,
  type Setup,
} from './rig.js';

const TABLES = 0x100000;
const SLOT = L.S_TEMP;

/** 32-bit paging, the first 4 MiB mapped to themselves but for some pages of other flags (0: not present). */
function paged(rig: Rig, others: Record<number, number>, setup: Setup = {}): void {
  rig.setRam32(TABLES, TABLES + 0x1007);
  for (let i = 0; i < 1024; i++)
    rig.setRam32(
      TABLES + 0x1000 + 4 * i,
      others[i] === undefined ? i * 0x1000 + 7 : others[i] && i * 0x1000 + others[i],
    );
  rig.setup({ cr0: CR0.PG | CR0.WP, cr3: BigInt(TABLES), ...setup });
}

test('loads and stores of all sizes, aligned, misaligned and across pages that do not follow each other', () => {
  const rig = new Rig();
  paged(rig, {});
  // linear pages 0x20, 0x21 to physical 0x30, 0x28
  rig.setRam32(TABLES + 0x1000 + 4 * 0x20, 0x30007);
  rig.setRam32(TABLES + 0x1000 + 4 * 0x21, 0x28007);
  for (const [bits, value] of [
    [8, 0x91n],
    [16, 0x9182n],
    [32, 0x91827364n],
    [64, 0x9182736455463728n],
  ] as const) {
    for (let offset = 0xff0; offset < 0x1010; offset++) {
      rig.call(`store${bits}`, BigInt(0x20000 + offset), BigInt.asIntN(64, value));
      assert.equal(rig.get(`load${bits}`, BigInt(0x20000 + offset)), value);
      for (let i = 0; i < bits / 8; i++) {
        const at = offset + i < 0x1000 ? 0x30000 + offset + i : 0x28000 + offset + i - 0x1000;
        assert.equal(BigInt(rig.bytes(at, 1)[0]!), (value >> BigInt(8 * i)) & 0xffn);
      }
    }
  }
  rig.setU64(rig.cpu + SLOT, 0x0123456789abcdefn);
  rig.setU64(rig.cpu + SLOT + 8, 0xfedcba9876543210n);
  for (const linear of [0x20000n, 0x20ff3n, 0x20ff9n, 0x21001n]) {
    rig.call('storeSlot', SLOT, linear);
    rig.call('loadSlot', SLOT + 16, linear);
    assert.equal(rig.u64(rig.cpu + SLOT + 16), 0x0123456789abcdefn);
    assert.equal(rig.u64(rig.cpu + SLOT + 24), 0xfedcba9876543210n);
  }
  assert.equal(rig.fault(), null);
});

test('an access across pages faults at the page that is missing, with nothing written', () => {
  const rig = new Rig();
  paged(rig, { 0x21: 0, 0x23: 5, 0x25: 0 });
  rig.setRam32(0x20ffc, 0x55555555);
  rig.call('store64', 0x20ffcn, -1n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x21000n });
  assert.equal(rig.ram32(0x20ffc), 0x55555555);
  rig.call('store16', 0x22fffn, -1n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 3, address: 0x23000n });
  assert.equal(rig.bytes(0x22fff, 1)[0], 0);
  rig.call('storeSlot', SLOT, 0x24ff8n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x25000n });
  rig.setU64(rig.cpu + SLOT, 77n);
  rig.call('loadSlot', SLOT, 0x24ff8n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: 0x25000n });
  assert.equal(rig.u64(rig.cpu + SLOT), 77n);
  // the first page fails first
  rig.call('load32', 0x25ffen);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: 0x25ffen });
});

test('probeWrite checks every page of a range', () => {
  const rig = new Rig();
  paged(rig, { 0x23: 0 });
  rig.call('probeWrite', 0x20800n, 0x2000);
  assert.equal(rig.fault(), null);
  rig.call('probeWrite', 0x20800n, 0x2801);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0x23000n });
});

test('addresses wrap at 4 GiB outside 64-bit mode', () => {
  const rig = new Rig();
  rig.answers.push(0x11n, 0x22n);
  rig.setRam32(0, 0x4433);
  assert.equal(rig.get('load32', 0xfffffffen), 0x44332211n);
  assert.deepEqual(rig.log, ['read1 fffffffe', 'read1 ffffffff']);
  paged(rig, { 0: 0 });
  rig.setRam32(TABLES + 4 * 1023, TABLES + 0x1007);
  rig.call('store32', 0xfffffffen, 0n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 2, address: 0n });
});

test('in compatibility mode tables of the processor may lie above 4 GiB, data may not', () => {
  const rig = new Rig();
  rig.setRam64(TABLES, BigInt(TABLES + 0x1007));
  rig.setRam64(TABLES + 0x1000, BigInt(TABLES + 0x2007));
  rig.setRam64(TABLES + 0x1000 + 8 * 4, BigInt(TABLES + 0x2007));
  rig.setRam64(TABLES + 0x2000, 0x87n);
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PAE, efer: EFER.LMA, code: CODE32, cpl: 3 });
  rig.setRam32(0x5000, 0x1234);
  assert.equal(rig.get('loadAs', FOUR_GIB + 0x5000n, 4, true), 0x1234n);
  rig.setRam64(TABLES + 0x1000 + 8 * 4, 0n);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(rig.get('load32', FOUR_GIB + 0x5000n), 0x1234n);
  rig.call('loadAs', FOUR_GIB + 0x5000n, 4, true);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: FOUR_GIB + 0x5000n });
});

test('what is no RAM goes to the devices, in one access of its size, and writes to ROM are dropped', () => {
  const rig = new Rig();
  rig.setPage(0xa0000, L.PAGE_MMIO);
  rig.setPage(0xf0000, L.PAGE_ROM);
  rig.setRam32(0xf0000, 0x12345678);
  rig.answers.push(0x112233445566n, 0x7788n, 0x99n, 0xffffffffn);
  assert.equal(rig.get('load64', 0xa0008n), 0x112233445566n);
  assert.equal(rig.get('load16', 0xa0002n), 0x7788n);
  assert.equal(rig.get('load8', 0xfee00020n), 0x99n);
  assert.equal(rig.get('load32', 0xfee00020n), 0xffffffffn);
  rig.call('store32', 0xfec00000n, BigInt.asIntN(64, 0xffffffffdeadbeefn));
  rig.call('store8', 0xa0000n, 0x1ffn);
  rig.call('store64', BigInt(LOW_BYTES), -1n);
  assert.deepEqual(rig.log, [
    'read8 a0008', 'read2 a0002', 'read1 fee00020', 'read4 fee00020',
    'write4 fec00000 deadbeef', 'write1 a0000 ff', 'write8 400000 ffffffffffffffff',
  ]); // prettier-ignore
  rig.call('store32', 0xf0000n, 0n);
  assert.equal(rig.get('load32', 0xf0000n), 0x12345678n);
  assert.notEqual(rig.call('fastRead', 0xf0000n, 4), 0);
  assert.equal(rig.call('fastWrite', 0xf0000n, 4), 0);
});

test('RAM above 4 GiB lies behind RAM below, and ends', () => {
  const rig = new Rig();
  const ram = rig.runtime.ramAddress;
  assert.equal(ram(BigInt(LOW_BYTES - 1)), rig.host(LOW_BYTES - 1));
  assert.equal(ram(BigInt(LOW_BYTES)), 0);
  assert.equal(ram(FOUR_GIB), rig.host(FOUR_GIB));
  assert.equal(ram(FOUR_GIB + BigInt(HIGH_BYTES) - 1n), rig.host(FOUR_GIB) + HIGH_BYTES - 1);
  assert.equal(ram(FOUR_GIB + BigInt(HIGH_BYTES)), 0);
  assert.equal(ram(FOUR_GIB - 1n), 0);
  assert.equal(ram(0x000fffffffffffffn), 0);
});

test('alignment check: at CPL 3 with CR0.AM and EFLAGS.AC, before page faults, not for the processor itself', () => {
  const rig = new Rig();
  paged(rig, { 0x30: 0 }, { cr0: CR0.PG | CR0.AM, cpl: 3, eflags: EFLAGS.AC });
  assert.equal(rig.get('load32', 0x20000n), 0n);
  rig.call('store64', 0x20008n, 5n);
  assert.equal(rig.ram32(0x20008), 5);
  for (const [name, ...args] of [
    ['load16', 0x20001n],
    ['load32', 0x20002n],
    ['load64', 0x20004n],
    ['store32', 0x20001n, 1n],
    ['load32', 0x30002n],
    ['load32', 0x20ffen],
    ['probeWrite', 0x20002n, 4],
  ] as [string, ...(bigint | number)[]][]) {
    rig.call(name, ...args);
    assert.deepEqual(rig.fault(), { vector: 17, error: 0 }, `${name} ${args[0]!.toString(16)}`);
  }
  rig.call('loadSlot', SLOT, 0x20008n);
  assert.deepEqual(rig.fault(), { vector: 17, error: 0 });
  rig.call('load8', 0x20001n);
  rig.call('loadAs', 0x20001n, 4, true);
  assert.equal(rig.fault(), null);
  rig.call('load32', 0x30000n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 4, address: 0x30000n });
  // the empty TLB in use stays empty
  assert.equal(rig.call('fastRead', 0x20000n, 4), 0);
  rig.setup({ cr0: CR0.AM, cpl: 0, eflags: EFLAGS.AC });
  rig.call('load32', 0x20001n);
  assert.equal(rig.fault(), null);
});

test('data breakpoints: by kind and length, as trap after the access, also through a page boundary', () => {
  const rig = new Rig();
  const arm = (n: number, address: bigint, kind: number, lengthCode: number): void => {
    rig.setU64(rig.cpu + L.S_DR + 8 * n, address);
    rig.setU64(
      rig.cpu + L.S_DR + 56,
      BigInt((2 << (2 * n)) | (kind << (16 + 4 * n)) | (lengthCode << (18 + 4 * n))) & 0xffffffffn,
    );
    rig.setU32(rig.cpu + L.S_WATCH_HIT, 0);
    rig.setU32(rig.cpu + L.S_PENDING, 0);
    rig.setup({});
  };
  const hits = (): number => {
    const found = rig.u32(rig.cpu + L.S_WATCH_HIT);
    assert.equal(rig.u32(rig.cpu + L.S_PENDING), found ? L.PENDING_TRAP : 0);
    rig.setU32(rig.cpu + L.S_WATCH_HIT, 0);
    rig.setU32(rig.cpu + L.S_PENDING, 0);
    return found;
  };
  rig.call('store32', 0x5000n, 1n);
  arm(0, 0x5004n, 1, 3);
  rig.call('store32', 0x5000n, 1n);
  assert.equal(hits(), 0);
  rig.call('store8', 0x5007n, 1n);
  assert.equal(hits(), 1);
  assert.equal(rig.bytes(0x5007, 1)[0], 1);
  rig.call('load32', 0x5004n);
  assert.equal(hits(), 0);
  rig.call('store64', 0x4ffdn, 0n);
  assert.equal(hits(), 1);
  arm(3, 0x5000n, 3, 2);
  rig.call('load8', 0x5007n);
  assert.equal(hits(), 8);
  rig.call('load64', 0x5008n);
  assert.equal(hits(), 0);
  arm(1, 0x5000n, 0, 0);
  rig.call('store8', 0x5000n, 1n);
  assert.equal(hits(), 0);
});

test('segments outside 64-bit mode: base, limit, rights, expand-down, null', () => {
  const rig = new Rig();
  const check = (
    attributes: number,
    limit: bigint,
    offset: bigint,
    bytes: number,
    write: number,
    segment = L.DS,
  ): bigint | null => {
    rig.segment(segment, { attributes, base: 0x1000n, limit });
    const linear = rig.get('segmentLinear', segment, offset, bytes, write);
    const fault = rig.fault();
    if (!fault) return linear;
    assert.deepEqual(fault, { vector: segment === L.SS ? 12 : 13, error: 0 });
    return null;
  };
  assert.equal(check(DATA32, 0xffffn, 0xfffcn, 4, 1), 0x10ffcn);
  assert.equal(check(DATA32, 0xffffn, 0xfffdn, 4, 0), null);
  assert.equal(check(DATA32, 0xffffn, 0xfffdn, 4, 0, L.SS), null);
  assert.equal(check(DATA32, 0xffffffffn, 0xfffffffen, 4, 1), 0xffen);
  assert.equal(check(0xc091, 0xffffn, 0n, 4, 0), 0x1000n);
  assert.equal(check(0xc091, 0xffffn, 0n, 4, 1), null);
  assert.equal(check(0xc09b, 0xffffn, 0n, 4, 0), 0x1000n);
  assert.equal(check(0xc09b, 0xffffn, 0n, 4, 1), null);
  assert.equal(check(0xc099, 0xffffn, 0n, 4, 0), null);
  assert.equal(check(L.SEG_NULL, 0n, 0n, 1, 0), null);
  assert.equal(check(L.SEG_NULL, 0n, 0x10n, 1, 2), 0x1010n);
  // expand-down: above the limit, up to 64 KiB or 4 GiB by its B bit
  assert.equal(check(0xc097, 0xffffn, 0xffffn, 1, 1), null);
  assert.equal(check(0xc097, 0xffffn, 0x10000n, 4, 1), 0x11000n);
  assert.equal(check(0x8097, 0xfffn, 0xfffcn, 4, 1), 0x10ffcn);
  assert.equal(check(0x8097, 0xfffn, 0xfffdn, 4, 1), null);
});

test('segments in 64-bit mode: bases of FS and GS only, canonical addresses, #SS for the stack', () => {
  const rig = new Rig();
  rig.setup({ cr4: CR4.PAE, efer: EFER.LMA });
  for (let i = 0; i < 6; i++)
    rig.segment(i, { attributes: i === L.CS ? 0xa09b : L.SEG_NULL, base: 0x123000n, limit: 0n });
  assert.equal(rig.get('segmentLinear', L.DS, 0x7fffn, 8, 1), 0x7fffn);
  assert.equal(rig.get('segmentLinear', L.FS, 0x7fffn, 8, 1), 0x12afffn);
  assert.equal(rig.get('segmentLinear', L.GS, -1n, 8, 1), 0x122fffn);
  assert.equal(rig.fault(), null);
  rig.call('segmentLinear', L.DS, 0x800000000000n, 8, 0);
  assert.deepEqual(rig.fault(), { vector: 13, error: 0 });
  rig.call('segmentLinear', L.SS, 0x800000000000n, 8, 0);
  assert.deepEqual(rig.fault(), { vector: 12, error: 0 });
});
