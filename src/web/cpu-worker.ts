// The program of a worker that runs CPUs: host/browser/threads.ts starts it.
import type { RegionModule } from '../engine/translator/installer.js';
import { hostNow } from '../host/browser/clock.js';
import type { FromCpuWorker } from '../host/browser/threads.js';
import { Executor, type ExecutorData } from '../vm/executor.js';

const post = (message: FromCpuWorker): void => self.postMessage(message);

/** Modules that came and were not asked for yet. */
const modules: RegionModule[] = [];
let arrived: (() => void) | null = null;

function receiveModule({ data }: MessageEvent<RegionModule>): void {
  modules.push(data);
  arrived?.();
}

async function nextModule(): Promise<RegionModule> {
  while (modules.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
  return modules.shift()!;
}

self.onmessageerror = () => post({ failed: 'a thread of the machine cannot read what it was sent' });
self.onmessage = ({ data }: MessageEvent<ExecutorData>) => {
  self.onmessage = receiveModule;
  const host = { now: hostNow, ownClock: true, receive: nextModule, wakeHome: () => post(null) };
  const run = async (): Promise<never> => new Executor(data, host).run();
  run().catch((error: unknown) => post({ failed: error instanceof Error ? error.stack! : String(error) }));
};
