/** How the tables of a qcow2 image name clusters (QEMU, docs/interop/qcow2.txt, "Cluster mapping"). */
import { setU64be, viewOf } from './bytes.js';
import type { Storage } from './storage.js';

/** Upper half of an entry: it names packed bytes. */
export const COMPRESSED = 0x40000000;
const OFFSET_HIGH = 0x00ffffff;
const PACKED_HIGH = 0x3fffffff;
const SECTOR = 512;
const REFCOUNT_TABLE = 48;

/** Entry `n` of a table: its halves, and the place in the file, in bytes, that an entry which is not packed names; 0: none. */
export function tableEntry(table: DataView, n: number): { high: number; low: number; at: number } {
  const [high, low] = [table.getUint32(n * 8), table.getUint32(n * 8 + 4)];
  return { high, low, at: (high & OFFSET_HIGH) * 2 ** 32 + ((low & ~0x1ff) >>> 0) };
}

/** Where packed bytes are: the place has 62 - (clusterBits - 8) bits, what is left counts further sectors of 512 bytes. */
export function packedAt(clusterBits: number, high: number, low: number): { at: number; length: number } {
  const placeBits = BigInt(62 - (clusterBits - 8));
  const value = (BigInt(high & PACKED_HIGH) << 32n) | BigInt(low);
  const at = Number(value & ((1n << placeBits) - 1n));
  const sectors = Number(value >> placeBits) + 1;
  return { at, length: sectors * SECTOR - (at & (SECTOR - 1)) };
}

/** Tells the header where the table of reference counts is now; one write: both or none. */
export function moveRefcountTable(storage: Storage, at: number, clusters: number): void {
  const fields = new Uint8Array(12);
  setU64be(viewOf(fields), 0, at);
  viewOf(fields).setUint32(8, clusters);
  storage.write(REFCOUNT_TABLE, fields);
}
