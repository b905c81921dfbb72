import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FileStorage } from '../../host/node/file-storage.js';
import { UserError } from '../../machine/user-error.js';
import type { DiskImage } from '../../media/disk-image.js';
import type { Format } from '../../media/open-image.js';
import type { Storage } from '../../media/storage.js';
import { VmdkStream } from '../../media/vmdk-create.js';
import { inPieces, makeImage, newContentId, openMade } from './create.js';

const PIECE = 2 ** 20;
/** What is compared with zeros, so that the copy has no room for nothing. */
const GRAIN = 0x10000;

/** Told how far it is, from 0 to 1. */
export type OnPart = (part: number) => void;

export interface CopyOptions {
  readonly path: string;
  readonly format: Format;
  readonly bytes: number;
  /** `fixed`: takes all room at once. `stream`: a packed VMDK, as appliances have them; it can only be read. */
  readonly variant?: 'fixed' | 'stream' | undefined;
  /** In files of less than two gigabytes. */
  readonly split?: boolean;
}

/**
 * Writes all that an image shows, also of those below it, as a new image. It is made under another name first: whatever interrupts it,
 * nothing is at `path` that was not there before.
 */
export function writeCopy(source: DiskImage, options: CopyOptions, onPart: OnPart, replace = false): void {
  const { path, format, variant, split = false } = options;
  if (!replace && existsSync(path)) throw new UserError(`${path}: exists already; it is left as it is`);
  const temporary = `${path}.viv-part`;
  rmSync(temporary, { force: true, recursive: true });
  const pieces = inPieces(format, { fixed: variant === 'fixed', split });
  if (pieces) mkdirSync(temporary);
  try {
    const storage = FileStorage.open('media', pieces ? join(temporary, basename(path)) : temporary, 'create');
    if (variant === 'stream') writeStream(source, storage, options, onPart);
    else writeImage(source, storage, options, onPart);
    if (pieces) moveOut(temporary, path);
    else renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true, recursive: true });
    throw error;
  }
}

/** Moves the files of an image from their folder to where it shall be: last its descriptor, which names the others. */
function moveOut(from: string, path: string): void {
  const folder = dirname(path);
  const others = readdirSync(from).filter((name) => name !== basename(path));
  for (const name of others)
    if (existsSync(join(folder, name)))
      throw new UserError(`${join(folder, name)}: exists already, and ${path} needs a file of that name`);
  for (const name of [...others, basename(path)]) renameSync(join(from, name), join(folder, name));
  rmdirSync(from);
}

function writeImage(
  source: DiskImage,
  storage: Storage,
  { path, format, bytes, variant, split = false }: CopyOptions,
  onPart: OnPart,
): void {
  makeImage(storage, { path, format, bytes, fixed: variant === 'fixed', split, below: null });
  const target = openMade(storage, format, storage.name);
  try {
    copy(source, target.bytes, (at, grain) => target.write(at, grain), onPart);
    target.flush();
  } finally {
    target.close();
  }
}

function writeStream(
  source: DiskImage,
  storage: Storage,
  { path, bytes }: CopyOptions,
  onPart: OnPart,
): void {
  try {
    const stream = new VmdkStream(storage, { bytes, name: basename(path), cid: newContentId() });
    copy(source, bytes, (at, grain) => stream.write(at, grain), onPart);
    stream.finish();
    storage.flush();
  } finally {
    storage.close();
  }
}

/** Hands on what is not zero, in pieces that begin at multiples of GRAIN. */
function copy(
  source: DiskImage,
  bytes: number,
  write: (at: number, grain: Uint8Array) => void,
  onPart: OnPart,
): void {
  const piece = new Uint8Array(PIECE);
  const end = Math.min(source.bytes, bytes);
  for (let at = source.dataFrom(0); at < end; at = source.dataFrom(at + PIECE)) {
    at -= at % GRAIN;
    onPart(at / end);
    const part = piece.subarray(0, Math.min(PIECE, end - at));
    source.read(at, part);
    for (let from = 0; from < part.length; from += GRAIN) {
      const grain = part.subarray(from, from + GRAIN);
      if (!isZero(grain)) write(at + from, grain);
    }
  }
  onPart(1);
}

export function isZero(bytes: Uint8Array): boolean {
  // Eight at a time where they are aligned.
  const words = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3);
  for (let n = 0; n < words.length; n++) if (words[n] !== 0 || Object.is(words[n], -0)) return false;
  for (let n = words.length * 8; n < bytes.length; n++) if (bytes[n] !== 0) return false;
  return true;
}
