/** The tables as firmware made for QEMU takes them: unplaced, with a script of what to link and sum when they are placed (QEMU, hw/acpi/bios-linker-loader.c). */
import { dsdt } from './dsdt.js';
import { facs, fadt } from './fadt.js';
import type { MachineShape } from './firmware-tables.js';
import { hpetTable } from './hpet-table.js';
import { madt } from './madt.js';
import { slit, srat } from './numa.js';
import { rsdp, rsdt, xsdt } from './root-tables.js';
import { smbios } from './smbios.js';

const TABLES = 'etc/acpi/tables';
const RSDP = 'etc/acpi/rsdp';
const LOADER = 'etc/table-loader';

const ENTRY_BYTES = 128;
const NAME_BYTES = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;

/** A script of commands of 128 bytes. */
class Loader {
  private readonly entries: DataView[] = [];

  private entry(command: number, ...names: string[]): { view: DataView; at: number } {
    const view = new DataView(new ArrayBuffer(ENTRY_BYTES));
    view.setUint32(0, command, true);
    names.forEach((name, n) =>
      [...name].forEach((letter, i) => view.setUint8(4 + n * NAME_BYTES + i, letter.charCodeAt(0))),
    );
    this.entries.push(view);
    return { view, at: 4 + names.length * NAME_BYTES };
  }
  allocate(file: string, alignment: number, zone: number): void {
    const { view, at } = this.entry(ALLOCATE, file);
    view.setUint32(at, alignment, true);
    view.setUint8(at + 4, zone);
  }
  /** The `bytes` at `offset` of `file` are an offset in `target`, and shall be an address. */
  pointer(file: string, target: string, offset: number, bytes: number): void {
    const { view, at } = this.entry(ADD_POINTER, file, target);
    view.setUint32(at, offset, true);
    view.setUint8(at + 4, bytes);
  }
  checksum(file: string, offset: number, start: number, length: number): void {
    const { view, at } = this.entry(ADD_CHECKSUM, file);
    [offset, start, length].forEach((value, n) => view.setUint32(at + 4 * n, value, true));
  }
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.entries.length * ENTRY_BYTES);
    this.entries.forEach((entry, n) => bytes.set(new Uint8Array(entry.buffer), n * ENTRY_BYTES));
    return bytes;
  }
}

const CHECKSUM = 9;
const HEADER_BYTES = 36;

/** Files of the ACPI and SMBIOS tables. `powerManagement`: port that the registers of power management are at. */
export function fwCfgTables(
  { topology, memory, nodes = 1 }: MachineShape,
  powerManagement: number,
): Map<string, Uint8Array> {
  const loader = new Loader();
  loader.allocate(TABLES, 64, ZONE_HIGH);
  loader.allocate(RSDP, 16, ZONE_FSEG);
  const parts: { at: number; bytes: Uint8Array }[] = [];
  let end = 0;
  const place = (bytes: Uint8Array, alignment = 16): number => {
    const at = Math.ceil(end / alignment) * alignment;
    parts.push({ at, bytes });
    end = at + bytes.length;
    return at;
  };
  /** Sums a table anew when its pointers have been set. */
  const linked = (at: number, bytes: Uint8Array, pointers: [offset: number, bytes: number][]): void => {
    for (const [offset, size] of pointers) loader.pointer(TABLES, TABLES, at + offset, size);
    bytes[CHECKSUM] = 0;
    loader.checksum(TABLES, at + CHECKSUM, at, bytes.length);
  };
  const facsAt = place(facs(), 64);
  const dsdtAt = place(dsdt(topology.cpus, memory));
  const fixed = fadt(facsAt, dsdtAt, powerManagement);
  const fixedAt = place(fixed);
  linked(fixedAt, fixed, [
    [36, 4],
    [40, 4],
    [132, 8],
    [140, 8],
  ]);
  const described = [fixedAt, place(madt(topology.apicIds)), place(hpetTable())];
  if (nodes > 1) described.push(place(srat(topology, memory, nodes)), place(slit(nodes)));
  const short = rsdt(described);
  const shortAt = place(short);
  linked(
    shortAt,
    short,
    described.map((_, n) => [HEADER_BYTES + 4 * n, 4]),
  );
  const long = xsdt(described);
  const longAt = place(long);
  linked(
    longAt,
    long,
    described.map((_, n) => [HEADER_BYTES + 8 * n, 8]),
  );
  const root = rsdp(shortAt, longAt);
  loader.pointer(RSDP, TABLES, 16, 4);
  loader.pointer(RSDP, TABLES, 24, 8);
  root[8] = root[32] = 0;
  loader.checksum(RSDP, 8, 0, 20);
  loader.checksum(RSDP, 32, 0, 36);
  const tables = new Uint8Array(Math.ceil(end / 4096) * 4096);
  for (const { at, bytes } of parts) tables.set(bytes, at);
  const system = smbios(topology, memory, 0);
  return new Map([
    [TABLES, tables],
    [RSDP, root],
    [LOADER, loader.finish()],
    ['etc/smbios/smbios-anchor', system.entryPoint],
    ['etc/smbios/smbios-tables', system.structures],
  ]);
}
