// Speed of disks beside QEMU's (thread=single TCG) on the same guest and the same raw file: npm run bench:disk [-- --runs 3].
// Direct I/O by a program of ours (bench/disk/io.c), on a file in the host's memory, where it has a place for such: a flush of its
// disk takes what it takes. Needs gcc and qemu-system-x86.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { CpioArchive } from '../dist/manager/guests/cpio.js';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { installQemu } from './peers.mjs';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
const RUNS = Number(values.runs);
if (!Number.isInteger(RUNS) || RUNS < 1) throw new Error('--runs: a whole number above 0');
const BYTES = 2 ** 29;
const MIB = 2 ** 20;
const here = fileURLToPath(new URL('.', import.meta.url));
const VIV = join(here, '../dist/cli/start.js');

/** Operation, order, block and how many. */
const WORK = {
  'read 512 MiB, 1 MiB blocks': ['read', 'seq', MIB, 512],
  'write 512 MiB, 1 MiB blocks': ['write', 'seq', MIB, 512],
  'read 20000 blocks of 4 KiB': ['read', 'random', 4096, 20000],
  'write 20000 blocks of 4 KiB': ['write', 'random', 4096, 20000],
};
/** Each is done this often in a run: the first has translation in it. */
const ROUNDS = 3;

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'viv-bench-disk-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const disk = join(folder, 'disk.raw');
writeFileSync(disk, Buffer.alloc(BYTES, 'vivarium'));

console.log(installQemu(false));
const program = join(folder, 'io');
execFileSync('gcc', ['-O2', '-static', '-o', program, join(here, 'disk/io.c')]);
const archive = new CpioArchive().file('bin/io', readFileSync(program), 0o755).finish();
const lines = Object.values(WORK).map((work, n) => `io ${n} $disk ${work.join(' ')}`);
const script = `for disk in /dev/vda /dev/sda /dev/nvme0n1; do [ -b $disk ] && break; done
for round in ${Array.from({ length: ROUNDS }, (_, n) => n).join(' ')}; do
${lines.join('\n')}
done`;
const guest = await debianGuest({ modules: 'drives', script });
const initrd = join(folder, 'initrd');
writeFileSync(
  initrd,
  Buffer.concat([readFileSync(guest.initrd), readFileSync(guest.modules), gzipSync(archive)]),
);

/** Seconds of each piece of work, by round. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 240_000 });
    let output = '';
    child.stdout.on('data', (bytes) => (output += bytes.toString('latin1')));
    child.on('error', reject);
    child.on('close', () => {
      const found = Object.keys(WORK).map(() => []);
      for (const [, n, seconds] of output.matchAll(/took (\d+) ([\d.]+)/g)) found[n].push(Number(seconds));
      if (found.every((rounds) => rounds.length === ROUNDS)) resolve(found);
      else reject(new Error(`it did not end:\n${output.slice(-2000)}`));
    });
  });
}

const common = ['--kernel', guest.kernel, '--initrd', initrd, '--append', `${guest.append} quiet`];
const qemu = (...device) => [
  'qemu-system-x86_64',
  [
    ...['-accel', 'tcg', '-m', '512', '-nographic', '-no-reboot', '-nic', 'none'],
    ...common.map((option) => option.replace(/^--/, '-')),
    ...['-drive', `if=none,id=disk,format=raw,file=${disk}`, ...device],
  ],
];
const viv = (bus) => [
  process.execPath,
  [VIV, 'run', '--memory', '512M', ...common, '--disk', `${disk},bus=${bus}`],
];
const PEERS = {
  'virtio-blk': { QEMU: qemu('-device', 'virtio-blk-pci,drive=disk'), Vivarium: viv('virtio') },
  AHCI: {
    QEMU: qemu('-device', 'ahci,id=ahci', '-device', 'ide-hd,drive=disk,bus=ahci.0'),
    Vivarium: viv('ahci'),
  },
  NVMe: { QEMU: qemu('-device', 'nvme,drive=disk,serial=1'), Vivarium: viv('nvme') },
};

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
console.log(`seconds, medians of ${RUNS} runs: first round, and the others`);
for (const [name, peers] of Object.entries(PEERS)) {
  const found = Object.fromEntries(Object.keys(peers).map((peer) => [peer, []]));
  for (let n = 0; n < RUNS; n++)
    for (const [peer, command] of Object.entries(peers)) found[peer].push(await run(...command));
  Object.keys(WORK).forEach((work, n) => {
    const cells = Object.entries(found).map(([peer, runs]) => {
      const first = median(runs.map((rounds) => rounds[n][0]));
      const later = median(runs.flatMap((rounds) => rounds[n].slice(1)));
      return { peer, first, later };
    });
    const [theirs, ours] = cells;
    const text = cells
      .map(({ peer, first, later }) => `${peer} ${first.toFixed(2)} ${later.toFixed(2)}`)
      .join(', ');
    console.log(`${name}, ${work}: ${text}; ${(theirs.later / ours.later).toFixed(2)} times as fast`);
  });
}
