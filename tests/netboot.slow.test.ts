/**
 * Debian's installer from the network, to its first question. Needs Debian's debian-installer-12-netboot-amd64, pxelinux, grub-pc-bin
 * and grub-common; and dnsmasq-base, as a DHCP and TFTP server that was not written here.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inside } from './network/namespaces.js';
import { viv, withFolder } from './viv.js';

const INSTALLER = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const APPEND = 'console=ttyS0 priority=low DEBIAN_FRONTEND=text';

function lines(path: string, text: string[]): void {
  writeFileSync(path, text.map((line) => `${line}\n`).join(''));
}

/** A folder for TFTP with the installer and what starts it; gives the file to begin with. */
function serve(folder: string, loader: string): string {
  for (const file of ['linux', 'initrd.gz']) copyFileSync(join(INSTALLER, file), join(folder, file));
  if (loader === 'grub') {
    execFileSync('grub-mknetdir', [
      `--net-directory=${folder}`,
      '--subdir=grub',
      '-d',
      '/usr/lib/grub/i386-pc',
    ]);
    lines(join(folder, 'grub', 'grub.cfg'), [`linux /linux ${APPEND}`, 'initrd /initrd.gz', 'boot']);
    return 'grub/i386-pc/core.0';
  }
  copyFileSync(`/usr/lib/PXELINUX/${loader}`, join(folder, loader));
  copyFileSync('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(folder, 'ldlinux.c32'));
  mkdirSync(join(folder, 'pxelinux.cfg'));
  const entry = ['DEFAULT installer', 'LABEL installer', 'KERNEL linux', `APPEND initrd=initrd.gz ${APPEND}`];
  lines(join(folder, 'pxelinux.cfg', 'default'), entry);
  return loader;
}

for (const [loader, card, net] of [
  ['pxelinux.0', 'virtio', 'nat'],
  ['pxelinux.0', 'ne2k-isa', 'nat'],
  ['lpxelinux.0', 'e1000', 'natnetwork,name=netboot-slow'],
  ['lpxelinux.0', 'pcnet', 'nat'],
  ['grub', 'rtl8139', 'nat'],
  ['grub', 'ne2k', 'nat'],
] as const)
  test(`${loader} starts Debian's installer by ${card} (${net})`, () =>
    withFolder(async (folder) => {
      const first = serve(folder, loader);
      const { output, errors } = await viv(
        'run',
        ...['--memory', '1024', '--timeout', '75'],
        ...['--net', `${net},card=${card},tftp=${folder},bootfile=${first}`],
      );
      assert.match(output, /Choose language|Select a language/, output.slice(-2000) + errors);
    }));

test('a machine starts from a server that was not written here', () =>
  withFolder(async (folder) => {
    serve(folder, 'pxelinux.0');
    await inside(folder, 'netboot.js', 200);
  }));
