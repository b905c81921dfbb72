/**
 * What the tables say about the board: the i440FX host bridge (00:00.0), the PIIX3 ISA bridge (00:01.0) and the
 * PIIX4 power management function (00:01.3), one I/O APIC and an HPET. The devices must agree with these numbers.
 */

/** PIIX4 (Intel 290562) power management I/O space, the base that PMBA (00:01.3 register 0x40) has after reset. */
export const PM_BASE = 0x600;
export const PM_BYTES = 0x40;
/** PM1a event block: PM1_STS and PM1_EN, 4 bytes. */
export const PM1A_EVENT = PM_BASE + 0x00;
/** PM1a control block, 2 bytes. SCI_EN is set from reset on: there is no SMI command that would set it. */
export const PM1A_CONTROL = PM_BASE + 0x04;
/** 24-bit power management timer, 3.579545 MHz. */
export const PM_TIMER = PM_BASE + 0x08;
/** SLP_TYP values of PIIX4's PMCNTRL: soft off, and working. */
export const SLP_TYP_S5 = 0;
export const SLP_TYP_S0 = 5;
export const SCI_IRQ = 9;
/** SMBus I/O space, SMBBA (00:01.3 register 0x90). */
export const SMBUS_BASE = 0x700;
export const SMBUS_BYTES = 0x10;

/** PIIX3 reset control register: a hard reset of the whole board on this value. */
export const RESET_PORT = 0xcf9;
export const RESET_VALUE = 6;

export const LOCAL_APIC = 0xfee00000;
export const IO_APIC = 0xfec00000;
export const IO_APIC_ID = 0;
/** Inputs of the I/O APIC: ISA interrupts at 0-15 (the 8254's IRQ 0 at 2), PIRQA-PIRQD at 16-19. */
export const PIRQ_GSI_BASE = 16;

export const HPET = 0xfed00000;
/** HPET's General Capabilities 31:0: Intel, legacy routing, 64 bit, 3 timers, revision 1. */
export const HPET_ID = 0x8086a201;

/** PIIX3 PIRQRC[A:D] of 00:01.0: which ISA interrupt PIRQA-PIRQD drive at the 8259 pair; bit 7 set: none. */
export const PIRQRC = 0x60;
/** What PIRQRC[A:D] hold when the guest starts, as a BIOS would leave them. */
export const PIRQ_IRQS: readonly number[] = [10, 10, 11, 11];

/** Which PIRQ line (0-3 for A-D) the interrupt pin (0-3 for INTA#-INTD#) of a slot of PCI bus 0 is wired to. */
export function pirqOf(slot: number, pin: number): number {
  return (slot + pin + 3) & 3;
}

/** First and last byte (inclusive) of an address window. */
export interface Window {
  first: number;
  last: number;
}

/** Where RAM and PCI memory lie, in bytes. */
export interface MemoryLayout {
  /** RAM from address 0. */
  lowBytes: number;
  /** RAM from 4 GiB. */
  highBytes: number;
  /** Where PCI memory BARs may be placed below 4 GiB; from the end of low RAM to the I/O APIC when not given. */
  pciWindow?: Window;
}

const MIB = 0x100000;
const FOUR_GIB = 2 ** 32;

export function pciWindow(memory: MemoryLayout): Window {
  if (memory.pciWindow) return memory.pciWindow;
  const first = Math.max(Math.ceil(memory.lowBytes / (256 * MIB)) * 256 * MIB, 0x80000000);
  return { first: Math.min(first, 0xe0000000), last: IO_APIC - 1 };
}

/** Where 64-bit PCI memory BARs may be placed: 32 GiB, aligned to their size, above all RAM. */
export function pciWindow64(memory: MemoryLayout): Window {
  const size = 32 * 1024 * MIB;
  const first = Math.ceil((FOUR_GIB + memory.highBytes) / size) * size;
  return { first, last: first + size - 1 };
}
