/** What a device says of itself: 256 words (ATA8-ACS, 7.16 and 7.17). */
import type { Drive } from '../../machine/drive.js';
import { MOST_MULTIPLE, MOST_TRIM_SECTORS } from './ata-disk.js';

const WORDS = 256;
const MOST_CYLINDERS = 16383;
const MOST_28_BIT = 2 ** 28 - 1;
const FIRMWARE = '1.0';

/** Two letters a word, the first in its high byte. */
function putText(words: Uint16Array, at: number, text: string, length: number): void {
  const letters = text.padEnd(length).slice(0, length);
  for (let i = 0; i < length; i += 2)
    words[at + i / 2] = (letters.charCodeAt(i) << 8) | letters.charCodeAt(i + 1);
}

function common(drive: Drive): Uint16Array {
  const words = new Uint16Array(WORDS);
  putText(words, 10, drive.serial, 20);
  putText(words, 23, FIRMWARE, 8);
  putText(words, 27, drive.model, 40);
  // LBA, DMA, IORDY.
  words[49] = 0x0f00;
  words[50] = 0x4000;
  // PIO 4; words 64-70 and 88 hold.
  words[51] = 0x0200;
  words[53] = 0x0007;
  // Multiword DMA 0-2, PIO 3 and 4, 120 ns cycles, Ultra DMA 0-5, of which 5 is chosen.
  words[63] = 0x0007;
  words[64] = 0x0003;
  for (const at of [65, 66, 67, 68]) words[at] = 120;
  words[88] = 0x203f;
  // 80-conductor cable.
  words[93] = 0x600b;
  // ATA-5 to ATA8.
  words[80] = 0x01e0;
  words[82] = 0x4000;
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x4000;
  words[87] = 0x4000;
  return words;
}

export interface DiskSettings {
  multiple: number;
  heads: number;
  trackSectors: number;
  writeCache: boolean;
  serial: boolean;
}

export function identifyDisk(drive: Drive, settings: DiskSettings): Uint8Array {
  const words = common(drive);
  const { sectors } = drive;
  const cylinders = Math.min(MOST_CYLINDERS, Math.floor(sectors / (16 * 63)));
  words[0] = 0x0040;
  words[1] = cylinders;
  words[3] = 16;
  words[6] = 63;
  words[47] = 0x8000 | MOST_MULTIPLE;
  words[54] = Math.min(MOST_CYLINDERS, Math.floor(sectors / (settings.heads * settings.trackSectors || 1)));
  words[55] = settings.heads;
  words[56] = settings.trackSectors;
  put32(words, 57, words[54] * words[55] * words[56]);
  words[59] = settings.multiple ? 0x0100 | settings.multiple : 0;
  put32(words, 60, Math.min(sectors, MOST_28_BIT));
  // Write cache, flush; 48-bit addresses and their flush.
  words[82]! |= 0x0020;
  words[83]! |= 0x3400;
  words[85]! |= settings.writeCache ? 0x0020 : 0;
  words[86] = 0x3400;
  put32(words, 100, sectors % 2 ** 32);
  put32(words, 102, Math.floor(sectors / 2 ** 32));
  if (settings.serial) {
    // Queues of 32; NCQ, 1.5 and 3 Gb/s.
    words[75] = 31;
    words[76] = 0x0106;
    words[93] = 0;
  }
  // Logical sectors of 512 bytes, of which 8 are a physical one.
  words[106] = 0x6003;
  if (drive.discards) {
    // TRIM, and what was trimmed reads as zeros.
    words[69] = 0x4020;
    words[105] = MOST_TRIM_SECTORS;
    words[169] = 1;
  }
  // No rotation.
  words[217] = 1;
  return checked(words);
}

export function identifyPacket(drive: Drive): Uint8Array {
  const words = common(drive);
  // Packet device, CD, removable, DRQ within 50 us, 12-byte packets.
  words[0] = 0x85c0;
  words[82]! |= 0x0010;
  words[85]! |= 0x0010;
  words[126] = 0;
  return checked(words);
}

function put32(words: Uint16Array, at: number, value: number): void {
  words[at] = value & 0xffff;
  words[at + 1] = (value / 0x10000) & 0xffff;
}

/** The last word makes the sum of all bytes zero. */
function checked(words: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(words.buffer);
  bytes[510] = 0xa5;
  bytes[511] = -bytes.subarray(0, 511).reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}
