import { randomBytes, randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { basename, relative, dirname, join, resolve } from 'node:path';
import { FileStorage } from '../../host/node/file-storage.js';
import { UserError } from '../../machine/user-error.js';
import type { DiskImage } from '../../media/disk-image.js';
import { detectFormat, FORMATS, openImage, type AnyFormat, type Format } from '../../media/open-image.js';
import { createQcow2 } from '../../media/qcow2.js';
import type { Storage } from '../../media/storage.js';
import { readVdiHeader, createVdi } from '../../media/vdi.js';
import { createVhd, readVhdFooter } from '../../media/vhd.js';
import { createVhdx } from '../../media/vhdx.js';
import { vmdkContentId } from '../../media/vmdk.js';
import { createVmdk, createVmdkPieces, type VmdkOptions, type VmdkPieces } from '../../media/vmdk-create.js';
import { withImageErrors } from './image-errors.js';
import { nodeNeighbours } from './node-neighbours.js';
import { openFile } from './open-file.js';

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const SECTOR = 512;

/** `20G`, `512M`; a bare number is bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match ? Math.floor(Number(match[1]) * UNITS[match[2]!.toLowerCase()]!) : NaN;
  if (!Number.isSafeInteger(bytes) || bytes < SECTOR)
    throw new UserError(`--size ${text}: not the size of a disk; write it as 20G or 512M`);
  return Math.ceil(bytes / SECTOR) * SECTOR;
}

/** What is meant by a name, where nothing is said: its ending. */
export function formatFor(path: string, given: string | undefined): Format {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const name = given ?? ({ img: 'raw', iso: 'raw', bin: 'raw', vpc: 'vhd' }[ending] || ending || 'raw');
  const format = FORMATS.find((known) => known === name);
  if (!format)
    throw new UserError(
      given === undefined
        ? `${path}: the ending .${ending} is that of no format; give --format ${FORMATS.join('|')}`
        : `--format ${given}: there is no such format; choose from ${FORMATS.join(', ')}`,
    );
  return format;
}

export interface CreateOptions {
  path: string;
  format: Format;
  /** Bytes; those of the backing image where they are not given. */
  bytes?: number;
  backing?: string;
  fixed?: boolean;
  /** In files of less than two gigabytes. */
  split?: boolean;
}

/** Makes an empty image, or one on top of another. */
export function createMedium({
  path,
  format,
  bytes,
  backing,
  fixed = false,
  split = false,
}: CreateOptions): void {
  if (inPieces(format, { fixed, split }) && backing !== undefined)
    throw new UserError('--backing: a vmdk image on top of another is neither --fixed nor --split');
  const below = backing === undefined ? null : readBelow(path, backing, format);
  const size = bytes ?? below?.bytes;
  if (size === undefined)
    throw new UserError(`${path}: give its --size, or the --backing image that it begins as`);
  const storage = FileStorage.open('media create', path, 'create');
  try {
    makeImage(storage, { path, format, bytes: size, fixed, split, below });
    storage.flush();
  } catch (error) {
    rmSync(path);
    throw error;
  } finally {
    storage.close();
  }
}

interface Below {
  /** As the new image names it. */
  name: string;
  format: AnyFormat;
  bytes: number;
  uuid: Uint8Array;
  cid: number;
}

function readBelow(path: string, backing: string, format: Format): Below {
  if (format === 'raw' || format === 'vhdx')
    throw new UserError(`--backing: ${format} images cannot lie on others; use qcow2, vdi, vmdk or vhd`);
  const image = openFile({ option: '--backing', path: backing, format: null, write: false, anywhere: true });
  const { bytes } = image;
  image.close();
  const storage = FileStorage.open('--backing', backing, 'read');
  try {
    const own = detectFormat(storage);
    if (format !== 'qcow2' && own !== format)
      throw new UserError(
        `--backing ${backing}: is ${own}, and ${format} images lie on ${format} images only`,
      );
    const name = relative(dirname(resolve(path)), resolve(backing));
    const uuid =
      own === 'vdi'
        ? hexBytes(readVdiHeader(storage).uuid)
        : own === 'vhd'
          ? readVhdFooter(storage).uuid
          : new Uint8Array(16);
    return { name, format: own, bytes, uuid, cid: own === 'vmdk' ? vmdkContentId(storage) : 0 };
  } finally {
    storage.close();
  }
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** What tells a VMDK from what it is when its content has changed. */
export function newContentId(): number {
  return randomInt(1, 0xfffffffe);
}

interface Room {
  fixed: boolean;
  split: boolean;
}

/** Whether an image has other files beside its own. */
export function inPieces(format: Format, { fixed, split }: Room): boolean {
  if (split && format !== 'vmdk')
    throw new UserError(`--split: only images of the format vmdk are split, not ${format}`);
  return format === 'vmdk' && (fixed || split);
}

interface NewImage extends Room {
  /** What it will be called: some formats hold their own name. */
  path: string;
  format: Format;
  bytes: number;
  below: Below | null;
}

export function makeImage(storage: Storage, { path, format, bytes, fixed, split, below }: NewImage): void {
  const id = (): Uint8Array => Uint8Array.from(randomBytes(16));
  switch (format) {
    case 'raw':
      return storage.resize(bytes);
    case 'qcow2':
      return createQcow2(storage, {
        bytes,
        ...(below ? { backing: { name: below.name, format: below.format } } : {}),
      });
    case 'vdi':
      return createVdi(storage, { bytes, fixed, uuid: id(), ...(below ? { parent: below.uuid } : {}) });
    case 'vhd':
      return createVhd(storage, {
        bytes,
        fixed,
        uuid: id(),
        seconds: Date.now() / 1000,
        ...(below ? { parent: { name: below.name, uuid: below.uuid } } : {}),
      });
    case 'vmdk': {
      const options = { bytes, name: basename(path), cid: newContentId() };
      if (inPieces(format, { fixed, split })) return makePieces(storage, options, { flat: fixed, split });
      return createVmdk(storage, {
        ...options,
        ...(below ? { parent: { name: below.name, cid: below.cid } } : {}),
      });
    }
    case 'vhdx':
      return createVhdx(storage, { bytes, fixed, ids: [id(), id(), id()] });
  }
}

/** The files lie beside that of the descriptor. None is there that was not before, if one of them cannot be made. */
function makePieces(storage: Storage, options: VmdkOptions, pieces: VmdkPieces): void {
  const made: string[] = [];
  try {
    createVmdkPieces(storage, options, pieces, (name) => {
      const path = join(dirname(storage.name), name);
      const piece = FileStorage.open('media', path, 'create');
      made.push(path);
      return piece;
    });
  } catch (error) {
    for (const path of made) rmSync(path);
    throw error;
  }
}

/** Opens what `makeImage` made. */
export function openMade(storage: Storage, format: Format, path: string): DiskImage {
  return withImageErrors(path, () => openImage(storage, format, nodeNeighbours('media', path, true, true)));
}
