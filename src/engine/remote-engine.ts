import type { BoardAccess } from './cpu.js';
import type { EngineKind, EngineModules } from './engine.js';
import { InterpreterProcessor, type InterpreterRun } from './interpreter/interpreter.js';
import * as L from './layout.js';
import type { Processor } from './processor.js';
import { Decoder } from '../isa/decoder.js';
import { instructions } from '../isa/instructions.js';
import { BlockDecoder } from './interpreter/block-decoder.js';
import { RESERVE } from './interpreter/code-cache.js';
import { planHandlers } from './interpreter/generate.js';
import type { RemoteCode } from './remote-board.js';
import { loadRuntime, type RuntimeExports } from './runtime-module.js';
import { Installer } from './translator/installer.js';

/** The interpreter over a machine's memory. `heat`: a block has used up its heat. */
export function loadInterpreter(
  memory: WebAssembly.Memory,
  module: WebAssembly.Module,
  runtime: RuntimeExports,
  heat: (cpu: number, record: number) => void,
): WebAssembly.Exports {
  const imports = { env: { memory }, runtime: runtime.all, translator: { heat } };
  return new WebAssembly.Instance(module, imports).exports;
}

export interface RemoteEngineOptions extends EngineModules {
  readonly kind: EngineKind;
  /** The machine's. */
  readonly memory: WebAssembly.Memory;
  readonly board: BoardAccess;
  readonly code: RemoteCode;
  /** CPUID features that the CPU model has. */
  readonly features: ReadonlySet<string>;
}

/** The CPUs of a machine in a thread that is not its own: whichever it claims, it may run. */
export class RemoteEngine {
  readonly runtime: RuntimeExports;
  readonly processors: readonly Processor[];
  readonly installer: Installer;

  constructor({ kind, memory, board, code, features, runtime, interpreter }: RemoteEngineOptions) {
    this.runtime = loadRuntime(memory, runtime, board, {
      written: code.written,
      // What is decoded is dropped by the machine's thread alone, when there is no room.
      decode: (cpu, host, physical, limit) =>
        blocks.decodeBlock(cpu, host, physical, limit, RESERVE) ?? code.decode(cpu, host, physical, limit),
    });
    const decoder = new Decoder(instructions, (feature) => feature === '' || features.has(feature));
    const plan = planHandlers(decoder.set.forms);
    const blocks = new BlockDecoder(memory, decoder, plan, this.runtime, true);
    const heat = kind === 'translate' ? code.heat : (): void => {};
    const exports = loadInterpreter(memory, interpreter, this.runtime, heat);
    this.installer = new Installer(memory, this.runtime.all, exports);
    const run = exports['run'] as InterpreterRun;
    const cpus = new DataView(memory.buffer).getUint32(L.G_CPUS, true);
    this.processors = Array.from(
      { length: cpus },
      (_, index) => new InterpreterProcessor(index, memory, this.runtime, board, true, run),
    );
  }
}
