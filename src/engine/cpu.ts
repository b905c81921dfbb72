/** What the engine asks of the board that a CPU sits in. Addresses and times are numbers below 2^53. */
export interface BoardAccess {
  mmioRead(cpu: number, physical: number, size: 1 | 2 | 4): number;
  mmioRead64(cpu: number, physical: number): bigint;
  mmioWrite(cpu: number, physical: number, size: 1 | 2 | 4, value: number): void;
  mmioWrite64(cpu: number, physical: number, value: bigint): void;
  portRead(cpu: number, port: number, size: 1 | 2 | 4): number;
  portWrite(cpu: number, port: number, size: 1 | 2 | 4, value: number): void;
  /** undefined: no such MSR. */
  msrRead(cpu: number, index: number): bigint | undefined;
  /** false: no such MSR, or a value that it does not take. */
  msrWrite(cpu: number, index: number, value: bigint): boolean;
  /** Task priority, 0 to 15. */
  tprRead(cpu: number): number;
  tprWrite(cpu: number, value: number): void;
  /** Nanoseconds since power-on, at this instruction. */
  now(cpu: number): number;
  random(): bigint;
  /** VMCALL with a number and four arguments; gives what comes back in RAX. */
  hypercall(cpu: number, number: bigint, args: readonly bigint[]): bigint;
  /** Vector of the interrupt that the CPU now takes, from its local APIC or the 8259. */
  acknowledge(cpu: number): number;
  hasInterrupt(cpu: number): boolean;
  /** All that a CPU in another thread asks to take an interrupt, at once: the vector, or -1 for none; its line is right behind it. */
  take?(cpu: number): number;
}

/** Why `run` came back. */
export type StopReason = 'budget' | 'halted' | 'shutdown' | 'exit' | 'waiting';

/** A virtual CPU, whatever executes it. */
export interface Cpu {
  readonly index: number;
  /** Address of its block in the shared memory; the offsets are in layout.ts. */
  readonly pointer: number;
  /** Instructions retired since power-on, exact even inside a device access. */
  retired(): number;
  /** Executes at most `budget` instructions; unless `exactly`, somewhat fewer are enough, as an exact end costs decoding a block for it. */
  run(budget: number, exactly?: boolean): StopReason;
  /** Makes `run` come back before the next block. */
  requestExit(): void;
  /** The interrupt line of the local APIC changed. */
  interruptChanged(): void;
  nmi(): void;
  init(): void;
  startup(vector: number): void;
}

/** Accesses to the board, for `--stats`. */
export interface CpuCounts {
  portReads: number;
  portWrites: number;
  mmioReads: number;
  mmioWrites: number;
}
