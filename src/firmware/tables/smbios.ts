import type { CpuTopology } from '../../engine/cpu-topology.js';
import type { RamLayout } from '../../machine/memory-map.js';
import { TableBytes, checksum } from './table-bytes.js';

/**
 * SMBIOS 2.8 (DMTF DSP0134): who made the machine, its processor socket and its memory.
 * The entry point has 31 bytes and lies on a 16-byte boundary in 0xF0000-0xFFFFF.
 */
export interface Smbios {
  entryPoint: Uint8Array;
  structures: Uint8Array;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const MAKER = 'Vivarium';
const PRODUCT = 'Vivarium PC';

const UNKNOWN = 2;
const OTHER = 1;
const NONE_HANDLE = 0xfffe;
const STATE_SAFE = 3;

const BIOS_HANDLE = 0x000;
const SYSTEM_HANDLE = 0x100;
const CHASSIS_HANDLE = 0x300;
const PROCESSOR_HANDLE = 0x400;
const ARRAY_HANDLE = 0x1000;
const DEVICE_HANDLE = 0x1100;
const MAPPED_HANDLE = 0x1300;
const BOOT_HANDLE = 0x2000;
const END_HANDLE = 0x7f00;

export function smbios(topology: CpuTopology, memory: RamLayout, structuresAddress: number): Smbios {
  const list = [
    biosInformation(),
    systemInformation(),
    chassis(),
    ...Array.from({ length: topology.sockets }, (_, socket) => processorSocket(socket, topology)),
    ...memoryStructures(memory),
    structure(32, BOOT_HANDLE, (body) => body.zeros(6).u8(0)),
    structure(127, END_HANDLE, () => undefined),
  ];
  const table = new TableBytes();
  for (const item of list) table.append(item);
  const structures = table.finish();
  const largest = Math.max(...list.map((item) => item.length));
  return { entryPoint: entryPoint(structures, list.length, largest, structuresAddress), structures };
}

function entryPoint(structures: Uint8Array, count: number, largest: number, address: number): Uint8Array {
  const anchor = new TableBytes().text('_SM_').u8(0, 31, 2, 8).u16(largest).u8(0).zeros(5);
  anchor.text('_DMI_').u8(0).u16(structures.length).u32(address).u16(count).u8(0x28);
  const bytes = anchor.finish();
  bytes[21] = checksum(bytes.subarray(16));
  bytes[4] = checksum(bytes);
  return bytes;
}

/** A structure: header, what `fill` writes, then the strings that it refers to by number. */
function structure(
  type: number,
  handle: number,
  fill: (body: TableBytes, string: (text: string) => number) => unknown,
): Uint8Array {
  const body = new TableBytes();
  const strings: string[] = [];
  fill(body, (text) => strings.push(text));
  const table = new TableBytes()
    .u8(type, 4 + body.length)
    .u16(handle)
    .append(body.finish());
  for (const text of strings) table.text(text).u8(0);
  if (strings.length === 0) table.u8(0);
  return table.u8(0).finish();
}

function biosInformation(): Uint8Array {
  const PCI = 1 << 7;
  const CHARACTERISTICS_ACPI = 1 << 0;
  const VIRTUAL_MACHINE = 1 << 4;
  return structure(0, BIOS_HANDLE, (body, string) => {
    body.u8(string(MAKER), string('1')).u16(0xe000).u8(string('01/01/2025'), 0);
    body.u32(PCI, 0).u8(CHARACTERISTICS_ACPI, VIRTUAL_MACHINE, 0, 1, 0xff, 0xff);
  });
}

function systemInformation(): Uint8Array {
  const POWER_SWITCH = 6;
  return structure(1, SYSTEM_HANDLE, (body, string) => {
    body.u8(string(MAKER), string(PRODUCT), string('1'), 0).zeros(16).u8(POWER_SWITCH, 0, 0);
  });
}

function chassis(): Uint8Array {
  return structure(3, CHASSIS_HANDLE, (body, string) => {
    body
      .u8(string(MAKER), OTHER, 0, 0, 0, STATE_SAFE, STATE_SAFE, STATE_SAFE, UNKNOWN)
      .u32(0)
      .u8(0, 0, 0, 0, 0);
  });
}

function processorSocket(socket: number, topology: CpuTopology): Uint8Array {
  const CENTRAL_PROCESSOR = 3;
  const POPULATED_ENABLED = 0x41;
  const NO_CACHE_HANDLE = 0xffff;
  const CHARACTERISTICS_64_BIT = 1 << 2;
  const cores = Math.min(topology.cores, 255);
  const threads = Math.min(topology.cores * topology.threads, 255);
  return structure(4, PROCESSOR_HANDLE + socket, (body, string) => {
    body
      .u8(string(`CPU ${socket}`), CENTRAL_PROCESSOR, OTHER, string(MAKER))
      .u32(0, 0)
      .u8(string('virtual'), 0);
    body
      .u16(0, 2000, 2000)
      .u8(POPULATED_ENABLED, OTHER)
      .u16(NO_CACHE_HANDLE, NO_CACHE_HANDLE, NO_CACHE_HANDLE);
    body.u8(0, 0, 0, cores, cores, threads).u16(CHARACTERISTICS_64_BIT, OTHER);
  });
}

/** Physical memory array, one memory device, and where its bytes appear below and above 4 GiB. */
function memoryStructures(memory: RamLayout): Uint8Array[] {
  const SYSTEM_BOARD = 3;
  const SYSTEM_MEMORY = 3;
  const NO_CORRECTION = 3;
  const EXTENDED_SIZE = 0x7fff;
  const DIMM = 9;
  const RAM = 7;
  const NO_ERROR_HANDLE = NONE_HANDLE;
  const total = memory.lowBytes + memory.highBytes;
  const kib = Math.floor(total / KIB);
  const mib = Math.ceil(total / MIB);
  const array = structure(16, ARRAY_HANDLE, (body) => {
    const fits = total < 2 * 1024 * GIB;
    body
      .u8(SYSTEM_BOARD, SYSTEM_MEMORY, NO_CORRECTION)
      .u32(fits ? kib : 0x80000000)
      .u16(NO_ERROR_HANDLE, 1);
    body.u64(fits ? 0 : total);
  });
  const module = structure(17, DEVICE_HANDLE, (body, string) => {
    body.u16(ARRAY_HANDLE, NO_ERROR_HANDLE, 64, 64).u16(mib < EXTENDED_SIZE ? mib : EXTENDED_SIZE);
    body.u8(DIMM, 0, string('DIMM 0'), 0, RAM).u16(UNKNOWN, 0).u8(string(MAKER), 0, 0, 0, 0);
    body.u32(mib < EXTENDED_SIZE ? 0 : mib).u16(0, 0, 0, 0);
  });
  const ranges = [
    { first: 0, length: memory.lowBytes },
    { first: 4 * GIB, length: memory.highBytes },
  ];
  const mapped = ranges
    .filter((range) => range.length > 0)
    .map((range, index) => {
      const last = range.first + range.length - 1;
      const fits = last < 4 * 1024 * GIB - KIB;
      return structure(19, MAPPED_HANDLE + index, (body) => {
        body.u32(fits ? range.first / KIB : 0xffffffff, fits ? Math.floor(last / KIB) : 0xffffffff);
        body
          .u16(ARRAY_HANDLE)
          .u8(1)
          .u64(fits ? 0 : range.first, fits ? 0 : last);
      });
    });
  return [array, module, ...mapped];
}
