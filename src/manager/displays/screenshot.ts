import { renameSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import type { Picture } from '../../devices/display/picture.js';
import { UserError } from '../../machine/user-error.js';

/** Writes what a screen shows as PNG. `option`: what a UserError names. */
export function writePicture(option: string, { width, height, pixels }: Picture, path: string): void {
  const bytes = encode({ width, height, data: new Uint8Array(pixels.buffer), channels: 4, depth: 8 });
  try {
    // Whoever looks sees a whole picture.
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new UserError(`${option} ${path} cannot be written: ${(error as Error).message}`);
  }
}
