import { readdirSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { FileStorage } from '../../host/node/file-storage.js';
import { ImageError } from '../../media/disk-image.js';
import { readVdiHeader } from '../../media/vdi.js';
/**
 * Files that an image names, as far as they are in the folder of the image that the user named, or in folders in it: an image from
 * elsewhere must not make a machine read the host's other files. `option`: for messages; `write`: whether parts are written.
 */
export function nodeNeighbours(option, path, write, anywhere) {
  const root = dirname(realpathSync(path));
  const find = (name, from) => {
    const wanted = isAbsolute(name) ? name : resolve(dirname(realpathSync(from)), name);
    let found = wanted;
    try {
      found = realpathSync(wanted);
    } catch {
      throw new ImageError(`it needs ${name}, which is not there`);
    }
    const within = relative(root, found);
    if (!anywhere && (within.startsWith('..') || isAbsolute(within)))
      throw new ImageError(
        `it names ${name}, which is outside of the folder ${root}: add chain=anywhere if you trust the image`,
      );
    return found;
  };
  return {
    open: (name, from) => FileStorage.open(option, find(name, from), 'read'),
    openPart: (name, from) => FileStorage.open(option, find(name, from), write ? 'write' : 'read'),
    findVdi(uuid, from) {
      const folder = dirname(realpathSync(from));
      for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.vdi'))) {
        const storage = FileStorage.open(option, join(folder, name), 'read');
        try {
          if (readVdiHeader(storage).uuid === uuid) return storage;
        } catch (error) {
          if (!(error instanceof ImageError)) throw error;
        }
        storage.close();
      }
      return null;
    },
  };
}
