import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Installs a Debian package that a test needs, unless this file of it is there. */
export function installUnless(file: string, name: string): void {
  if (existsSync(file)) return;
  assert.equal(process.getuid?.(), 0, `install ${name}, or run this as root`);
  execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], { stdio: 'inherit' });
}
