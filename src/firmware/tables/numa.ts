import type { CpuTopology } from '../../engine/cpu-topology.js';
import { FOUR_GIB, type RamLayout } from '../../machine/memory-map.js';
import { FIRST_X2APIC_ID } from './madt.js';
import { systemDescriptionTable } from './sdt.js';
import { TableBytes } from './table-bytes.js';

// Affinity structures (ACPI 5.2.16)
const PROCESSOR_LOCAL_APIC = 0;
const MEMORY = 1;
const PROCESSOR_LOCAL_X2APIC = 2;
const ENABLED = 1;
const PAGE = 4096;

const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;

const share = (whole: number, node: number, nodes: number): number => Math.floor((whole * node) / nodes);

/** Node of a CPU: whole sockets to a node where there are as many, else whole cores. */
function nodeOf(cpu: number, topology: CpuTopology, nodes: number): number {
  const unit = topology.sockets >= nodes ? topology.cores * topology.threads : topology.threads;
  const units = topology.cpus / unit;
  return Math.floor((Math.floor(cpu / unit) * nodes) / units);
}

/** System Resource Affinity Table: CPUs and memory in equal parts for `nodes` nodes. */
export function srat(topology: CpuTopology, memory: RamLayout, nodes: number): Uint8Array {
  const table = new TableBytes().u32(1).zeros(8);
  topology.apicIds.forEach((id, cpu) => {
    const node = nodeOf(cpu, topology, nodes);
    if (id < FIRST_X2APIC_ID) table.u8(PROCESSOR_LOCAL_APIC, 16, node, id).u32(ENABLED).u8(0, 0, 0, 0).u32(0);
    else table.u8(PROCESSOR_LOCAL_X2APIC, 24).zeros(2).u32(node, id, ENABLED, 0, 0);
  });
  const total = memory.lowBytes + memory.highBytes;
  const range = (node: number, base: number, length: number): void => {
    if (length <= 0) return;
    table.u8(MEMORY, 40).u32(node).u16(0).u64(base, length).u32(0, ENABLED).zeros(8);
  };
  for (let node = 0; node < nodes; node++) {
    const [start, end] = [node, node + 1].map((n) => share(total / PAGE, n, nodes) * PAGE) as [
      number,
      number,
    ];
    const low = Math.min(end, memory.lowBytes);
    range(node, start, low - start);
    const high = Math.max(start, memory.lowBytes);
    range(node, FOUR_GIB + high - memory.lowBytes, end - high);
  }
  return systemDescriptionTable('SRAT', 3, table.finish());
}

/** System Locality Information Table (ACPI 5.2.17): every other node is equally far. */
export function slit(nodes: number): Uint8Array {
  const table = new TableBytes().u64(nodes);
  for (let from = 0; from < nodes; from++)
    for (let to = 0; to < nodes; to++) table.u8(from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE);
  return systemDescriptionTable('SLIT', 1, table.finish());
}
