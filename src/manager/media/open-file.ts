import { FileStorage } from '../../host/node/file-storage.js';
import { lockFile, refuseIfOwned } from '../../host/node/file-lock.js';
import { UserError } from '../../machine/user-error.js';
import { ImageError, type DiskImage } from '../../media/disk-image.js';
import { openImage } from '../../media/open-image.js';
import { StorageError } from '../../media/storage.js';
import { nodeNeighbours } from './node-neighbours.js';

export interface OpenOptions {
  /** As the user named it, for messages. */
  readonly option: string;
  readonly path: string;
  /** null: found by looking. */
  readonly format: string | null;
  readonly write: boolean;
  /** What the image names may lie outside of its folder. */
  readonly anywhere?: boolean;
}

/** Opens an image in a file; for writing, nobody else may have it open meanwhile. A UserError says what is wrong. */
export function openFile({ option, path, format, write, anywhere = false }: OpenOptions): DiskImage {
  const storage = FileStorage.open(option, path, write ? 'write' : 'read');
  let unlock = (): void => {};
  try {
    if (write) unlock = lockFile(option, path);
    else refuseIfOwned(option, path);
    const image = openImage(storage, format, nodeNeighbours(option, path, write, anywhere));
    if (image.bytes === 0) throw new ImageError('it is empty');
    const close = image.close.bind(image);
    image.close = () => {
      close();
      unlock();
    };
    return image;
  } catch (error) {
    storage.close();
    unlock();
    if (error instanceof ImageError || error instanceof StorageError)
      throw new UserError(`${option} ${path}: ${error.message}`);
    throw error;
  }
}
