import type { CpuTopology } from '../../engine/cpu-topology.js';
import type { RamLayout } from '../../machine/memory-map.js';
import { dsdt } from './dsdt.js';
import { facs, fadt } from './fadt.js';
import { hpetTable } from './hpet-table.js';
import { madt } from './madt.js';
import { mpConfiguration, mpFloatingPointer } from './mp-table.js';
import { slit, srat } from './numa.js';
import { pirqTable } from './pirq-table.js';
import { rsdp, rsdt, xsdt } from './root-tables.js';
import { smbios } from './smbios.js';

/** What describes the machine. */
export interface MachineShape {
  topology: CpuTopology;
  /** Nodes of non-uniform memory; one: nothing is said of them. */
  nodes?: number;
  memory: RamLayout;
}

/** Bytes and the guest physical address they belong at. */
export interface PlacedTable {
  address: number;
  bytes: Uint8Array;
}

export interface FirmwareTables {
  tables: PlacedTable[];
  /** Address of the ACPI root pointer, for boot protocols that pass it. */
  rsdp: number;
}

/** Where the big tables go. */
const TABLES = 0xe0000;
/** Where systems look for anchors, on 16-byte boundaries. */
const ANCHORS = 0xf0000;
const RSDP = ANCHORS;
const SMBIOS_ENTRY = ANCHORS + 0x40;
const MP_POINTER = ANCHORS + 0x80;
const PIRQ_TABLE = ANCHORS + 0xa0;
export const MAX_CPUS = 1024;

/** All tables of the firmware, in 0xE0000-0xF02FF. Throws RangeError for a CPU count outside 1 .. MAX_CPUS. */
export function firmwareTables({ topology, memory, nodes = 1 }: MachineShape): FirmwareTables {
  const cpuCount = topology.cpus;
  if (cpuCount < 1 || cpuCount > MAX_CPUS)
    throw new RangeError(`cpuCount ${cpuCount} is not in 1..${MAX_CPUS}`);
  const tables: PlacedTable[] = [];
  let next = TABLES;
  const place = (bytes: Uint8Array, alignment = 16): number => {
    const address = Math.ceil(next / alignment) * alignment;
    tables.push({ address, bytes });
    next = address + bytes.length;
    return address;
  };

  const facsAddress = place(facs(), 64);
  const dsdtAddress = place(dsdt(cpuCount, memory));
  const { apicIds } = topology;
  const described = [place(fadt(facsAddress, dsdtAddress)), place(madt(apicIds)), place(hpetTable())];
  if (nodes > 1) described.push(place(srat(topology, memory, nodes)), place(slit(nodes)));
  const rsdtAddress = place(rsdt(described));
  const xsdtAddress = place(xsdt(described));
  const mpAddress = place(mpConfiguration(apicIds));
  const smbiosAddress = Math.ceil(next / 16) * 16;
  const { entryPoint, structures } = smbios(topology, memory, smbiosAddress);
  place(structures);

  tables.push({ address: RSDP, bytes: rsdp(rsdtAddress, xsdtAddress) });
  tables.push({ address: SMBIOS_ENTRY, bytes: entryPoint });
  tables.push({ address: MP_POINTER, bytes: mpFloatingPointer(mpAddress) });
  tables.push({ address: PIRQ_TABLE, bytes: pirqTable() });
  return { tables, rsdp: RSDP };
}
