import { test } from 'node:test';
import { CpuTopology } from '../../engine/cpu-topology.js';
import assert from 'node:assert/strict';
import { slit, srat } from './numa.js';
import { ramLayout } from '../../machine/memory-map.js';
import { MAX_CPUS, firmwareTables, type FirmwareTables } from './firmware-tables.js';

const GIB = 2 ** 30;
const BASE = 0xe0000;

/** The 128 KiB that the tables lie in, as the guest sees them. */
function place({ tables }: FirmwareTables): DataView {
  const area = new Uint8Array(0x20000);
  const used = new Uint8Array(area.length);
  for (const { address, bytes } of tables) {
    const at = address - BASE;
    assert.ok(at >= 0 && at + bytes.length <= area.length, `table at ${address.toString(16)}`);
    assert.ok(
      used.subarray(at, at + bytes.length).every((byte) => byte === 0),
      'tables overlap',
    );
    used.fill(1, at, at + bytes.length);
    area.set(bytes, at);
  }
  return new DataView(area.buffer);
}

class Guest {
  readonly view: DataView;

  constructor(cpuCount: number, bytes: number) {
    this.view = place(firmwareTables({ topology: CpuTopology.flat(cpuCount), memory: ramLayout(bytes) }));
  }

  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, address - BASE, length);
  }
  text(address: number, length: number): string {
    return Buffer.from(this.bytes(address, length)).toString('latin1');
  }
  u8(address: number): number {
    return this.view.getUint8(address - BASE);
  }
  u16(address: number): number {
    return this.view.getUint16(address - BASE, true);
  }
  u32(address: number): number {
    return this.view.getUint32(address - BASE, true);
  }
  u64(address: number): number {
    return Number(this.view.getBigUint64(address - BASE, true));
  }

  /** Looks for an anchor on 16-byte boundaries, as systems do. */
  anchor(signature: string): number {
    for (let at = 0xf0000; at < 0x100000; at += 16) {
      if (this.text(at, signature.length) === signature) return at;
    }
    assert.fail(`no ${signature}`);
  }

  checked(address: number, length: number): void {
    const sum = this.bytes(address, length).reduce((total, byte) => (total + byte) & 0xff, 0);
    assert.equal(sum, 0, `checksum of ${length} bytes at ${address.toString(16)}`);
  }

  /** Addresses of the ACPI tables by signature, all of them checked. */
  acpi(): Map<string, number> {
    const root = this.anchor('RSD PTR ');
    this.checked(root, 20);
    this.checked(root, 36);
    const [rsdt, xsdt] = [this.u32(root + 16), this.u64(root + 24)];
    const list = (at: number, size: 4 | 8): number[] => {
      this.checked(at, this.u32(at + 4));
      const count = (this.u32(at + 4) - 36) / size;
      return Array.from({ length: count }, (_, i) =>
        size === 4 ? this.u32(at + 36 + 4 * i) : this.u64(at + 36 + 8 * i),
      );
    };
    assert.deepEqual(list(rsdt, 4), list(xsdt, 8));
    const found = new Map(list(xsdt, 8).map((at) => [this.text(at, 4), at]));
    const fadt = found.get('FACP')!;
    found.set('DSDT', this.u64(fadt + 140));
    for (const [signature, at] of found) {
      assert.equal(this.text(at, 4), signature);
      this.checked(at, this.u32(at + 4));
    }
    return found;
  }
}

/** Entries of a table of typed structures: type in byte 0, length in byte 1. */
function structures(guest: Guest, start: number, end: number): number[] {
  const list: number[] = [];
  for (let at = start; at < end; at += guest.u8(at + 1)) {
    assert.ok(guest.u8(at + 1) > 1);
    list.push(at);
  }
  return list;
}

test('all ACPI tables are found from the root, with good checksums, for any number of CPUs', () => {
  for (const cpus of [1, 2, 32, 254, 255, 256, 300, MAX_CPUS]) {
    const tables = new Guest(cpus, 4 * GIB).acpi();
    assert.deepEqual([...tables.keys()].sort(), ['APIC', 'DSDT', 'FACP', 'HPET']);
  }
});

test('FADT: fixed registers, reset register, FACS', () => {
  const guest = new Guest(1, GIB);
  const at = guest.acpi().get('FACP')!;
  assert.equal(guest.u32(at + 4), 244);
  assert.equal(guest.u16(at + 46), 9, 'SCI');
  assert.deepEqual(
    [56, 64, 76].map((field) => guest.u32(at + field)),
    [0x600, 0x604, 0x608],
  );
  assert.deepEqual([...guest.bytes(at + 88, 4)], [4, 2, 0, 4]);
  assert.deepEqual([...guest.bytes(at + 116, 4)], [1, 8, 0, 1]);
  assert.equal(guest.u64(at + 120), 0xcf9);
  assert.equal(guest.u8(at + 128), 6);
  const facs = guest.u32(at + 36);
  assert.equal(facs % 64, 0);
  assert.equal(guest.text(facs, 4), 'FACS');
  assert.equal(guest.u64(at + 132), facs);
});

test('MADT: CPUs above 254 are x2APIC entries; I/O APIC, overrides, NMI', () => {
  const guest = new Guest(300, GIB);
  const at = guest.acpi().get('APIC')!;
  const list = structures(guest, at + 44, at + guest.u32(at + 4));
  const ofType = (type: number): number[] => list.filter((entry) => guest.u8(entry) === type);
  assert.deepEqual(
    ofType(0).map((entry) => guest.u8(entry + 3)),
    Array.from({ length: 255 }, (_, id) => id),
  );
  assert.deepEqual(
    ofType(9).map((entry) => guest.u32(entry + 4)),
    Array.from({ length: 45 }, (_, i) => 255 + i),
  );
  assert.deepEqual(
    ofType(1).map((entry) => guest.u32(entry + 4)),
    [0xfec00000],
  );
  const overrides = ofType(2).map((entry) => [
    guest.u8(entry + 3),
    guest.u32(entry + 4),
    guest.u16(entry + 8),
  ]);
  assert.deepEqual(overrides, [
    [0, 2, 0],
    [9, 9, 0xd],
  ]);
  assert.deepEqual(
    ofType(4).map((entry) => [guest.u8(entry + 2), guest.u8(entry + 5)]),
    [[0xff, 1]],
  );
  assert.equal(ofType(10).length, 1);
});

test('DSDT: soft off is SLP_TYP 0, and every CPU is declared', () => {
  const guest = new Guest(300, GIB);
  const at = guest.acpi().get('DSDT')!;
  const code = guest.text(at, guest.u32(at + 4));
  assert.ok(code.includes('_S5_\x12\x06\x04\0\0\0\0'));
  for (const id of ['C000', 'C0FE', 'C0FF', 'C12B']) assert.ok(code.includes(id), id);
  assert.ok(!code.includes('C12C'));
});

test('SMBIOS: checksums, the structures that were promised, memory above 4 GiB', () => {
  const guest = new Guest(4, 64 * GIB);
  const entry = guest.anchor('_SM_');
  guest.checked(entry, 31);
  guest.checked(entry + 16, 15);
  const start = guest.u32(entry + 24);
  const end = start + guest.u16(entry + 22);
  const types: number[] = [];
  for (let at = start; at < end;) {
    types.push(guest.u8(at));
    at += guest.u8(at + 1);
    while (guest.u16(at) !== 0) at++;
    at += 2;
  }
  assert.equal(types.length, guest.u16(entry + 28));
  assert.deepEqual(types, [0, 1, 3, 4, 16, 17, 19, 19, 32, 127]);
});

test('MP table: checksums, count of entries, and PCI interrupts at inputs 16-19', () => {
  const guest = new Guest(3, GIB);
  const pointer = guest.anchor('_MP_');
  guest.checked(pointer, 16);
  const at = guest.u32(pointer + 4);
  guest.checked(at, guest.u16(at + 4));
  const inputs = new Set<number>();
  let entry = at + 44;
  let cpus = 0;
  for (let i = 0; i < guest.u16(at + 34); i++) {
    const type = guest.u8(entry);
    if (type === 0) cpus++;
    if (type === 3 && guest.u8(entry + 4) === 0) inputs.add(guest.u8(entry + 7));
    entry += type === 0 ? 20 : 8;
  }
  assert.equal(entry, at + guest.u16(at + 4));
  assert.equal(cpus, 3);
  assert.deepEqual([...inputs].sort(), [16, 17, 18, 19]);
});

test('a CPU count that cannot be is refused', () => {
  for (const cpuCount of [0, MAX_CPUS + 1]) {
    assert.throws(
      () => firmwareTables({ topology: CpuTopology.flat(cpuCount), memory: ramLayout(GIB) }),
      RangeError,
    );
  }
});

test('two nodes have half the CPUs and half the memory each, around the hole below 4 GiB', () => {
  const memory = ramLayout(5 * GIB);
  const table = srat(new CpuTopology(2, 2, 1), memory, 2);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const cpus: number[][] = [];
  const ranges: number[][] = [];
  for (let at = 48; at < table.length; at += view.getUint8(at + 1))
    if (view.getUint8(at) === 0) cpus.push([view.getUint8(at + 3), view.getUint8(at + 2)]);
    else
      ranges.push([
        view.getUint32(at + 2, true),
        Number(view.getBigUint64(at + 8, true)),
        Number(view.getBigUint64(at + 16, true)),
      ]);
  assert.deepEqual(cpus, [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
  ]);
  const half = 2.5 * GIB;
  const low = memory.lowBytes - half;
  assert.deepEqual(ranges, [
    [0, 0, half],
    [1, half, low],
    [1, 4 * GIB, half - low],
  ]);
  assert.deepEqual([...slit(2).slice(36)], [2, 0, 0, 0, 0, 0, 0, 0, 10, 20, 20, 10]);
});
