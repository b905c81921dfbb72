import { start } from './fpu';

export function x87Transcendental(cpu: u32, operation: i64): void {
  start(cpu);
}
