import { setImmediate } from 'node:timers/promises';
import { Pacing } from '../pacing.js';

export function nodePacing(): Pacing {
  return new Pacing(() => setImmediate());
}
