import { CpuTopology, MOST_CPUS } from '../engine/cpu-topology.js';
import { UserError } from '../machine/user-error.js';
import type { NetChoice } from './net-options.js';
import type { BootChoice, DisplayChoice, DriveChoice, FirmwareChoice } from './drive-options.js';

export type EngineChoice = 'auto' | 'reference' | 'interpret' | 'translate';
export type SerialChoice = { kind: 'stdio' } | { kind: 'none' } | { kind: 'file'; path: string };

/** A machine to run, as `viv run` takes it. */
export interface MachineConfig {
  /** What other commands call it; null: a free name. */
  readonly name: string | null;
  /** In a few words, what runs, for lists. */
  readonly title: string;
  /** null: the BIOS starts a system from a drive. */
  readonly kernel: string | null;
  readonly drives: readonly DriveChoice[];
  readonly nets: readonly NetChoice[];
  readonly boot: BootChoice;
  readonly display: DisplayChoice;
  /** File of the firmware; null: our own BIOS. */
  readonly bios: FirmwareChoice | null;
  readonly initrd: readonly string[];
  readonly append: string;
  readonly memoryBytes: number;
  readonly topology: CpuTopology;
  /** Nodes of non-uniform memory. */
  readonly nodes: number;
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
  /** What random numbers of a repeatable run begin with. */
  readonly seed: number;
  /** Percent of a core of the host; 0: no cap. */
  readonly cpuCap: number;
}

const MiB = 2 ** 20;
const UNITS: Record<string, number> = { '': MiB, k: 1024, m: MiB, g: 2 ** 30 };
const LEAST_MEMORY = 4 * MiB;
const MOST_MEMORY = 3840 * MiB;
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

const GROUPS = ['sockets', 'cores', 'threads'] as const;

/** `4`, or `32,sockets=2,cores=8,threads=2`: sockets of the board, cores of a socket, threads of a core. What is not said is 1, but as many cores as it takes. */
export function parseCpus(text: string): CpuTopology {
  const refuse = (why: string): never => {
    throw new UserError(`--cpus ${text}: ${why}; write it as 4, or as 32,sockets=2,cores=8,threads=2`);
  };
  const [number, ...parts] = text.split(',');
  const cpus = Number(number);
  if (!/^\d+$/.test(number!) || cpus < 1 || cpus > MOST_CPUS)
    refuse(`${number} is not a number of CPUs from 1 to ${MOST_CPUS}`);
  const given = new Map<string, number>();
  for (const part of parts) {
    const [name, value] = part.split('=');
    if (!GROUPS.some((known) => known === name)) refuse(`there is no "${name}" (but ${GROUPS.join(', ')})`);
    if (given.has(name!)) refuse(`${name} is given twice`);
    if (!/^[1-9]\d{0,2}$/.test(value ?? '')) refuse(`${part} is not a number of ${name}`);
    given.set(name!, Number(value));
  }
  const sockets = given.get('sockets') ?? 1;
  const threads = given.get('threads') ?? 1;
  const cores = given.get('cores') ?? cpus / (sockets * threads);
  if (sockets * cores * threads !== cpus || !Number.isInteger(cores))
    refuse(`${sockets} sockets, ${threads} threads and ${cores} cores do not make ${cpus} CPUs`);
  const topology = new CpuTopology(sockets, cores, threads);
  const last = topology.apicId(cpus - 1);
  if (last >= MOST_CPUS) refuse(`the last CPU would have APIC id ${last}, and ${MOST_CPUS - 1} is the most`);
  return topology;
}

export function parseNodes(text: string, { cpus, sockets, cores }: CpuTopology): number {
  const nodes = Number(text);
  const most = sockets > 1 ? sockets : cores;
  if (!/^\d+$/.test(text) || nodes < 1 || nodes > most)
    throw new UserError(
      `--numa ${text}: not a number of nodes from 1 to ${most}, which is what ${cpus} CPUs can be divided into (by ${sockets > 1 ? 'sockets' : 'cores'})`,
    );
  return nodes;
}

export function parseMachineName(text: string): string {
  if (!/^[\w.-]{1,40}$/.test(text))
    throw new UserError(`--name ${text}: not a name: use up to 40 letters, digits, dots and dashes`);
  return text;
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

/** For repeatable runs: another seed, other random numbers. */
export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed < 1 || seed > 0xffffffff)
    throw new UserError(`--seed ${text}: not a number from 1 to ${0xffffffff}`);
  return seed;
}

export function parseCpuCap(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (!Number.isInteger(percent) || percent < 1 || percent > 100 * MOST_CPUS)
    throw new UserError(
      `--cpu-cap ${text}: not a percentage of a host core; write it as 50, or 200 for two cores`,
    );
  return percent;
}

export function parseClock(text: string): 'real' | 'virtual' {
  if (text === 'real' || text === 'virtual') return text;
  throw new UserError(`--clock ${text}: choose real or virtual`);
}
