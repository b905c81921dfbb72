import { UserError } from '../machine/user-error.js';

export type EngineChoice = 'auto' | 'reference' | 'interpret' | 'translate';
export type SerialChoice = { kind: 'stdio' } | { kind: 'none' } | { kind: 'file'; path: string };

/** A machine to run, as `viv run` takes it. */
export interface MachineConfig {
  readonly kernel: string;
  readonly initrd: readonly string[];
  readonly append: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly engine: EngineChoice;
  /** Executions after which code is translated; null: the engine's choice. */
  readonly heat: number | null;
  readonly serial: SerialChoice;
  readonly debugExit: boolean;
  /** Seconds until the machine is stopped; 0: never. */
  readonly timeoutSeconds: number;
  readonly cpuModel: string;
  readonly statsFile: string | null;
  readonly clock: 'real' | 'virtual';
}

const MiB = 2 ** 20;
const UNITS: Record<string, number> = { '': MiB, k: 1024, m: MiB, g: 2 ** 30 };
const LEAST_MEMORY = 4 * MiB;
const MOST_MEMORY = 3840 * MiB;
export const MOST_CPUS = 255;
const ENGINES: readonly EngineChoice[] = ['auto', 'reference', 'interpret', 'translate'];

/** `512M`, `2G`, `65536K`; a bare number is MiB, as QEMU and VirtualBox take it. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)i?b?$/i.exec(text.trim());
  if (!match) throw new UserError(`--memory ${text}: not an amount of memory; write it as 512M or 2G`);
  const bytes = Math.floor((Number(match[1]) * UNITS[match[2]!.toLowerCase()]!) / 4096) * 4096;
  if (bytes < LEAST_MEMORY)
    throw new UserError(`--memory ${text}: too little for a PC; give it at least ${LEAST_MEMORY / MiB}M`);
  if (bytes > MOST_MEMORY)
    throw new UserError(
      `--memory ${text}: more than fits; the most is ${MOST_MEMORY / MiB}M (guest memory lies in one 4 GiB WebAssembly memory)`,
    );
  return bytes;
}

export function parseCpus(text: string): number {
  const cpus = Number(text);
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MOST_CPUS)
    throw new UserError(`--cpus ${text}: not a number of CPUs from 1 to ${MOST_CPUS}`);
  return cpus;
}

export function parseEngine(text: string): EngineChoice {
  const engine = ENGINES.find((name) => name === text);
  if (!engine)
    throw new UserError(`--engine ${text}: there is no such engine; choose from ${ENGINES.join(', ')}`);
  return engine;
}

/** 0 and 1 both mean: translated before it is executed a second time. */
export function parseHeat(text: string): number {
  const heat = Number(text);
  if (!Number.isInteger(heat) || heat < 0 || heat > 0xffff)
    throw new UserError(`--heat ${text}: not a number of executions from 0 to 65535`);
  return heat;
}

export function parseSerial(text: string): SerialChoice {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw new UserError(`--serial ${text}: not a place for the serial port; choose stdio, none or file:PATH`);
}

export function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 2 ** 31 / 1000)
    throw new UserError(`--timeout ${text}: not a number of seconds above 0`);
  return seconds;
}

export function parseClock(text: string): 'real' | 'virtual' {
  if (text === 'real' || text === 'virtual') return text;
  throw new UserError(`--clock ${text}: choose real or virtual`);
}
