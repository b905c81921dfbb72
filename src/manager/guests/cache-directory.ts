import { randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where things that can be made again are kept: VIVARIUM_CACHE, else vivarium in the user's cache directory. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment['VIVARIUM_CACHE']) return environment['VIVARIUM_CACHE'];
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'vivarium');
}

/** Writes a file so that others see it whole or not at all. */
export async function writeWhole(path: string, content: Uint8Array | string, mode = 0o666): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, content, { mode });
  await rename(temporary, path);
}
