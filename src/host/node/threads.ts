import { availableParallelism } from 'node:os';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { ThreadHost } from '../../vm/threads.js';

/** Names of x86 processors in process.arch. */
const X86 = new Set(['x64', 'ia32']);

/** Threads of Node that run a machine's CPUs. `entry`: the program of such a thread. */
export function nodeThreads(entry: URL): ThreadHost {
  return {
    parallel: availableParallelism(),
    needsFences: !X86.has(process.arch),
    start(data, wake, failed) {
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(entry, {
        workerData: { data, port: port2 },
        transferList: [port2],
        stderr: false,
      });
      worker.on('error', (error) => failed(error as Error));
      port1.on('message', wake);
      return {
        send: (module) => port1.postMessage(module),
        end: () => {
          port1.close();
          void worker.terminate();
        },
      };
    },
  };
}
