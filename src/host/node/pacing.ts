import { setImmediate } from 'node:timers/promises';
import type { SchedulerHost } from '../../vm/scheduler.js';
import { Pacing } from '../pacing.js';

export function nodePacing(): SchedulerHost {
  const pacing = new Pacing(() => setImmediate());
  const cpuTime = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  };
  return Object.assign(pacing, { cpuTime });
}
