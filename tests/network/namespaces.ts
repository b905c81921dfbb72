import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianGuest } from '../../dist/manager/guests/debian.js';

/** Runs a file of tests in namespaces that have nothing but loopback. Its resolver's file is one of the test's own. */
export async function inside(
  folder: string,
  file: string,
  seconds: number,
  cards = 'virtio,e1000',
): Promise<void> {
  // There is no network to fetch it from.
  await debianGuest({ arch: cards === 'ne2k-isa' ? 'i386' : 'amd64', modules: 'network' });

  const resolver = join(folder, 'resolv.conf');
  writeFileSync(resolver, 'nameserver 127.0.0.1\n');
  const script =
    'ip link set lo up && mount -t sysfs sysfs /sys && mount --bind "$VIV_RESOLVER_FILE" /etc/resolv.conf && exec "$0" --test "$1"';
  const path = fileURLToPath(new URL(file, import.meta.url));
  const user = process.getuid!() === 0 ? [] : ['--user', '--map-root-user'];
  const { status, stdout, stderr, error } = spawnSync(
    'unshare',
    [...user, '--net', '--mount', 'sh', '-c', script, process.execPath, path],
    {
      env: {
        ...process.env,
        VIV_RESOLVER_FILE: resolver,
        VIV_CARDS: cards,
        XDG_RUNTIME_DIR: folder,
        NODE_TEST_CONTEXT: undefined,
      },
      encoding: 'latin1',
      timeout: seconds * 1000,
    },
  );
  assert.equal(error, undefined);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^# pass [1-9]/m, stdout);
}
