// Compares Vivarium with QEMU's TCG and, for the i386 guest, v86: the same guest, one after the other in one run:
//
//   npm run bench [-- --suite busybox|programs] [--guest amd64|i386] [--runs 3] [--only TEXT] [--twice]
//   npm run bench -- --profile [the same options]
//
// Prints medians and ratios (above 1: Vivarium is that many times slower), writes bench/results/DATE-SUITE-GUEST.json and
// draws docs/bench-SUITE-GUEST.svg.
// With --only, only workloads whose name has the text; with --profile only Vivarium runs, once, and what is printed is
// where its time goes. Neither writes results. With --twice each workload runs twice in the same guest: what is new to the
// translator the first time is not the second time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chartOf } from './chart.mjs';
import { installQemu, installV86 } from './peers.mjs';
import { printTop } from './profile.mjs';
import { withPrograms } from './programs-root.mjs';
import { geometricMean, markedScript, median, timed } from './timed.mjs';
import { BUSYBOX, PROGRAMS } from './workloads.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    suite: { type: 'string', default: 'busybox' },
    guest: { type: 'string', default: 'amd64' },
    only: { type: 'string', default: '' },
    profile: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
  },
});
const GUESTS = { amd64: { arch: 'amd64', flavour: 'generic' }, i386: { arch: 'i386', flavour: '686' } };
const SUITES = {
  busybox: { all: BUSYBOX, memoryMB: '512', limitSeconds: 300 },
  programs: { all: PROGRAMS, memoryMB: '1024', limitSeconds: 2400 },
};
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs: a whole number above 0');
for (const [option, known] of Object.entries({ guest: GUESTS, suite: SUITES }))
  if (!(values[option] in known)) throw new Error(`--${option}: one of ${Object.keys(known).join(', ')}`);
const { all, memoryMB, limitSeconds } = SUITES[values.suite];
const again = ([name, { command, group }]) => [
  `${name}, again`,
  { command, group: `${group ?? 'without the boot'}, again` },
];
const workloads = Object.fromEntries(
  Object.entries(all)
    .filter(([name]) => name.includes(values.only))
    .flatMap((workload) => (values.twice ? [workload, again(workload)] : [workload])),
);
if (Object.keys(workloads).length === 0)
  throw new Error(`--only: a part of one of: ${Object.keys(all).join('; ')}`);
const withV86 = values.guest === 'i386';
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The boot has two parts, with the kernel's first line between them; that line comes right after decompression. */
const DECOMPRESSION = 'boot: firmware, decompression';
const KERNEL = 'boot: kernel to the script';
const BOOT = 'boot: both';
const FIRST_LINE = 'Linux version ';
// The early console is for that line; the level keeps the rest of the kernel's output short.
const EARLY = 'loglevel=6 earlycon=uart8250,io,0x3f8,115200';

const { debianGuest } = await import(join(root, 'dist/manager/guests/debian.js'));
const guest = await debianGuest({ ...GUESTS[values.guest], script: markedScript(workloads) });
if (values.suite === 'programs') guest.initrd = withPrograms(values.guest, guest.initrd);
const append = `${guest.append} ${EARLY}`;
const statsFile = join(root, 'dist/bench-stats.json');
const files = ['--kernel', guest.kernel, '--initrd', guest.initrd, '--append', append];
const viv = [
  join(root, 'dist/cli/start.js'),
  'run',
  '--memory',
  `${memoryMB}M`,
  ...files,
  '--stats',
  statsFile,
];

/** Seconds of each part of the boot and of each workload, and what the workloads printed. */
async function once(command, args) {
  const firstLine = { text: FIRST_LINE, before: DECOMPRESSION, behind: KERNEL };
  const { seconds, output } = await timed(command, args, { firstLine, limitSeconds });
  return { seconds: { [BOOT]: seconds[DECOMPRESSION] + seconds[KERNEL], ...seconds }, output };
}

async function profile() {
  const directory = join(root, 'dist/profile', `${date}-${values.suite}-${values.guest}`);
  // With options of Node's it runs in the process that is started (src/cli/start.ts): here with that one, as otherwise.
  const options = ['--cpu-prof', '--cpu-prof-dir', directory, '--v8-pool-size=1'];
  await once(process.execPath, [...options, ...viv]);
  printTop(directory, join(root, 'dist/engine'), 25);
}

async function compare() {
  const versions = {
    qemu: installQemu(withV86),
    ...(withV86 && { v86: installV86() }),
    node: process.version,
  };
  const machine = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${type()} ${release()} ${process.arch}`,
    // Tells whether other work had the machine too.
    loadBefore: loadavg()[0],
  };

  const qemu = ['-accel', 'tcg', '-m', memoryMB, '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const v86 = [join(root, 'bench/v86-run.mjs'), guest.kernel, guest.initrd, append, memoryMB];
  const commands = {
    qemu: ['qemu-system-x86_64', [...qemu, ...files.map((option) => option.replace(/^--/, '-'))]],
    ...(withV86 && { v86: [process.execPath, v86] }),
    vivarium: [process.execPath, viv],
  };
  const names = Object.keys(commands);
  const peers = names.filter((name) => name !== 'vivarium');
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  const speeds = [];
  const processes = [];
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
      processes.push(stats.memory.process / 2 ** 20);
    }

  const rows = [BOOT, DECOMPRESSION, KERNEL, ...Object.keys(workloads)].map((workload) => {
    const of = (name) => median(samples[name].map((seconds) => seconds[workload]));
    const seconds = Object.fromEntries(names.map((name) => [name, of(name)]));
    const ratios = Object.fromEntries(peers.map((peer) => [peer, seconds.vivarium / seconds[peer]]));
    return { workload, seconds, ratios };
  });
  const means = {};
  for (const group of new Set(Object.values(workloads).map((workload) => workload.group))) {
    const counted = rows.filter(
      ({ workload }) => workload in workloads && workloads[workload].group === group,
    );
    means[`geometric mean, ${group ?? 'without the boot'}`] = Object.fromEntries(
      peers.map((peer) => [peer, geometricMean(counted.map(({ ratios }) => ratios[peer]))]),
    );
  }
  const instructionsPerSecond = median(speeds);
  const processMiB = Math.round(median(processes));

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
  for (const [name, ratios] of Object.entries(means))
    console.log(
      name.padEnd(32) + cells([...names.map(() => ''), ...Object.values(ratios).map((n) => n.toFixed(2))]),
    );
  console.log(
    `Vivarium ran ${(instructionsPerSecond / 1e6).toFixed(0)} million guest instructions a second over the whole run`,
  );
  console.log(`Its process had ${processMiB} MiB at the end, for a guest with ${memoryMB} MiB`);
  if (values.only !== '' || values.twice) return;
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  const result = {
    date,
    suite: values.suite,
    guest: values.guest,
    runs,
    machine,
    versions,
    instructionsPerSecond,
    memory: { guestMiB: Number(memoryMB), processMiB },
    means,
    rows,
    samples,
  };
  writeFileSync(
    join(root, `bench/results/${date}-${values.suite}-${values.guest}.json`),
    JSON.stringify(result, null, 2) + '\n',
  );
  writeFileSync(join(root, `docs/bench-${values.suite}-${values.guest}.svg`), chartOf(result));
}

const date = new Date().toISOString().slice(0, 16).replace(':', '');
await (values.profile ? profile() : compare());
