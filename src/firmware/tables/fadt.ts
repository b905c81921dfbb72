import { GPE0_BYTES, GPE0_PORT } from '../../machine/pci/pci-hot-plug.js';
import { PM_BASE, SCI_IRQ } from '../../machine/pci/piix4-pm.js';
import { RESET_CONTROL } from '../../machine/pci/reset-control.js';
import { RESET_VALUE } from './board.js';
import { systemDescriptionTable } from './sdt.js';
import { TableBytes } from './table-bytes.js';

// PIIX4's registers under their ACPI names, from the base of power management
const PM1A_EVENT = 0x00;
const PM1A_CONTROL = 0x04;
const PM_TIMER = 0x08;

const SYSTEM_IO = 1;
const BYTE_ACCESS = 1;
const WORD_ACCESS = 2;
const DWORD_ACCESS = 3;

// IA-PC boot architecture flags
const LEGACY_DEVICES = 1 << 0;
const I8042 = 1 << 1;

// Fixed feature flags. The power button is the fixed one of PM1_STS (PWR_BUTTON clear).
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON = 1 << 5;
const FIX_RTC = 1 << 6;
const RESET_REG_SUP = 1 << 10;

/** Latencies above these say that C2 and C3 are not there. */
const NO_C2 = 101;
const NO_C3 = 1001;

const CMOS_CENTURY = 0x32;

/** Fixed ACPI Description Table, revision 3 (ACPI 2.0, section 5.2.8): the first with a reset register that all systems read. */
export function fadt(facsAddress: number, dsdtAddress: number, base = PM_BASE): Uint8Array {
  const table = new TableBytes()
    .u32(facsAddress, dsdtAddress)
    .u8(0, 0) // reserved, preferred profile: unspecified
    .u16(SCI_IRQ)
    .u32(0) // SMI_CMD: none, the board is in ACPI mode always
    .u8(0, 0, 0, 0)
    .u32(base + PM1A_EVENT, 0, base + PM1A_CONTROL, 0, 0, base + PM_TIMER, GPE0_PORT, 0)
    .u8(4, 2, 0, 4, GPE0_BYTES, 0, 0, 0) // lengths of PM1_EVT, PM1_CNT, PM2_CNT, PM_TMR, GPE0, GPE1; GPE1 base; CST_CNT
    .u16(NO_C2, NO_C3, 0, 0) // latencies, flush size and stride
    .u8(0, 0, 0, 0, CMOS_CENTURY) // duty offset and width, alarm day and month, century
    .u16(LEGACY_DEVICES | I8042)
    .u8(0)
    .u32(WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | RESET_REG_SUP);
  ioAddress(table, RESET_CONTROL, 8, BYTE_ACCESS);
  table.u8(RESET_VALUE, 0, 0, 0).u64(facsAddress, dsdtAddress);
  ioAddress(table, base + PM1A_EVENT, 32, WORD_ACCESS);
  noAddress(table);
  ioAddress(table, base + PM1A_CONTROL, 16, WORD_ACCESS);
  noAddress(table);
  noAddress(table);
  ioAddress(table, base + PM_TIMER, 32, DWORD_ACCESS);
  ioAddress(table, GPE0_PORT, 8 * GPE0_BYTES, BYTE_ACCESS);
  noAddress(table);
  return systemDescriptionTable('FACP', 3, table.finish());
}

/** Generic Address Structure (ACPI 5.2.3.1) of a port. */
function ioAddress(table: TableBytes, port: number, bits: number, access: number): void {
  table.u8(SYSTEM_IO, bits, 0, access).u64(port);
}

function noAddress(table: TableBytes): void {
  table.zeros(12);
}

/** Firmware ACPI Control Structure (ACPI 5.2.10): waking vector and global lock, both zero. Needs 64-byte alignment. */
export function facs(): Uint8Array {
  return new TableBytes().text('FACS').u32(64).zeros(24).u8(1).zeros(31).finish();
}
