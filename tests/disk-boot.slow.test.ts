/** An installed Debian starts from each controller, in each format, under each firmware. Needs root and Debian's debootstrap, grub-pc-bin, grub-efi-amd64-bin, mtools, dosfstools, gdisk, seabios and ovmf. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { debianDisks } from './debian-disk.js';
import { COMMAND, viv, withFolder } from './viv.js';

let disks: ReturnType<typeof debianDisks>;
before(() => {
  disks = debianDisks();
});

const LIMIT_MS = 150_000;

/** Runs the machine until it asks who logs in; gives the seconds that took. */
function untilLogin(...args: string[]): Promise<number> {
  const since = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, 'run', '--memory', '1G', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let seconds: number | null = null;
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const take = (data: Buffer): void => {
      output += data.toString('latin1');
      if (seconds !== null || !output.includes('vivarium login:')) return;
      seconds = (performance.now() - since) / 1000;
      child.kill('SIGTERM');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('close', () => {
      clearTimeout(timer);
      if (seconds === null) reject(new Error(`no login: ${output.slice(-2000)}`));
      else resolve(seconds);
    });
  });
}

for (const format of ['raw', 'qcow2', 'vdi', 'vmdk', 'vhd', 'vhdx'])
  test(`Debian 12 as ${format}, on each controller`, (context) =>
    withFolder(async (folder) => {
      const path = join(folder, `disk.${format}`);
      assert.equal((await viv('media', 'convert', disks.bios, path)).status, 0);
      for (const bus of ['ide', 'ahci', 'nvme', 'virtio', 'scsi']) {
        const seconds = await untilLogin('--disk', `${path},bus=${bus}`);
        context.diagnostic(`${bus}: ${seconds.toFixed(1)} s`);
      }
    }));

test('with four CPUs', async (context) => {
  const seconds = await untilLogin('--disk', `${disks.bios},bus=virtio,mode=snapshot`, '--cpus', '4');
  context.diagnostic(`${seconds.toFixed(1)} s`);
});

for (const bus of ['ide', 'ahci', 'virtio'])
  test(`under SeaBIOS, on ${bus}`, async (context) => {
    const bios = ['--bios', '/usr/share/seabios/bios-256k.bin'];
    context.diagnostic(
      `${(await untilLogin('--disk', `${disks.bios},bus=${bus},mode=snapshot`, ...bios)).toFixed(1)} s`,
    );
  });

for (const bus of ['ide', 'ahci', 'nvme', 'virtio', 'scsi'])
  test(`under OVMF with a GPT, on ${bus}`, (context) =>
    withFolder(async (folder) => {
      const variables = join(folder, 'vars.fd');
      copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', variables);
      const bios = ['--bios', `/usr/share/OVMF/OVMF_CODE_4M.fd,vars=${variables}`];
      context.diagnostic(
        `${(await untilLogin('--disk', `${disks.efi},bus=${bus},mode=snapshot`, ...bios)).toFixed(1)} s`,
      );
    }));
