import { UserError } from '../../machine/user-error.js';
import type { BootFile, BootMemory, BootRequest } from './boot-request.js';
import type { BootState } from './boot-state.js';
import { type Elf, findNote, isElf, loadElf, readElf } from './elf.js';
import { flatState32 } from './flat-state.js';
import { Placement } from './placement.js';

/** PVH: direct boot of an ELF kernel by its Xen note (Xen public/arch-x86/hvm/start_info.h and docs/misc/pvh). */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const START_VERSION = 1;
const START_BYTES = 56;
const MODULE_BYTES = 32;
const MEMORY_BYTES = 24;
const FOUR_GIB = 2 ** 32;

/** The address at which the PVH entry note tells to start, or null when the file has none. */
function pvhEntry(elf: Elf, bytes: Uint8Array): number | null {
  const note = findNote(elf, bytes, 'Xen', XEN_ELFNOTE_PHYS32_ENTRY);
  if (!note || note.length < 4) return null;
  return new DataView(note.buffer, note.byteOffset, 4).getUint32(0, true);
}

export function isPvh(file: BootFile): boolean {
  return isElf(file.bytes) && pvhEntry(readElf(file), file.bytes) !== null;
}

export function bootPvh(request: BootRequest): BootState {
  const { kernel, memory } = request;
  const elf = readElf(kernel);
  const entry = pvhEntry(elf, kernel.bytes);
  if (entry === null)
    throw new UserError(`${kernel.name}: this ELF file has no PVH entry note: use another kernel`);
  const placement = new Placement(memory.map);
  loadElf(elf, kernel, memory, placement);

  const modules = request.modules.map((module) => {
    const what = `${module.name}: the module`;
    const address = placement.highest(module.bytes.length, what, FOUR_GIB);
    memory.write(address, module.bytes);
    return {
      address,
      length: module.bytes.length,
      text: placeText(module.text ?? module.name, memory, placement),
    };
  });
  const moduleList = new BigUint64Array(modules.length * (MODULE_BYTES / 8));
  modules.forEach((module, i) =>
    moduleList.set([module.address, module.length, module.text, 0].map(BigInt), i * 4),
  );

  const memoryMap = new BigUint64Array(memory.map.length * (MEMORY_BYTES / 8));
  memory.map.forEach((range, i) => memoryMap.set([range.start, range.length, range.type].map(BigInt), i * 3));

  const info = new DataView(new ArrayBuffer(START_BYTES));
  info.setUint32(0, START_MAGIC, true);
  info.setUint32(4, START_VERSION, true);
  info.setUint32(12, modules.length, true);
  info.setBigUint64(16, BigInt(modules.length > 0 ? placeWords(moduleList, memory, placement) : 0), true);
  info.setBigUint64(24, BigInt(placeText(request.commandLine, memory, placement)), true);
  info.setBigUint64(32, BigInt(request.rsdp), true);
  info.setBigUint64(40, BigInt(placeWords(memoryMap, memory, placement)), true);
  info.setUint32(48, memory.map.length, true);
  const infoAddress = place(new Uint8Array(info.buffer), memory, placement);
  return flatState32(entry, { rbx: infoAddress }, memory, placement);
}

function place(bytes: Uint8Array, memory: BootMemory, placement: Placement): number {
  const address = placement.lowest(bytes.length, 'boot information', { align: 16 });
  memory.write(address, bytes);
  return address;
}

function placeWords(words: BigUint64Array, memory: BootMemory, placement: Placement): number {
  return place(new Uint8Array(words.buffer), memory, placement);
}

function placeText(text: string, memory: BootMemory, placement: Placement): number {
  return place(new TextEncoder().encode(`${text}\0`), memory, placement);
}
