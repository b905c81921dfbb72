import { UserError } from '../../machine/user-error.js';
import type { BootFile, BootMemory } from './boot-request.js';
import { truncated } from './linux-header.js';
import type { Placement } from './placement.js';

/** Program segment of an ELF file (System V ABI, "Program Header"). */
export interface ElfSegment {
  type: number;
  offset: number;
  virtualAddress: number;
  physicalAddress: number;
  fileBytes: number;
  memoryBytes: number;
}

export interface Elf {
  bits: 32 | 64;
  entry: number;
  segments: ElfSegment[];
}

const MAGIC = 0x464c457f;
const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && view(bytes).getUint32(0, true) === MAGIC;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the headers of an ELF file for x86; a UserError for a broken or foreign one. */
export function readElf(file: BootFile): Elf {
  const { bytes, name } = file;
  const data = view(bytes);
  const need = (end: number): void => {
    if (end > bytes.length) throw truncated(name, bytes.length, end);
  };
  need(0x14);
  const bits = data.getUint8(4) === CLASS_64 ? 64 : 32;
  const machine = data.getUint16(0x12, true);
  const known = [CLASS_32, CLASS_64].includes(data.getUint8(4)) && data.getUint8(5) === LITTLE_ENDIAN;
  if (!known || (machine !== MACHINE_386 && machine !== MACHINE_X86_64)) {
    throw new UserError(
      `${name}: this ELF file (machine ${machine}) is not for x86: use a kernel for i386 or x86-64`,
    );
  }
  const wide = bits === 64;
  const field = (at: number): number =>
    wide ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true);
  need(wide ? 0x40 : 0x34);
  const entry = field(0x18);
  const tableOffset = field(wide ? 0x20 : 0x1c);
  const entryBytes = data.getUint16(wide ? 0x36 : 0x2a, true);
  const count = data.getUint16(wide ? 0x38 : 0x2c, true);
  if (count > 0 && entryBytes < (wide ? 0x38 : 0x20)) {
    throw new UserError(
      `${name}: the ELF program headers are broken (${entryBytes} bytes each): use another kernel`,
    );
  }
  need(tableOffset + count * entryBytes);
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entryBytes;
    const segment: ElfSegment = {
      type: data.getUint32(at, true),
      offset: field(at + (wide ? 0x08 : 0x04)),
      virtualAddress: field(at + (wide ? 0x10 : 0x08)),
      physicalAddress: field(at + (wide ? 0x18 : 0x0c)),
      fileBytes: field(at + (wide ? 0x20 : 0x10)),
      memoryBytes: field(at + (wide ? 0x28 : 0x14)),
    };
    if (segment.type === PT_LOAD || segment.type === PT_NOTE) need(segment.offset + segment.fileBytes);
    segments.push(segment);
  }
  return { bits, entry, segments };
}

/** Loads all loadable segments at their physical addresses and returns the end of the highest. */
export function loadElf(elf: Elf, file: BootFile, memory: BootMemory, placement: Placement): number {
  const loadable = elf.segments.filter((segment) => segment.type === PT_LOAD && segment.memoryBytes > 0);
  if (loadable.length === 0) {
    throw new UserError(
      `${file.name}: this ELF file has nothing to load: use a linked kernel, not an object file`,
    );
  }
  let end = 0;
  for (const segment of loadable) {
    if (segment.fileBytes > segment.memoryBytes) {
      throw new UserError(
        `${file.name}: an ELF segment is larger in the file than in memory: use another kernel`,
      );
    }
    placement.take(segment.physicalAddress, segment.memoryBytes, `${file.name}: the kernel`);
    memory.write(
      segment.physicalAddress,
      file.bytes.subarray(segment.offset, segment.offset + segment.fileBytes),
    );
    clear(memory, segment.physicalAddress + segment.fileBytes, segment.memoryBytes - segment.fileBytes);
    end = Math.max(end, segment.physicalAddress + segment.memoryBytes);
  }
  return end;
}

const CLEAR_BYTES = 0x100000;

/** Zeroes guest memory, which after a reset holds what the guest left there. */
export function clear(memory: BootMemory, address: number, length: number): void {
  const zeros = new Uint8Array(Math.min(length, CLEAR_BYTES));
  for (let done = 0; done < length; done += CLEAR_BYTES) {
    memory.write(address + done, zeros.subarray(0, Math.min(CLEAR_BYTES, length - done)));
  }
}

/** The physical address of the entry point: kernels give the virtual one where the two differ. */
export function physicalEntry(elf: Elf): number {
  const home = elf.segments.find(
    (segment) =>
      segment.type === PT_LOAD &&
      elf.entry >= segment.virtualAddress &&
      elf.entry < segment.virtualAddress + segment.memoryBytes,
  );
  return home ? elf.entry - home.virtualAddress + home.physicalAddress : elf.entry;
}

/** Content of the first note with this owner and type, or null. */
export function findNote(elf: Elf, bytes: Uint8Array, owner: string, type: number): Uint8Array | null {
  const data = view(bytes);
  const padded = (length: number): number => Math.ceil(length / 4) * 4;
  for (const segment of elf.segments) {
    if (segment.type !== PT_NOTE) continue;
    const end = segment.offset + segment.fileBytes;
    for (let at = segment.offset; at + 12 <= end;) {
      const nameBytes = data.getUint32(at, true);
      const contentBytes = data.getUint32(at + 4, true);
      const content = at + 12 + padded(nameBytes);
      if (content + contentBytes > end) break;
      const name = new TextDecoder('latin1').decode(bytes.subarray(at + 12, at + 12 + nameBytes));
      if (name === `${owner}\0` && data.getUint32(at + 8, true) === type) {
        return bytes.subarray(content, content + contentBytes);
      }
      at = content + padded(contentBytes);
    }
  }
  return null;
}
