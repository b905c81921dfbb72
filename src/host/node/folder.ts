import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FolderEntry } from '../../media/folder.js';
import { UserError } from '../../machine/user-error.js';
import { FileStorage } from './file-storage.js';

const MOST_ENTRIES = 100_000;
const EXECUTABLE = 0o111;

/** A folder of the host with all that is in it. Files are opened when they are read; links that lead nowhere are left out. */
export function readFolder(option: string, path: string): FolderEntry {
  let count = 0;
  const read = (at: string, name: string, open: readonly string[]): FolderEntry | null => {
    let status;
    try {
      status = statSync(at);
    } catch {
      return null;
    }
    if (++count > MOST_ENTRIES) throw new UserError(`${option} ${path}: has more than ${MOST_ENTRIES} files`);
    const common = { name, modified: status.mtimeMs, executable: (status.mode & EXECUTABLE) !== 0 };
    if (status.isFile()) return { ...common, children: [], file: contentOf(option, at, status.size) };
    // What is neither file nor folder has no place on a CD; a link to a folder above would have no end.
    const key = `${status.dev}:${status.ino}`;
    if (!status.isDirectory() || open.includes(key)) return null;
    const children = readdirSync(at)
      .map((child) => read(join(at, child), child, [...open, key]))
      .filter((child) => child !== null);
    return { ...common, children, file: null };
  };
  return read(path, basename(path), [])!;
}

/** The file that was read last stays open, and no other. */
let last: { path: string; storage: FileStorage } | null = null;

function contentOf(option: string, path: string, size: number): FolderEntry['file'] {
  return {
    size,
    read(position, target) {
      if (last?.path !== path) {
        const storage = FileStorage.open(option, path, 'read');
        last?.storage.close();
        last = { path, storage };
      }
      last.storage.read(position, target);
    },
  };
}
