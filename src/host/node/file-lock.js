import { closeSync, openSync, readFileSync, realpathSync, unlinkSync, writeSync } from 'node:fs';
import { UserError } from '../../machine/user-error.js';
const SUFFIX = '.viv-lock';
const held = new Set();
process.on('exit', () => held.forEach(remove));
function remove(path) {
  try {
    unlinkSync(path);
  } catch {
    // Somebody was faster.
  }
}
/** The process that has the file; 0: none, or one that is gone. */
function ownerOf(path) {
  try {
    const owner = Number(readFileSync(path, 'utf8'));
    process.kill(owner, 0);
    return owner;
  } catch (error) {
    // A process of another user is there, too.
    return error.code === 'EPERM' ? Number(readFileSync(path, 'utf8')) : 0;
  }
}
/** Takes a file for writing: a file beside it says whose it is. Gives what lets go of it. A UserError when another process has it. */
export function lockFile(option, path) {
  const lock = realpathSync(path) + SUFFIX;
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = openSync(lock, 'wx');
      writeSync(handle, String(process.pid));
      closeSync(handle);
      break;
    } catch (error) {
      const { code, message } = error;
      if (code !== 'EEXIST') throw new UserError(`${option} ${path}: cannot be locked: ${message}`);
      if (held.has(lock))
        throw new UserError(`${option} ${path}: is in use already; an image can be in one drive only`);
      refuseIfOwned(option, path);
      if (attempt > 2)
        throw new UserError(`${option} ${path}: ${lock} cannot be taken; remove it if nobody uses the image`);
      // Left behind by a process that was killed.
      remove(lock);
    }
  }
  held.add(lock);
  return () => {
    held.delete(lock);
    remove(lock);
  };
}
/** A UserError when another process writes the file. */
export function refuseIfOwned(option, path) {
  const lock = realpathSync(path) + SUFFIX;
  const owner = ownerOf(lock);
  if (owner !== 0 && owner !== process.pid)
    throw new UserError(
      `${option} ${path}: is in use by process ${owner}; close that first, or work on a copy`,
    );
}
