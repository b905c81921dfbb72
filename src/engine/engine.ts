import { Decoder } from '../isa/decoder.js';
import { instructions } from '../isa/instructions.js';
import type { BoardAccess } from './cpu.js';
import { CodeCache } from './interpreter/code-cache.js';
import { planHandlers, type HandlerPlan } from './interpreter/generate.js';
import { InterpreterProcessor, type InterpreterRun } from './interpreter/interpreter.js';
import * as L from './layout.js';
import type { Processor } from './processor.js';
import { ReferenceProcessor } from './reference/reference.js';
import { Heat } from './translator/heat.js';
import { TranslatingProcessor } from './translator/translating-processor.js';
import { Translator } from './translator/translator.js';
import { loadRuntime, type RuntimeExports } from './runtime-module.js';

const WASM_PAGE = 0x10000;
const MiB = 0x100000;
const BLOCK_TABLE_ENTRIES = 1 << 19;

export type EngineKind = 'reference' | 'interpret' | 'translate';

/** Compiled runtime.wasm and interpreter.wasm. */
export interface EngineModules {
  readonly runtime: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
}

export interface EngineOptions extends EngineModules {
  readonly kind: EngineKind;
  readonly cpus: number;
  /** Bytes of RAM from physical 0, and from 4 GiB; multiples of 4096. */
  readonly lowBytes: number;
  readonly highBytes: number;
  readonly board: BoardAccess;
  /** Room for decoded code, in bytes. */
  readonly codeBytes?: number;
  /** Executions after which a block is translated; 1: at once. */
  readonly heat?: number;
  /** CPUID features that the CPU model has. */
  readonly available?: (cpuid: string) => boolean;
}

/** The CPUs of a machine and the memory that they share. */
export class Engine {
  readonly memory: WebAssembly.Memory;
  /** Address in `memory` of guest physical 0. */
  readonly ramBase: number;
  readonly runtime: RuntimeExports;
  readonly processors: readonly Processor[];
  readonly cache: CodeCache;
  readonly decoder: Decoder;
  /** With kind `translate`. */
  translator: Translator | null = null;

  constructor(options: EngineOptions) {
    const { cpus, lowBytes, highBytes, board } = options;
    const pages = (lowBytes + highBytes) / 4096;
    const attributes = L.CPU_BASE + cpus * L.CPU_BYTES;
    const blocks = align(attributes + pages * L.PAGE_BYTES, 16);
    const arena = blocks + BLOCK_TABLE_ENTRIES * L.BLOCK_ENTRY_BYTES;
    const arenaEnd = arena + (options.codeBytes ?? 96 * MiB);
    this.ramBase = align(arenaEnd, WASM_PAGE);
    const total = align(this.ramBase + lowBytes + highBytes, WASM_PAGE) / WASM_PAGE;
    if (total > 0xffff)
      throw new RangeError(
        `${(lowBytes + highBytes) / MiB} MiB of memory do not fit: the most is ${Math.floor((0xffff * WASM_PAGE - this.ramBase) / MiB)} MiB`,
      );
    this.memory = new WebAssembly.Memory({ initial: total, maximum: total, shared: true });

    const view = new DataView(this.memory.buffer);
    view.setUint32(L.G_RAM, this.ramBase, true);
    view.setUint32(L.G_LOW_BYTES, lowBytes, true);
    view.setUint32(L.G_HIGH_BYTES, highBytes, true);
    view.setUint32(L.G_PAGES, attributes, true);
    view.setUint32(L.G_CPUS, cpus, true);
    view.setUint32(L.G_A20, 0xffffffff, true);
    view.setUint32(L.G_BLOCKS, blocks, true);
    view.setUint32(L.G_BLOCKS_MASK, BLOCK_TABLE_ENTRIES - 1, true);
    // The VGA window is no RAM for the guest.
    for (let page = 0xa0; page < 0xc0 && page * 4096 < lowBytes; page++)
      view.setUint32(attributes + page * L.PAGE_BYTES, L.PAGE_MMIO, true);

    this.decoder = new Decoder(instructions, options.available);
    let cache: CodeCache | null = null;
    this.runtime = loadRuntime(this.memory, options.runtime, board, {
      written: (host, length) => cache!.written(host, length),
      decode: (cpu, host, physical, limit) => cache!.decode(cpu, host, physical, limit),
    });
    const { runtime } = this;
    const plan = planHandlers(this.decoder.set.forms);
    this.cache = cache = new CodeCache(this.memory, this.decoder, plan, runtime, {
      start: arena,
      end: arenaEnd,
    });

    const makeProcessor = this.processorMaker(options, plan);
    this.processors = Array.from({ length: cpus }, (_, index) => {
      const processor = makeProcessor(index);
      runtime.resetCpu(processor.pointer, index);
      return processor;
    });
  }

  private processorMaker(options: EngineOptions, plan: HandlerPlan): (index: number) => Processor {
    const { memory, runtime, cache, decoder } = this;
    const { board, kind } = options;
    if (kind === 'reference')
      return (index) => new ReferenceProcessor(index, memory, runtime, board, decoder);
    const translatorImports = { heat: (_cpu: number, _record: number): void => {} };
    const { exports } = new WebAssembly.Instance(options.interpreter, {
      env: { memory },
      runtime: runtime.all,
      translator: { heat: (cpu: number, record: number) => translatorImports.heat(cpu, record) },
    });
    const run = exports['run'] as InterpreterRun;
    if (kind === 'interpret') return (index) => new InterpreterProcessor(index, memory, runtime, board, run);
    const interrupt = (): void => {
      for (let i = 0; i < options.cpus; i++) runtime.newGeneration(L.CPU_BASE + i * L.CPU_BYTES);
    };
    const { codeKey, peekPhysical, ramAddress } = runtime;
    const host = {
      memory,
      runtime: runtime.all,
      interpreter: exports,
      interrupt,
      codeKey,
      peekPhysical,
      ramAddress,
    };
    const hot = new Heat(options.heat === undefined ? null : Math.max(1, options.heat));
    const translator = new Translator(host, cache, decoder, plan, hot);
    this.translator = translator;
    translatorImports.heat = translator.heat;
    return (index) => new TranslatingProcessor(index, memory, runtime, board, run, translator);
  }

  /** RAM was written from outside the CPUs (DMA, loading): code there is decoded anew. `physical` and `length` in bytes, within RAM. */
  ramWritten(physical: number, length: number): void {
    const host = this.runtime.ramAddress(BigInt(physical)) >>> 0;
    if (host !== 0) this.cache.written(host, length);
  }
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
