import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Decoded, Decoder } from '../isa/decoder.js';
import { instructions } from '../isa/instructions.js';
import { InterpreterOps } from './interpreter/binding.js';
import { generateInterpreter } from './interpreter/generate.js';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { DATA_ADDRESS, UserMachine, type UserState } from '../testing/user-machine.js';
import * as L from './layout.js';
import { orderedModules } from './ordered-modules.js';
import { BlockRecorder, TranslatorOps } from './translator/binding.js';
import { RegionFrame } from './translator/frame.js';
import { FunctionBody } from './wasm/bytes.js';
import { Code, Locals } from './wasm/code.js';
import { ModuleWriter } from './wasm/module.js';
import { FENCE } from './wasm/opcodes.js';

const decoder = new Decoder(instructions);

function decode(bytes: readonly number[]): Decoded {
  const decoded = new Decoded();
  decoder.decode(Uint8Array.from(bytes), 0, bytes.length, { long: true, default32: true }, decoded);
  return decoded;
}

const ACCESSES: Record<string, readonly number[]> = {
  load: [0x29, 0, 0],
  load8: [0x31, 0, 0],
  store: [0x37, 0, 0],
  atomicLoad: [0xfe, 0x11, 3, 0],
  atomicLoad8: [0xfe, 0x14, 0, 0],
  atomicStore: [0xfe, 0x18, 3, 0],
  exchange: [0xfe, 0x49, 3, 0],
  vload: [0xfd, 0, 0, 0],
  vstore: [0xfd, 11, 0, 0],
  fence: FENCE,
};

/** Accesses at offset 0 (translated: guest memory; interpreted: registers that a record names, too) and fences, in their order. */
function accesses(body: FunctionBody): string {
  const bytes = [...body.view()];
  const at = (start: number): string[] =>
    Object.keys(ACCESSES).filter((name) => ACCESSES[name]!.every((byte, i) => bytes[start + i] === byte));
  return bytes.flatMap((_, start) => at(start)).join(' ');
}

function translated(bytes: readonly number[], ordered: boolean): string {
  const [frame, block, body] = [new RegionFrame(), new BlockRecorder(), new FunctionBody()];
  const module = new ModuleWriter(ordered);
  const mode = L.MODE_LONG | L.MODE_PROTECTED;
  const ops = new TranslatorOps(decode(bytes), block, frame, module, mode, 0, bytes.length, 1, false);
  ops.bind();
  ops.syncFlags();
  block.code.emit(body, 0, frame.locals);
  return accesses(body);
}

function interpreted(bytes: readonly number[], ordered: boolean): string {
  const [code, body] = [new Code(), new FunctionBody()];
  new InterpreterOps(decode(bytes).form!, code, new ModuleWriter(ordered), { inline: null }).bind();
  code.emit(body, 0, new Locals(2));
  return accesses(body);
}

const fencesIn = (bytes: Uint8Array): number =>
  Buffer.from(bytes)
    .toString('latin1')
    .split(String.fromCharCode(...FENCE)).length - 1;

const LOAD = 'atomicLoad load fence';
const STORE = 'atomicStore fence store';
/** What a region has for an instruction without the mode and with it, and what its handler has. */
const CASES: Record<string, { bytes: number[]; region: [string, string]; handler: [string, string] }> = {
  'mov rax,[rbx]': {
    bytes: [0x48, 0x8b, 0x03],
    region: ['load', LOAD],
    handler: ['load store', `${LOAD} store`],
  },
  'mov al,[rbx]': {
    bytes: [0x8a, 0x03],
    region: ['load8', 'atomicLoad8'],
    handler: ['load8', 'atomicLoad8'],
  },
  'mov [rbx],rax': {
    bytes: [0x48, 0x89, 0x03],
    region: ['store', STORE],
    handler: ['load store', `load ${STORE}`],
  },
  'push qword [rbx]': {
    bytes: [0xff, 0x33],
    region: ['load store', `${LOAD} ${STORE}`],
    handler: ['load store', `${LOAD} ${STORE}`],
  },
  'add [rbx],rax': {
    bytes: [0x48, 0x01, 0x03],
    region: ['load store', `${LOAD} ${STORE}`],
    handler: ['load load store', `load ${LOAD} ${STORE}`],
  },
  'lock add [rbx],rax': {
    bytes: [0xf0, 0x48, 0x01, 0x03],
    region: ['atomicLoad exchange', 'atomicLoad exchange fence'],
    handler: ['load atomicLoad exchange', 'load atomicLoad exchange fence'],
  },
  'xchg [rbx],rax': {
    bytes: [0x48, 0x87, 0x03],
    region: ['atomicLoad exchange', 'atomicLoad exchange fence'],
    handler: ['load atomicLoad exchange store', 'load atomicLoad exchange fence store'],
  },
  'movdqu xmm0,[rbx]': {
    bytes: [0xf3, 0x0f, 0x6f, 0x03],
    region: ['vload', 'vload fence'],
    handler: ['vload vstore', 'vload fence vstore'],
  },
  'movdqu [rbx],xmm0': {
    bytes: [0xf3, 0x0f, 0x7f, 0x03],
    region: ['vstore', 'fence vstore'],
    handler: ['vload vstore', 'vload fence vstore'],
  },
};
for (const [name, { bytes, region, handler }] of Object.entries(CASES))
  test(`${name} is in x86's order with the mode, and plain without it`, () => {
    assert.deepEqual([translated(bytes, false), translated(bytes, true)], region);
    assert.deepEqual([interpreted(bytes, false), interpreted(bytes, true)], handler);
  });

test('the interpreter with the mode is a module, and that without it has no fence', () => {
  const plain = generateInterpreter(instructions);
  const ordered = generateInterpreter(instructions, true);
  assert.ok(WebAssembly.validate(ordered));
  assert.equal(fencesIn(plain), 0);
  assert.ok(fencesIn(ordered) > 1000, `${fencesIn(ordered)} fences`);
});

test('what a machine with the ordered modules translates has fences, too', () => {
  const { Module } = WebAssembly;
  const modules = loadEngineModules();
  const code = Uint8Array.of(0x48, 0x8b, 0x03, 0x48, 0x01, 0x43, 0x08, 0x0f, 0x0b); // mov rax,[rbx]; add [rbx+8],rax; ud2
  const state: UserState = {
    gpr: Array.from({ length: 16 }, () => DATA_ADDRESS),
    rip: 0n,
    rflags: 2n,
    vector: 0,
    error: 0,
    cr2: 0n,
    code32: false,
    fx: new Uint8Array(512),
    memory: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 4),
  };
  for (const ordered of [false, true]) {
    const machine = new UserMachine('translate', ordered ? orderedModules(modules) : modules);
    let counted = 0;
    WebAssembly.Module = class extends Module {
      constructor(bytes: BufferSource) {
        super(bytes);
        counted += fencesIn(bytes as Uint8Array);
      }
    };
    try {
      // Hot code waits a while for more.
      for (let i = 0; i < 200; i++) assert.equal(machine.run(state, code).memory[8], 7);
    } finally {
      WebAssembly.Module = Module;
    }
    assert.ok(machine.engine.translator!.counts.regions > 0);
    assert.equal(counted > 0, ordered);
  }
});

/** The runtime over 1 MiB of RAM, with CPU 0 in its state after reset; counts fences. */
function countingRuntime(ordered: boolean): {
  call: (name: string, ...args: (number | bigint)[]) => void;
  fences: () => number;
  view: DataView;
} {
  const module = new WebAssembly.Module(readFileSync(new URL('runtime.wasm', import.meta.url)));
  const attributes = L.CPU_BASE + L.CPU_BYTES;
  const ram = attributes + 0x10000;
  const pages = (ram + 0x100000) / 0x10000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const view = new DataView(memory.buffer);
  view.setUint32(L.G_RAM, ram, true);
  view.setUint32(L.G_LOW_BYTES, 0x100000, true);
  view.setUint32(L.G_PAGES, attributes, true);
  view.setUint32(L.G_CPUS, 1, true);
  view.setUint32(L.G_A20, 0xffffffff, true);
  view.setUint32(L.G_ORDERED, ordered ? 1 : 0, true);
  let count = 0;
  const imports: WebAssembly.Imports = { env: { memory }, order: { fence: () => void count++ } };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module))
    if (kind === 'function' && from !== 'order') (imports[from] ??= {})[name] = () => 0;
  const { exports } = new WebAssembly.Instance(module, imports);
  const call = (name: string, ...args: (number | bigint)[]): void => {
    const f = exports[name] as (...args: (number | bigint)[]) => unknown;
    f(L.CPU_BASE, ...args);
  };
  (exports['resetCpu'] as (cpu: number, index: number) => void)(L.CPU_BASE, 0);
  return {
    view,
    call,
    fences: () => {
      const before = count;
      count = 0;
      return before;
    },
  };
}

test("the runtime's accesses that cannot be atomic have fences with the mode, on the fast path and on the slow one, and none without", () => {
  for (const ordered of [true, false]) {
    const { call, fences, view } = countingRuntime(ordered);
    const each = (count: number, name: string, ...args: (number | bigint)[]): void => {
      call(name, ...args);
      assert.equal(fences(), ordered ? count : 0, `${name} ${args.join()}`);
    };
    fences();
    // Aligned ones are atomic instead. The first of each way fills the TLB.
    for (const bits of [16, 32, 64]) {
      each(1, `load${bits}`, 0x2001n);
      each(1, `store${bits}`, 0x2001n, 1n);
      each(0, `load${bits}`, 0x2000n);
      each(0, `store${bits}`, 0x2000n, 1n);
    }
    each(1, 'loadSlot', L.S_XMM, 0x2000n);
    each(1, 'storeSlot', L.S_XMM, 0x2000n);
    // From RSI and to RDI, which are 0.
    view.setBigUint64(L.CPU_BASE + L.S_GPR + 8, 16n, true);
    each(1, 'stos', 8n, 8n, 1n);
    view.setBigUint64(L.CPU_BASE + L.S_GPR + 8, 16n, true);
    each(2, 'movs', 8n, 8n, BigInt(L.DS), 1n);
    each(0, 'store8', 0x3000n, 0n);
    each(2, 'moveWhole', 8n, 0x2000n, 0x3000n, 16n);
    each(1, 'fillWhole', 8n, 0n, 0x2000n, 16n);
    each(1, 'memoryFence');
    each(2, 'cmpxchg8b', 0x2000n);
    each(2, 'cmpxchg16b', 0x2000n);
  }
});
