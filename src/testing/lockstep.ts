/**
 * Boots a guest in two engines side by side, with virtual time, and stops at the first difference of registers or memory:
 *
 *   node dist/testing/lockstep.js [--guest amd64|amd64-cloud|i386] [--engines interpret,reference] [--heat N] [--instructions N] [--step N] [--from N] [--fences]
 *   ... --kernel FILE --initrd FILE --append TEXT --memory MIB
 *
 * --fences: the first engine is that for hosts whose memory has less order than x86's.
 */
import { CpuTopology } from '../engine/cpu-topology.js';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findCpuModel } from '../engine/cpu-model.js';
import type { EngineKind, EngineModules } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import { orderedModules } from '../engine/ordered-modules.js';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { nodePacing } from '../host/node/pacing.js';
import { debianGuest } from '../manager/guests/debian.js';
import { describeCpu } from '../vm/report.js';
import { VirtualMachine } from '../vm/virtual-machine.js';

const { values } = parseArgs({
  options: {
    guest: { type: 'string', default: 'amd64' },
    kernel: { type: 'string' },
    initrd: { type: 'string' },
    append: { type: 'string', default: 'console=ttyS0 nokaslr' },
    memory: { type: 'string', default: '128' },
    engines: { type: 'string', default: 'interpret,reference' },
    heat: { type: 'string', default: '1' },
    instructions: { type: 'string', default: '2000000' },
    step: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
    fences: { type: 'boolean', default: false },
  },
});

function machine(engine: EngineKind, modules: EngineModules, kernel: string, initrd: string): VirtualMachine {
  let random = 1;
  const made = new VirtualMachine({
    memoryBytes: Number(values.memory) * 2 ** 20,
    topology: CpuTopology.flat(1),
    engine,
    heat: Number(values.heat),
    cpuModel: findCpuModel('default'),
    virtualClock: true,
    threads: null,
    debugExit: false,
    modules,
    hostNow: () => 0,
    wallClockMs: Date.UTC(2024, 0, 1),
    entropy: (target) => target.forEach((_, i) => (target[i] = random = (random * 75 + 74) % 65537)),
    pacing: nodePacing(),
    serial: { write: () => {} },
    debugConsole: { write: () => {} },
  });
  made.boot(() => ({
    kernel: { name: kernel, bytes: readFileSync(kernel) },
    modules: [{ name: initrd, bytes: readFileSync(initrd) }],
    commandLine: values.append,
  }));
  return made;
}

/** All of a CPU's state that a guest could see. */
function stateOf(vm: VirtualMachine): string {
  const { pointer } = vm.engine.processors[0]!;
  const bytes = new Uint8Array(vm.engine.memory.buffer);
  const part = (from: number, to: number): string =>
    Buffer.from(bytes.subarray(pointer + from, pointer + to)).toString('hex');
  const flags = vm.engine.runtime.getEflags(pointer) >>> 0;
  return [
    part(L.S_GPR, L.S_RIP + 8),
    flags.toString(16),
    part(L.S_SEG, L.S_FPR + 0x98),
    part(L.S_XMM, L.S_XMM + 16 * L.XMM_BYTES),
    vm.engine.processors[0]!.retired(),
  ].join(' ');
}

const memoryHash = (vm: VirtualMachine): string =>
  createHash('sha256').update(vm.memoryBytes()).digest('hex');

const LONG_STEP = 1_000_000;
const GUESTS = {
  amd64: { arch: 'amd64', flavour: 'generic' },
  'amd64-cloud': { arch: 'amd64', flavour: 'cloud' },
  i386: { arch: 'i386', flavour: '686' },
} as const;
const wanted = GUESTS[values.guest as keyof typeof GUESTS];
if (wanted === undefined)
  throw new Error(`--guest ${values.guest}: give one of ${Object.keys(GUESTS).join(', ')}`);
const own = values.kernel !== undefined && values.initrd !== undefined;
const demo = own ? null : await debianGuest(wanted);
const { kernel = demo!.kernel, initrd = demo!.initrd } = values;
const engines = values.engines.split(',') as EngineKind[];
const modules = loadEngineModules();
const modulesOf = [values.fences ? orderedModules(modules) : modules, modules];
const pair = engines.map((engine, i) => machine(engine, modulesOf[i]!, kernel, initrd));
const total = Number(values.instructions);
const step = Number(values.step);
let same = true;
while (same && pair[0]!.engine.processors[0]!.retired() < total) {
  const before = describeCpu(pair[1]!.engine, pair[1]!.engine.processors[0]!);
  // Up to --from, long steps: they take less time.
  const fine = pair[0]!.engine.processors[0]!.retired() >= Number(values.from);
  for (const vm of pair) vm.scheduler.step(fine ? step : LONG_STEP);
  const [a, b] = pair.map(stateOf);
  if (a === b) continue;
  same = false;
  console.log('The engines differ. Before:\n' + before);
  for (const vm of pair) console.log(describeCpu(vm.engine, vm.engine.processors[0]!));
}
const [hashA, hashB] = pair.map(memoryHash);
if (same && hashA !== hashB) console.log('The engines differ in memory');
same &&= hashA === hashB;
console.log(
  `${pair[0]!.engine.processors[0]!.retired()} instructions of ${values.kernel ?? values.guest}: ${same ? 'no difference' : 'a difference'}`,
);
process.exitCode = same ? 0 : 1;
