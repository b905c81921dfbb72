import { readFileSync, statSync } from 'node:fs';
import { plainBytes } from '../host/node/plain-bytes.js';
import { UserError } from '../machine/user-error.js';

/** A file that the user named; what is wrong with it is said with the option that named it. */
export function readNamedFile(option: string, path: string): Uint8Array {
  try {
    if (statSync(path).isDirectory())
      throw new UserError(`${option} ${path}: this is a directory; name a file`);
    return plainBytes(readFileSync(path));
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UserError(`${option} ${path}: there is no such file`);
    if (code === 'EACCES') throw new UserError(`${option} ${path}: you may not read this file`);
    throw new UserError(`${option} ${path}: cannot be read: ${(error as Error).message}`);
  }
}
