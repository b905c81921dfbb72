// The program of a thread that runs CPUs: host/node/threads.ts starts it.
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import type { RegionModule } from '../engine/translator/installer.js';
import { Executor, type ExecutorData } from '../vm/executor.js';

const { data, port } = workerData as { data: ExecutorData; port: MessagePort };
new Executor(data, {
  now: () => process.hrtime.bigint(),
  receive: () => receiveMessageOnPort(port)?.message as RegionModule | undefined,
  wakeHome: () => port.postMessage(null),
}).run();
