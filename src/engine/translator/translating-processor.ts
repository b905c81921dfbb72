import type { BoardAccess } from '../cpu.js';
import { InterpreterProcessor, type InterpreterRun } from '../interpreter/interpreter.js';
import type { RuntimeExports } from '../runtime-module.js';
import type { Translator } from './translator.js';

/** A CPU whose hot code runs as WebAssembly made for it, the rest in the interpreter. */
export class TranslatingProcessor extends InterpreterProcessor {
  constructor(
    index: number,
    memory: WebAssembly.Memory,
    runtime: RuntimeExports,
    board: BoardAccess,
    threads: boolean,
    interpret: InterpreterRun,
    private readonly translator: Translator,
  ) {
    super(index, memory, runtime, board, threads, interpret);
  }

  protected override execute(): void {
    const { translator } = this;
    translator.beforeTurn();
    const before = this.retired();
    super.execute();
    translator.retired += this.retired() - before;
  }
}
