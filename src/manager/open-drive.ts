import { basename } from 'node:path';
import { FileStorage } from '../host/node/file-storage.js';
import { UserError } from '../machine/user-error.js';
import { ImageError, type DiskImage } from '../media/disk-image.js';
import { openImage } from '../media/open-image.js';
import { MemoryOverlay } from '../media/overlay.js';
import { ImageDrive } from '../vm/image-drive.js';
import type { DriveChoice } from './drive-options.js';

const MODELS = { disk: 'VIVARIUM HARDDISK', cdrom: 'VIVARIUM CD-ROM', floppy: 'VIVARIUM FLOPPY' };
const TITLES = { disk: 'hard disk', cdrom: 'CD', floppy: 'floppy' };

/** Opens what is in a drive. A UserError says what is wrong. */
export function openMedium({ kind, path, format, mode }: DriveChoice): DiskImage {
  const option = `--${kind}`;
  const reads = mode === 'readonly' || mode === 'snapshot' || mode === 'immutable';
  const storage = FileStorage.open(option, path, reads ? 'read' : 'write');
  try {
    const image = openImage(storage, format);
    if (image.bytes === 0) throw new ImageError('it is empty');
    return mode === 'snapshot' || mode === 'immutable' ? new MemoryOverlay(image) : image;
  } catch (error) {
    storage.close();
    if (error instanceof ImageError) throw new UserError(`${option} ${path}: ${error.message}`);
    throw error;
  }
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
