import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CpioArchive } from '../dist/manager/guests/cpio.js';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { viv, withFolder, type Ended } from './viv.js';

const PROGRAM = fileURLToPath(new URL('../tests/smp/smp.c', import.meta.url));

/** Boots Debian amd64 with several CPUs and tests/smp/smp.c as /smp, and runs a shell script there. Needs gcc. */
export function withCpus(cpus: number, script: string, ...options: string[]): Promise<Ended> {
  return withFolder(async (folder) => {
    const built = join(folder, 'smp');
    execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', built, PROGRAM]);
    const extra = join(folder, 'extra.cpio');
    writeFileSync(extra, new CpioArchive().file('smp', readFileSync(built), 0o755).finish());
    const { kernel, initrd, append } = await debianGuest({ arch: 'amd64', flavour: 'generic', script });
    const machine = ['--kernel', kernel, '--initrd', `${initrd},${extra}`, '--append', `${append} quiet`];
    return viv('run', ...machine, '--cpus', String(cpus), '--timeout', '600', ...options);
  });
}

/** Four loops at once, and what comes of them. */
const BUSY = `
for i in 1 2 3 4; do
  ( x=0; while [ $x -lt 1000 ]; do x=$((x + i)); done; echo "worker $i $x" | md5sum ) &
done
wait
cat /proc/interrupts | md5sum
`;

export interface DeterministicRun {
  readonly instructions: number;
  readonly memoryHash: string;
  readonly mode: { kind: string };
  readonly output: string;
}

/** A repeatable run of Debian with four CPUs that all work. */
export function deterministicRun(engine: string, ...options: string[]): Promise<DeterministicRun> {
  return withFolder(async (folder) => {
    const stats = join(folder, 'stats.json');
    const { kernel, initrd, append } = await debianGuest({ arch: 'amd64', flavour: 'generic', script: BUSY });
    const machine = ['--kernel', kernel, '--initrd', initrd, '--append', append, '--memory', '256M'];
    const how = ['--deterministic', '--cpus', '4', '--engine', engine, '--stats', stats, '--timeout', '600'];
    const { status, output, errors } = await viv('run', ...machine, ...how, ...options);
    if (status !== 0) throw new Error(`status ${status}: ${output}\n${errors}`);
    return { ...(JSON.parse(readFileSync(stats, 'utf8')) as Omit<DeterministicRun, 'output'>), output };
  });
}
