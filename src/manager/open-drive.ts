import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { readFolder } from '../host/node/folder.js';
import type { DiskImage } from '../media/disk-image.js';
import { FolderCd } from '../media/iso9660.js';
import { MemoryOverlay } from '../media/overlay.js';
import { WriteThrough } from '../media/write-through.js';
import { ImageDrive } from '../vm/image-drive.js';
import { withImageErrors } from './media/image-errors.js';
import { openFile } from './media/open-file.js';
import type { DriveChoice } from './drive-options.js';

const MODELS = { disk: 'VIVARIUM HARDDISK', cdrom: 'VIVARIUM CD-ROM', floppy: 'VIVARIUM FLOPPY' };
const TITLES = { disk: 'hard disk', cdrom: 'CD', floppy: 'floppy' };

/** Opens what is in a drive. A UserError says what is wrong. */
export function openMedium({ kind, path, format, mode, anywhere }: DriveChoice): DiskImage {
  if (kind === 'cdrom' && isFolder(path)) return folderCd(path);
  const write = mode === 'normal' || mode === 'writethrough';
  const image = openFile({ option: `--${kind}`, path, format, write, anywhere });
  if (mode === 'writethrough') return new WriteThrough(image);
  return mode === 'snapshot' || mode === 'immutable' ? new MemoryOverlay(image) : image;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function folderCd(path: string): DiskImage {
  return withImageErrors(`--cdrom ${path}`, () => new FolderCd(readFolder('--cdrom', path), basename(path)));
}

/** What the user calls a drive: cdrom, cdrom2, ... among those of its kind. */
export function driveName(drives: readonly ImageDrive[], drive: ImageDrive): string {
  const index = drives.filter(({ kind }) => kind === drive.kind).indexOf(drive);
  return index === 0 ? drive.kind : `${drive.kind}${index + 1}`;
}

/** `index`: which of its kind it is, from 0. */
export function openDrive(choice: DriveChoice, index: number): ImageDrive {
  const { kind, path, bus } = choice;
  return new ImageDrive({
    kind,
    bus,
    image: path === '' ? null : openMedium(choice),
    name: `${TITLES[kind]} ${index + 1}${path === '' ? '' : ` (${basename(path)})`}`,
    model: MODELS[kind],
    serial: `VV${String(index + 1).padStart(2, '0')}`,
  });
}
