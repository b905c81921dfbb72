/** Programs for guests, beside those that busybox has. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { CpioArchive } from '../../dist/manager/guests/cpio.js';

/** A file of the guest's: where it is from, or what is in it. */
export type Content = { from: string } | { text: string };

/** An initial RAM disk with these files by path, and the libraries of those that are programs of this system. */
export function archive(folder: string, name: string, files: Record<string, Content>): string {
  const all = new Map(Object.entries(files));
  for (const content of Object.values(files))
    if ('from' in content && content.from.startsWith('/usr/'))
      for (const library of execFileSync('ldd', [content.from], { encoding: 'utf8' }).match(/\/[^ ]+/g) ?? [])
        all.set(library, { from: library });
  const cpio = new CpioArchive();
  const made = new Set<string>();
  for (const [path, content] of all) {
    const parts = path.split('/').slice(1, -1);
    parts.forEach((_, n) => {
      const parent = parts.slice(0, n + 1).join('/');
      if (!made.has(parent)) cpio.directory(parent);
      made.add(parent);
    });
    const bytes = 'text' in content ? new TextEncoder().encode(content.text) : readFileSync(content.from);
    const secret = /key$|authorized/.test(path);
    cpio.file(path.slice(1), bytes, secret ? 0o600 : 0o755);
  }
  const file = join(folder, name);
  // The kernel wants archives that follow others to be aligned, or compressed.
  writeFileSync(file, gzipSync(cpio.finish(), { level: 1 }));
  return file;
}

/** The program for load, without libraries. */
export function loadProgram(folder: string): string {
  const program = join(folder, 'load');
  const source = fileURLToPath(new URL('../../tests/network/load.c', import.meta.url));
  execFileSync('gcc', ['-O2', '-static', '-o', program, source], { stdio: ['ignore', 'inherit', 'pipe'] });
  return program;
}
