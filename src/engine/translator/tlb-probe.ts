import * as L from '../layout.js';
import { Bytes } from '../wasm/bytes.js';
import { CPU, PROBE_ENTRY, PROBE_LOW } from './frame.js';

const GET = 0x20;
const TEE = 0x22;
const ADD = 0x6a;

/** Nearly every access to memory has these, so they are ready as bytes: made of operations each time, they were some ten for each. */
function placeIn(table: number): readonly number[] {
  return [
    ...new Bytes()
      .raw([0xa7, TEE, PROBE_LOW, 0x41, 8, 0x76, 0x41])
      .signed(L.TLB_INDEX_MASK)
      .raw([0x71, GET, CPU, 0x28, 2])
      .unsigned(table)
      .raw([ADD, TEE, PROBE_ENTRY, 0x28, 2, 8, GET, PROBE_LOW, ADD])
      .view(),
  ];
}

/** Makes of a linear address (i64) its address in memory (i32), if the first place of its TLB entry has it. */
export const PLACE: Readonly<Record<'read' | 'write', readonly number[]>> = {
  read: placeIn(L.S_TLB_READ),
  write: placeIn(L.S_TLB_WRITE),
};

/** i64.xor, whether any bit of a page's number is left. */
const differs = [0x85, ...new Bytes().u8(0x42).signed(-0x1000).raw([0x83, 0x42, 0, 0x52]).view()];
/** Of the linear address of the last byte (i64): whether the entry, which was looked at just before, is another page's (i32). */
export const MISSES: readonly number[] = [GET, PROBE_ENTRY, 0x29, 3, 0, ...differs];
/** Of two linear addresses: whether they lie in different pages. */
export const OTHER_PAGE: readonly number[] = differs;
