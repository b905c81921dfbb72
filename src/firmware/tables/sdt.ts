import { TableBytes, checksum } from './table-bytes.js';

const CHECKSUM_OFFSET = 9;

/** System Description Table: the common header of ACPI 5.2.6 around `body`. Revision is the table's own. */
export function systemDescriptionTable(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const table = new TableBytes()
    .text(signature, 4)
    .u32(36 + body.length)
    .u8(revision, 0)
    .text('VIV', 6)
    .text('VIVARIUM', 8)
    .u32(1)
    .text('VIV', 4)
    .u32(1)
    .append(body)
    .finish();
  table[CHECKSUM_OFFSET] = checksum(table);
  return table;
}
