import { FOUR_GIB, VGA_WINDOW, type RamLayout } from '../../machine/memory-map.js';

/** Range types of INT 15h E820 (ACPI 5.0, section 15.1), which all boot protocols use. */
export const RAM = 1;
export const RESERVED = 2;

export interface MemoryRange {
  /** Guest physical address and length in bytes. */
  start: number;
  length: number;
  type: typeof RAM | typeof RESERVED;
}

/** Extended BIOS data area: the last KiB of the 640 that a PC has below its video memory. */
export const EBDA = 0x9fc00;
export const EBDA_BYTES = 0x400;
/** Tables and BIOS. */
const FIRMWARE = 0xe0000;
const EXTENDED = 0x100000;

/** What a PC tells of its memory. */
export function pcMemoryMap({ lowBytes, highBytes }: RamLayout): MemoryRange[] {
  const map: MemoryRange[] = [
    { start: 0, length: Math.min(lowBytes, EBDA), type: RAM },
    { start: EBDA, length: VGA_WINDOW - EBDA, type: RESERVED },
    { start: FIRMWARE, length: EXTENDED - FIRMWARE, type: RESERVED },
  ];
  if (lowBytes > EXTENDED) map.push({ start: EXTENDED, length: lowBytes - EXTENDED, type: RAM });
  if (highBytes > 0) map.push({ start: FOUR_GIB, length: highBytes, type: RAM });
  return map;
}

/** Size for people: "12.5 MiB". */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Math.round(value * 10) / 10} ${units[unit]}`;
}
