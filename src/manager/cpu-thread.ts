// The program of a thread that runs CPUs: host/node/threads.ts starts it.
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import type { RegionModule } from '../engine/translator/installer.js';
import { hostNow } from '../host/node/clock.js';
import { Executor, type ExecutorData } from '../vm/executor.js';

const { data, port } = workerData as { data: ExecutorData; port: MessagePort };
await new Executor(data, {
  now: hostNow,
  ownClock: false,
  receive: () => receiveMessageOnPort(port)!.message as RegionModule,
  wakeHome: () => port.postMessage(null),
}).run();
