/** Where things are in the physical memory of the PC (82441FX, "Memory address map"). All in bytes. */

const PAGE = 0x1000;

export const FOUR_GIB = 2 ** 32;
/** RAM below 4 GiB ends here at the latest; PCI devices, I/O APIC, HPET, local APICs and the BIOS lie above. */
export const LOW_RAM_END = 0xc0000000;
/** The VGA window hides the RAM under it. */
export const VGA_WINDOW = 0xa0000;
export const VGA_WINDOW_END = 0xc0000;
/** Option ROMs, tables and the BIOS, in RAM (shadow). */
export const ROM_AREA = 0xc0000;
export const ROM_AREA_END = 0x100000;

export const IO_APIC_BASE = 0xfec00000;
export const HPET_BASE = 0xfed00000;
export const LOCAL_APIC_BASE = 0xfee00000;

export interface RamLayout {
  /** From physical 0. */
  lowBytes: number;
  /** From 4 GiB. */
  highBytes: number;
}

/** How `bytes` of memory (rounded down to whole pages) are laid out around the hole below 4 GiB. */
export function ramLayout(bytes: number): RamLayout {
  const whole = Math.floor(bytes / PAGE) * PAGE;
  const lowBytes = Math.min(whole, LOW_RAM_END);
  return { lowBytes, highBytes: whole - lowBytes };
}
