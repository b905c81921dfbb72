import { alignUp, setU64be, u64be, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
/** How often each cluster of the file is used: a table of places of blocks, each a list of counts (QEMU, docs/interop/qcow2.txt, "Host cluster management"). */
export class Refcounts {
  storage;
  clusterBytes;
  order;
  tableAt;
  moved;
  table;
  tableDirty = false;
  blocks = new Map();
  /** Clusters that are known to be free, and the first behind the end of the file. */
  free = [];
  end;
  perBlock;
  constructor(
    storage,
    clusterBytes,
    /** Bits of a count: 1 << order. */
    order,
    tableAt,
    tableClusters,
    /** Tells the header where the table is now. */
    moved,
  ) {
    this.storage = storage;
    this.clusterBytes = clusterBytes;
    this.order = order;
    this.tableAt = tableAt;
    this.moved = moved;
    this.perBlock = (clusterBytes * 8) >> order;
    this.table = new Uint8Array(tableClusters * clusterBytes);
    storage.read(tableAt, this.table);
    this.end = Math.ceil(storage.size / clusterBytes);
  }
  blockAt(index) {
    if ((index + 1) * 8 > this.table.length) return 0;
    return u64be(viewOf(this.table), index * 8);
  }
  block(index) {
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
  get(cluster) {
    const block = this.block(Math.floor(cluster / this.perBlock));
    if (!block) return 0;
    const n = cluster % this.perBlock;
    const view = viewOf(block.bytes);
    switch (this.order) {
      case 3:
        return block.bytes[n];
      case 4:
        return view.getUint16(n * 2);
      case 5:
        return view.getUint32(n * 4);
      case 6:
        return u64be(view, n * 8);
      default: {
        const bits = 1 << this.order;
        const at = n * bits;
        return (block.bytes[at >> 3] >> (at & 7)) & ((1 << bits) - 1);
      }
    }
  }
  set(cluster, count) {
    const index = Math.floor(cluster / this.perBlock);
    const block = this.block(index) ?? this.addBlock(index);
    const n = cluster % this.perBlock;
    const view = viewOf(block.bytes);
    block.dirty = true;
    switch (this.order) {
      case 3:
        block.bytes[n] = count;
        return;
      case 4:
        return view.setUint16(n * 2, count);
      case 5:
        return view.setUint32(n * 4, count);
      case 6:
        return setU64be(view, n * 8, count);
      default: {
        const bits = 1 << this.order;
        const at = n * bits;
        const mask = ((1 << bits) - 1) << (at & 7);
        block.bytes[at >> 3] = (block.bytes[at >> 3] & ~mask) | (count << (at & 7));
      }
    }
  }
  /** A block for clusters that had none: it lies at the end of the file, and counts itself or is counted by another. */
  addBlock(index) {
    if ((index + 1) * 8 > this.table.length) this.growTable(index + 1);
    const cluster = this.end++;
    const block = { bytes: new Uint8Array(this.clusterBytes), dirty: true };
    this.blocks.set(index, block);
    setU64be(viewOf(this.table), index * 8, cluster * this.clusterBytes);
    this.tableDirty = true;
    this.set(cluster, 1);
    return block;
  }
  growTable(entries) {
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
  allocate() {
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
  allocateRun(count) {
    const first = this.end;
    this.end += count;
    for (let n = 0; n < count; n++) this.set(first + n, 1);
    return first;
  }
  /** One use less. */
  release(cluster) {
    const count = this.get(cluster);
    if (count === 0) return;
    this.set(cluster, count - 1);
    if (count === 1) this.released.push(cluster);
  }
  /** They are free when nothing in the file can name them any more. */
  released = [];
  get dirty() {
    return this.tableDirty || [...this.blocks.values()].some(({ dirty }) => dirty);
  }
  writeBack() {
    for (const [index, block] of this.blocks) {
      if (!block.dirty) continue;
      this.storage.write(this.blockAt(index), block.bytes);
      block.dirty = false;
    }
    if (this.tableDirty) this.storage.write(this.tableAt, this.table);
    this.tableDirty = false;
  }
  /** What was released before is not named in the file any more. */
  settled() {
    this.free.push(...this.released);
    this.released.length = 0;
  }
}
