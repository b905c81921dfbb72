import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCpuModel } from '../dist/engine/cpu-model.js';
import { CpuTopology } from '../dist/engine/cpu-topology.js';
import { hostNow } from '../dist/host/node/clock.js';
import { loadEngineModules } from '../dist/host/node/engine-modules.js';
import { nodePacing } from '../dist/host/node/pacing.js';
import { nodeThreads } from '../dist/host/node/threads.js';
import { CpioArchive } from '../dist/manager/guests/cpio.js';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { VirtualMachine, type MachineEnd } from '../dist/vm/virtual-machine.js';
import { viv, withFolder, type Ended, type Viv } from './viv.js';

const PROGRAM = fileURLToPath(new URL('../tests/smp/smp.c', import.meta.url));
const CPU_THREAD = new URL('../dist/manager/cpu-thread.js', import.meta.url);

interface SmpGuest {
  readonly kernel: string;
  readonly initrd: readonly string[];
  readonly append: string;
}

/** Debian amd64 with tests/smp/smp.c as /smp, which runs a shell script there. Needs gcc. */
async function smpGuest(folder: string, script: string): Promise<SmpGuest> {
  const built = join(folder, 'smp');
  execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', built, PROGRAM]);
  const extra = join(folder, 'extra.cpio');
  writeFileSync(extra, new CpioArchive().file('smp', readFileSync(built), 0o755).finish());
  const { kernel, initrd, append } = await debianGuest({ arch: 'amd64', flavour: 'generic', script });
  return { kernel, initrd: [initrd, extra], append: `${append} quiet` };
}

/** Boots it with several CPUs. */
export function withCpus(cpus: number, script: string, by: Viv = viv): Promise<Ended> {
  return withFolder(async (folder) => {
    const { kernel, initrd, append } = await smpGuest(folder, script);
    const machine = ['--kernel', kernel, '--initrd', initrd.join(), '--append', append];
    return by('run', ...machine, '--cpus', String(cpus), '--timeout', '600');
  });
}

export interface FencedRun {
  readonly end: MachineEnd;
  readonly mode: VirtualMachine['mode'];
  readonly output: string;
}

/** Boots it with two CPUs in two threads, in this process, as if the host's memory had less order than x86's. */
export function withFences(script: string): Promise<FencedRun> {
  return withFolder(async (folder) => {
    const { kernel, initrd, append } = await smpGuest(folder, script);
    let output = '';
    const machine = new VirtualMachine({
      memoryBytes: 512 * 2 ** 20,
      topology: CpuTopology.flat(2),
      engine: 'translate',
      cpuModel: findCpuModel('default'),
      virtualClock: false,
      debugExit: false,
      modules: loadEngineModules(),
      hostNow,
      wallClockMs: Date.now(),
      entropy: (target) => void randomFillSync(target),
      pacing: nodePacing(),
      threads: { ...nodeThreads(CPU_THREAD), parallel: 2, needsFences: true },
      serial: { write: (byte) => void (output += String.fromCharCode(byte)) },
      debugConsole: { write: () => {} },
    });
    try {
      machine.boot(() => ({
        kernel: { name: kernel, bytes: readFileSync(kernel) },
        modules: initrd.map((name) => ({ name, bytes: readFileSync(name) })),
        commandLine: append,
      }));
      const end = await machine.run();
      return { end, mode: machine.mode, output: output.replaceAll('\r', '') };
    } finally {
      machine.close();
    }
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
export function deterministicRun(
  engine: string,
  { seed, by = viv }: { seed?: string; by?: Viv } = {},
): Promise<DeterministicRun> {
  return withFolder(async (folder) => {
    const stats = join(folder, 'stats.json');
    const { kernel, initrd, append } = await debianGuest({ arch: 'amd64', flavour: 'generic', script: BUSY });
    const machine = ['--kernel', kernel, '--initrd', initrd, '--append', append, '--memory', '256M'];
    const how = ['--deterministic', '--cpus', '4', '--engine', engine, '--stats', stats, '--timeout', '600'];
    if (seed !== undefined) how.push('--seed', seed);
    const { status, output, errors } = await by('run', ...machine, ...how);
    if (status !== 0) throw new Error(`status ${status}: ${output}\n${errors}`);
    return { ...(JSON.parse(readFileSync(stats, 'utf8')) as Omit<DeterministicRun, 'output'>), output };
  });
}
