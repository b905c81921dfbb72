import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { CR0, CR4, EFER, EFLAGS, Rig } from './rig.js';

const TABLES = 0x100000;
const P = 1;
const W = 2;
const U = 4;
const PS = 0x80;
const GLOBAL = 0x100;

/** 4-level tables: linear 0 to 2 MiB by 4 KiB pages (flags as given), the next 4 MiB by two 2 MiB pages, both to physical = linear. */
function longMode(rig: Rig, flags = P | W | U): void {
  rig.setRam64(TABLES, BigInt(TABLES + 0x1000 + (P | W | U)));
  rig.setRam64(TABLES + 0x1000, BigInt(TABLES + 0x2000 + (P | W | U)));
  rig.setRam64(TABLES + 0x2000, BigInt(TABLES + 0x3000 + (P | W | U)));
  rig.setRam64(TABLES + 0x2008, BigInt(0x200000 + (P | W | U | PS)));
  for (let i = 0; i < 512; i++) rig.setRam64(TABLES + 0x3000 + 8 * i, BigInt(i * 0x1000 + flags));
  rig.setup({ cr0: CR0.PG | CR0.WP, cr3: BigInt(TABLES), cr4: CR4.PAE | CR4.PGE, efer: EFER.LMA });
}

/** Points linear page n elsewhere, without a flush. */
function remap(rig: Rig, page: number, to: number, flags = P | W | U): void {
  rig.setRam64(TABLES + 0x3000 + 8 * page, BigInt(to + flags));
}

function mark(rig: Rig): void {
  rig.setRam32(0x10000, 0xaaaa);
  rig.setRam32(0x11000, 0xbbbb);
}

test('a translation is kept until it is flushed', () => {
  const rig = new Rig();
  longMode(rig);
  mark(rig);
  assert.equal(rig.get('load32', 0x10000n), 0xaaaan);
  remap(rig, 0x10, 0x11000);
  assert.equal(rig.get('load32', 0x10000n), 0xaaaan);
  rig.call('flushPage', 0x20000n);
  assert.equal(rig.get('load32', 0x10000n), 0xaaaan);
  rig.call('flushPage', 0x10abcn);
  assert.equal(rig.get('load32', 0x10000n), 0xbbbbn);
  remap(rig, 0x10, 0x10000);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(rig.get('load32', 0x10000n), 0xaaaan);
});

test('a flush that keeps global pages keeps them, for data and code', () => {
  const rig = new Rig();
  longMode(rig, P | W | U | GLOBAL);
  mark(rig);
  remap(rig, 0x20, 0x10000);
  for (const linear of [0x10000n, 0x20000n]) {
    assert.equal(rig.get('load32', linear), 0xaaaan);
    assert.equal(rig.call('translateCode', linear), 0x10000n);
  }
  remap(rig, 0x10, 0x11000);
  remap(rig, 0x20, 0x11000);
  rig.runtime.flushTlb(rig.cpu, true);
  assert.equal(rig.get('load32', 0x10000n), 0xaaaan);
  assert.equal(rig.call('translateCode', 0x10000n), 0x10000n);
  assert.equal(rig.get('load32', 0x20000n), 0xbbbbn);
  assert.equal(rig.call('translateCode', 0x20000n), 0x11000n);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(rig.get('load32', 0x10000n), 0xbbbbn);
  assert.equal(rig.call('translateCode', 0x10000n), 0x11000n);
});

test('INVLPG of one address drops all of a large page, also after a flush that kept it', () => {
  const rig = new Rig();
  longMode(rig);
  rig.setRam64(TABLES + 0x2008, BigInt(0x200000 + (P | W | U | PS | GLOBAL)));
  rig.setRam32(0x210000, 1);
  rig.setRam32(0x010000, 2);
  rig.call('store8', 0x3ff000n, 7n);
  assert.equal(rig.get('load32', 0x210000n), 1n);
  assert.equal(rig.call('translateCode', 0x210000n), 0x210000n);
  rig.runtime.flushTlb(rig.cpu, true);
  rig.setRam64(TABLES + 0x2008, BigInt(P | W | U | PS));
  assert.equal(rig.get('load32', 0x210000n), 1n);
  rig.call('flushPage', 0x3ff123n);
  assert.equal(rig.get('load32', 0x210000n), 2n);
  assert.equal(rig.call('translateCode', 0x210000n), 0x10000n);
});

test('a large page that only data was read from is remembered by a flush that keeps it', () => {
  const rig = new Rig();
  longMode(rig);
  rig.setRam64(TABLES + 0x2008, BigInt(0x200000 + (P | W | U | PS | GLOBAL)));
  rig.setRam32(0x210000, 1);
  assert.equal(rig.get('load32', 0x210000n), 1n);
  rig.runtime.flushTlb(rig.cpu, true);
  rig.setRam64(TABLES + 0x2008, BigInt(P | W | U | PS));
  rig.call('flushPage', 0x200000n);
  assert.equal(rig.get('load32', 0x210000n), 0n);
});

test('INVLPG drops all of a 1 GiB page and of a 4 MiB page', () => {
  const rig = new Rig();
  rig.setRam64(TABLES, BigInt(TABLES + 0x1000 + (P | W | U)));
  rig.setRam64(TABLES + 0x1000, BigInt(P | W | U | PS));
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PAE, efer: EFER.LMA });
  rig.setRam32(0x210000, 1);
  assert.equal(rig.get('load32', 0x210000n), 1n);
  rig.setRam64(TABLES + 0x1000, 0n);
  assert.equal(rig.get('load32', 0x210000n), 1n);
  rig.call('flushPage', 0x3fff0000n);
  rig.call('load32', 0x210000n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: 0x210000n });

  rig.setRam32(TABLES, P | W | PS);
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PSE });
  assert.equal(rig.get('load32', 0x210000n), 1n);
  rig.setRam32(TABLES, 0);
  rig.call('flushPage', 0x1000n);
  rig.call('load32', 0x210000n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: 0x210000n });
});

test('INVLPG of a large page is not repeated for what lies there later, and takes those along that have the same note', () => {
  const rig = new Rig();
  longMode(rig);
  const key = (): number => rig.u32(rig.cpu + L.S_JUMP_KEY);
  const directory = TABLES + 0x2000;
  const [one, other] = [0x200000n, 0x10_0120_0000n];
  const large = BigInt(P | W | U | PS);
  rig.setRam64(TABLES + 0x1000 + 8 * 64, rig.ram64(TABLES + 0x1000));
  rig.setRam64(directory + 8, large);
  rig.setRam64(directory + 8 * 9, large);
  for (const at of [one, other]) assert.notEqual(rig.call('load32', at), null);
  rig.setRam64(directory + 8, 0n);
  rig.setRam64(directory + 8 * 9, 0n);
  const before = key();
  rig.call('flushPage', one);
  assert.equal(key(), before + 0x2000);
  rig.call('flushPage', one);
  rig.call('flushPage', other + 0x5000n);
  assert.equal(key(), before + 0x2000);
  for (const address of [one, other]) {
    rig.call('load32', address);
    assert.deepEqual(rig.fault(), { vector: 14, error: 0, address });
  }
});

test('a flush raises the generations of the jump cache, which is emptied when one wraps; one that keeps global pages leaves that of their code', () => {
  const rig = new Rig();
  const key = (): number => rig.u32(rig.cpu + L.S_JUMP_KEY);
  const global = (): number => rig.u32(rig.cpu + L.S_GLOBAL_KEY);
  const mode = key() & 0xfff;
  assert.equal(global() & 0xfff, mode);
  const before = key();
  const globalBefore = global();
  assert.notEqual(before, globalBefore);
  const page = 0x12345000n;
  rig.call('flushPage', page);
  assert.equal(key(), before, 'no code was run from that page');
  rig.call('noteCodePage', page + 0x10n);
  rig.call('flushPage', page + 0x1000n);
  assert.equal(key(), before, 'nor from that');
  rig.call('flushPage', page);
  assert.equal(key(), before + 0x2000);
  assert.equal(global(), globalBefore + 0x2000);
  rig.call('flushPage', page);
  assert.equal(key(), before + 0x2000, 'a new generation has no code yet');
  rig.runtime.flushTlb(rig.cpu, true);
  assert.equal(key(), before + 0x4000);
  assert.equal(global(), globalBefore + 0x2000);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(key(), before + 0x6000);
  assert.equal(global(), globalBefore + 0x4000);
  rig.setU32(rig.cpu + L.S_JUMP_KEY, 0xfffff000 + mode);
  rig.setU32(rig.cpu + L.S_JUMPS + 12, 1234);
  rig.runtime.flushTlb(rig.cpu, true);
  assert.equal(key(), 0x1000 + mode);
  assert.equal(rig.u32(rig.cpu + L.S_JUMPS + 12), 0);
  rig.setU32(rig.cpu + L.S_GLOBAL_KEY, 0xffffe000 + mode);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(global(), 0x2000 + mode, 'never that of empty entries');
});

test('two pages with one index: both stay, and a flush finds them in either place', () => {
  const rig = new Rig();
  longMode(rig);
  const distance = L.TLB_ENTRIES * 0x1000;
  const pages = [0x10000n, 0x10000n + BigInt(distance)];
  const directory = TABLES + 0x2000;
  // The same table again at the next page with that index
  const again = directory + 8 * (distance >> 21);
  rig.setRam64(again, rig.ram64(directory));
  const inFirst = (at: bigint): boolean => rig.call('fastRead', at, 4) !== 0;
  for (const at of pages) rig.get('load32', at);
  assert.deepEqual(pages.map(inFirst), [false, true]);
  rig.get('load32', pages[0]!);
  assert.deepEqual(pages.map(inFirst), [true, false]);
  // Its table is gone: what is still known is known without it.
  rig.setRam64(again, 0n);
  rig.call('load32', pages[1]!);
  assert.equal(rig.fault(), null);
  rig.call('flushPage', pages[0]!);
  rig.setRam64(directory, 0n);
  rig.call('load32', pages[0]!);
  assert.deepEqual(rig.fault(), { vector: 14, error: 0, address: pages[0]! }, 'flushed in its other place');
});

test('a write entry is kept only after a write: the dirty bit is always set', () => {
  const rig = new Rig();
  longMode(rig);
  rig.get('load32', 0x10000n);
  assert.equal(rig.ram64(TABLES + 0x3000 + 0x80) & 0x60n, 0x20n);
  assert.equal(rig.call('fastWrite', 0x10000n, 4), 0);
  rig.call('store32', 0x10000n, 5n);
  assert.equal(rig.ram64(TABLES + 0x3000 + 0x80) & 0x60n, 0x60n);
  assert.notEqual(rig.call('fastWrite', 0x10000n, 4), 0);
  assert.equal(rig.ram32(0x10000), 5);
});

test('a page of code: its write entries go from all CPUs, stores still work and are told by 128-byte chunk', () => {
  const rig = new Rig();
  longMode(rig);
  const first = rig.cpu;
  const second = first + L.CPU_BYTES;
  for (const cpu of [first, second]) {
    rig.cpu = cpu;
    longMode(rig);
    rig.call('store32', 0x10000n, 5n);
    assert.notEqual(rig.call('fastWrite', 0x10000n, 4), 0);
  }
  rig.setPage(0x10000, L.PAGE_CODE, 0b1010);
  rig.runtime.protectCodePage(rig.host(0x10000));
  for (const cpu of [first, second]) {
    rig.cpu = cpu;
    assert.equal(rig.call('fastWrite', 0x10000n, 4), 0);
    assert.notEqual(rig.call('fastRead', 0x10000n, 4), 0);
    rig.call('store32', 0x10000n, BigInt(cpu));
    assert.equal(rig.ram32(0x10000), cpu);
    assert.equal(rig.call('fastWrite', 0x10000n, 4), 0);
  }
  assert.deepEqual(rig.codeWrites, []);
  rig.call('store32', 0x1007en, 0x12345678n);
  rig.call('store8', 0x101ffn, 1n);
  rig.call('store8', 0x10200n, 1n);
  assert.deepEqual(rig.codeWrites, [
    { physical: 0x1007e, length: 4 },
    { physical: 0x101ff, length: 1 },
  ]);
  assert.equal(rig.ram32(0x1007e), 0x12345678);
});

test('a page of code that is stored to often, beside its code, counts as written: after 64 stores, then after twice as many', () => {
  const rig = new Rig();
  longMode(rig);
  rig.setPage(0x10000, L.PAGE_CODE, 0b10);
  const storesUntilTold = (): number => {
    for (let stores = 1; stores < 1000; stores++) {
      rig.call('store8', 0x10000n, 1n);
      if (rig.codeWrites.length > 0) return stores;
    }
    return -1;
  };
  assert.equal(storesUntilTold(), 64);
  assert.deepEqual(rig.codeWrites.splice(0), [{ physical: 0x10000, length: 0x1000 }]);
  assert.equal(storesUntilTold(), 128);
});

test('accessed and dirty bits set in a page that holds code are told too', () => {
  const rig = new Rig();
  longMode(rig);
  rig.setPage(TABLES + 0x3000, L.PAGE_CODE, 0b10);
  rig.get('load8', 0x10000n);
  assert.deepEqual(rig.codeWrites, [{ physical: TABLES + 0x3080, length: 8 }]);
});

test('user, SMAP and plain supervisor accesses have TLBs of their own', () => {
  const rig = new Rig();
  longMode(rig);
  const s = { cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PAE | CR4.SMAP, efer: EFER.LMA };
  rig.setup({ ...s, eflags: EFLAGS.AC });
  assert.equal(rig.get('load32', 0x10000n), 0n);
  rig.setU32(rig.cpu + L.S_EFLAGS, 2);
  rig.runtime.updateMode(rig.cpu);
  rig.call('load32', 0x10000n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 1, address: 0x10000n });
  // the processor's own accesses are under SMAP whatever AC says
  rig.setU32(rig.cpu + L.S_EFLAGS, 2 | EFLAGS.AC);
  rig.runtime.updateMode(rig.cpu);
  rig.call('loadAs', 0x10000n, 4, true);
  assert.deepEqual(rig.fault(), { vector: 14, error: 1, address: 0x10000n });
  assert.equal(rig.get('load32', 0x10000n), 0n);
  rig.setU32(rig.cpu + L.S_CPL, 3);
  rig.runtime.updateMode(rig.cpu);
  assert.equal(rig.get('load32', 0x10000n), 0n);
  rig.call('storeAs', 0x10000n, 4, 1n, true);
  assert.deepEqual(rig.fault(), { vector: 14, error: 3, address: 0x10000n });
});

test('A20 masked: bit 20 of every physical address is zero', () => {
  const rig = new Rig();
  rig.setRam32(0x5000, 0x1111);
  rig.setRam32(0x105000, 0x2222);
  assert.equal(rig.get('load32', 0x105000n), 0x2222n);
  rig.setU32(L.G_A20, 0xffefffff);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.equal(rig.get('load32', 0x105000n), 0x1111n);
  rig.get('load32', 0xfef00000n);
  assert.deepEqual(rig.log, ['read4 fee00000']);
});
