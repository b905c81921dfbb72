import { UserError } from '../../machine/user-error.js';
import { writeBiosData } from './bios-data.js';
import type { BootRequest } from './boot-request.js';
import type { BootState } from './boot-state.js';
import { detectKernel } from './detect.js';
import { bootLinux } from './linux.js';
import { EBDA } from './memory-map.js';
import { bootMultiboot } from './multiboot.js';
import { bootPvh } from './pvh.js';

const LOADERS = { linux: bootLinux, multiboot: bootMultiboot, pvh: bootPvh };

/**
 * Puts a kernel, its modules and what it is told into guest memory, and returns the state in which the bootstrap
 * processor enters it. A UserError says why a file cannot be booted; guest memory is then partly written.
 */
export function bootKernel(request: BootRequest): BootState {
  const load = LOADERS[detectKernel(request.kernel)];
  const base = request.memory.map[0]?.length ?? 0;
  if (base < EBDA) throw new UserError(`a guest needs 1 MiB of memory at least: give it more with --memory`);
  writeBiosData(request.memory);
  return load(request);
}
