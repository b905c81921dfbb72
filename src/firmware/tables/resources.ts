import { buffer, type Aml } from './aml.js';
import type { Window } from './board.js';
import { TableBytes } from './table-bytes.js';

/** One resource descriptor of ACPI 5.1, section 6.4. */
export type Resource = Uint8Array;

/** A resource template: the descriptors and the end tag (whose checksum 0 says "do not check"). */
export function resources(...descriptors: Resource[]): Aml {
  const table = new TableBytes();
  for (const descriptor of descriptors) table.append(descriptor);
  return buffer(table.u8(0x79, 0).finish());
}

/** Edge-triggered, exclusive ISA interrupt. */
export function irq(line: number): Resource {
  return new TableBytes()
    .u8(0x22)
    .u16(1 << line)
    .finish();
}

/** Ports, decoded in 16 bits. */
export function ports(first: number, count: number): Resource {
  const DECODE_16 = 1;
  return new TableBytes().u8(0x47, DECODE_16).u16(first, first).u8(1, count).finish();
}

export function memory32(first: number, length: number): Resource {
  const WRITABLE = 1;
  return new TableBytes().u8(0x86).u16(9).u8(WRITABLE).u32(first, length).finish();
}

/** Offset of the first interrupt number in the descriptor that `levelInterrupts` makes. */
export const INTERRUPT_NUMBER_OFFSET = 5;

/** Extended interrupt descriptor: level-triggered, active low, shared, one of `lines`. */
export function levelInterrupts(...lines: number[]): Resource {
  const CONSUMER_LEVEL_LOW_SHARED = 0b1101;
  const length = 2 + 4 * lines.length;
  return new TableBytes()
    .u8(0x89)
    .u16(length)
    .u8(CONSUMER_LEVEL_LOW_SHARED, lines.length)
    .u32(...lines)
    .finish();
}

// Address space descriptors of a bridge: which addresses it passes on.
const MEMORY_RANGE = 0;
const IO_RANGE = 1;
const BUS_RANGE = 2;
const PRODUCER_FIXED = 0b1100;
const ENTIRE_IO_RANGE = 3;
const READ_WRITE = 1;
const CACHEABLE_READ_WRITE = 3;

export function busRange(first: number, last: number): Resource {
  return word(BUS_RANGE, 0, first, last);
}

export function ioRange(first: number, last: number): Resource {
  return word(IO_RANGE, ENTIRE_IO_RANGE, first, last);
}

function word(type: number, flags: number, first: number, last: number): Resource {
  const table = new TableBytes().u8(0x88).u16(13).u8(type, PRODUCER_FIXED, flags);
  return table.u16(0, first, last, 0, last - first + 1).finish();
}

/** Memory below 4 GiB. `cacheable`: the VGA window, as other firmware says it. */
export function memoryRange(window: Window, cacheable = false): Resource {
  const flags = cacheable ? CACHEABLE_READ_WRITE : READ_WRITE;
  const table = new TableBytes().u8(0x87).u16(23).u8(MEMORY_RANGE, PRODUCER_FIXED, flags);
  return table.u32(0, window.first, window.last, 0, window.last - window.first + 1).finish();
}

export function memoryRange64(window: Window): Resource {
  const table = new TableBytes().u8(0x8a).u16(43).u8(MEMORY_RANGE, PRODUCER_FIXED, CACHEABLE_READ_WRITE);
  return table.u64(0, window.first, window.last, 0, window.last - window.first + 1).finish();
}
