import { systemDescriptionTable } from './sdt.js';
import { TableBytes, checksum } from './table-bytes.js';

const RSDP_V1_BYTES = 20;
export const RSDP_BYTES = 36;

/** Root System Description Pointer of ACPI 2.0 and later (ACPI 5.2.5.3). */
export function rsdp(rsdtAddress: number, xsdtAddress: number): Uint8Array {
  const table = new TableBytes()
    .text('RSD PTR ')
    .u8(0)
    .text('VIV', 6)
    .u8(2)
    .u32(rsdtAddress)
    .u32(RSDP_BYTES)
    .u64(xsdtAddress)
    .zeros(4)
    .finish();
  table[8] = checksum(table.subarray(0, RSDP_V1_BYTES));
  table[32] = checksum(table);
  return table;
}

/** RSDT (ACPI 5.2.7): 32-bit addresses of the other tables, for systems that know ACPI 1.0 only. */
export function rsdt(addresses: readonly number[]): Uint8Array {
  return systemDescriptionTable('RSDT', 1, new TableBytes().u32(...addresses).finish());
}

/** XSDT (ACPI 5.2.8): the same with 64-bit addresses. */
export function xsdt(addresses: readonly number[]): Uint8Array {
  return systemDescriptionTable('XSDT', 1, new TableBytes().u64(...addresses).finish());
}
