/** What the tables and the setup say of the board beyond what its chips' own files say. */
import { FOUR_GIB, IO_APIC_BASE, LOW_RAM_END, type RamLayout } from '../../machine/memory-map.js';

/** SLP_TYP values of PIIX4's PMCNTRL: soft off, and working. */
export const SLP_TYP_S5 = 0;
export const SLP_TYP_S0 = 5;
export const PM_BYTES = 0x40;
export const SMBUS_BYTES = 0x10;

/** The value that resets the whole board when written to the reset control register. */
export const RESET_VALUE = 6;

export const IO_APIC_ID = 0;

/** HPET's General Capabilities 31:0: Intel, legacy routing, 64 bit, 3 timers, revision 1. */
export const HPET_ID = 0x8086a201;

/** Which ISA interrupt PIRQA-PIRQD drive at the 8259 pair when the guest starts. */
export const PIRQ_IRQS: readonly number[] = [10, 10, 11, 11];

/** First and last byte (inclusive) of an address window. */
export interface Window {
  first: number;
  last: number;
}

/** Where PCI memory and I/O may be placed. */
export const PCI_MEMORY: Window = { first: LOW_RAM_END, last: IO_APIC_BASE - 1 };
export const PCI_IO: Window = { first: 0xc000, last: 0xffff };

const GIB = 2 ** 30;

/** Where systems may place 64-bit PCI memory BARs: 32 GiB above all RAM. */
export function pciMemory64(memory: RamLayout): Window {
  const size = 32 * GIB;
  const first = Math.ceil((FOUR_GIB + memory.highBytes) / size) * size;
  return { first, last: first + size - 1 };
}
