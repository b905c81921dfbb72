/**
 * What machines start from that was not written here, to its prompt, menu or first question: real-mode loaders, memtest86+ for a whole
 * pass, Debian's installer. Needs Debian's packages mbr, grub-legacy, ipxe, memtest86+, isolinux, syslinux-common, xorriso,
 * debian-installer-12-netboot-amd64 and -i386.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decode } from 'fast-png';
import { control, Running, withFolder } from './viv.js';

const FLOPPY_BYTES = 1440 * 1024;
const screen = (...args: string[]): Running => new Running('--display', 'text', ...args);
const name = (what: string): string => `media-boot-${what}-${process.pid}`;

/** A floppy that begins with these files, as `dd` would write it. */
function floppyOf(path: string, ...files: string[]): string {
  writeFileSync(path, Buffer.concat(files.map((file) => readFileSync(file))));
  truncateSync(path, FLOPPY_BYTES);
  return path;
}

test('GRUB 0.97 from a floppy takes commands', () =>
  withFolder(async (folder) => {
    const stages = ['stage1', 'stage2'].map((stage) => `/usr/lib/grub/x86_64-pc/${stage}`);
    const floppy = floppyOf(join(folder, 'grub.img'), ...stages);
    const machine = screen('--floppy', floppy, '--name', name('grub'), '--memory', '64M');
    await machine.says('grub>');
    await control('type', name('grub'), 'displaymem\n');
    await machine.says('Usable RAM');
    await machine.stop();
  }));

/** Shows P1, and halts. */
const PARTITION = [0xb4, 0x0e, 0xb0, 0x50, 0xcd, 0x10, 0xb0, 0x31, 0xcd, 0x10, 0xf4, 0xeb, 0xfd];

test('the boot manager "mbr" asks, and starts a partition', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'disk.img');
    const disk = new Uint8Array(4 * 2 ** 20);
    const view = new DataView(disk.buffer);
    disk.set([0x80, 0, 33, 0, 0x0c, 0, 33, 0], 446);
    view.setUint32(454, 2048, true);
    view.setUint32(458, 4096, true);
    view.setUint16(510, 0xaa55, true);
    disk.set(PARTITION, 2048 * 512);
    view.setUint16(2048 * 512 + 510, 0xaa55, true);
    writeFileSync(path, disk);
    execFileSync('/sbin/install-mbr', ['-i', 'a', '-t', '180', path]);
    const machine = screen('--disk', path, '--name', name('mbr'), '--memory', '16M');
    await machine.says('MBR');
    await control('type', name('mbr'), '1');
    await machine.says('P1');
    await machine.stop();
  }));

test('iPXE from its CD', async () => {
  const machine = screen('--cdrom', '/usr/lib/ipxe/ipxe.iso', '--memory', '64M', '--net', 'nat');
  await machine.says('Features: DNS');
  // By the lease it knows that nothing is to be started.
  await machine.says('No more network devices');
  await machine.stop();
});

const MEMTEST_SECONDS = 1200;
for (const [bits, medium] of [
  ['x64', 'cdrom'],
  ['x64', 'floppy'],
  ['ia32', 'cdrom'],
] as const)
  test(
    `memtest86+ (${bits}) from a ${medium}: a whole pass of 64 MiB without an error`,
    { timeout: (MEMTEST_SECONDS + 10) * 1000 },
    (context) =>
      withFolder(async (folder) => {
        const since = performance.now();
        const file =
          medium === 'cdrom'
            ? `/usr/lib/memtest86+/memtest86+${bits}.iso`
            : floppyOf(join(folder, 'memtest.img'), `/boot/memtest86+${bits}.bin`);
        const machine = screen(`--${medium}`, file, '--memory', '64M', '--timeout', String(MEMTEST_SECONDS));
        await machine.says('Pass:  1');
        await machine.stop();
        assert.deepEqual([...machine.output.matchAll(/Errors: *([1-9]\d*)/g)], []);
        context.diagnostic(`${((performance.now() - since) / 1000).toFixed(0)} s`);
      }),
  );

/** A CD with Debian's installer, as its mini image has it. */
function installerDisc(folder: string, arch: string, append: string): string {
  const root = join(folder, 'cd');
  mkdirSync(join(root, 'isolinux'), { recursive: true });
  copyFileSync('/usr/lib/ISOLINUX/isolinux.bin', join(root, 'isolinux/isolinux.bin'));
  copyFileSync('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(root, 'isolinux/ldlinux.c32'));
  const installer = `/usr/lib/debian-installer/images/12/${arch}/text/debian-installer/${arch}`;
  for (const file of ['linux', 'initrd.gz']) copyFileSync(join(installer, file), join(root, file));
  const entry = ['DEFAULT install', 'LABEL install', 'KERNEL /linux', `APPEND initrd=/initrd.gz ${append}`];
  writeFileSync(join(root, 'isolinux/isolinux.cfg'), entry.map((line) => `${line}\n`).join(''));
  const disc = join(folder, 'installer.iso');
  execFileSync('xorriso', [
    ...['-as', 'mkisofs', '-quiet', '-o', disc, '-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat'],
    ...['-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', root],
  ]);
  return disc;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Row where the list's bar begins in a picture of the installer's dialog: red on a grey window on blue; null: no such picture. */
function barOf(path: string): number | null {
  const { width, height, channels, data } = decode(readFileSync(path));
  const counts = { blue: 0, grey: 0 };
  let bar: number | null = null;
  for (let y = 0; y < height; y++) {
    let red = 0;
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
      if (r > 150 && g < 20 && b < 20) red++;
      if (b > 150 && r < 20 && g < 20) counts.blue++;
      if (r > 150 && g > 150 && b > 150) counts.grey++;
    }
    if (red > width / 5) bar ??= y;
  }
  const of = width * height;
  return counts.blue > of / 50 && counts.grey > of / 2 ? bar : null;
}

for (const arch of ['amd64', 'i386']) {
  test(`Debian's installer (${arch}) from a CD asks its first question in text`, () =>
    withFolder(async (folder) => {
      const disc = installerDisc(folder, arch, 'vga=normal fb=false nomodeset');
      const machine = screen('--cdrom', disc, '--memory', '1G');
      await machine.says('Choose the language');
      await machine.stop();
    }));

  test(`Debian's installer (${arch}) from a CD asks its first question on the frame buffer`, () =>
    withFolder(async (folder) => {
      const id = name(arch);
      const disc = installerDisc(folder, arch, 'vga=788');
      const machine = new Running('--cdrom', disc, '--memory', '1G', '--serial', 'none', '--name', id);
      let over = false;
      void machine.ended.then(() => (over = true));
      const picture = join(folder, 'screen.png');
      const barWhen = async (fits: (bar: number) => boolean): Promise<number> => {
        for (;;) {
          await sleep(1000);
          assert.ok(!over, 'ended without its dialog');
          await control('screenshot', id, picture);
          const bar = barOf(picture);
          if (bar !== null && fits(bar)) return bar;
        }
      };
      const first = await barWhen(() => true);
      await control('keys', id, 'ArrowDown');
      await barWhen((bar) => bar > first);
      await machine.stop();
    }));
}
