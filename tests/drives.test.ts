/** A Linux with a disk on each controller, in each format, and a CD. Needs e2fsprogs and xorriso. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { COMPLAINTS, viv, withFolder } from './viv.js';

const DISKS = [
  { bus: 'ide', format: 'vmdk' },
  { bus: 'ahci', format: 'vdi' },
  { bus: 'scsi', format: 'vhdx' },
  { bus: 'nvme', format: 'raw' },
  { bus: 'virtio', format: 'qcow2' },
];

/** Looks at what is there, writes, and lets go of what it wrote. Disks are known by their labels. */
const SCRIPT = `
mkdir /a
for disk in ${DISKS.map(({ bus }) => bus).join(' ')}; do
  device=$(findfs LABEL=$disk)
  echo "$disk is $device"
  mount $device /a
  md5sum /a/content
  dd if=/a/content of=/a/copy bs=64k 2>/dev/null
  sync
  umount /a
  mount $device /a
  cmp /a/content /a/copy && echo "$disk copied"
  fstrim /a && echo "$disk trimmed"
  umount /a
done
modprobe floppy
md5sum /dev/fd0
dd if=/dev/fd0 of=/dev/fd0 bs=18k count=1 seek=79 2>/dev/null && sync && echo "floppy written"
mount -t iso9660 /dev/sr0 /a
md5sum /a/content
umount /a
`;

test('Debian mounts and writes a disk on every controller, and reads a CD', () =>
  withFolder(async (folder) => {
    const root = join(folder, 'root');
    mkdirSync(root);
    const content = randomBytes(3_000_000);
    writeFileSync(join(root, 'content'), content);
    const sum = createHash('md5').update(content).digest('hex');
    const drives: string[] = [];
    for (const { bus, format } of DISKS) {
      const raw = join(folder, `${bus}.img`);
      writeFileSync(raw, '');
      truncateSync(raw, 24 * 2 ** 20);
      execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', bus, '-d', root, raw]);
      const path = format === 'raw' ? raw : join(folder, `${bus}.${format}`);
      if (path !== raw) assert.equal((await viv('media', 'convert', raw, path)).status, 0);
      drives.push('--disk', `${path},bus=${bus}`);
    }
    const iso = join(folder, 'cd.iso');
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', iso, root], { stdio: 'ignore' });
    const floppy = join(folder, 'floppy.img');
    const floppyContent = randomBytes(1_474_560);
    writeFileSync(floppy, floppyContent);
    const floppySum = createHash('md5').update(floppyContent).digest('hex');
    const { kernel, initrd, modules, append } = await debianGuest({
      arch: 'amd64',
      flavour: 'generic',
      modules: 'drives',
      script: SCRIPT,
    });
    const { status, output } = await viv(
      ...['run', '--kernel', kernel, '--initrd', `${initrd},${modules}`, '--append', `${append} quiet`],
      ...[...drives, '--cdrom', iso, '--floppy', floppy, '--timeout', '120'],
    );
    assert.equal(status, 0, output);
    assert.doesNotMatch(output, COMPLAINTS);
    assert.doesNotMatch(output, /I\/O error|failed command|timeout/i);
    assert.equal(output.split(sum).length - 1, DISKS.length + 1, output);
    assert.ok(output.includes(floppySum), output);
    assert.match(output, /floppy written/);
    // The first track is now the last, too.
    const after = readFileSync(floppy);
    assert.ok(after.subarray(79 * 18432).equals(floppyContent.subarray(0, 18432)));
    for (const { bus, format } of DISKS) {
      assert.match(output, new RegExp(`${bus} copied`), output);
      assert.match(output, new RegExp(`${bus} trimmed`), output);
      // What the guest left is sound, seen from outside.
      const raw = join(folder, `${bus}.after`);
      if (format === 'raw') writeFileSync(raw, readFileSync(join(folder, `${bus}.img`)));
      else
        assert.equal(
          (await viv('media', 'convert', join(folder, `${bus}.${format}`), raw, '--format', 'raw')).status,
          0,
        );
      execFileSync('e2fsck', ['-fn', raw], { stdio: 'ignore' });
      const copy = execFileSync('debugfs', ['-R', 'cat /copy', raw], {
        maxBuffer: 2 ** 24,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      assert.equal(createHash('md5').update(copy).digest('hex'), sum, bus);
    }
  }));
