import type { ThreadHost } from '../../vm/threads.js';
import { isX86 } from './processor.js';

/** What a worker that runs CPUs says: look at the mailboxes; or what it broke with. */
export type FromCpuWorker = null | { readonly failed: string };

/** Workers of this thread that run a machine's CPUs. `entry`: the program of such a worker. */
export function browserThreads(entry: URL): ThreadHost {
  return {
    parallel: navigator.hardwareConcurrency,
    needsFences: !isX86(),
    start(data, wake, failed) {
      const worker = new Worker(entry, { type: 'module' });
      worker.onmessage = ({ data: said }: MessageEvent<FromCpuWorker>) => {
        if (said === null) wake();
        else failed(new Error(said.failed));
      };
      worker.onerror = ({ message }) =>
        failed(new Error(message || 'a thread of the machine could not be loaded'));
      worker.postMessage(data);
      return { send: (module) => worker.postMessage(module), end: () => worker.terminate() };
    },
  };
}
