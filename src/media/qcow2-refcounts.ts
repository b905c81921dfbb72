import { alignUp, setU64be, u64be, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
import type { Storage } from './storage.js';

/** How often each cluster of the file is used: a table of places of blocks, each a list of counts (QEMU, docs/interop/qcow2.txt, "Host cluster management"). */
export class Refcounts {
  private table: Uint8Array;
  private tableDirty = false;
  private readonly blocks = new Map<number, { bytes: Uint8Array; dirty: boolean }>();
  /** Clusters that are known to be free, and the first behind the end of the file. */
  private readonly free: number[] = [];
  private end: number;
  private readonly perBlock: number;

  constructor(
    private readonly storage: Storage,
    private readonly clusterBytes: number,
    /** Bits of a count: 1 << order. */
    private readonly order: number,
    private tableAt: number,
    tableClusters: number,
    /** Tells the header where the table is now. */
    private readonly moved: (at: number, clusters: number) => void,
  ) {
    this.perBlock = (clusterBytes * 8) >> order;
    this.table = new Uint8Array(tableClusters * clusterBytes);
    storage.read(tableAt, this.table);
    this.end = Math.ceil(storage.size / clusterBytes);
  }

  private blockAt(index: number): number {
    if ((index + 1) * 8 > this.table.length) return 0;
    return u64be(viewOf(this.table), index * 8);
  }

  private block(index: number): { bytes: Uint8Array; dirty: boolean } | null {
    const known = this.blocks.get(index);
    if (known) return known;
    const at = this.blockAt(index);
    if (at === 0) return null;
    if (
      at % this.clusterBytes !== 0 ||
      at + this.clusterBytes > alignUp(this.storage.size, this.clusterBytes)
    )
      throw new ImageError(`a block of reference counts is said to be at ${at}, where none can be`);
    const bytes = new Uint8Array(this.clusterBytes);
    this.storage.read(at, bytes);
    const block = { bytes, dirty: false };
    this.blocks.set(index, block);
    return block;
  }

  /** How often a cluster of the file is used. */
  get(cluster: number): number {
    const block = this.block(Math.floor(cluster / this.perBlock));
    if (!block) return 0;
    return getCount(viewOf(block.bytes), cluster % this.perBlock, this.order);
  }

  private set(cluster: number, count: number): void {
    const index = Math.floor(cluster / this.perBlock);
    const block = this.block(index) ?? this.addBlock(index);
    setCount(viewOf(block.bytes), cluster % this.perBlock, this.order, count);
    block.dirty = true;
  }

  /** A block for clusters that had none: it lies at the end of the file, and counts itself or is counted by another. */
  private addBlock(index: number): { bytes: Uint8Array; dirty: boolean } {
    if ((index + 1) * 8 > this.table.length) this.growTable(index + 1);
    const cluster = this.end++;
    const block = { bytes: new Uint8Array(this.clusterBytes), dirty: true };
    this.blocks.set(index, block);
    setU64be(viewOf(this.table), index * 8, cluster * this.clusterBytes);
    this.tableDirty = true;
    this.set(cluster, 1);
    return block;
  }

  private growTable(entries: number): void {
    const clusters = Math.ceil((entries * 8 * 2) / this.clusterBytes);
    const grown = new Uint8Array(clusters * this.clusterBytes);
    grown.set(this.table);
    const old = { at: this.tableAt, clusters: this.table.length / this.clusterBytes };
    this.table = grown;
    const first = this.end;
    this.end += clusters;
    this.tableAt = first * this.clusterBytes;
    this.tableDirty = true;
    for (let n = 0; n < clusters; n++) this.set(first + n, 1);
    // The header names the new table before the old one is given up.
    this.writeBack();
    this.storage.flush();
    this.moved(this.tableAt, clusters);
    for (let n = 0; n < old.clusters; n++) this.release(old.at / this.clusterBytes + n);
  }

  /** A cluster of the file that nobody uses, from now on used once. */
  allocate(): { cluster: number; fresh: boolean } {
    const reused = this.free.pop();
    if (reused !== undefined) {
      this.set(reused, 1);
      return { cluster: reused, fresh: false };
    }
    // The block that counts it may itself take the next cluster.
    const cluster = this.end++;
    this.set(cluster, 1);
    return { cluster, fresh: true };
  }

  /** So many clusters one after the other, for tables. */
  allocateRun(count: number): number {
    const first = this.end;
    this.end += count;
    for (let n = 0; n < count; n++) this.set(first + n, 1);
    return first;
  }

  /** One use less. */
  release(cluster: number): void {
    const count = this.get(cluster);
    if (count === 0) return;
    this.set(cluster, count - 1);
    if (count === 1) this.released.push(cluster);
  }
  /** They are free when nothing in the file can name them any more. */
  private readonly released: number[] = [];

  get dirty(): boolean {
    return this.tableDirty || [...this.blocks.values()].some(({ dirty }) => dirty);
  }

  writeBack(): void {
    for (const [index, block] of this.blocks) {
      if (!block.dirty) continue;
      this.storage.write(this.blockAt(index), block.bytes);
      block.dirty = false;
    }
    if (this.tableDirty) this.storage.write(this.tableAt, this.table);
    this.tableDirty = false;
  }

  /** What was released before is not named in the file any more. */
  settled(): void {
    this.free.push(...this.released);
    this.released.length = 0;
  }
}

/** Count `n` of a block whose counts have 1 << order bits. */
export function getCount(block: DataView, n: number, order: number): number {
  if (order === 4) return block.getUint16(n * 2);
  if (order === 5) return block.getUint32(n * 4);
  if (order === 6) return u64be(block, n * 8);
  const bits = 1 << order;
  return (block.getUint8((n * bits) >> 3) >> ((n * bits) & 7)) & ((1 << bits) - 1);
}

export function setCount(block: DataView, n: number, order: number, count: number): void {
  if (order === 4) return block.setUint16(n * 2, count);
  if (order === 5) return block.setUint32(n * 4, count);
  if (order === 6) return setU64be(block, n * 8, count);
  const bits = 1 << order;
  const at = (n * bits) >> 3;
  const shift = (n * bits) & 7;
  const mask = ((1 << bits) - 1) << shift;
  block.setUint8(at, (block.getUint8(at) & ~mask) | (count << shift));
}
