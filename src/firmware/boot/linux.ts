import { UserError } from '../../machine/user-error.js';
import type { BootFile, BootRequest } from './boot-request.js';
import type { BootState } from './boot-state.js';
import { flatState32, flatState64 } from './flat-state.js';
import { HEADER_OFFSET, readLinuxHeader, type LinuxHeader } from './linux-header.js';
import { RAM, type MemoryRange } from './memory-map.js';
import { PAGE, Placement } from './placement.js';

/** Where a bzImage's protected-mode part is loaded; it moves itself from there. */
const LOAD_ADDRESS = 0x100000;
/** The 64-bit entry point lies this far behind the 32-bit one. */
const ENTRY_64 = 0x200;

// The zero page (struct boot_params; Linux Documentation/arch/x86/zero-page.rst)
const EXT_MEM_K = 0x002;
const ACPI_RSDP_ADDR = 0x070;
const ALT_MEM_K = 0x1e0;
const E820_ENTRIES = 0x1e8;
const VID_MODE = 0x1fa;
const TYPE_OF_LOADER = 0x210;
const CODE32_START = 0x214;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;
const E820_TABLE = 0x2d0;
const E820_MAX = 128;
const E820_BYTES = 20;

const VID_MODE_NORMAL = 0xffff;
const LOADER_UNDEFINED = 0xff;

/** Loads a Linux bzImage by the 64-bit boot protocol where kernel and CPU have it, else by the 32-bit one. */
export function bootLinux(request: BootRequest): BootState {
  const { kernel, memory } = request;
  const header = readLinuxHeader(kernel);
  const placement = new Placement(memory.map);
  const image = kernel.bytes.subarray(header.setupBytes);
  placement.take(LOAD_ADDRESS, kernelEnd(header, image) - LOAD_ADDRESS, `${kernel.name}: the kernel`);
  memory.write(LOAD_ADDRESS, image);

  const zeroPage = new DataView(new ArrayBuffer(PAGE));
  new Uint8Array(zeroPage.buffer).set(header.header, HEADER_OFFSET);
  zeroPage.setUint8(TYPE_OF_LOADER, LOADER_UNDEFINED);
  zeroPage.setUint16(VID_MODE, VID_MODE_NORMAL, true);
  zeroPage.setUint32(CODE32_START, LOAD_ADDRESS, true);
  zeroPage.setBigUint64(ACPI_RSDP_ADDR, BigInt(request.rsdp), true);
  describeMemory(zeroPage, memory.map);

  const commandLine = encodeCommandLine(request, header);
  const commandLineAddress = placement.lowest(commandLine.length, 'command line');
  memory.write(commandLineAddress, commandLine);
  zeroPage.setUint32(CMD_LINE_PTR, commandLineAddress, true);

  const ramDisk = joinRamDisks(request.modules);
  let ramDiskAddress = 0;
  if (ramDisk.bytes.length > 0) {
    ramDiskAddress = placement.highest(
      ramDisk.bytes.length,
      `${ramDisk.name}: the initial RAM disk`,
      header.initrdAddressMax + 1,
    );
    memory.write(ramDiskAddress, ramDisk.bytes);
  }
  zeroPage.setUint32(RAMDISK_IMAGE, ramDiskAddress, true);
  zeroPage.setUint32(RAMDISK_SIZE, ramDisk.bytes.length, true);

  if (request.textScreen) describeScreen(zeroPage);
  const zeroPageAddress = placement.lowest(PAGE, 'zero page');
  memory.write(zeroPageAddress, new Uint8Array(zeroPage.buffer));
  if (header.entry64 && request.longMode !== false) {
    return flatState64(LOAD_ADDRESS + ENTRY_64, { rsi: zeroPageAddress }, memory, placement);
  }
  return flatState32(LOAD_ADDRESS, { rsi: zeroPageAddress }, memory, placement);
}

/** End of the memory that the kernel uses before it reads the memory map. */
function kernelEnd(header: LinuxHeader, image: Uint8Array): number {
  const loadedEnd = LOAD_ADDRESS + image.length;
  const aligned = Math.ceil(LOAD_ADDRESS / header.alignment) * header.alignment;
  const start = header.relocatable ? Math.max(aligned, header.runAddress) : header.runAddress || LOAD_ADDRESS;
  return Math.max(loadedEnd, start + header.runBytes);
}

function encodeCommandLine(request: BootRequest, header: LinuxHeader): Uint8Array {
  const text = new TextEncoder().encode(request.commandLine);
  if (text.length > header.commandLineMax) {
    throw new UserError(
      `the kernel command line has ${text.length} bytes, but ${request.kernel.name} takes ` +
        `${header.commandLineMax}: shorten --append`,
    );
  }
  const withEnd = new Uint8Array(text.length + 1);
  withEnd.set(text);
  return withEnd;
}

/** struct screen_info at the start of the zero page (Linux, include/uapi/linux/screen_info.h): mode 3 of a VGA, 16 lines a character. */
function describeScreen(zeroPage: DataView): void {
  const AT = { mode: 0x06, columns: 0x07, egaMemory: 0x0a, rows: 0x0e, isVga: 0x0f, points: 0x10 };
  zeroPage.setUint8(AT.mode, 3);
  zeroPage.setUint8(AT.columns, 80);
  zeroPage.setUint16(AT.egaMemory, 3, true);
  zeroPage.setUint8(AT.rows, 25);
  zeroPage.setUint8(AT.isVga, 1);
  zeroPage.setUint16(AT.points, 16, true);
}

function describeMemory(zeroPage: DataView, map: readonly MemoryRange[]): void {
  const KIB = 1024;
  const extended = map.find((range) => range.type === RAM && range.start === LOAD_ADDRESS)?.length ?? 0;
  zeroPage.setUint16(EXT_MEM_K, Math.min(extended / KIB, 0xffff), true);
  zeroPage.setUint32(ALT_MEM_K, extended / KIB, true);
  const ranges = map.slice(0, E820_MAX);
  zeroPage.setUint8(E820_ENTRIES, ranges.length);
  ranges.forEach((range, index) => {
    const at = E820_TABLE + index * E820_BYTES;
    zeroPage.setBigUint64(at, BigInt(range.start), true);
    zeroPage.setBigUint64(at + 8, BigInt(range.length), true);
    zeroPage.setUint32(at + 16, range.type, true);
  });
}

/** Linux takes archives one after the other, each from a multiple of 4 bytes. */
function joinRamDisks(files: readonly BootFile[]): BootFile {
  if (files.length === 1) return files[0]!;
  const padded = (length: number): number => Math.ceil(length / 4) * 4;
  const bytes = new Uint8Array(files.reduce((sum, file) => sum + padded(file.bytes.length), 0));
  let offset = 0;
  for (const file of files) {
    bytes.set(file.bytes, offset);
    offset += padded(file.bytes.length);
  }
  return { name: files.map((file) => file.name).join(','), bytes };
}
