import { FileStorage } from '../../host/node/file-storage.js';
import { lockFile, refuseIfOwned } from '../../host/node/file-lock.js';
import { UserError } from '../../machine/user-error.js';
import { ImageError } from '../../media/disk-image.js';
import { openImage } from '../../media/open-image.js';
import { StorageError } from '../../media/storage.js';
import { nodeNeighbours } from './node-neighbours.js';
/** Opens an image in a file; for writing, nobody else may have it open meanwhile. A UserError says what is wrong. */
export function openFile({ option, path, format, write, anywhere = false }) {
  const storage = FileStorage.open(option, path, write ? 'write' : 'read');
  let unlock = () => {};
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
