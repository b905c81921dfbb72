import type { BootMemory } from './boot-request.js';
import { REGISTER_NAMES, type BootSegment, type BootState, type RegisterName } from './boot-state.js';
import { PAGE, type Placement } from './placement.js';

/** Selectors that the Linux boot protocol asks for (__BOOT_CS, __BOOT_DS); the others leave them open. */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;

// Descriptor attributes: present, ring 0, accessed
const CODE_32 = 0xc09b;
const CODE_64 = 0xa09b;
const DATA = 0xc093;
const LDT = 0x0082;
const BUSY_TSS_32 = 0x008b;
const FLAT_LIMIT = 0xffffffff;
/** 4 GiB less one in 4 KiB units, as bits 0-15 and 48-51 of a descriptor. */
const LIMIT_LOW = 0xffff;
const LIMIT_HIGH = 0xf;

const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
const RFLAGS_FIXED = 2n;

/** 32-bit protected mode, flat segments, no paging, interrupts off. */
export function flatState32(
  entry: number,
  registers: Partial<Record<RegisterName, number>>,
  memory: BootMemory,
  placement: Placement,
): BootState {
  return flatState(entry, registers, CODE_32, memory, placement);
}

/** 64-bit mode: the first 4 GiB are mapped to themselves in 2 MiB pages. */
export function flatState64(
  entry: number,
  registers: Partial<Record<RegisterName, number>>,
  memory: BootMemory,
  placement: Placement,
): BootState {
  return {
    ...flatState(entry, registers, CODE_64, memory, placement),
    cr0: CR0_PG | CR0_ET | CR0_PE,
    cr3: BigInt(writeIdentityMap(memory, placement)),
    cr4: CR4_PAE,
    efer: EFER_LME | EFER_LMA,
  };
}

function flatState(
  entry: number,
  given: Partial<Record<RegisterName, number>>,
  code: number,
  memory: BootMemory,
  placement: Placement,
): BootState {
  const table = [0n, 0n, descriptor(code), descriptor(DATA)];
  const bytes = new Uint8Array(BigUint64Array.from(table).buffer);
  const gdt = placement.lowest(bytes.length, 'descriptor table');
  memory.write(gdt, bytes);

  const data: BootSegment = { selector: DATA_SELECTOR, base: 0n, limit: FLAT_LIMIT, attr: DATA };
  const names = REGISTER_NAMES.map((name) => [name, BigInt(given[name] ?? 0)] as const);
  return {
    registers: Object.fromEntries(names) as Record<RegisterName, bigint>,
    rip: BigInt(entry),
    rflags: RFLAGS_FIXED,
    segments: {
      es: data,
      cs: { selector: CODE_SELECTOR, base: 0n, limit: FLAT_LIMIT, attr: code },
      ss: data,
      ds: data,
      fs: data,
      gs: data,
      ldtr: { selector: 0, base: 0n, limit: 0xffff, attr: LDT },
      tr: { selector: 0, base: 0n, limit: 0x67, attr: BUSY_TSS_32 },
    },
    gdtr: { base: BigInt(gdt), limit: bytes.length - 1 },
    idtr: { base: 0n, limit: 0 },
    cr0: CR0_ET | CR0_PE,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}

function descriptor(attributes: number): bigint {
  return BigInt(LIMIT_LOW) | (BigInt(attributes | (LIMIT_HIGH << 8)) << 40n);
}

const ENTRIES = 512;
const MAPPED_GIB = 4;
const TABLE_ENTRY = 0x3n; // present, writable
const LARGE_PAGE = 0x83n; // present, writable, page size
const LARGE_PAGE_BYTES = 0x200000;

/** Returns the address of the PML4. */
function writeIdentityMap(memory: BootMemory, placement: Placement): number {
  const pages = 2 + MAPPED_GIB;
  const base = placement.lowest(pages * PAGE, 'page tables');
  const entries = new BigUint64Array(pages * ENTRIES);
  entries[0] = BigInt(base + PAGE) | TABLE_ENTRY;
  for (let i = 0; i < MAPPED_GIB; i++) entries[ENTRIES + i] = BigInt(base + (2 + i) * PAGE) | TABLE_ENTRY;
  for (let i = 0; i < MAPPED_GIB * ENTRIES; i++)
    entries[2 * ENTRIES + i] = BigInt(i * LARGE_PAGE_BYTES) | LARGE_PAGE;
  memory.write(base, new Uint8Array(entries.buffer));
  return base;
}
