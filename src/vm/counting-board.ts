import type { BoardAccess, CpuCounts } from '../engine/cpu.js';

const IA32_TSC = 0x10;

/** What a board offers to the CPUs, beside what they call on each access. */
interface Board extends BoardAccess {
  tscChanged(cpu: number): void;
}

/** The board as the engine sees it: made after the engine, with every access counted. */
export function countingBoard(board: () => Board, counts: (cpu: number) => CpuCounts): BoardAccess {
  return {
    mmioRead(cpu, physical, size) {
      counts(cpu).mmioReads++;
      return board().mmioRead(cpu, physical, size);
    },
    mmioRead64(cpu, physical) {
      counts(cpu).mmioReads++;
      return board().mmioRead64(cpu, physical);
    },
    mmioWrite(cpu, physical, size, value) {
      counts(cpu).mmioWrites++;
      board().mmioWrite(cpu, physical, size, value);
    },
    mmioWrite64(cpu, physical, value) {
      counts(cpu).mmioWrites++;
      board().mmioWrite64(cpu, physical, value);
    },
    portRead(cpu, port, size) {
      counts(cpu).portReads++;
      return board().portRead(cpu, port, size);
    },
    portWrite(cpu, port, size, value) {
      counts(cpu).portWrites++;
      board().portWrite(cpu, port, size, value);
    },
    msrRead: (cpu, index) => board().msrRead(cpu, index),
    msrWrite(cpu, index, value) {
      // The runtime keeps the TSC; the board is told that it was set.
      if (index === IA32_TSC) {
        board().tscChanged(cpu);
        return true;
      }
      return board().msrWrite(cpu, index, value);
    },
    tprRead: (cpu) => board().tprRead(cpu),
    tprWrite: (cpu, value) => board().tprWrite(cpu, value),
    now: (cpu) => board().now(cpu),
    random: () => board().random(),
    hypercall: (cpu, number, args) => board().hypercall(cpu, number, args),
    acknowledge: (cpu) => board().acknowledge(cpu),
    hasInterrupt: (cpu) => board().hasInterrupt(cpu),
  };
}
