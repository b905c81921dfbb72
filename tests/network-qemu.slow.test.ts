/** A guest of QEMU's and one of ours on one wire. Needs qemu-system-x86. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { script, sums } from './network/exchange.js';
import { viv, withFolder } from './viv.js';

const PORT = 4466;

function qemu(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: 120_000, maxBuffer: 2 ** 24 };
    execFile(
      'qemu-system-x86_64',
      ['-accel', 'tcg', '-nographic', '-no-reboot', '-m', '512', ...args],
      options,
      (error, output) => (error ? reject(error) : resolve(output)),
    ).stdin?.end();
  });
}

for (const [name, own, peer] of [
  ['QEMU connects to us', `socket,listen=127.0.0.1:${PORT}`, 'server=off'],
  ['we connect to QEMU', `socket,connect=127.0.0.1:${PORT},card=e1000`, 'server=on'],
] as const)
  test(`guests of QEMU and of ours exchange bytes: ${name}`, { timeout: 150_000 }, () =>
    withFolder(async (folder) => {
      const first = await debianGuest({ script: script(1), modules: 'network' });
      const second = await debianGuest({ script: script(2), modules: 'network' });
      const initrd = join(folder, 'initrd');
      writeFileSync(
        initrd,
        Buffer.concat([second.initrd, second.modules!].map((file) => readFileSync(file))),
      );
      const files = ['--kernel', first.kernel, '--initrd', `${first.initrd},${first.modules!}`];
      const ours = viv(
        'run',
        ...files,
        '--append',
        `${first.append} quiet`,
        '--net',
        own,
        '--timeout',
        '110',
      );
      // QEMU tries to connect once.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const [ended, theirs] = await Promise.all([
        ours,
        qemu(
          ...['-kernel', second.kernel, '-initrd', initrd, '-append', `${second.append} quiet`],
          ...['-netdev', `stream,id=n,${peer},addr.type=inet,addr.host=127.0.0.1,addr.port=${PORT}`],
          ...['-device', 'virtio-net-pci,netdev=n,mac=52:54:00:00:00:02'],
        ),
      ]);
      assert.equal(ended.status, 0, ended.errors + ended.output);
      assert.equal(sums(theirs, 'got'), sums(ended.output, 'sent'));
      assert.equal(sums(ended.output, 'got'), sums(theirs, 'sent'));
    }),
  );
