import type { BoardAccess } from '../cpu.js';
import * as L from '../layout.js';
import { B_COUNT } from './record.js';
import { Processor } from '../processor.js';
import type { RuntimeExports } from '../runtime-module.js';

export type InterpreterRun = (cpu: number, record: number) => void;

/** A CPU whose instructions are run by the generated WebAssembly interpreter. */
export class InterpreterProcessor extends Processor {
  constructor(
    index: number,
    memory: WebAssembly.Memory,
    runtime: RuntimeExports,
    board: BoardAccess,
    threads: boolean,
    private readonly interpret: InterpreterRun,
  ) {
    super(index, memory, runtime, board, threads);
  }

  protected execute(): void {
    this.interpret(this.pointer, 0);
  }

  protected executeExactly(count: number): void {
    let left = count;
    const end = this.i64(L.S_BUDGET) - count;
    while (left > 0) {
      const record = this.runtime.lookupExactly(this.pointer, left);
      if (record === 0) return;
      // The block is as long as allowed: behind it the budget of this run is used up, and the interpreter stops.
      const budget = this.i64(L.S_BUDGET);
      const length = this.view.getUint16(record + B_COUNT, true);
      const later = budget - length;
      this.setI64(L.S_BUDGET, length);
      this.setI64(L.S_RETIRED_END, this.i64(L.S_RETIRED_END) - later);
      this.interpret(this.pointer, record);
      this.setI64(L.S_BUDGET, this.i64(L.S_BUDGET) + later);
      this.setI64(L.S_RETIRED_END, this.i64(L.S_RETIRED_END) + later);
      left = this.i64(L.S_BUDGET) - end;
      // A fetch fault of what comes behind belongs to the next run, after what may interrupt it.
      this.setU32(L.S_FAULT, 0);
      if (this.u32(L.S_PENDING) !== 0) return;
    }
  }
}
