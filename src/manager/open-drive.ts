import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { readFolder } from '../host/node/folder.js';
import { UserError } from '../machine/user-error.js';
import type { DiskImage } from '../media/disk-image.js';
import { FolderFat } from '../media/fat.js';
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
  if (isFolder(path)) return folderMedium(kind, path, mode);
  const write = mode === 'normal' || mode === 'writethrough';
  const image = openFile({ option: `--${kind}`, path, format, write, anywhere });
  if (mode === 'writethrough') return new WriteThrough(image);
  return mode === 'snapshot' || mode === 'immutable' ? new MemoryOverlay(image) : image;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A folder as a medium. It is never written: what the guest writes on a disk of it is forgotten. */
function folderMedium(kind: DriveChoice['kind'], path: string, mode: DriveChoice['mode']): DiskImage {
  const option = `--${kind} ${path}`;
  if (mode === 'writethrough')
    throw new UserError(`${option}: mode=writethrough needs an image; a folder is never written`);
  return withImageErrors(option, () => {
    const folder = readFolder(`--${kind}`, path);
    const label = basename(resolve(path));
    if (kind === 'cdrom') return new FolderCd(folder, label);
    const fat = new FolderFat(folder, label, kind);
    return mode === 'readonly' ? fat : new MemoryOverlay(fat);
  });
}

/** `index`: which of its kind it is, from 0. */
export function openDrive(choice: DriveChoice, index: number): ImageDrive {
  const { kind, path, bus } = choice;
  return new ImageDrive({
    kind,
    bus,
    place: index === 0 ? kind : `${kind}${index + 1}`,
    image: path === '' ? null : openMedium(choice),
    name: `${TITLES[kind]} ${index + 1}${path === '' ? '' : ` (${basename(path)})`}`,
    model: MODELS[kind],
    serial: `VV${String(index + 1).padStart(2, '0')}`,
  });
}
