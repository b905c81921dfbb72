// Compares Vivarium with QEMU's TCG on the same guest, one after the other in one run:
//
//   npm run bench [-- --runs 3] [--guest amd64|i386]
//
// Prints medians and ratios (above 1: Vivarium is that many times slower) and writes bench/results/DATE.json.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, guest: { type: 'string', default: 'amd64' } },
});
const runs = Number(values.runs);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const LIMIT_SECONDS = 300;

/** Each workload says its name when it starts; the host takes the time until the next one does. */
const WORKLOADS = {
  'shell loop, 200,000 steps': 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done',
  'md5sum of 64 MiB': 'dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum',
  'gzip of 64 MiB': 'dd if=/dev/zero bs=1M count=64 2>/dev/null | gzip -c > /dev/null',
  'awk loop, 1,000,000 steps':
    "awk 'BEGIN { x = 0.5; for (i = 0; i < 1000000; i++) x = 3.7 * x * (1 - x); print x }'",
  'sort of 100,000 lines': 'seq 1 100000 | sort -r | tail -n 1',
  'fork and exec, 500 times': 'i=0; while [ $i -lt 500 ]; do /bin/busybox true; i=$((i + 1)); done',
};
const MARK = 'bench-mark:';
const script = Object.entries(WORKLOADS)
  .map(([name, command]) => `echo "${MARK}${name}"\n${command}`)
  .concat(`echo "${MARK}end"`)
  .join('\n');

const have = (command) => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
if (!have('qemu-system-x86_64')) {
  if (process.getuid() !== 0) throw new Error('QEMU is not there: install the package qemu-system-x86');
  execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'qemu-system-x86'], {
    stdio: 'inherit',
  });
}

const { debianGuest } = await import(join(root, 'dist/manager/guests/debian.js'));
const chosen =
  values.guest === 'i386' ? { arch: 'i386', flavour: '686' } : { arch: 'amd64', flavour: 'generic' };
const guest = await debianGuest({ ...chosen, script });
const append = `${guest.append} quiet`;
const PEERS = {
  qemu: [
    'qemu-system-x86_64',
    [
      '-accel',
      'tcg',
      '-m',
      '512',
      '-display',
      'none',
      '-no-reboot',
      '-serial',
      'stdio',
      '-kernel',
      guest.kernel,
      '-initrd',
      guest.initrd,
      '-append',
      append,
    ],
  ],
  vivarium: [
    process.execPath,
    [
      join(root, 'dist/cli/viv.js'),
      'run',
      '--memory',
      '512M',
      '--kernel',
      guest.kernel,
      '--initrd',
      guest.initrd,
      '--append',
      append,
      '--stats',
      join(root, 'dist/bench-stats.json'),
    ],
  ],
};

/** Seconds of each workload, and of the boot before the first. */
function once([command, args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000);
    let since = performance.now();
    let current = 'boot to the script';
    let rest = '';
    const seconds = {};
    child.stdout.on('data', (data) => {
      const lines = (rest + data.toString('latin1')).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const at = line.indexOf(MARK);
        if (at < 0) continue;
        const now = performance.now();
        seconds[current] = (now - since) / 1000;
        since = now;
        current = line.slice(at + MARK.length).trim();
      }
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      if (current === 'end') resolve(seconds);
      else reject(new Error(`${command} ended in "${current}"`));
    });
  });
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const samples = { qemu: [], vivarium: [] };
let speed = 0;
for (let run = 1; run <= runs; run++)
  for (const [name, peer] of Object.entries(PEERS)) {
    process.stderr.write(`run ${run} of ${runs}: ${name} ...\n`);
    samples[name].push(await once(peer));
    if (name === 'vivarium') {
      const stats = JSON.parse(readFileSync(join(root, 'dist/bench-stats.json'), 'utf8'));
      speed = stats.instructions / stats.seconds;
    }
  }

const rows = Object.keys(samples.qemu[0]).map((workload) => {
  const [qemu, vivarium] = ['qemu', 'vivarium'].map((name) =>
    median(samples[name].map((seconds) => seconds[workload])),
  );
  return { workload, qemu, vivarium, ratio: vivarium / qemu };
});
const mean = Math.exp(rows.slice(1).reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / (rows.length - 1));
const version = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0];
console.log(
  `Seconds, medians of ${runs}; guest ${values.guest}; ${version}; Node ${process.version}; ${cpus()[0].model}`,
);
for (const { workload, qemu, vivarium, ratio } of rows)
  console.log(
    `${workload.padEnd(28)} QEMU ${qemu.toFixed(2).padStart(7)}  Vivarium ${vivarium.toFixed(2).padStart(7)}  ratio ${ratio.toFixed(2)}`,
  );
console.log(
  `geometric mean of the workloads: ${mean.toFixed(2)}; Vivarium ran ${(speed / 1e6).toFixed(0)} million guest instructions a second over the whole run`,
);
mkdirSync(join(root, 'bench/results'), { recursive: true });
const date = new Date().toISOString().slice(0, 16).replace(':', '');
const result = {
  date,
  guest: values.guest,
  runs,
  cpu: cpus()[0].model,
  cores: cpus().length,
  node: process.version,
  qemu: version,
  instructionsPerSecond: speed,
  rows,
  samples,
};
writeFileSync(
  join(root, `bench/results/${date}-${values.guest}.json`),
  JSON.stringify(result, null, 2) + '\n',
);
