import { MOST_CPUS } from '../engine/cpu-topology.js';
import type { MachineCounts, MachineEnd, MachineMode } from '../vm/virtual-machine.js';
import type { FromWorker, MachineSettings, ToWorker } from './messages.js';

export type { MachineCounts, MachineEnd, MachineMode, MachineSettings };

/** What a machine did. */
export interface Ended {
  readonly end: MachineEnd;
  readonly counts: MachineCounts;
  /** How its CPUs ran. */
  readonly mode: MachineMode;
}

export interface MachineOptions extends Partial<Omit<MachineSettings, 'kernel'>> {
  /** A Linux kernel (bzImage), or a multiboot or PVH one. */
  readonly kernel: Uint8Array;
  /** What the guest writes to serial port 1. */
  readonly onSerial: (bytes: Uint8Array) => void;
}

export interface RunningMachine {
  /** Bytes, or text as UTF-8, to serial port 1. */
  send(input: string | Uint8Array): void;
  /** Ends the machine. */
  stop(): void;
  /** Rejects if the machine could not be made or broke down. */
  readonly ended: Promise<Ended>;
}

/**
 * Starts a PC in a page, in a thread of its own (128 MiB, one CPU, the translating engine unless told otherwise); several CPUs
 * run in several threads, as many as the host has cores at most. The page must be
 * cross-origin isolated, as the PC's memory is shared with its thread.
 */
export function startMachine(options: MachineOptions): RunningMachine {
  if (!globalThis.crossOriginIsolated)
    throw new Error(
      'The page is not cross-origin isolated: serve it with the headers ' +
        '"Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"',
    );
  const {
    kernel,
    onSerial,
    initrd = null,
    memoryMiB = 128,
    cpus = 1,
    engine = 'translate',
    append = 'console=ttyS0',
  } = options;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MOST_CPUS)
    throw new RangeError(`cpus: ${cpus} is not a number of CPUs from 1 to ${MOST_CPUS}`);
  const worker = new Worker(new URL('./machine-worker.js', import.meta.url), { type: 'module' });
  const post = (message: ToWorker): void => worker.postMessage(message);
  const ended = new Promise<Ended>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'serial') return onSerial(data.bytes);
      worker.terminate();
      if (data.kind === 'ended') resolve(data);
      else reject(new Error(data.message));
    };
    worker.onerror = ({ message }) => {
      worker.terminate();
      reject(new Error(message || "the machine's thread could not be loaded"));
    };
  });
  post({ kind: 'start', settings: { memoryMiB, cpus, engine, kernel, initrd, append } });
  return {
    send: (input) =>
      post({ kind: 'serial', bytes: typeof input === 'string' ? new TextEncoder().encode(input) : input }),
    stop: () => post({ kind: 'stop' }),
    ended,
  };
}
