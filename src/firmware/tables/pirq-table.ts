import { PIRQS, pirqOf } from '../../machine/interrupts/interrupt-router.js';
import { SLOTS } from '../../machine/pci/pci-bus.js';
import { PIRQRC } from '../../machine/pci/piix3.js';
import { TableBytes, checksum } from './table-bytes.js';

const VERSION = 0x0100;
/** The PIIX3: function 0 of slot 1, and what it is. */
const ROUTER = 1 << 3;
const ROUTER_VENDOR = 0x8086;
const ROUTER_DEVICE = 0x7000;
/** ISA interrupts that PIRQs may be given: 3-7, 9-12, 14 and 15. */
const ALLOWED = 0xdef8;
const FIRST_SLOT = 2;
const HEADER_BYTES = 32;
const SLOT_BYTES = 16;

/** PCI interrupt routing table ("PCI IRQ Routing Table Specification", Microsoft, 1.0), on a 16-byte boundary in 0xF0000-0xFFFFF. */
export function pirqTable(): Uint8Array {
  const table = new TableBytes()
    .text('$PIR')
    .u16(VERSION, HEADER_BYTES + (SLOTS - FIRST_SLOT) * SLOT_BYTES)
    .u8(0, ROUTER)
    .u16(0, ROUTER_VENDOR, ROUTER_DEVICE)
    .zeros(HEADER_BYTES - 16);
  for (let slot = FIRST_SLOT; slot < SLOTS; slot++) {
    table.u8(0, slot << 3);
    // A link is the number of the router's register.
    for (let pin = 0; pin < PIRQS; pin++) table.u8(PIRQRC + pirqOf(slot, pin)).u16(ALLOWED);
    table.zeros(2);
  }
  const bytes = table.finish();
  bytes[HEADER_BYTES - 1] = checksum(bytes);
  return bytes;
}
