/** An installed Debian 12 on a disk, made by debootstrap and kept: root on ext4, GRUB in the boot sector; or GPT with GRUB for UEFI. Needs root. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { cacheDirectory } from '../dist/manager/guests/cache-directory.js';

const MIB = 2 ** 20;
const ROOT_MIB = 1400;
const ESP_MIB = 33;
const PACKAGES = 'linux-image-amd64,systemd-sysv,udev,kmod,iproute2';

const run = (command: string, ...args: string[]): void =>
  void execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** Copies a file into another at a place, leaving out zeros. */
function put(from: string, to: string, mib: number): void {
  run('dd', `if=${from}`, `of=${to}`, 'bs=1M', `seek=${mib}`, 'conv=notrunc,sparse', 'status=none');
}

function makeRoot(folder: string): string {
  const root = join(folder, 'root');
  const mirror = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split(
    '\n',
  )[0]!;
  run('debootstrap', '--variant=minbase', `--include=${PACKAGES}`, 'bookworm', root, mirror);
  writeFileSync(join(root, 'etc/hostname'), 'vivarium\n');
  writeFileSync(join(root, 'etc/fstab'), '/dev/disk/by-label/root / ext4 defaults 0 1\n');
  const version = readdirSync(join(root, 'boot'))
    .find((name) => name.startsWith('vmlinuz-'))!
    .slice('vmlinuz-'.length);
  const grub = join(root, 'boot/grub');
  mkdirSync(join(grub, 'i386-pc'), { recursive: true });
  for (const name of readdirSync('/usr/lib/grub/i386-pc').filter((file) => /\.(mod|lst)$/.test(file)))
    copyFileSync(join('/usr/lib/grub/i386-pc', name), join(grub, 'i386-pc', name));
  writeFileSync(
    join(grub, 'grub.cfg'),
    `set timeout=0
menuentry Debian {
  linux /boot/vmlinuz-${version} root=LABEL=root ro console=tty0 console=ttyS0
  initrd /boot/initrd.img-${version}
}
`,
  );
  rmSync(join(root, 'var/cache/apt/archives'), { recursive: true });
  const partition = join(folder, 'root.img');
  writeFileSync(partition, '');
  truncateSync(partition, ROOT_MIB * MIB);
  run('mke2fs', '-q', '-t', 'ext4', '-L', 'root', '-d', root, partition);
  return partition;
}

/** GRUB's boot.img and core.img where a BIOS finds them, and one partition. */
function biosDisk(folder: string, partition: string): string {
  const disk = join(folder, 'bios.img');
  writeFileSync(disk, '');
  truncateSync(disk, (ROOT_MIB + 2) * MIB);
  const core = join(folder, 'core.img');
  run(
    'grub-mkimage',
    '-O',
    'i386-pc',
    '-o',
    core,
    '-p',
    '(hd0,msdos1)/boot/grub',
    'biosdisk',
    'part_msdos',
    'ext2',
  );
  const sector = Buffer.alloc(512);
  readFileSync('/usr/lib/grub/i386-pc/boot.img').copy(sector, 0, 0, 440);
  // Bootable, Linux, from the first MiB on.
  sector.set([0x80, 0x20, 0x21, 0x00, 0x83, 0xfe, 0xff, 0xff], 446);
  sector.writeUInt32LE(2048, 454);
  sector.writeUInt32LE(ROOT_MIB * 2048, 458);
  sector.writeUInt16LE(0xaa55, 510);
  const handle = openSync(disk, 'r+');
  writeSync(handle, sector, 0, 512, 0);
  const bytes = readFileSync(core);
  writeSync(handle, bytes, 0, bytes.length, 512);
  closeSync(handle);
  put(partition, disk, 1);
  return disk;
}

/** A GPT with a system partition that has GRUB where UEFI looks. */
function efiDisk(folder: string, partition: string): string {
  const disk = join(folder, 'efi.img');
  const [config, loader, esp] = ['efi.cfg', 'BOOTX64.EFI', 'esp.img'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(
    config,
    'search --label root --set=root\nset prefix=($root)/boot/grub\nconfigfile ($root)/boot/grub/grub.cfg\n',
  );
  const modules = 'part_gpt ext2 fat search search_label linux normal configfile echo';
  run(
    'grub-mkstandalone',
    '-O',
    'x86_64-efi',
    '-o',
    loader,
    `--modules=${modules}`,
    `boot/grub/grub.cfg=${config}`,
  );
  writeFileSync(esp, '');
  truncateSync(esp, ESP_MIB * MIB);
  run('mkfs.vfat', '-F', '32', esp);
  run('mmd', '-i', esp, '::EFI', '::EFI/BOOT');
  run('mcopy', '-i', esp, loader, '::EFI/BOOT/BOOTX64.EFI');
  writeFileSync(disk, '');
  truncateSync(disk, (ROOT_MIB + ESP_MIB + 3) * MIB);
  run('sgdisk', '-n', `1:2048:+${ESP_MIB}M`, '-t', '1:ef00', '-n', `2:0:+${ROOT_MIB}M`, '-t', '2:8300', disk);
  put(esp, disk, 1);
  put(partition, disk, 1 + ESP_MIB);
  return disk;
}

/** Paths of the two disks; made once, then taken as they are. */
export function debianDisks(): { bios: string; efi: string } {
  const kept = join(cacheDirectory(), 'test-disks');
  const [bios, efi] = [join(kept, 'bios.img'), join(kept, 'efi.img')];
  if (existsSync(bios) && existsSync(efi)) return { bios, efi };
  mkdirSync(kept, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'debian-disk-'));
  try {
    const partition = makeRoot(folder);
    for (const [made, path] of [
      [biosDisk(folder, partition), bios],
      [efiDisk(folder, partition), efi],
    ] as const) {
      run('cp', '--sparse=always', made, `${path}.new`);
      renameSync(`${path}.new`, path);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { bios, efi };
}
