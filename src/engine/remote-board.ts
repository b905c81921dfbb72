import type { BoardAccess } from './cpu.js';
import * as L from './layout.js';
import type { Answer, Asker, Question } from './mailbox.js';
import type { CodeImports } from './runtime-module.js';

/** What threads ask of the machine's own. */
const operations = [
  'mmioRead',
  'mmioRead64',
  'mmioWrite',
  'mmioWrite64',
  'portRead',
  'portWrite',
  'msrRead',
  'msrWrite',
  'tprRead',
  'tprWrite',
  'random',
  'hypercall',
  'acknowledge',
  'hasInterrupt',
  'take',
  'written',
  'decode',
  'heat',
  'shutdown',
  'now',
] as const;
type Operation = (typeof operations)[number];
const NUMBER = Object.fromEntries(operations.map((name, i) => [name, i])) as Record<Operation, number>;

/** A thread that waits for this holds nothing of the code cache: that may be emptied meanwhile. */
export const DECODE = NUMBER.decode;

const pointerOf = (index: number): number => L.CPU_BASE + index * L.CPU_BYTES;
const indexOf = (pointer: number): number => (pointer - L.CPU_BASE) / L.CPU_BYTES;

/** Nanoseconds since power-on, as the machine's own thread has them. */
export const askTime = (asker: Asker): number => asker.ask(NUMBER.now, pointerOf(0)).number;

/** The board as CPUs in other threads see it. `now`: nanoseconds since power-on. */
export function remoteBoard(asker: Asker, now: () => number): BoardAccess {
  return {
    mmioRead: (cpu, physical, size) => asker.ask(NUMBER.mmioRead, pointerOf(cpu), physical, size).number,
    mmioRead64: (cpu, physical) => asker.ask(NUMBER.mmioRead64, pointerOf(cpu), physical).wide,
    mmioWrite: (cpu, physical, size, value) =>
      void asker.ask(NUMBER.mmioWrite, pointerOf(cpu), physical, size, value),
    mmioWrite64: (cpu, physical, value) =>
      void asker.ask(NUMBER.mmioWrite64, pointerOf(cpu), physical, 0, 0, BigInt.asIntN(64, value)),
    portRead: (cpu, port, size) => asker.ask(NUMBER.portRead, pointerOf(cpu), port, size).number,
    portWrite: (cpu, port, size, value) =>
      void asker.ask(NUMBER.portWrite, pointerOf(cpu), port, size, value),
    msrRead: (cpu, index) => {
      const { missing, wide } = asker.ask(NUMBER.msrRead, pointerOf(cpu), index);
      return missing ? undefined : BigInt.asUintN(64, wide);
    },
    msrWrite: (cpu, index, value) =>
      !asker.ask(NUMBER.msrWrite, pointerOf(cpu), index, 0, 0, BigInt.asIntN(64, value)).missing,
    tprRead: (cpu) => asker.ask(NUMBER.tprRead, pointerOf(cpu)).number,
    tprWrite: (cpu, value) => void asker.ask(NUMBER.tprWrite, pointerOf(cpu), value),
    now,
    random: () => asker.ask(NUMBER.random, 0).wide,
    // Its arguments are in the CPU's registers.
    hypercall: (cpu) => asker.ask(NUMBER.hypercall, pointerOf(cpu)).wide,
    acknowledge: (cpu) => asker.ask(NUMBER.acknowledge, pointerOf(cpu)).number,
    hasInterrupt: (cpu) => asker.ask(NUMBER.hasInterrupt, pointerOf(cpu)).number !== 0,
    take: (cpu) => asker.ask(NUMBER.take, pointerOf(cpu)).number,
  };
}

/** Writes of which the CPU need not see more than that they come before what it asks next. */
export function postedWrites(asker: Asker): Pick<BoardAccess, 'mmioWrite' | 'msrWrite'> {
  return {
    mmioWrite: (cpu, physical, size, value) =>
      asker.post(NUMBER.mmioWrite, pointerOf(cpu), physical, size, value),
    msrWrite(cpu, index, value) {
      asker.post(NUMBER.msrWrite, pointerOf(cpu), index, 0, 0, BigInt.asIntN(64, value));
      return true;
    },
  };
}

/** A block that has become hot, and the CPU that ran it as it was then. */
export interface HotBlock {
  readonly record: number;
  readonly cpu: number;
  /** MODE_ bits. */
  readonly mode: number;
  /** Linear address of the block's page, and the key of its translation (codeKey of the runtime). */
  readonly base: bigint;
  readonly key: number;
  readonly registers: readonly bigint[];
}

export interface RemoteCode extends CodeImports {
  heat(cpu: number, record: number): void;
}

export interface HomeCode extends CodeImports {
  heat(block: HotBlock): void;
}

/** `running`: pointer of the CPU that this thread runs; `codeKey`: its runtime's. */
export function remoteCode(
  asker: Asker,
  memory: WebAssembly.Memory,
  running: () => number,
  codeKey: (cpu: number, base: bigint) => number,
): RemoteCode {
  const view = new DataView(memory.buffer);
  return {
    written: (host, length) => void asker.ask(NUMBER.written, running(), host >>> 0, length),
    decode: (cpu, host, physical, limit) => asker.ask(NUMBER.decode, cpu, host >>> 0, physical, limit).number,
    heat(cpu, record) {
      const mode = view.getUint32(cpu + L.S_MODE, true);
      const base = view.getBigInt64(cpu + L.S_PAGE_BASE, true);
      asker.post(NUMBER.heat, cpu, record, mode, codeKey(cpu, base), base, true);
    },
  };
}

/** A CPU shut down. */
export function reportShutdown(asker: Asker, pointer: number): void {
  asker.ask(NUMBER.shutdown, pointer);
}

export interface Answerer {
  readonly board: BoardAccess;
  readonly code: HomeCode;
  /** Of the CPU with this pointer. */
  hypercall(pointer: number): bigint;
  interruptChanged(cpu: number): void;
  shutdown(cpu: number): void;
}

/** Answers what `remoteBoard` and `remoteCode` ask. */
export function answerFor({
  board,
  code,
  hypercall,
  interruptChanged,
  shutdown,
}: Answerer): (question: Question) => Answer {
  const answers: Record<Operation, (cpu: number, question: Question) => Answer> = {
    mmioRead: (cpu, { numbers: [at, size] }) => ({ number: board.mmioRead(cpu, at!, size as 1 | 2 | 4) }),
    mmioRead64: (cpu, { numbers: [at] }) => ({ wide: board.mmioRead64(cpu, at!) }),
    mmioWrite: (cpu, { numbers: [at, size, value] }) => {
      board.mmioWrite(cpu, at!, size as 1 | 2 | 4, value!);
      return {};
    },
    mmioWrite64: (cpu, { numbers: [at], wide }) => {
      board.mmioWrite64(cpu, at!, BigInt.asUintN(64, wide));
      return {};
    },
    portRead: (cpu, { numbers: [port, size] }) => ({ number: board.portRead(cpu, port!, size as 1 | 2 | 4) }),
    portWrite: (cpu, { numbers: [port, size, value] }) => {
      board.portWrite(cpu, port!, size as 1 | 2 | 4, value!);
      return {};
    },
    msrRead: (cpu, { numbers: [index] }) => {
      const wide = board.msrRead(cpu, index!);
      return wide === undefined ? { missing: true } : { wide };
    },
    msrWrite: (cpu, { numbers: [index], wide }) => ({
      missing: !board.msrWrite(cpu, index!, BigInt.asUintN(64, wide)),
    }),
    now: (cpu) => ({ number: board.now(cpu) }),
    tprRead: (cpu) => ({ number: board.tprRead(cpu) }),
    tprWrite: (cpu, { numbers: [value] }) => {
      board.tprWrite(cpu, value!);
      return {};
    },
    random: () => ({ wide: board.random() }),
    hypercall: (_, { cpu }) => ({ wide: hypercall(cpu) }),
    acknowledge: (cpu) => ({ number: board.acknowledge(cpu) }),
    hasInterrupt: (cpu) => ({ number: board.hasInterrupt(cpu) ? 1 : 0 }),
    take: (cpu) => {
      const number = board.hasInterrupt(cpu) ? board.acknowledge(cpu) : -1;
      interruptChanged(cpu);
      return { number };
    },
    written: (_, { numbers: [host, length] }) => {
      code.written(host!, length!);
      return {};
    },
    decode: (_, { cpu, numbers: [host, physical, limit] }) => ({
      number: code.decode(cpu, host!, physical!, limit!),
    }),
    heat: (_, { cpu, numbers: [record, mode, key], wide, registers }) => {
      const base = BigInt.asUintN(64, wide);
      code.heat({ record: record!, cpu, mode: mode!, base, key: key!, registers: registers() });
      return {};
    },
    shutdown: (cpu) => {
      shutdown(cpu);
      return {};
    },
  };
  return (question) => answers[operations[question.operation]!](indexOf(question.cpu), question);
}
