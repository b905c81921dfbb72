import { UserError } from '../../machine/user-error.js';
import { ImageError } from '../../media/disk-image.js';
import { StorageError } from '../../media/storage.js';

/** Does something with an image; what is wrong with the image or its file becomes a UserError that begins with `what`. */
export function withImageErrors<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof ImageError || error instanceof StorageError)
      throw new UserError(`${what}: ${error.message}`);
    throw error;
  }
}
