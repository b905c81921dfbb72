/** What a CD starts from ("El Torito" bootable CD-ROM format specification 1.0). */
import type { BiosDrive } from './machine.js';

export const CD_SECTOR = 2048;
const BOOT_RECORD_SECTOR = 17;
const CATALOG_POINTER = 0x47;
const ENTRY_BYTES = 32;
const BOOTABLE = 0x88;
const X86 = 0;

export type Emulation = 'none' | 'floppy' | 'disk';

export interface BootImage {
  emulation: Emulation;
  /** As the catalog says it. */
  mediaType: number;
  segment: number;
  /** Sectors of 512 bytes to load, and sector of the CD where the image begins. */
  count: number;
  start: number;
  /** Cylinders, heads and sectors of an emulated drive. */
  shape: { cylinders: number; heads: number; sectors: number };
}

const FLOPPIES = [15, 18, 36];

/** null: the CD is not there, or cannot be started from. */
export function bootImage(drive: BiosDrive): BootImage | null {
  const record = readSector(drive, BOOT_RECORD_SECTOR);
  if (!record || text(record, 1, 5) !== 'CD001' || text(record, 7, 23) !== 'EL TORITO SPECIFICATION')
    return null;
  const catalog = readSector(drive, view(record).getUint32(CATALOG_POINTER, true));
  if (!catalog || catalog[0] !== 1 || catalog[1] !== X86 || catalog[30] !== 0x55 || catalog[31] !== 0xaa)
    return null;
  const entry = view(catalog.subarray(ENTRY_BYTES, 2 * ENTRY_BYTES));
  if (entry.getUint8(0) !== BOOTABLE) return null;
  const mediaType = entry.getUint8(1) & 0x0f;
  const start = entry.getUint32(8, true);
  const common = {
    mediaType,
    start,
    segment: entry.getUint16(2, true) || 0x7c0,
    count: entry.getUint16(6, true) || 1,
  };
  const none = { cylinders: 0, heads: 0, sectors: 0 };
  if (mediaType === 0) return { ...common, emulation: 'none', shape: none };
  if (mediaType <= FLOPPIES.length)
    return {
      ...common,
      emulation: 'floppy',
      shape: { cylinders: 80, heads: 2, sectors: FLOPPIES[mediaType - 1]! },
    };
  return diskImage(drive, common);
}

/** An emulated hard disk has one partition, whose end says its shape. */
function diskImage(drive: BiosDrive, common: Omit<BootImage, 'emulation' | 'shape'>): BootImage | null {
  const first = readSector(drive, common.start);
  if (!first) return null;
  const sectors = first[0x1be + 6]! & 0x3f;
  const cylinders = (((first[0x1be + 6]! & 0xc0) << 2) | first[0x1be + 7]!) + 1;
  const heads = first[0x1be + 5]! + 1;
  return sectors === 0 ? null : { ...common, emulation: 'disk', shape: { cylinders, heads, sectors } };
}

function readSector(drive: BiosDrive, sector: number): Uint8Array | null {
  return sector < drive.sectors ? drive.read(sector, 1) : null;
}
function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
function text(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}
