import type { BootMemory } from './boot-request.js';
import { EBDA, EBDA_BYTES } from './memory-map.js';

const BIOS_DATA_AREA = 0x400;
const BASE_MEMORY_KIB = EBDA / 1024;
const COM1 = 0x3f8;
const COM2 = 0x2f8;

/**
 * The few words of the BIOS data area that kernels read though no BIOS ran: serial ports (40:00), the segment of
 * the extended area (40:0E), and the KiB of base memory (40:13). The extended area starts with its size in KiB.
 */
export function writeBiosData(memory: BootMemory): void {
  const area = new DataView(new ArrayBuffer(0x100));
  area.setUint16(0x00, COM1, true);
  area.setUint16(0x02, COM2, true);
  area.setUint16(0x0e, EBDA >> 4, true);
  area.setUint16(0x13, BASE_MEMORY_KIB, true);
  memory.write(BIOS_DATA_AREA, new Uint8Array(area.buffer));
  memory.write(EBDA, Uint8Array.of(EBDA_BYTES / 1024));
}
