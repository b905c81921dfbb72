import { FileStorage } from '../../host/node/file-storage.js';
import { lockFile, refuseIfOwned } from '../../host/node/file-lock.js';
import { ImageError, type DiskImage } from '../../media/disk-image.js';
import { openImage } from '../../media/open-image.js';
import { withImageErrors } from './image-errors.js';
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
    const image = withImageErrors(`${option} ${path}`, () => {
      const opened = openImage(storage, format, nodeNeighbours(option, path, write, anywhere));
      if (opened.bytes === 0) throw new ImageError('it is empty');
      return opened;
    });
    const close = image.close.bind(image);
    image.close = () => {
      close();
      unlock();
    };
    return image;
  } catch (error) {
    storage.close();
    unlock();
    throw error;
  }
}
