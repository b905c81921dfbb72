import { statSync } from 'node:fs';
import { FileStorage } from '../../host/node/file-storage.js';
import { UserError } from '../../machine/user-error.js';
import { belowOf, detectFormat, type AnyFormat } from '../../media/open-image.js';
import { withImageErrors } from './image-errors.js';
import { nodeNeighbours } from './node-neighbours.js';
import { openFile } from './open-file.js';

export interface MediumDescription {
  path: string;
  format: AnyFormat;
  /** What the guest sees, and what the file takes of the host's disk, in bytes. */
  bytes: number;
  fileBytes: number;
  /** File of the image below; null: there is none. */
  below: string | null;
}

/** The image in a file and all below it, the uppermost first. */
export function describeChain(path: string): MediumDescription[] {
  const chain: MediumDescription[] = [];
  let next: string | null = path;
  while (next !== null) {
    const one: MediumDescription = describeOne(next);
    if (chain.some((other) => other.path === one.path))
      throw new UserError(`${path}: the images below it come back to ${one.path}: a loop`);
    chain.push(one);
    next = one.below;
  }
  return chain;
}

function describeOne(path: string): MediumDescription {
  const image = openFile({ option: 'media', path, format: null, write: false, anywhere: true });
  const { bytes } = image;
  image.close();
  const storage = FileStorage.open('media', path, 'read');
  try {
    return withImageErrors(path, () => {
      const format = detectFormat(storage);
      const below = fileBelow(path, belowOf(storage, format));
      return { path, format, bytes, fileBytes: statSync(path).blocks * 512, below };
    });
  } finally {
    storage.close();
  }
}

function fileBelow(path: string, named: ReturnType<typeof belowOf>): string | null {
  if (!named) return null;
  const neighbours = nodeNeighbours('media', path, false, true);
  const found = 'uuid' in named ? neighbours.findVdi(named.uuid, path) : neighbours.open(named.name, path);
  found?.close();
  return found?.name ?? null;
}
