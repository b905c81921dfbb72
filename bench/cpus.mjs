// What a second CPU is worth: two of each program at once in a Debian guest with one CPU and with two, in QEMU's TCG
// (thread=multi) and in Vivarium, one after the other in one run:
//
//   npm run bench:cpus [-- --runs 3] [--only TEXT]
//
// Prints medians of seconds, how many times as fast two CPUs are as one, and Vivarium's seconds by QEMU's.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installQemu } from './peers.mjs';
import { withPrograms } from './programs-root.mjs';
import { geometricMean, markedScript, median, timed } from './timed.mjs';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, only: { type: 'string', default: '' } },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs: a whole number above 0');

const twice = (command) => ({ command: `(${command}) & (${command}) & wait` });
const times = (count, command) => `i=0; while [ $i -lt ${count} ]; do i=$((i + 1)); ${command}; done`;
/** Long enough that the time in which code gets hot, and V8 compiles it on the second core, does not count for much. */
const INDEPENDENT = {
  'integer mix': twice(times(6, '/bench/mix')),
  sort: twice(times(3, '/bench/sort')),
  'byte-code loop': twice(times(4, '/bench/bytecode')),
  'n-body, SSE2': twice(times(3, '/bench/nbody')),
  'gzip of 8 MiB of code': twice(times(2, '/bin/gzip -c /bench/data | wc -c')),
  awk: twice("awk 'BEGIN { x = 0.5; for (i = 0; i < 1000000; i++) x = 3.7 * x * (1 - x); print x }'"),
};
const MIXED = {
  'gcc -O2, two at a time': {
    command: 'cd /bench/source && ls *.c *.c *.c | xargs -n 1 -P 2 gcc-12 -O2 -S -o /dev/null; cd /root',
  },
  'fork and exec': twice('/bench/spawn'),
};
const workloads = Object.fromEntries(
  Object.entries({ ...INDEPENDENT, ...MIXED }).filter(([name]) => name.includes(values.only)),
);
if (Object.keys(workloads).length === 0)
  throw new Error(`--only: a part of one of: ${Object.keys({ ...INDEPENDENT, ...MIXED }).join('; ')}`);

const root = fileURLToPath(new URL('..', import.meta.url));
const { debianGuest } = await import(join(root, 'dist/manager/guests/debian.js'));
const guest = await debianGuest({ arch: 'amd64', flavour: 'generic', script: markedScript(workloads) });
const initrd = withPrograms('amd64', guest.initrd);
const MEMORY = '1024';
const firstLine = { text: 'Linux version ', before: 'firmware', behind: 'kernel' };
const append = `${guest.append} loglevel=6 earlycon=uart8250,io,0x3f8,115200`;

const machines = {
  qemu: (cpus) => [
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-smp', cpus, '-m', MEMORY, '-display', 'none', '-no-reboot'],
      ...['-serial', 'stdio', '-kernel', guest.kernel, '-initrd', initrd, '-append', append],
    ],
  ],
  vivarium: (cpus) => [
    process.execPath,
    [
      ...[join(root, 'dist/cli/start.js'), 'run', '--cpus', cpus, '--memory', `${MEMORY}M`],
      ...['--kernel', guest.kernel, '--initrd', initrd, '--append', append],
    ],
  ],
};

console.error(installQemu(false));
const samples = {};
for (let run = 1; run <= runs; run++)
  for (const [name, machine] of Object.entries(machines))
    for (const cpus of ['1', '2']) {
      process.stderr.write(`run ${run} of ${runs}: ${name} with ${cpus} ...\n`);
      const { seconds } = await timed(...machine(cpus), { firstLine, limitSeconds: 600 });
      for (const workload of Object.keys(workloads))
        ((samples[workload] ??= {})[`${name} ${cpus}`] ??= []).push(seconds[workload]);
    }

const cells = (list) => list.map((text) => text.padStart(11)).join('');
console.log(
  `Seconds of two at once, medians of ${runs}, with 1 and 2 CPUs; gain: how many times as fast 2 are;`,
);
console.log("ratio: Vivarium's seconds by QEMU's");
console.log(
  ' '.repeat(26) + cells(['qemu 1', 'qemu 2', 'gain', 'viv 1', 'viv 2', 'gain', 'ratio 1', 'ratio 2']),
);
const rows = Object.entries(samples).map(([workload, of]) => {
  const [q1, q2, v1, v2] = ['qemu 1', 'qemu 2', 'vivarium 1', 'vivarium 2'].map((key) => median(of[key]));
  const row = [q1, q2, q1 / q2, v1, v2, v1 / v2, v1 / q1, v2 / q2];
  console.log(workload.padEnd(26) + cells(row.map((n) => n.toFixed(2))));
  return { workload, row };
});
for (const [group, names] of Object.entries({ independent: INDEPENDENT, mixed: MIXED })) {
  const counted = rows.filter(({ workload }) => workload in names).map(({ row }) => row);
  if (counted.length === 0) continue;
  const means = counted[0].map((_, i) =>
    [2, 5, 6, 7].includes(i) ? geometricMean(counted.map((r) => r[i])) : null,
  );
  console.log(`mean, ${group}`.padEnd(26) + cells(means.map((n) => n?.toFixed(2) ?? '')));
}
