import { UserError } from '../../machine/user-error.js';
import type { BootFile } from './boot-request.js';

/** The setup header of a Linux kernel image (Linux Documentation/arch/x86/boot.rst), at 0x1F1 of the file. */
export interface LinuxHeader {
  /** 0xMMmm. */
  version: number;
  /** Offset in the file of the part that runs in protected mode. */
  setupBytes: number;
  /** The header's own bytes, as they go into the zero page at 0x1F1. */
  header: Uint8Array;
  /** Highest address that a byte of the initial RAM disk may have. */
  initrdAddressMax: number;
  /** Command line bytes allowed, without the end mark. */
  commandLineMax: number;
  /** Memory the kernel wants from where it runs: address (0: where it is loaded) and bytes (0: not told). */
  runAddress: number;
  runBytes: number;
  relocatable: boolean;
  alignment: number;
  entry64: boolean;
}

export const HEADER_OFFSET = 0x1f1;
const SETUP_SECTS = 0x1f1;
const SYSSIZE = 0x1f4;
const BOOT_FLAG = 0x1fe;
const JUMP_LENGTH = 0x201;
const MAGIC = 0x202;
const VERSION = 0x206;
const LOADFLAGS = 0x211;
const INITRD_ADDR_MAX = 0x22c;
const KERNEL_ALIGNMENT = 0x230;
const RELOCATABLE_KERNEL = 0x234;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
/** The header ends before this in all protocol versions: the zero page has the EDD buffer from here on. */
const HEADER_END_MAX = 0x290;

const HDRS = 0x53726448;
const LOADED_HIGH = 1;
const XLF_KERNEL_64 = 1;
const SECTOR = 512;
const SETUP_SECTS_WHEN_ZERO = 4;
const INITRD_ADDR_MAX_OLD = 0x37ffffff;
const COMMAND_LINE_OLD = 255;

export function isLinux(bytes: Uint8Array): boolean {
  if (bytes.length < MAGIC + 4) return false;
  const view = viewOf(bytes);
  return view.getUint16(BOOT_FLAG, true) === 0xaa55 && view.getUint32(MAGIC, true) === HDRS;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the header of a file for which `isLinux` holds; a UserError for what cannot be booted. */
export function readLinuxHeader(kernel: BootFile): LinuxHeader {
  const { bytes, name } = kernel;
  const view = viewOf(bytes);
  if (bytes.length < HEADER_END_MAX) throw truncated(name, bytes.length, HEADER_END_MAX);
  const version = view.getUint16(VERSION, true);
  const has = (since: number): boolean => version >= since;
  if (!has(0x202)) {
    throw new UserError(
      `${name}: this Linux kernel speaks boot protocol ${version >> 8}.${version & 0xff}; ` +
        '2.02 (Linux 2.4) is the oldest that is supported: use a newer kernel',
    );
  }
  if (!(view.getUint8(LOADFLAGS) & LOADED_HIGH)) {
    throw new UserError(`${name}: this Linux kernel is a zImage, which loads low: build it as bzImage`);
  }
  const setupBytes = ((view.getUint8(SETUP_SECTS) || SETUP_SECTS_WHEN_ZERO) + 1) * SECTOR;
  // Before 2.04 only 16 bits of this field are told.
  const wanted = setupBytes + (has(0x204) ? view.getUint32(SYSSIZE, true) * 16 : 1);
  if (bytes.length + 15 < wanted || bytes.length <= setupBytes) throw truncated(name, bytes.length, wanted);
  const headerEnd = Math.min(MAGIC + view.getUint8(JUMP_LENGTH), HEADER_END_MAX);
  return {
    version,
    setupBytes,
    header: bytes.slice(HEADER_OFFSET, headerEnd),
    initrdAddressMax: has(0x203) ? view.getUint32(INITRD_ADDR_MAX, true) : INITRD_ADDR_MAX_OLD,
    commandLineMax: has(0x206) ? view.getUint32(CMDLINE_SIZE, true) : COMMAND_LINE_OLD,
    runAddress: has(0x20a) ? Number(view.getBigUint64(PREF_ADDRESS, true)) : 0,
    runBytes: has(0x20a) ? view.getUint32(INIT_SIZE, true) : 0,
    relocatable: has(0x205) && view.getUint8(RELOCATABLE_KERNEL) !== 0,
    alignment: has(0x205) ? view.getUint32(KERNEL_ALIGNMENT, true) || 1 : 1,
    entry64: has(0x20c) && (view.getUint16(XLOADFLAGS, true) & XLF_KERNEL_64) !== 0,
  };
}

export function truncated(name: string, length: number, wanted: number): UserError {
  return new UserError(
    `${name}: the file is cut short: it has ${length} bytes and its header tells of ${wanted}: get it again`,
  );
}
