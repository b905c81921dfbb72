import { IO_APIC_BASE, LOCAL_APIC_BASE } from '../../machine/memory-map.js';
import { SCI_IRQ } from '../../machine/pci/piix4-pm.js';
import { IO_APIC_ID } from './board.js';
import { systemDescriptionTable } from './sdt.js';
import { TableBytes } from './table-bytes.js';

/** The board has an 8259 pair also. */
const PCAT_COMPAT = 1;
const ENABLED = 1;
/** First APIC id that an 8-bit id cannot hold (255 is broadcast). */
export const FIRST_X2APIC_ID = 255;

// Interrupt controller structures (ACPI 5.2.12)
const PROCESSOR_LOCAL_APIC = 0;
const IO_APIC_STRUCTURE = 1;
const INTERRUPT_SOURCE_OVERRIDE = 2;
const LOCAL_APIC_NMI = 4;
const PROCESSOR_LOCAL_X2APIC = 9;
const LOCAL_X2APIC_NMI = 10;

const CONFORMS = 0;
const ACTIVE_HIGH_LEVEL = 0x000d;
const ALL_PROCESSORS_8 = 0xff;
const ALL_PROCESSORS_32 = 0xffffffff;
const LINT1 = 1;

/** Multiple APIC Description Table. CPUs have ACPI processor ids from 0 up. */
export function madt(apicIds: readonly number[]): Uint8Array {
  const table = new TableBytes().u32(LOCAL_APIC_BASE, PCAT_COMPAT);
  apicIds.forEach((id, cpu) => {
    if (id < FIRST_X2APIC_ID) table.u8(PROCESSOR_LOCAL_APIC, 8, cpu, id).u32(ENABLED);
    else table.u8(PROCESSOR_LOCAL_X2APIC, 16, 0, 0).u32(id, ENABLED, cpu);
  });
  table.u8(IO_APIC_STRUCTURE, 12, IO_APIC_ID, 0).u32(IO_APIC_BASE, 0);
  table.u8(INTERRUPT_SOURCE_OVERRIDE, 10, 0, 0).u32(2).u16(CONFORMS);
  table.u8(INTERRUPT_SOURCE_OVERRIDE, 10, 0, SCI_IRQ).u32(SCI_IRQ).u16(ACTIVE_HIGH_LEVEL);
  table.u8(LOCAL_APIC_NMI, 6, ALL_PROCESSORS_8).u16(CONFORMS).u8(LINT1);
  if (apicIds.some((id) => id >= FIRST_X2APIC_ID)) {
    table.u8(LOCAL_X2APIC_NMI, 12).u16(CONFORMS).u32(ALL_PROCESSORS_32).u8(LINT1, 0, 0, 0);
  }
  return systemDescriptionTable('APIC', 3, table.finish());
}
