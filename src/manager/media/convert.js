import { existsSync, renameSync, rmSync } from 'node:fs';
import { FileStorage } from '../../host/node/file-storage.js';
import { UserError } from '../../machine/user-error.js';
import { makeImage, openMade } from './create.js';
const PIECE = 2 ** 20;
/** What is compared with zeros, so that the copy has no room for nothing. */
const GRAIN = 0x10000;
/**
 * Writes all that an image shows, also of those below it, as a new image. It is made under another name first: whatever interrupts it,
 * nothing is at `path` that was not there before.
 */
export function writeCopy(source, { path, format, bytes, fixed }, onPart, replace = false) {
  if (!replace && existsSync(path)) throw new UserError(`${path}: exists already; it is left as it is`);
  const temporary = `${path}.viv-part`;
  rmSync(temporary, { force: true });
  const storage = FileStorage.open('media', temporary, 'create');
  try {
    makeImage(storage, { format, bytes, fixed, below: null });
    const target = openMade(storage, format, temporary);
    try {
      copy(source, target, onPart);
      target.flush();
    } finally {
      target.close();
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
function copy(source, target, onPart) {
  const piece = new Uint8Array(PIECE);
  const end = Math.min(source.bytes, target.bytes);
  for (let at = 0; at < end; at += PIECE) {
    onPart(at / end);
    const part = piece.subarray(0, Math.min(PIECE, end - at));
    source.read(at, part);
    for (let grain = 0; grain < part.length; grain += GRAIN) {
      const bytes = part.subarray(grain, grain + GRAIN);
      if (!isZero(bytes)) target.write(at + grain, bytes);
    }
  }
  onPart(1);
}
export function isZero(bytes) {
  // Eight at a time where they are aligned.
  const words = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3);
  for (let n = 0; n < words.length; n++) if (words[n] !== 0 || Object.is(words[n], -0)) return false;
  for (let n = words.length * 8; n < bytes.length; n++) if (bytes[n] !== 0) return false;
  return true;
}
