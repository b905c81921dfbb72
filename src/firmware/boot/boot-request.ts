import type { GuestRam } from '../../machine/guest-ram.js';
import { pcMemoryMap, type MemoryRange } from './memory-map.js';

/** A file given for the guest. */
export interface BootFile {
  /** For messages, as the user wrote it. */
  name: string;
  bytes: Uint8Array;
  /** What a multiboot or PVH kernel is told of this module; its name when not given. */
  text?: string;
}

/** Guest memory as the loaders need it. */
export interface BootMemory {
  /** What the guest is told of its memory: sorted, without overlaps. RAM may follow other RAM. */
  readonly map: readonly MemoryRange[];
  /** Writes to guest physical addresses that `map` shows as RAM or as the firmware's own. */
  write(address: number, bytes: Uint8Array): void;
}

export function bootMemory(ram: GuestRam): BootMemory {
  return { map: pcMemoryMap(ram), write: (address, bytes) => ram.write(address, bytes) };
}

export interface BootRequest {
  kernel: BootFile;
  /** Initial RAM disks or modules, in order. Linux gets them joined to one. */
  modules: readonly BootFile[];
  commandLine: string;
  memory: BootMemory;
  /** Address of the ACPI root pointer; 0 when there are no tables. */
  rsdp: number;
  /** A VGA shows text, 80 columns and 25 rows. */
  textScreen?: boolean;
  /** Whether the CPU has 64-bit mode; true when not given. */
  longMode?: boolean;
}
