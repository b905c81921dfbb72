import * as L from '../layout.js';
import { Bytes } from '../wasm/bytes.js';
import { CPU, PROBE_ENTRY, PROBE_LOW } from './frame.js';

const GET = 0x20;
const TEE = 0x22;
const ADD = 0x6a;
const LOAD32 = 0x28;
const LOAD64 = 0x29;

/** A look at the first place of a TLB entry. */
export interface Probe {
  /** Makes of a linear address (i64) its address in memory (i32), if the entry has it. */
  readonly place: readonly number[];
  /** Of the linear address of the last byte (i64): whether the entry, which was looked at just before, is another page's (i32). */
  readonly misses: readonly number[];
}
export type Probes = Readonly<Record<'read' | 'write', Probe>>;

/** i64.xor, whether any bit of a page's number is left. */
const differs = [0x85, ...new Bytes().u8(0x42).signed(-0x1000).raw([0x83, 0x42, 0, 0x52]).view()];
/** Of two linear addresses: whether they lie in different pages. */
export const OTHER_PAGE: readonly number[] = differs;

/**
 * Nearly every access to memory has these, so they are ready as bytes: made of operations each time, they were some ten for each.
 * `addTable` adds the table's address but for `distance`.
 */
function probe(addTable: readonly number[], distance: number): Probe {
  const entry = [0x41, 8, 0x76, ...new Bytes().u8(0x41).signed(L.TLB_INDEX_MASK).view(), 0x71, ...addTable];
  const place = new Bytes().raw([0xa7, TEE, PROBE_LOW]).raw(entry);
  place.raw([TEE, PROBE_ENTRY, LOAD32, 2]).unsigned(distance + 8);
  const misses = new Bytes().raw([GET, PROBE_ENTRY, LOAD64, 3]).unsigned(distance).raw(differs);
  return { place: [...place.raw([GET, PROBE_LOW, ADD]).view()], misses: [...misses.view()] };
}
const inUse = (table: number): Probe =>
  probe([...new Bytes().raw([GET, CPU, LOAD32, 2]).unsigned(table).u8(ADD).view()], 0);

/** Of the tables in use: the kernel's change with AC. */
const ANY: Probes = { read: inUse(L.S_TLB_READ), write: inUse(L.S_TLB_WRITE) };
/** Of user code, whose tables are the first. */
const USER: Probes = {
  read: probe([GET, CPU, ADD], L.S_TLB),
  write: probe([GET, CPU, ADD], L.S_TLB + L.TLB_BYTES),
};
/** The same of the first CPU. */
const FIRST = L.CPU_BASE + L.S_TLB;
const USER_ALONE: Probes = { read: probe([], FIRST), write: probe([], FIRST + L.TLB_BYTES) };

/** For code in this mode (MODE_ bits); `alone`: there is one CPU. */
export function probesFor(mode: number, alone: boolean): Probes {
  if ((mode & (L.MODE_CPL3 | L.MODE_ALIGNMENT_CHECK)) !== L.MODE_CPL3) return ANY;
  return alone ? USER_ALONE : USER;
}
