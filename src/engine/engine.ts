import { Decoder } from '../isa/decoder.js';
import { instructions } from '../isa/instructions.js';
import type { BoardAccess } from './cpu.js';
import { CodeCache } from './interpreter/code-cache.js';
import { planHandlers, type HandlerPlan } from './interpreter/generate.js';
import { InterpreterProcessor, type InterpreterRun } from './interpreter/interpreter.js';
import * as L from './layout.js';
import { Mailboxes, type Answer, type Question } from './mailbox.js';
import type { Processor } from './processor.js';
import { ReferenceProcessor } from './reference/reference.js';
import { DECODE } from './remote-board.js';
import { loadInterpreter } from './remote-engine.js';
import { Heat } from './translator/heat.js';
import { Installer, type RegionModule } from './translator/installer.js';
import { TranslatingProcessor } from './translator/translating-processor.js';
import { Translator } from './translator/translator.js';
import { loadRuntime, type RuntimeExports } from './runtime-module.js';

const WASM_PAGE = 0x10000;
const MiB = 0x100000;
const BLOCK_TABLE_ENTRIES = 1 << 19;

/** Number of the machine's own thread among those that run CPUs. */
export const HOME_THREAD = 0;

export type EngineKind = 'reference' | 'interpret' | 'translate';

/** Compiled runtime.wasm and interpreter.wasm. */
export interface EngineModules {
  readonly runtime: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
  /** They keep x86's order of memory on every host (ordered-modules.ts). */
  readonly ordered?: boolean;
}

export interface EngineOptions extends EngineModules {
  readonly kind: EngineKind;
  readonly cpus: number;
  /** Bytes of RAM from physical 0, and from 4 GiB; multiples of 4096. */
  readonly lowBytes: number;
  readonly highBytes: number;
  /** Bytes of each window (L.WINDOWS at most): memory beside RAM that devices show the guest; multiples of 4096. */
  readonly windows?: readonly number[];
  readonly board: BoardAccess;
  /** Room for decoded code, in bytes. */
  readonly codeBytes?: number;
  /** Executions after which a block is translated; 1: at once. */
  readonly heat?: number;
  /** CPUID features that the CPU model has. */
  readonly available?: (cpuid: string) => boolean;
  /** Threads that run CPUs beside this one. */
  readonly threads?: number;
}

/** The CPUs of a machine and the memory that they share. */
export class Engine {
  readonly memory: WebAssembly.Memory;
  /** Address in `memory` of guest physical 0. */
  readonly ramBase: number;
  /** What each window shows. */
  readonly windows: readonly Uint8Array[];
  readonly runtime: RuntimeExports;
  readonly processors: readonly Processor[];
  readonly cache: CodeCache;
  readonly decoder: Decoder;
  /** With kind `translate`. */
  translator: Translator | null = null;
  /** Questions of the other threads. */
  readonly mailboxes: Mailboxes;
  /** Sends a module of translated code to all of them. */
  publish: (module: RegionModule) => void = () => {};
  /** Pointer of the CPU whose question is being answered, which waits; 0: none. */
  private answering = 0;

  constructor(options: EngineOptions) {
    const { cpus, lowBytes, highBytes, board } = options;
    const windows = options.windows ?? [];
    const ramBytes = lowBytes + highBytes;
    const allBytes = windows.reduce((sum, bytes) => sum + bytes, ramBytes);
    const pages = allBytes / 4096;
    const attributes = L.CPU_BASE + cpus * L.CPU_BYTES;
    const blocks = align(attributes + pages * L.PAGE_BYTES, 16);
    const arena = blocks + BLOCK_TABLE_ENTRIES * L.BLOCK_ENTRY_BYTES;
    const arenaEnd = arena + (options.codeBytes ?? 96 * MiB);
    this.ramBase = align(arenaEnd, WASM_PAGE);
    const total = align(this.ramBase + allBytes, WASM_PAGE) / WASM_PAGE;
    if (total > 0xffff)
      throw new RangeError(
        `${allBytes / MiB} MiB of memory do not fit: the most is ${Math.floor((0xffff * WASM_PAGE - this.ramBase) / MiB)} MiB`,
      );
    this.memory = new WebAssembly.Memory({ initial: total, maximum: total, shared: true });

    const view = new DataView(this.memory.buffer);
    view.setUint32(L.G_RAM, this.ramBase, true);
    view.setUint32(L.G_LOW_BYTES, lowBytes, true);
    view.setUint32(L.G_HIGH_BYTES, highBytes, true);
    view.setUint32(L.G_PAGES, attributes, true);
    view.setUint32(L.G_CPUS, cpus, true);
    view.setUint32(L.G_ORDERED, options.ordered ? 1 : 0, true);
    view.setUint32(L.G_A20, 0xffffffff, true);
    view.setUint32(L.G_BLOCKS, blocks, true);
    view.setUint32(L.G_BLOCKS_MASK, BLOCK_TABLE_ENTRIES - 1, true);
    let place = this.ramBase + ramBytes;
    this.windows = windows.map((bytes, n) => {
      view.setUint32(L.G_WINDOWS + n * L.WINDOW_BYTES + 12, place, true);
      place += bytes;
      return new Uint8Array(this.memory.buffer, place - bytes, bytes);
    });
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
    const threads = options.threads ?? 0;
    this.mailboxes = new Mailboxes(this.memory, threads);
    const plan = planHandlers(this.decoder.set.forms);
    this.cache = cache = new CodeCache(
      this.memory,
      this.decoder,
      plan,
      runtime,
      {
        start: arena,
        end: arenaEnd,
      },
      threads > 0,
    );

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
    const heat = (cpu: number, record: number): void => this.translator?.heatHere(cpu, record);
    const exports = loadInterpreter(memory, options.interpreter, runtime, heat);
    const run = exports['run'] as InterpreterRun;
    const threads = this.mailboxes.threads > 0;
    if (kind === 'interpret')
      return (index) => new InterpreterProcessor(index, memory, runtime, board, threads, run);
    const words = new Int32Array(memory.buffer);
    const { codeKey, peekPhysical, ramAddress } = runtime;
    const host = {
      installer: new Installer(memory, runtime.all, exports),
      publish: (module: RegionModule): number => {
        this.publish(module);
        // Behind the message: who reads it knows that there is one to wait for.
        return Atomics.add(words, L.G_MODULES >> 2, 1) + 1;
      },
      isEverywhere: (number: number): boolean => this.mailboxes.haveInstalled(number),
      interrupt: (): void => this.forgetCode(),
      codeKey,
      peekPhysical,
      ramAddress,
    };
    const hot = new Heat(options.heat === undefined ? null : Math.max(1, options.heat));
    const translator = new Translator(host, cache, decoder, plan, hot, options.ordered, options.cpus === 1);
    this.translator = translator;
    return (index) => new TranslatingProcessor(index, memory, runtime, board, threads, run, translator);
  }

  /** No CPU goes on with what it knows of code: those of this thread at once, the others before long. */
  private forgetCode(): void {
    for (const processor of this.processors)
      if (processor.owner > HOME_THREAD && processor.pointer !== this.answering) processor.forgetCode();
      else this.runtime.newGeneration(processor.pointer);
  }

  /** Answers the questions of other threads; with `onlyQuiet` those whose threads hold on to decoded code. */
  serve(answer: (question: Question) => Answer, onlyQuiet = false): void {
    const { mailboxes } = this;
    for (let thread = 0; thread < mailboxes.threads; thread++)
      for (;;) {
        const operation = mailboxes.asked(thread);
        if (operation < 0 || (onlyQuiet && operation === DECODE)) break;
        const before = this.answering;
        mailboxes.answer(thread, (question) => {
          this.answering = question.waits ? question.cpu : 0;
          return answer(question);
        });
        this.answering = before;
      }
  }

  /** Shows window `n` at a guest physical address (a multiple of 4096) that is no RAM; null: nowhere. */
  placeWindow(n: number, physical: number | null, options: { readOnly?: boolean } = {}): void {
    const view = new DataView(this.memory.buffer);
    const window = L.G_WINDOWS + n * L.WINDOW_BYTES;
    const { length, byteOffset } = this.windows[n]!;
    view.setBigInt64(window, BigInt(physical ?? 0), true);
    view.setUint32(window + 8, physical === null ? 0 : length, true);
    const attributes = view.getUint32(L.G_PAGES, true) + ((byteOffset - this.ramBase) / 4096) * L.PAGE_BYTES;
    for (let page = 0; page < length / 4096; page++) {
      const at = (attributes + page * L.PAGE_BYTES) >> 2;
      if (options.readOnly) Atomics.or(new Int32Array(this.memory.buffer), at, L.PAGE_ROM);
    }
    this.forgetTranslations();
  }

  /** Masks address line 20, or not. */
  setA20(enabled: boolean): void {
    new DataView(this.memory.buffer).setUint32(L.G_A20, enabled ? 0xffffffff : 0xffefffff, true);
    this.forgetTranslations();
  }

  /** No CPU goes on with what it knows of addresses: who asks for it, or runs in this thread, at once; the others before long. */
  private forgetTranslations(): void {
    const alone = this.mailboxes.threads === 0;
    for (const processor of this.processors) {
      processor.forgetTranslations();
      if (alone || processor.owner === HOME_THREAD || processor.pointer === this.answering)
        this.runtime.flushTlb(processor.pointer, false);
    }
  }

  /** RAM was written from outside the CPUs (DMA, loading): code there is decoded anew. `physical` and `length` in bytes, within RAM. */
  ramWritten(physical: number, length: number): void {
    const host = this.runtime.ramAddress(BigInt(physical)) >>> 0;
    if (host !== 0) this.memoryWritten(host, length);
  }
  /** The same, by the offset in the engine's memory. */
  memoryWritten(offset: number, length: number): void {
    this.cache.written(offset, length);
  }
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
