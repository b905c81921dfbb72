import { UserError } from '../../machine/user-error.js';
import type { BootFile, BootMemory, BootRequest } from './boot-request.js';
import type { BootState } from './boot-state.js';
import { clear, isElf, loadElf, physicalEntry, readElf } from './elf.js';
import { flatState32 } from './flat-state.js';
import { truncated } from './linux-header.js';
import { RAM, type MemoryRange } from './memory-map.js';
import { Placement } from './placement.js';

/** Multiboot Specification 0.6.96. The header lies in the first 8 KiB of the file, at a multiple of 4. */
const HEADER_MAGIC = 0x1badb002;
const SEARCH_BYTES = 8192;
const HEADER_BYTES = 12;
const HEADER_WITH_ADDRESSES_BYTES = 32;
const BOOTLOADER_MAGIC = 0x2badb002;

// Header flags
const ADDRESSES_VALID = 1 << 16;
/** Bits that a loader must know, and those this one does: aligned modules, memory information, video mode. */
const REQUIRED_FLAGS = 0xffff;
const KNOWN_FLAGS = 0x0007;

// Boot information
const INFO_BYTES = 120;
const INFO_MEMORY = 1 << 0;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;
const MODULE_BYTES = 16;
const MAP_ENTRY_BYTES = 24;
const LOADER_NAME = 'Vivarium';

const KIB = 1024;
const EXTENDED = 0x100000;

interface Header {
  offset: number;
  flags: number;
}

function findHeader(bytes: Uint8Array): Header | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(bytes.length, SEARCH_BYTES) - HEADER_BYTES;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksum = view.getUint32(offset + 8, true);
    if ((HEADER_MAGIC + flags + checksum) % 2 ** 32 === 0) return { offset, flags };
  }
  return null;
}

export function isMultiboot(file: BootFile): boolean {
  return findHeader(file.bytes) !== null;
}

/** Loads a multiboot kernel: ELF of 32 or 64 bits, or any format whose header tells the addresses. */
export function bootMultiboot(request: BootRequest): BootState {
  const { kernel, memory } = request;
  const header = findHeader(kernel.bytes);
  if (!header) throw new UserError(`${kernel.name}: this file has no multiboot header: use another kernel`);
  const unknown = header.flags & REQUIRED_FLAGS & ~KNOWN_FLAGS;
  if (unknown !== 0) {
    throw new UserError(
      `${kernel.name}: its multiboot header asks for features 0x${unknown.toString(16)}, which multiboot 1 does not have`,
    );
  }
  const placement = new Placement(memory.map);
  const loaded =
    header.flags & ADDRESSES_VALID
      ? loadByAddresses(request, header, placement)
      : loadAsElf(request, placement);

  const modules = request.modules.map((module) => {
    const from = Math.max(loaded.end, EXTENDED);
    const start = placement.lowest(module.bytes.length, `${module.name}: the module`, { from });
    memory.write(start, module.bytes);
    return {
      start,
      end: start + module.bytes.length,
      text: placeText(module.text ?? module.name, memory, placement),
    };
  });
  const moduleList = new Uint32Array(modules.length * (MODULE_BYTES / 4));
  modules.forEach((module, i) => moduleList.set([module.start, module.end, module.text, 0], i * 4));

  const map = memoryMap(memory.map);
  const info = new Uint32Array(INFO_BYTES / 4);
  info[0] = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME;
  info[1] = Math.floor(ramFrom(memory.map, 0) / KIB);
  info[2] = Math.floor(ramFrom(memory.map, EXTENDED) / KIB);
  info[4] = placeText(`${kernel.name} ${request.commandLine}`.trimEnd(), memory, placement);
  info[5] = modules.length;
  info[6] = modules.length > 0 ? place(new Uint8Array(moduleList.buffer), memory, placement) : 0;
  info[11] = map.length;
  info[12] = place(map, memory, placement);
  info[16] = placeText(LOADER_NAME, memory, placement);
  const infoAddress = place(new Uint8Array(info.buffer), memory, placement);
  return flatState32(loaded.entry, { rax: BOOTLOADER_MAGIC, rbx: infoAddress }, memory, placement);
}

interface Loaded {
  entry: number;
  /** First byte behind the kernel. */
  end: number;
}

function loadAsElf({ kernel, memory }: BootRequest, placement: Placement): Loaded {
  if (!isElf(kernel.bytes)) {
    throw new UserError(
      `${kernel.name}: this multiboot kernel is no ELF file and its header tells no addresses`,
    );
  }
  const elf = readElf(kernel);
  const end = loadElf(elf, kernel, memory, placement);
  return { entry: physicalEntry(elf), end };
}

/** The "a.out kludge": the header says which part of the file goes where. */
function loadByAddresses({ kernel, memory }: BootRequest, header: Header, placement: Placement): Loaded {
  const { bytes, name } = kernel;
  const headerEnd = header.offset + HEADER_WITH_ADDRESSES_BYTES;
  if (headerEnd > bytes.length) throw truncated(name, bytes.length, headerEnd);
  const view = new DataView(bytes.buffer, bytes.byteOffset + header.offset, HEADER_WITH_ADDRESSES_BYTES);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) =>
    view.getUint32(at, true),
  ) as [number, number, number, number, number];
  const fileOffset = header.offset - (headerAddress - loadAddress);
  const length = loadEnd === 0 ? bytes.length - fileOffset : loadEnd - loadAddress;
  if (fileOffset < 0 || headerAddress < loadAddress || length <= 0) {
    throw new UserError(
      `${name}: the addresses in its multiboot header contradict each other: use another kernel`,
    );
  }
  if (fileOffset + length > bytes.length) throw truncated(name, bytes.length, fileOffset + length);
  const end = Math.max(loadAddress + length, bssEnd);
  placement.take(loadAddress, end - loadAddress, `${name}: the kernel`);
  memory.write(loadAddress, bytes.subarray(fileOffset, fileOffset + length));
  clear(memory, loadAddress + length, end - loadAddress - length);
  return { entry, end };
}

/** Bytes of RAM from `start` up to the first hole. */
function ramFrom(map: readonly MemoryRange[], start: number): number {
  return map.find((range) => range.type === RAM && range.start === start)?.length ?? 0;
}

function memoryMap(map: readonly MemoryRange[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(map.length * MAP_ENTRY_BYTES));
  map.forEach((range, i) => {
    const at = i * MAP_ENTRY_BYTES;
    view.setUint32(at, MAP_ENTRY_BYTES - 4, true); // the size field does not count itself
    view.setBigUint64(at + 4, BigInt(range.start), true);
    view.setBigUint64(at + 12, BigInt(range.length), true);
    view.setUint32(at + 20, range.type, true);
  });
  return new Uint8Array(view.buffer);
}

function place(bytes: Uint8Array, memory: BootMemory, placement: Placement): number {
  const address = placement.lowest(bytes.length, 'boot information', { align: 16 });
  memory.write(address, bytes);
  return address;
}

function placeText(text: string, memory: BootMemory, placement: Placement): number {
  return place(new TextEncoder().encode(`${text}\0`), memory, placement);
}
