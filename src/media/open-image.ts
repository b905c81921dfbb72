import { viewOf } from './bytes.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { DMG_TRAILER, DmgImage } from './dmg.js';
import { Qcow2Image, QCOW2_MAGIC, readQcow2Header } from './qcow2.js';
import { RawImage } from './raw.js';
import type { Storage } from './storage.js';
import { openVhd, VHD_COOKIE, vhdParent } from './vhd.js';
import { VdiImage, readVdiHeader, VDI_SIGNATURE, VDI_SIGNATURE_AT } from './vdi.js';
import { openVmdk, readDescriptor, VMDK_MAGIC } from './vmdk.js';
import { VHDX_SIGNATURE, VhdxImage } from './vhdx.js';

/** Those that images are made in. */
export const FORMATS = ['raw', 'qcow2', 'vdi', 'vmdk', 'vhd', 'vhdx'] as const;
export type Format = (typeof FORMATS)[number];
/** With those that are only read. */
const ALL_FORMATS = [...FORMATS, 'dmg'] as const;
export type AnyFormat = (typeof ALL_FORMATS)[number];

/** Opens files that an image names: beside it, by a relative or absolute name. */
export interface Neighbours {
  /** Of a file that is only read, as those below others are. */
  open(name: string, from: string): Storage;
  /** As above, for the extents of an image, which are written like the image itself. */
  openPart(name: string, from: string): Storage;
  /** The VDI image with this UUID in the folder of another; null: there is none. */
  findVdi(uuid: string, from: string): Storage | null;
}

const MOST_CHAIN = 64;

/** What the file begins with says what it is; whatever is nothing else is raw. */
export function detectFormat(storage: Storage): AnyFormat {
  const start = new Uint8Array(512);
  storage.read(0, start);
  const view = viewOf(start);
  const text = String.fromCharCode(...start.subarray(0, 8));
  if (view.getUint32(0) === QCOW2_MAGIC) return 'qcow2';
  if (view.getUint32(VDI_SIGNATURE_AT, true) === VDI_SIGNATURE) return 'vdi';
  if (view.getUint32(0, true) === VMDK_MAGIC) return 'vmdk';
  if (text === VHD_COOKIE) return 'vhd';
  if (text === VHDX_SIGNATURE) return 'vhdx';
  if (/^# Disk DescriptorFile/i.test(String.fromCharCode(...start.subarray(0, 64)))) return 'vmdk';
  // A fixed VHD has its mark at the end alone, and so has a DMG.
  const bytes = new Uint8Array(8);
  if (storage.size >= 1024) storage.read(storage.size - 512, bytes);
  const end = String.fromCharCode(...bytes);
  if (end === VHD_COOKIE) return 'vhd';
  return end.startsWith(DMG_TRAILER) ? 'dmg' : 'raw';
}

/** The name of the image below, with its format where that is said; null: there is none. */
export function belowOf(
  storage: Storage,
  format: AnyFormat,
): { name: string; format: string | null } | { uuid: string } | null {
  switch (format) {
    case 'qcow2': {
      const { backingFile, backingFormat } = readQcow2Header(storage);
      return backingFile === null ? null : { name: backingFile, format: backingFormat };
    }
    case 'vdi': {
      const { parent, type } = readVdiHeader(storage);
      return type === 4 && /[^0]/.test(parent) ? { uuid: parent } : null;
    }
    case 'vhd': {
      const parent = vhdParent(storage);
      return parent && { name: parent.name.replaceAll('\\', '/'), format: 'vhd' };
    }
    case 'vmdk': {
      const { parent } = readDescriptor(storage);
      return parent === null ? null : { name: parent, format: 'vmdk' };
    }
    default:
      return null;
  }
}

function knownFormat(name: string): AnyFormat {
  const known = ALL_FORMATS.find((format) => format === name);
  if (!known) throw new ImageError(`there is no format "${name}"; known are ${ALL_FORMATS.join(', ')}`);
  return known;
}

/** Opens the image in a file, and those below it. `format` null: found by looking. Throws ImageError. */
export function openImage(
  storage: Storage,
  format: string | null,
  neighbours: Neighbours,
  above: readonly string[] = [],
): DiskImage {
  const known = format === null ? detectFormat(storage) : knownFormat(format);
  if (above.includes(storage.name))
    throw new ImageError(`the images below it come back to ${storage.name}: a loop`);
  if (above.length >= MOST_CHAIN) throw new ImageError(`more than ${MOST_CHAIN} images lie below each other`);
  const below = openBelow(storage, known, neighbours, [...above, storage.name]);
  try {
    return openOne(storage, known, below, neighbours);
  } catch (error) {
    below?.close();
    throw error;
  }
}

function openBelow(
  storage: Storage,
  format: AnyFormat,
  neighbours: Neighbours,
  above: readonly string[],
): DiskImage | null {
  const named = belowOf(storage, format);
  if (!named) return null;
  if ('uuid' in named) {
    const found = neighbours.findVdi(named.uuid, storage.name);
    if (!found)
      throw new ImageError(`its parent, the VDI image with UUID ${named.uuid}, is not in the same folder`);
    return openImage(found, 'vdi', neighbours, above);
  }
  return openImage(neighbours.open(named.name, storage.name), named.format, neighbours, above);
}

function openOne(
  storage: Storage,
  format: AnyFormat,
  below: DiskImage | null,
  neighbours: Neighbours,
): DiskImage {
  switch (format) {
    case 'raw':
      return new RawImage(storage);
    case 'qcow2':
      return new Qcow2Image(storage, below);
    case 'vdi':
      return new VdiImage(storage, below);
    case 'vhd':
      return openVhd(storage, below);
    case 'vmdk':
      return openVmdk(storage, below, (name) => neighbours.openPart(name, storage.name));
    case 'vhdx':
      return new VhdxImage(storage, below);
    case 'dmg':
      return new DmgImage(storage);
  }
}
