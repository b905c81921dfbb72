import type { DiskImage } from './disk-image.js';
import { ImageError } from './disk-image.js';
import { RawImage } from './raw.js';
import type { Storage } from './storage.js';

export const FORMATS = ['raw'] as const;
export type Format = (typeof FORMATS)[number];

/** What the file begins with says what it is; whatever is nothing else is raw. */
export function detectFormat(_storage: Storage): Format {
  return 'raw';
}

/** Opens the image in a file. `format` null: found by looking. */
export function openImage(storage: Storage, format: string | null): DiskImage {
  const known = FORMATS.find((name) => name === (format ?? detectFormat(storage)));
  switch (known) {
    case 'raw':
      return new RawImage(storage);
    default:
      throw new ImageError(`there is no format "${format}"; known are ${FORMATS.join(', ')}`);
  }
}
