import { HPET_BASE } from '../../machine/memory-map.js';
import { HPET_ID } from './board.js';
import { systemDescriptionTable } from './sdt.js';
import { TableBytes } from './table-bytes.js';

const SYSTEM_MEMORY = 0;
/** Ticks that a periodic timer needs at least so as not to lose interrupts. */
const MINIMUM_TICK = 100;

/** HPET description table (IA-PC HPET specification 1.0a, section 3.2.4). */
export function hpetTable(): Uint8Array {
  const table = new TableBytes()
    .u32(HPET_ID)
    .u8(SYSTEM_MEMORY, 64, 0, 0)
    .u64(HPET_BASE)
    .u8(0)
    .u16(MINIMUM_TICK)
    .u8(0);
  return systemDescriptionTable('HPET', 1, table.finish());
}
