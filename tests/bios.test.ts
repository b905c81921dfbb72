/** The BIOS: each call by a program of our own, and the loaders that systems start with. Needs gcc, and Debian's packages of the loaders. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { viv, withFolder, type Ended } from './viv.js';

const SOURCE = fileURLToPath(new URL('../tests/bios/', import.meta.url));

function callsDisk(folder: string): string {
  const [object, linked, disk] = ['calls.o', 'calls.elf', 'calls.img'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('gcc', ['-c', '-m32', '-o', object, join(SOURCE, 'calls.S')]);
  execFileSync('ld', ['-m', 'elf_i386', '-T', join(SOURCE, 'link.ld'), '-o', linked, object]);
  execFileSync('objcopy', ['-O', 'binary', linked, disk]);
  truncateSync(disk, 2 ** 20);
  return disk;
}

for (const engine of ['interpret', 'translate', 'reference'])
  test(`a boot disk calls the BIOS, and every call does what it should (${engine})`, () =>
    withFolder(async (folder) => {
      const disk = callsDisk(folder);
      const { status, errors } = await viv(
        'run',
        '--disk',
        disk,
        '--debug-exit',
        '--engine',
        engine,
        '--serial',
        'none',
        '--timeout',
        '60',
      );
      const lines = errors.split('\n').filter((line) => /^(ok|FAIL) /.test(line));
      assert.deepEqual(
        lines.filter((line) => line.startsWith('FAIL')),
        [],
      );
      assert.equal(lines.length, 45, errors);
      assert.equal(status, 0x21);
    }));

test('the same disk starts in every format, and a change in snapshot mode is forgotten', () =>
  withFolder(async (folder) => {
    const disk = callsDisk(folder);
    for (const format of ['qcow2', 'vdi', 'vmdk', 'vhd', 'vhdx']) {
      const other = join(folder, `calls.${format}`);
      assert.equal((await viv('media', 'convert', disk, other)).status, 0);
      const { status } = await viv(
        'run',
        '--disk',
        `${other},mode=snapshot`,
        '--debug-exit',
        '--serial',
        'none',
        '--timeout',
        '60',
      );
      assert.equal(status, 0x21, format);
      // The program writes a sector; that went nowhere.
      const back = join(folder, `back-${format}.img`);
      assert.equal((await viv('media', 'convert', other, back)).status, 0);
      execFileSync('cmp', [disk, back]);
    }
  }));

/** Screens as they were, one after the other. */
const screen = (...args: string[]): Promise<Ended> => viv('run', '--display', 'text', ...args);

test('GRUB starts from a floppy and from a CD', async () => {
  for (const [option, file] of [
    ['--floppy', 'grub-rescue-floppy.img'],
    ['--cdrom', 'grub-rescue-cdrom.iso'],
  ] as const) {
    const { output } = await screen(option, `/usr/lib/grub-rescue/${file}`, '--timeout', '6');
    assert.match(output, /GNU GRUB {2}version 2/, file);
    assert.match(output, /keys to select which entry is highlighted/, file);
  }
});

test('ISOLINUX starts a kernel from a CD, which finds the CD', () =>
  withFolder(async (folder) => {
    const root = join(folder, 'cd');
    mkdirSync(join(root, 'isolinux'), { recursive: true });
    for (const file of ['/usr/lib/ISOLINUX/isolinux.bin', '/usr/lib/syslinux/modules/bios/ldlinux.c32'])
      cpSync(file, join(root, 'isolinux', file.split('/').at(-1)!));
    cpSync('/boot/memtest86+x64.bin', join(root, 'memtest'));
    writeFileSync(
      join(root, 'isolinux/isolinux.cfg'),
      'PROMPT 1\nTIMEOUT 15\nDEFAULT test\nSAY Hello from ISOLINUX\nLABEL test\n KERNEL /memtest\n',
    );
    const iso = join(folder, 'cd.iso');
    const boot = [
      '-b',
      'isolinux/isolinux.bin',
      '-c',
      'isolinux/boot.cat',
      '-no-emul-boot',
      '-boot-load-size',
      '4',
      '-boot-info-table',
    ];
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-o', iso, ...boot, root]);
    const { output } = await screen('--cdrom', iso, '--memory', '64M', '--timeout', '8');
    assert.match(output, /Hello from ISOLINUX/);
    assert.match(output, /Memtest86\+ v6/);
  }));

test('SYSLINUX starts a kernel from a FAT floppy', () =>
  withFolder(async (folder) => {
    const floppy = join(folder, 'floppy.img');
    const config = join(folder, 'syslinux.cfg');
    writeFileSync(
      config,
      'PROMPT 1\nTIMEOUT 15\nDEFAULT test\nSAY Hello from SYSLINUX\nLABEL test\n KERNEL /memtest\n',
    );
    execFileSync('mkfs.fat', ['-C', floppy, '1440'], { stdio: 'ignore' });
    execFileSync('syslinux', ['--install', floppy]);
    execFileSync('mcopy', ['-i', floppy, config, '::syslinux.cfg']);
    execFileSync('mcopy', ['-i', floppy, '/boot/memtest86+x64.bin', '::memtest']);
    const { output } = await screen('--floppy', floppy, '--memory', '64M', '--timeout', '10');
    assert.match(output, /Hello from SYSLINUX/);
    assert.match(output, /Memtest86\+ v6/);
  }));

test('what cannot be started from is said on the screen', () =>
  withFolder(async (folder) => {
    const empty = join(folder, 'empty.img');
    writeFileSync(empty, '');
    truncateSync(empty, 2 ** 20);
    const { output, status } = await screen('--disk', empty, '--cdrom', 'empty', '--timeout', '2');
    assert.match(output, /hard disk 1 \(empty\.img\) has no boot sector/);
    assert.match(output, /CD 1 is empty/);
    assert.match(output, /Nothing was found to start from/);
    assert.equal(status, 124);
  }));

test('mistakes in the options of drives are said before anything starts', async () => {
  const cases: [args: string[], says: RegExp][] = [
    [['--disk', '/nowhere/disk.img'], /--disk \/nowhere\/disk\.img: there is no such file/],
    [['--disk', '/etc,mode=writethrough'], /a folder is never written/],
    [['--floppy', '/usr/bin'], /a floppy has room for 2863 KiB/],
    [['--disk', 'x,bus=usb'], /bus=usb is not known; choose from ide, ahci/],
    [['--disk', 'x,speed=9'], /there is no setting "speed"/],
    [['--boot', 'order=zz', '--disk', 'x'], /order=zz/],
    [['--display', 'oled'], /not a display/],
    [['--display', 'text', '--serial', 'stdio', '--disk', 'x'], /both want this terminal/],
  ];
  for (const [args, says] of cases) {
    const { status, errors } = await viv('run', ...args);
    assert.equal(status, 1, args.join(' '));
    assert.match(errors, says);
  }
});
