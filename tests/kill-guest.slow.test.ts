/** Machines that are killed while their guest writes to a file system with a journal: nothing that it had flushed is missing. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { sequence } from '../dist/testing/sequence.js';
import { COMMAND, viv, withFolder } from './viv.js';

/** For each format. */
const KILLS = Number(process.env['VIV_KILLS'] ?? 40);
const BYTES = 128 * 2 ** 20;
const FILES = 20;
const MOST_MS = 1500;
/** The cloud kernel, which starts soonest, has no driver for AHCI. */
const BUSES = ['virtio', 'scsi', 'nvme', 'ide', 'virtio'];

/** Says what the files hold, then writes one after the other, each with a number higher than all before, and flushes it. */
const SCRIPT = `for disk in /dev/vda /dev/sda /dev/nvme0n1; do [ -b $disk ] && break; done
mkdir -p /mnt
mount -t ext4 $disk /mnt || exit 1
for n in $(seq 0 ${FILES - 1}); do echo "has $n $(cat /mnt/f$n 2>/dev/null)"; done
i=$(cat /mnt/f* 2>/dev/null | sort -n | tail -1)
i=$((\${i:-0}))
echo begins
while true; do
  i=$((i + 1))
  n=$((i % ${FILES}))
  echo $i | dd of=/mnt/f$n conv=fsync 2>/dev/null
  echo "flushed $n $i"
done`;

/** Runs the machine until the guest writes, and so long more; gives what it said, line by line. */
function runAndKill(args: readonly string[], moreMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, 'run', ...args, '--timeout', '120'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString('latin1');
      if (said.includes('begins')) timer ??= setTimeout(() => child.kill('SIGKILL'), moreMs);
    });
    child.on('error', reject);
    // The last line may be cut short.
    child.on('close', () => resolve(said.split('\r\n').slice(0, -1)));
  });
}

/** What lines "WORD FILE NUMBER" say. */
function* numbers(lines: readonly string[], word: string): Generator<[file: number, number: number]> {
  for (const line of lines) {
    const found = new RegExp(`^${word} (\\d+) (\\d+)$`).exec(line);
    if (found) yield [Number(found[1]), Number(found[2])];
  }
}

for (const [which, format] of (['qcow2', 'vdi', 'vmdk', 'vhd', 'vhdx'] as const).entries())
  test(`${format}: its machine killed ${KILLS} times while the guest wrote`, () =>
    withFolder(async (folder) => {
      const raw = join(folder, 'empty.raw');
      writeFileSync(raw, '');
      truncateSync(raw, BYTES);
      execFileSync('mkfs.ext4', ['-q', raw]);
      const disk = join(folder, `disk.${format}`);
      assert.equal((await viv('media', 'convert', raw, disk)).status, 0);
      const { kernel, initrd, modules, append } = await debianGuest({
        flavour: 'cloud',
        modules: 'drives',
        script: SCRIPT,
      });
      const args = [
        ...['--kernel', kernel, '--initrd', `${initrd},${modules}`, '--append', `${append} quiet`],
        ...['--memory', '256M', '--disk', `${disk},bus=${BUSES[which]}`],
      ];
      const next = sequence(which + 1);
      const flushed = new Map<number, number>();
      for (let kill = 1; kill <= KILLS; kill++) {
        const lines = await runAndKill(args, next(MOST_MS));
        assert.ok(lines.includes('begins'), `kill ${kill}: ${lines.slice(-20).join('\n')}`);
        assert.doesNotMatch(lines.join('\n'), /EXT4-fs error|I\/O error/);
        const has = new Map(numbers(lines, 'has'));
        for (const [file, number] of flushed)
          assert.ok(
            (has.get(file) ?? 0) >= number,
            `kill ${kill}: file ${file} has ${has.get(file)}, flushed was ${number}`,
          );
        for (const [file, number] of numbers(lines, 'flushed')) flushed.set(file, number);
        if (format !== 'qcow2') continue;
        // What was lost of the room of clusters may be taken back; nothing else may be wrong.
        const checked = await viv('media', 'check', disk);
        assert.match(checked.output, /no errors were found|: 0 wrong counts/, checked.output);
        assert.equal((await viv('media', 'check', disk, '--repair')).status, 0);
      }
      assert.ok(flushed.size === FILES && Math.max(...flushed.values()) > KILLS, 'it wrote');
      const whole = join(folder, 'whole.raw');
      assert.equal((await viv('media', 'convert', disk, whole)).status, 0);
      // The journal is not played back by -n: once more, as after any crash, then all must be right.
      const { status } = spawnSync('e2fsck', ['-fp', whole]);
      // 1: it corrected what the journal leaves to it, as counts of what is free.
      assert.ok(status === 0 || status === 1, `e2fsck ends with ${status}`);
      execFileSync('e2fsck', ['-fn', whole]);
      rmSync(whole);
    }));
