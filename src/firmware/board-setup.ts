import { PIRQRC, PIRQ_IRQS, PM_BASE, SMBUS_BASE } from './tables/board.js';

/** A value that firmware writes to PCI configuration space; `bytes` wide. */
export interface ConfigWrite {
  device: number;
  function: number;
  register: number;
  bytes: 1 | 2 | 4;
  value: number;
}

/** A byte that firmware writes to a port. */
export interface PortWrite {
  port: number;
  value: number;
}

/** What a BIOS leaves in the chips before it starts a system, and kernels count on. */
export interface BoardSetup {
  config: ConfigWrite[];
  ports: PortWrite[];
  /** Registers of the bootstrap processor's local APIC: enabled, in virtual wire mode (MP Specification 3.6.2.2). */
  localApic: { spuriousVector: number; lvtLint0: number; lvtLint1: number };
}

const HOST_BRIDGE = { device: 0, function: 0 };
const ISA_BRIDGE = { device: 1, function: 0 };
const POWER_MANAGEMENT = { device: 1, function: 3 };

// i440FX (Intel 290549): PAM0 opens F0000-FFFFF, PAM1-PAM6 open C0000-EFFFF for reads and writes as RAM.
const PAM0 = 0x59;
const PAM1 = 0x5a;
const PAM6 = 0x5f;
const PAM0_RAM = 0x30;
const PAM_RAM = 0x33;

// PIIX4 power management function (Intel 290562)
const PCICMD = 0x04;
const PMBA = 0x40;
const PMREGMISC = 0x80;
const SMBBA = 0x90;
const SMBHSTCFG = 0xd2;
const IO_SPACE = 1;
const SPACE_ENABLE = 1;
const SMB_ENABLE_IRQ9 = 9;

/** Edge/level control of interrupts 8-15: those that PIRQ lines may drive, and the SCI, are level-triggered. */
const ELCR1 = 0x4d0;
const ELCR2 = 0x4d1;
const LEVEL_1 = 1 << 5;
const LEVEL_2 = (1 << (9 - 8)) | (1 << (10 - 8)) | (1 << (11 - 8));

const APIC_ENABLE_VECTOR_FF = 0x1ff;
const LVT_EXTINT_LEVEL = 0x8700;
const LVT_NMI_LEVEL = 0x8400;

export const boardSetup: BoardSetup = {
  config: [
    { ...HOST_BRIDGE, register: PAM0, bytes: 1, value: PAM0_RAM },
    ...Array.from({ length: PAM6 - PAM1 + 1 }, (_, i): ConfigWrite => ({
      ...HOST_BRIDGE, register: PAM1 + i, bytes: 1, value: PAM_RAM,
    })),
    ...PIRQ_IRQS.map((line, i): ConfigWrite => ({ ...ISA_BRIDGE, register: PIRQRC + i, bytes: 1, value: line })),
    { ...POWER_MANAGEMENT, register: PMBA, bytes: 4, value: PM_BASE | 1 },
    { ...POWER_MANAGEMENT, register: PMREGMISC, bytes: 1, value: SPACE_ENABLE },
    { ...POWER_MANAGEMENT, register: SMBBA, bytes: 4, value: SMBUS_BASE | 1 },
    { ...POWER_MANAGEMENT, register: SMBHSTCFG, bytes: 1, value: SMB_ENABLE_IRQ9 },
    { ...POWER_MANAGEMENT, register: PCICMD, bytes: 2, value: IO_SPACE },
  ],
  ports: [
    { port: ELCR1, value: LEVEL_1 },
    { port: ELCR2, value: LEVEL_2 },
  ],
  localApic: { spuriousVector: APIC_ENABLE_VECTOR_FF, lvtLint0: LVT_EXTINT_LEVEL, lvtLint1: LVT_NMI_LEVEL },
};
