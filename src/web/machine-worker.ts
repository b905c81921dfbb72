// The thread of a machine in a page: machine.ts starts it.
import { findCpuModel } from '../engine/cpu-model.js';
import { CpuTopology } from '../engine/cpu-topology.js';
import { hostNow } from '../host/browser/clock.js';
import { fetchEngineModules } from '../host/browser/engine-modules.js';
import { browserPacing } from '../host/browser/pacing.js';
import { browserThreads } from '../host/browser/threads.js';
import { VirtualMachine } from '../vm/virtual-machine.js';
import type { FromWorker, MachineSettings, ToWorker } from './messages.js';

const MIB = 2 ** 20;
/** crypto.getRandomValues gives at most so many bytes at once (Web Cryptography API, 10.1.1). */
const MOST_RANDOM = 65536;

let machine: VirtualMachine | null = null;
/** Asked for before there was a machine. */
let stopped = false;
const post = (message: FromWorker): void => self.postMessage(message);

/** Serial output, gathered until the machine rests: a message for each byte would cost more than the machine. */
let output: number[] = [];
function writeSerial(byte: number): void {
  if (output.length === 0)
    queueMicrotask(() => {
      post({ kind: 'serial', bytes: Uint8Array.from(output) });
      output = [];
    });
  output.push(byte);
}

async function run({ memoryMiB, cpus, engine, kernel, initrd, append }: MachineSettings): Promise<void> {
  const files = {
    kernel: { name: 'kernel', bytes: kernel },
    modules: initrd ? [{ name: 'initrd', bytes: initrd }] : [],
    commandLine: append,
  };
  machine = new VirtualMachine({
    memoryBytes: memoryMiB * MIB,
    topology: CpuTopology.flat(cpus),
    engine,
    cpuModel: findCpuModel('default'),
    virtualClock: false,
    debugExit: false,
    modules: await fetchEngineModules(),
    hostNow,
    wallClockMs: Date.now(),
    entropy: (target) => {
      for (let at = 0; at < target.length; at += MOST_RANDOM) {
        // It fills no shared memory.
        const bytes = crypto.getRandomValues(new Uint8Array(Math.min(MOST_RANDOM, target.length - at)));
        target.set(bytes, at);
      }
    },
    pacing: browserPacing(),
    threads: cpus > 1 ? browserThreads(new URL('./cpu-worker.js', import.meta.url)) : null,
    serial: { write: writeSerial },
    debugConsole: { write: () => {} },
  });
  machine.boot(() => files);
  if (stopped) machine.end({ kind: 'quit' });
  const end = await machine.run();
  post({ kind: 'ended', end, counts: machine.counts(), mode: machine.mode });
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case 'start':
      run(data.settings).catch((error: unknown) =>
        post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
      );
      break;
    case 'serial':
      machine?.receiveSerial(data.bytes);
      break;
    case 'stop':
      stopped = true;
      machine?.end({ kind: 'quit' });
      break;
  }
};
