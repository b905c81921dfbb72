/** Starting from the network: a program of our own that calls PXE, and PXELINUX by both of its ways. Needs gcc and Debian's pxelinux. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { viv, withFolder } from './viv.js';

const SOURCE = fileURLToPath(new URL('../tests/bios/', import.meta.url));
const BYTES = 60_001;
const CALLS = 25;

function pxeProgram(folder: string): void {
  const data = Uint8Array.from({ length: BYTES }, (_, n) => (n * 7) ^ (n >> 8));
  writeFileSync(join(folder, 'data.bin'), data);
  const sum = data.reduce((total, byte) => total + byte, 0);
  const [object, linked] = ['pxe.o', 'pxe.elf'].map((name) => join(folder, name)) as [string, string];
  const symbols = `-Wa,--defsym,BYTES=${BYTES},--defsym,SUM=${sum}`;
  execFileSync('gcc', ['-c', '-m32', symbols, '-o', object, join(SOURCE, 'pxe.S')]);
  execFileSync('ld', ['-m', 'elf_i386', '-T', join(SOURCE, 'netboot.ld'), '-o', linked, object]);
  execFileSync('objcopy', ['-O', 'binary', linked, join(folder, 'pxe.0')]);
}

for (const [engine, net] of [
  ['translate', 'nat'],
  ['interpret', 'nat,card=rtl8139'],
  ['translate', 'natnetwork,name=netboot-test,subnet=10.0.2.0/24'],
] as const)
  test(`a program from the network calls PXE, and every call does what it should (${engine}, ${net})`, () =>
    withFolder(async (folder) => {
      pxeProgram(folder);
      const { status, errors } = await viv(
        'run',
        ...['--net', `${net},tftp=${folder},bootfile=pxe.0`],
        ...['--debug-exit', '--engine', engine, '--serial', 'none', '--timeout', '60'],
      );
      const lines = errors.split('\n').filter((line) => /^(ok|FAIL) /.test(line));
      assert.deepEqual(
        lines.filter((line) => line.startsWith('FAIL')),
        [],
      );
      assert.equal(lines.length, CALLS, errors);
      assert.equal(status, 0x21);
    }));

for (const [loader, card] of [
  ['pxelinux.0', 'virtio'],
  ['lpxelinux.0', 'e1000'],
] as const)
  test(`${loader} starts Linux from the network by ${card}`, () =>
    withFolder(async (folder) => {
      const guest = await debianGuest({});
      copyFileSync(`/usr/lib/PXELINUX/${loader}`, join(folder, loader));
      copyFileSync('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(folder, 'ldlinux.c32'));
      copyFileSync(guest.kernel, join(folder, 'linux'));
      copyFileSync(guest.initrd, join(folder, 'initrd'));
      mkdirSync(join(folder, 'pxelinux.cfg'));
      const append = `APPEND initrd=initrd ${guest.append} viv.run="cat /proc/cmdline"`;
      const lines = ['SERIAL 0', 'DEFAULT linux', 'LABEL linux', 'KERNEL linux', append];
      writeFileSync(join(folder, 'pxelinux.cfg', 'default'), lines.map((line) => `${line}\n`).join(''));
      const { status, output, errors } = await viv(
        'run',
        ...['--net', `nat,card=${card},tftp=${folder},bootfile=${loader}`, '--timeout', '120'],
      );
      assert.match(output, /BOOT_IMAGE=linux initrd=initrd /, errors);
      assert.equal(status, 0);
    }));

test('what the network cannot give is said', () =>
  withFolder(async (folder) => {
    const screen = async (net: string, seconds: number): Promise<string> =>
      // Lines of the screen go on in the next one.
      (await viv('run', '--display', 'text', '--timeout', String(seconds), '--net', net)).output.replaceAll(
        '\n',
        '',
      );
    const [empty, missing, pulled, lonely] = await Promise.all([
      screen('nat', 5),
      screen(`nat,tftp=${folder},bootfile=none.0`, 5),
      screen('none', 5),
      screen('internal,name=netboot-lonely', 12),
    ]);
    assert.match(empty!, /gives the address 10\.0\.2\.15, and nothing to start from/);
    assert.match(missing!, /none\.0: there is no none\.0/);
    assert.match(pulled!, /the cable is pulled/);
    assert.match(lonely!, /no DHCP server answers/);
  }));
