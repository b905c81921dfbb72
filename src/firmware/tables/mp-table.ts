import { FIRST_PIRQ_GSI, pirqOf } from '../../machine/interrupts/interrupt-router.js';
import { IO_APIC_BASE, LOCAL_APIC_BASE } from '../../machine/memory-map.js';
import { SCI_IRQ } from '../../machine/pci/piix4-pm.js';
import { IO_APIC_ID } from './board.js';
import { FIRST_X2APIC_ID } from './madt.js';
import { TableBytes, checksum } from './table-bytes.js';

/** MultiProcessor Specification 1.4 (Intel 242016), for systems that do not read ACPI. */
const SPEC_1_4 = 4;
const APIC_VERSION = 0x14;

// Entry types (4.3)
const PROCESSOR = 0;
const BUS = 1;
const IO_APIC_ENTRY = 2;
const IO_INTERRUPT = 3;
const LOCAL_INTERRUPT = 4;

const ENABLED = 1;
const BOOTSTRAP = 2;
const PCI_BUS = 0;
const ISA_BUS = 1;

const INT = 0;
const NMI = 1;
const EXT_INT = 3;
const CONFORMS = 0;
const ACTIVE_HIGH_LEVEL = 0x000d;
const ACTIVE_LOW_LEVEL = 0x000f;
const ALL_LOCAL_APICS = 0xff;

/** Family 6 and the features FPU, APIC, as the processor entries give them; the CPUs themselves tell the truth. */
const SIGNATURE = 0x600;
const FEATURES = 0x201;

/** MP floating pointer structure (4.1): 16 bytes, on a 16-byte boundary in 0xF0000-0xFFFFF. */
export function mpFloatingPointer(configurationAddress: number): Uint8Array {
  const pointer = new TableBytes()
    .text('_MP_')
    .u32(configurationAddress)
    .u8(1, SPEC_1_4, 0, 0)
    .zeros(4)
    .finish();
  pointer[10] = checksum(pointer);
  return pointer;
}

/** MP configuration table (4.2). Lists CPUs with APIC ids of 8 bits. */
export function mpConfiguration(apicIds: readonly number[]): Uint8Array {
  const entries = new TableBytes();
  let count = 0;
  const entry = (type: number): TableBytes => {
    count++;
    return entries.u8(type);
  };
  for (const id of apicIds.filter((one) => one < FIRST_X2APIC_ID)) {
    entry(PROCESSOR)
      .u8(id, APIC_VERSION, ENABLED | (id === 0 ? BOOTSTRAP : 0))
      .u32(SIGNATURE, FEATURES, 0, 0);
  }
  entry(BUS).u8(PCI_BUS).text('PCI', 6);
  entry(BUS).u8(ISA_BUS).text('ISA', 6);
  entry(IO_APIC_ENTRY).u8(IO_APIC_ID, 0x11, ENABLED).u32(IO_APIC_BASE);
  for (let slot = 1; slot < 32; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const input = FIRST_PIRQ_GSI + pirqOf(slot, pin);
      entry(IO_INTERRUPT)
        .u8(INT)
        .u16(ACTIVE_LOW_LEVEL)
        .u8(PCI_BUS, (slot << 2) | pin, IO_APIC_ID, input);
    }
  }
  for (let line = 0; line < 16; line++) {
    if (line === 2) continue; // the cascade of the 8259 pair
    const flags = line === SCI_IRQ ? ACTIVE_HIGH_LEVEL : CONFORMS;
    entry(IO_INTERRUPT)
      .u8(INT)
      .u16(flags)
      .u8(ISA_BUS, line, IO_APIC_ID, line === 0 ? 2 : line);
  }
  entry(LOCAL_INTERRUPT).u8(EXT_INT).u16(CONFORMS).u8(ISA_BUS, 0, ALL_LOCAL_APICS, 0);
  entry(LOCAL_INTERRUPT).u8(NMI).u16(CONFORMS).u8(ISA_BUS, 0, ALL_LOCAL_APICS, 1);

  const table = new TableBytes()
    .text('PCMP')
    .u16(44 + entries.length)
    .u8(SPEC_1_4, 0)
    .text('VIVARIUM', 8)
    .text('PC', 12)
    .u32(0)
    .u16(0, count)
    .u32(LOCAL_APIC_BASE, 0)
    .append(entries.finish())
    .finish();
  table[7] = checksum(table);
  return table;
}
