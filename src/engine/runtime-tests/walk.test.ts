import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAGE_MMIO } from '../layout.js';
import {
  CR0,
  CR4,
  EFER,
  EFLAGS,
  FOUR_GIB,
  HIGH_BYTES,
  LOW_BYTES,
  Rig,
  type Fault,
  type Setup,
} from './rig.js';
import { sequence } from '../../testing/sequence.js';

type Access = 'read' | 'write' | 'execute';
const KINDS: Access[] = ['read', 'write', 'execute'];
const P = 1n;
const W = 2n;
const U = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const XD = 1n << 63n;
const PHYSICAL_BITS = 40n;

interface Expected {
  physical?: bigint;
  fault?: Fault;
  /** Entries that get bits, by physical address. */
  marks: Map<bigint, bigint>;
}

interface Level {
  shift: bigint;
  bits: bigint;
  /** Whether an entry here maps a page: always, if its PS bit is set, never. */
  leaf: 'always' | 'ps' | 'never';
}

/** A second, plain reading of SDM vol. 3, chapter 4, with the tables as lists of levels. */
function expectedWalk(rig: Rig, s: Required<Setup>, linear: bigint, access: Access): Expected {
  const marks = new Map<bigint, bigint>();
  const pae = (s.cr4 & CR4.PAE) !== 0n;
  const long = (s.efer & EFER.LMA) !== 0n;
  const nxe = (s.efer & EFER.NXE) !== 0n && pae;
  const user = s.cpl === 3;
  const fail = (bits: number): Expected => {
    let error = bits;
    if (access === 'write') error |= 2;
    if (user) error |= 4;
    if (access === 'execute' && (nxe || (s.cr4 & CR4.SMEP) !== 0n)) error |= 16;
    return { fault: { vector: 14, error, address: linear }, marks: new Map() };
  };
  const levels: Level[] = [];
  if (!pae) {
    levels.push(
      { shift: 22n, bits: 10n, leaf: (s.cr4 & CR4.PSE) !== 0n ? 'ps' : 'never' },
      { shift: 12n, bits: 10n, leaf: 'always' },
    );
  } else {
    if (long && (s.cr4 & CR4.LA57) !== 0n) levels.push({ shift: 48n, bits: 9n, leaf: 'never' });
    if (long) levels.push({ shift: 39n, bits: 9n, leaf: 'never' }, { shift: 30n, bits: 9n, leaf: 'ps' });
    else levels.push({ shift: 30n, bits: 2n, leaf: 'never' });
    levels.push({ shift: 21n, bits: 9n, leaf: 'ps' }, { shift: 12n, bits: 9n, leaf: 'always' });
  }
  const width = pae ? 8n : 4n;
  let table = pae && !long ? s.cr3 & 0xffffffe0n : pae ? s.cr3 & 0x000ffffffffff000n : s.cr3 & 0xfffff000n;
  let mayUser = true;
  let mayWrite = true;
  let mayExecute = true;
  for (const level of levels) {
    const at = table + ((linear >> level.shift) & ((1n << level.bits) - 1n)) * width;
    const inRam =
      (at < BigInt(LOW_BYTES) && at >> 12n !== 0xb8n) ||
      (at >= FOUR_GIB && at < FOUR_GIB + BigInt(HIGH_BYTES));
    const entry = !inRam ? (1n << (8n * width)) - 1n : pae ? rig.ram64(at) : BigInt(rig.ram32(at));
    if ((entry & P) === 0n) return fail(0);
    const leaf = level.leaf === 'always' || (level.leaf === 'ps' && (entry & PS) !== 0n);
    const pdpte = pae && !long && level.shift === 30n;
    let bad = false;
    for (let bit = 0n; bit < 64n; bit++) {
      if (((entry >> bit) & 1n) === 0n) continue;
      if (pae && bit >= PHYSICAL_BITS && bit < 52n) bad = true;
      if (pae && !long && bit >= 52n && bit < 63n) bad = true;
      if (pae && bit === 63n && (!nxe || pdpte)) bad = true;
      if (pdpte && (bit === 1n || bit === 2n || (bit >= 5n && bit <= 8n))) bad = true;
      if (long && level.shift >= 39n && bit === 7n) bad = true;
      if (leaf && pae && level.shift > 12n && bit >= 13n && bit < level.shift) bad = true;
      if (leaf && !pae && level.shift === 22n && bit === 21n) bad = true;
    }
    if (bad) return fail(9);
    if (!pdpte) {
      mayUser &&= (entry & U) !== 0n;
      mayWrite &&= (entry & W) !== 0n;
      mayExecute &&= !pae || (entry & XD) === 0n;
      const wanted = leaf && access === 'write' ? A | D : A;
      if ((entry & wanted) !== wanted && inRam) marks.set(at, (marks.get(at) ?? 0n) | wanted);
    }
    if (!leaf) {
      table = entry & (pae ? 0x000ffffffffff000n : 0xfffff000n);
      continue;
    }
    let allowed: boolean;
    if (user) allowed = mayUser && (access === 'read' || (access === 'write' ? mayWrite : mayExecute));
    else if (access === 'execute') allowed = mayExecute && !(mayUser && (s.cr4 & CR4.SMEP) !== 0n);
    else {
      const smap = (s.cr4 & CR4.SMAP) !== 0n && (s.eflags & EFLAGS.AC) === 0;
      allowed = !(mayUser && smap) && (access === 'read' || mayWrite || (s.cr0 & CR0.WP) === 0n);
    }
    if (!allowed) return fail(1);
    const offset = linear & ((1n << level.shift) - 1n);
    let frame = entry & 0x000ffffffffff000n & ~((1n << level.shift) - 1n);
    if (!pae) {
      frame = entry & 0xffffffffn & ~((1n << level.shift) - 1n);
      if (level.shift === 22n) frame = (entry & 0xffc00000n) | (((entry >> 13n) & 0xffn) << 32n);
    }
    return { physical: frame + offset, marks };
  }
  throw new Error('the last level always maps a page');
}

const TABLES = 0x100000;
const TABLE_BYTES = 0x8000;

type Random = ReturnType<typeof sequence>;

/** An entry that is mostly plausible. */
function randomEntry(random: Random, wide: boolean): bigint {
  const chance = (percent: number): boolean => random(100) < percent;
  const frames = [0x200000n, 0x3ff000n, 0xb8000n, 0x500000n, FOUR_GIB, FOUR_GIB + 0x5000n, 0n, 0x7f00000000n];
  let frame = chance(75)
    ? BigInt(TABLES + 0x1000 * random(TABLE_BYTES / 0x1000))
    : frames[random(wide ? frames.length : 4)]!;
  let entry = 0n;
  if (chance(20)) {
    entry |= PS;
    if (chance(80)) frame &= wide ? ~0x1fffffn : ~0x3fffffn;
  }
  entry |= frame;
  if (chance(93)) entry |= P;
  if (chance(75)) entry |= W;
  if (chance(70)) entry |= U;
  if (chance(50)) entry |= A;
  if (chance(50)) entry |= D;
  if (chance(15)) entry |= 0x100n;
  if (wide && chance(12)) entry |= XD;
  if (chance(3)) entry |= 1n << BigInt(random(wide ? 64 : 32));
  return entry;
}

function canonical(linear: bigint, bits: bigint): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(Number(bits), linear));
}

const modes: { name: string; cr4: bigint; efer: bigint }[] = [
  { name: '32-bit', cr4: 0n, efer: 0n },
  { name: '32-bit with PSE', cr4: CR4.PSE, efer: 0n },
  { name: 'PAE', cr4: CR4.PAE, efer: 0n },
  { name: 'PAE with NX', cr4: CR4.PAE, efer: EFER.NXE },
  { name: '4-level', cr4: CR4.PAE, efer: EFER.LMA | EFER.LME },
  { name: '4-level with NX', cr4: CR4.PAE, efer: EFER.LMA | EFER.LME | EFER.NXE },
  { name: '5-level', cr4: CR4.PAE | CR4.LA57, efer: EFER.LMA | EFER.LME | EFER.NXE },
];

for (const { name, cr4, efer } of modes) {
  test(`walks of random tables, ${name} paging: address, fault, accessed and dirty bits`, () => {
    const rig = new Rig();
    rig.setPage(0xb8000, PAGE_MMIO);
    const random = sequence(0x1234567 + name.length);
    const wide = (cr4 & CR4.PAE) !== 0n;
    const long = (efer & EFER.LMA) !== 0n;
    const seen = { mapped: 0, faults: new Set<number>() };
    for (let trial = 0; trial < 3000; trial++) {
      if (trial % 100 === 0) {
        for (let at = TABLES; at < TABLES + TABLE_BYTES; at += wide ? 8 : 4) {
          let entry = randomEntry(random, wide);
          // entries of a PAE page-directory-pointer table have no rights
          if (name.startsWith('PAE') && at < TABLES + 32 && random(10) !== 0) entry &= ~0x80000000000001e6n;
          if (wide) rig.setRam64(at, entry);
          else rig.setRam32(at, Number(BigInt.asUintN(32, entry)));
        }
      }
      const cpl = random(2) * 3;
      const s: Required<Setup> = {
        cr0: CR0.PG | (random(2) ? CR0.WP : 0n),
        cr3: BigInt(TABLES),
        cr4: cr4 | (random(2) ? CR4.SMEP : 0n) | (random(2) ? CR4.SMAP : 0n) | (random(2) ? CR4.PGE : 0n),
        efer,
        cpl,
        eflags: random(2) ? EFLAGS.AC : 0,
        code: long ? 0xa09b : 0xc09b,
      };
      rig.setup(s);
      const scatter =
        (BigInt(random(0x10000)) << 48n) |
        (BigInt(random(0x10000)) << 32n) |
        BigInt(random(0x10000) * 0x10000 + random(0x10000));
      const linear = long ? canonical(scatter, cr4 & CR4.LA57 ? 57n : 48n) : scatter & 0xffffffffn;
      const access = KINDS[random(3)]!;
      const expected = expectedWalk(rig, s, linear, access);
      const tables = rig.bytes(TABLES, TABLE_BYTES);
      for (const [at, bits] of expected.marks) {
        const offset = Number(at) - TABLES;
        if (offset >= 0 && offset < TABLE_BYTES) tables[offset]! |= Number(bits);
      }
      const found = rig.physical(linear, access);
      const fault = rig.fault();
      const what = `trial ${trial}: ${access} of ${linear.toString(16)}, CPL ${cpl}, CR4 ${s.cr4.toString(16)}`;
      assert.deepEqual(fault, expected.fault ?? null, what);
      if (expected.physical !== undefined)
        assert.equal(found.toString(16), expected.physical.toString(16), what);
      assert.equal(Buffer.compare(tables, rig.bytes(TABLES, TABLE_BYTES)), 0, `${what}: tables afterwards`);
      if (fault) seen.faults.add(fault.error!);
      else seen.mapped++;
    }
    assert.ok(seen.mapped > 100, `only ${seen.mapped} accesses were mapped`);
    assert.ok(seen.faults.size >= 6, `only error codes ${[...seen.faults]}`);
  });
}

test('PSE-36 takes bits 32 to 39 of a 4 MiB page from bits 13 to 20', () => {
  const rig = new Rig();
  rig.setRam32(TABLES + 4 * 3, 0x00000083 | (1 << 13));
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PSE });
  rig.setRam64(FOUR_GIB + 0x4008n, 0x1122334455667788n);
  assert.equal(rig.get('load32', 0xc04008n), 0x55667788n);
  assert.equal(rig.ram32(TABLES + 12) & 0x60, 0x20);
  rig.call('store8', 0xc04008n, 0x99n);
  assert.equal(rig.ram64(FOUR_GIB + 0x4008n), 0x1122334455667799n);
  assert.equal(rig.ram32(TABLES + 12) & 0x60, 0x60);
});

test('an address that is not canonical is #GP(0), whatever the TLB holds', () => {
  const rig = new Rig();
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: CR4.PAE, efer: EFER.LMA });
  for (const linear of [
    1n << 63n,
    (1n << 63n) | 0xfffn,
    (1n << 63n) | 0x1000n,
    (1n << 63n) | 0x200000n,
    (1n << 63n) | 0x3ff000n,
    0x800000000000n,
    0xffff7fffffffffffn,
  ]) {
    for (const [name, ...args] of [['load8'], ['load64'], ['store32', 1n], ['translateCode']] as [
      string,
      ...bigint[],
    ][]) {
      rig.call(name, BigInt.asIntN(64, linear), ...args);
      assert.deepEqual(rig.fault(), { vector: 13, error: 0 }, `${name} of ${linear.toString(16)}`);
    }
  }
  assert.equal(rig.call('peekPhysical', BigInt.asIntN(64, 1n << 63n)), -1n);
});

test('a walk for a debugger marks and raises nothing', () => {
  const rig = new Rig();
  rig.setRam32(TABLES, 0x101003);
  rig.setRam32(TABLES + 0x1000 + 4 * 5, 0x200003);
  rig.setup({ cr0: CR0.PG, cr3: BigInt(TABLES), cr4: 0n });
  assert.equal(rig.call('peekPhysical', 0x5678n), 0x200678n);
  assert.equal(rig.call('peekPhysical', 0x6678n), -1n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.ram32(TABLES), 0x101003);
  assert.equal(rig.ram32(TABLES + 0x1000 + 4 * 5), 0x200003);
});

test('page tables in a device read as all ones and touch no device', () => {
  const rig = new Rig();
  rig.setup({ cr0: CR0.PG, cr3: 0xfee00000n, cr4: CR4.PAE, efer: EFER.LMA });
  rig.call('load8', 0x1000n);
  assert.deepEqual(rig.fault(), { vector: 14, error: 9, address: 0x1000n });
  assert.deepEqual(rig.log, []);
});
