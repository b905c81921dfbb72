/** Guests on a network, in namespaces that have nothing but loopback: what is in tests/network. Needs root, or user namespaces. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withFolder } from './viv.js';

/** Runs a file of tests there. Its resolver's file is one of the test's own. */
function inside(folder: string, file: string, seconds: number): void {
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
      env: { ...process.env, VIV_RESOLVER_FILE: resolver, NODE_TEST_CONTEXT: undefined },
      encoding: 'latin1',
      timeout: seconds * 1000,
    },
  );
  assert.equal(error, undefined);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^# pass [1-9]/m, stdout);
}

test('guests talk to the host through the NAT, with each card', () =>
  withFolder(async (folder) => inside(folder, 'network/inside.js', 900)));

test("the host's kernel gets all its bytes through the NAT, whatever the link does to frames", () =>
  withFolder(async (folder) => inside(folder, 'network/kernel.js', 300)));
