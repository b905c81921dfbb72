// Compares Vivarium with QEMU's TCG and, for the i386 guest, v86: the same guest, one after the other in one run:
//
//   npm run bench [-- --runs 3] [--guest amd64|i386]
//   npm run bench -- --profile [--guest amd64|i386]
//
// Prints medians and ratios (above 1: Vivarium is that many times slower) and writes bench/results/DATE-GUEST.json.
// With --profile only Vivarium runs, once, and what is printed is where its time goes.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printTop } from './profile.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    guest: { type: 'string', default: 'amd64' },
    profile: { type: 'boolean', default: false },
  },
});
const GUESTS = { amd64: { arch: 'amd64', flavour: 'generic' }, i386: { arch: 'i386', flavour: '686' } };
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs: a whole number above 0');
if (!(values.guest in GUESTS)) throw new Error(`--guest: one of ${Object.keys(GUESTS).join(', ')}`);
const withV86 = values.guest === 'i386';
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const LIMIT_SECONDS = 300;
const MEMORY_MB = '512';
const V86_VERSION = '0.5.462';

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

/** The boot has two parts, with the kernel's first line between them; that line comes right after decompression. */
const DECOMPRESSION = 'boot: firmware, decompression';
const KERNEL = 'boot: kernel to the script';
const BOOT = 'boot: both';
const FIRST_LINE = 'Linux version ';
// The early console is for that line; the level keeps the rest of the kernel's output short.
const EARLY = 'loglevel=6 earlycon=uart8250,io,0x3f8,115200';

const have = (command) => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

function installQemu() {
  const packages = [];
  if (!have('qemu-system-x86_64')) packages.push('qemu-system-x86');
  if (withV86 && !existsSync('/usr/share/seabios/bios.bin')) packages.push('seabios');
  if (packages.length === 0) return;
  if (process.getuid() !== 0) throw new Error(`install ${packages.join(' and ')}, or run this as root`);
  execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
    stdio: 'inherit',
  });
}

/** v86 is not among the project's dependencies, so that ordinary installs do not carry it. */
function installV86() {
  const peers = join(root, 'dist/bench-peers');
  const manifest = join(peers, 'node_modules/v86/package.json');
  const installed = () =>
    existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
  // The version in the package itself has the commit after a plus sign.
  if (installed()?.split('+')[0] === V86_VERSION) return installed();
  mkdirSync(peers, { recursive: true });
  const options = ['--prefix', peers, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  try {
    execFileSync('npm', ['install', ...options, `v86@${V86_VERSION}`], { stdio: ['ignore', 2, 2] });
  } catch (error) {
    throw new Error(
      `v86 ${V86_VERSION} could not be installed with npm, and the i386 guest is compared with it`,
      {
        cause: error,
      },
    );
  }
  return installed();
}

const { debianGuest } = await import(join(root, 'dist/manager/guests/debian.js'));
const guest = await debianGuest({ ...GUESTS[values.guest], script });
const append = `${guest.append} ${EARLY}`;
const statsFile = join(root, 'dist/bench-stats.json');
const files = ['--kernel', guest.kernel, '--initrd', guest.initrd, '--append', append];
const viv = [
  join(root, 'dist/cli/viv.js'),
  'run',
  '--memory',
  `${MEMORY_MB}M`,
  ...files,
  '--stats',
  statsFile,
];

/** Seconds of each part of the boot and of each workload, and what the workloads printed. */
function once(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000);
    let since = performance.now();
    let current = DECOMPRESSION;
    let rest = '';
    const seconds = {};
    let output = '';
    const next = (name) => {
      const now = performance.now();
      seconds[current] = (now - since) / 1000;
      since = now;
      current = name;
    };
    child.stdout.on('data', (data) => {
      const lines = (rest + data.toString('latin1')).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const at = line.indexOf(MARK);
        if (at >= 0) next(line.slice(at + MARK.length).trim());
        else if (current === DECOMPRESSION && line.includes(FIRST_LINE)) next(KERNEL);
        // What starts with a bracket is the kernel's.
        else if (current in WORKLOADS && !line.startsWith('[')) output += line.trim() + '\n';
      }
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      if (current !== 'end') return reject(new Error(`${command} ended in "${current}"`));
      if (!(KERNEL in seconds)) return reject(new Error(`${command}: "${FIRST_LINE}" was not printed`));
      resolve({ seconds: { [BOOT]: seconds[DECOMPRESSION] + seconds[KERNEL], ...seconds }, output });
    });
  });
}

async function profile() {
  const directory = join(root, 'dist/profile', `${date}-${values.guest}`);
  await once(process.execPath, ['--cpu-prof', '--cpu-prof-dir', directory, ...viv]);
  printTop(directory, join(root, 'dist/engine'), 25);
}

async function compare() {
  installQemu();
  const firstLine = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0];
  const versions = { qemu: firstLine, ...(withV86 && { v86: installV86() }), node: process.version };
  const machine = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${type()} ${release()} ${process.arch}`,
    // Tells whether other work had the machine too.
    loadBefore: loadavg()[0],
  };

  const qemu = ['-accel', 'tcg', '-m', MEMORY_MB, '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const v86 = [join(root, 'bench/v86-run.mjs'), guest.kernel, guest.initrd, append, MEMORY_MB];
  const commands = {
    qemu: ['qemu-system-x86_64', [...qemu, ...files.map((option) => option.replace(/^--/, '-'))]],
    ...(withV86 && { v86: [process.execPath, v86] }),
    vivarium: [process.execPath, viv],
  };
  const names = Object.keys(commands);
  const peers = names.filter((name) => name !== 'vivarium');
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  const speeds = [];
  let expected;
  for (let run = 1; run <= runs; run++)
    for (const name of names) {
      process.stderr.write(`run ${run} of ${runs}: ${name} ...\n`);
      const { seconds, output } = await once(...commands[name]);
      expected ??= output;
      // Times are worth nothing when the work was not done.
      if (output !== expected) throw new Error(`${name} printed\n${output}instead of\n${expected}`);
      samples[name].push(seconds);
      if (name !== 'vivarium') continue;
      const stats = JSON.parse(readFileSync(statsFile, 'utf8'));
      speeds.push(stats.instructions / stats.seconds);
    }

  const rows = [BOOT, DECOMPRESSION, KERNEL, ...Object.keys(WORKLOADS)].map((workload) => {
    const of = (name) => median(samples[name].map((seconds) => seconds[workload]));
    const seconds = Object.fromEntries(names.map((name) => [name, of(name)]));
    const ratios = Object.fromEntries(peers.map((peer) => [peer, seconds.vivarium / seconds[peer]]));
    return { workload, seconds, ratios };
  });
  const workloads = rows.filter(({ workload }) => workload in WORKLOADS);
  const means = Object.fromEntries(
    peers.map((peer) => {
      const logs = workloads.map(({ ratios }) => Math.log(ratios[peer]));
      return [peer, Math.exp(logs.reduce((sum, log) => sum + log) / logs.length)];
    }),
  );
  const instructionsPerSecond = median(speeds);

  const cells = (list) => list.map((text) => text.padStart(11)).join('');
  console.log(`Seconds, medians of ${runs}; ratios: Vivarium's seconds by the peer's; guest ${values.guest}`);
  console.log(Object.entries(versions).flat().join(' '));
  console.log(`${machine.cpu}, ${machine.cores} cores, load ${machine.loadBefore.toFixed(1)} at the start`);
  console.log(' '.repeat(32) + cells([...names, ...peers.map((peer) => `to ${peer}`)]));
  for (const { workload, seconds, ratios } of rows)
    console.log(
      workload.padEnd(32) +
        cells([...Object.values(seconds), ...Object.values(ratios)].map((n) => n.toFixed(2))),
    );
  console.log(
    'geometric mean without the boot'.padEnd(32) +
      cells([...names.map(() => ''), ...Object.values(means).map((n) => n.toFixed(2))]),
  );
  console.log(
    `Vivarium ran ${(instructionsPerSecond / 1e6).toFixed(0)} million guest instructions a second over the whole run`,
  );
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  const result = {
    date,
    guest: values.guest,
    runs,
    machine,
    versions,
    instructionsPerSecond,
    means,
    rows,
    samples,
  };
  writeFileSync(
    join(root, `bench/results/${date}-${values.guest}.json`),
    JSON.stringify(result, null, 2) + '\n',
  );
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const date = new Date().toISOString().slice(0, 16).replace(':', '');
await (values.profile ? profile() : compare());
