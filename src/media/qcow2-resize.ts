import { setU64be, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
import { readQcow2Header } from './qcow2.js';
import { moveRefcountTable } from './qcow2-entries.js';
import { Refcounts } from './qcow2-refcounts.js';
import type { Storage } from './storage.js';

/** Lets a qcow2 image show `bytes`; its first table moves if it must be longer. */
export function growQcow2(storage: Storage, bytes: number): void {
  const header = readQcow2Header(storage);
  if (bytes < header.bytes)
    throw new ImageError(`it has ${header.bytes} bytes; making it smaller would lose some`);
  if (header.snapshots > 0) throw new ImageError('it has internal snapshots, which would have another size');
  const cluster = 2 ** header.clusterBits;
  const entries = Math.ceil(bytes / (cluster * (cluster / 8)));
  const fields = new Uint8Array(12);
  if (entries > header.l1Size) {
    const counts = new Refcounts(
      storage,
      cluster,
      header.refcountOrder,
      header.refcountTableAt,
      header.refcountTableClusters,
      (at, clusters) => moveRefcountTable(storage, at, clusters),
    );
    const clusters = Math.ceil((entries * 8) / cluster);
    const at = counts.allocateRun(clusters) * cluster;
    const table = new Uint8Array(clusters * cluster);
    storage.read(header.l1At, table.subarray(0, header.l1Size * 8));
    storage.write(at, table);
    counts.writeBack();
    storage.flush();
    viewOf(fields).setUint32(0, entries);
    setU64be(viewOf(fields), 4, at);
    // One write: both or none.
    storage.write(36, fields);
    storage.flush();
    const oldClusters = Math.ceil((header.l1Size * 8) / cluster);
    for (let n = 0; n < oldClusters; n++) counts.release(header.l1At / cluster + n);
    counts.writeBack();
  }
  const size = new Uint8Array(8);
  setU64be(viewOf(size), 0, bytes);
  storage.write(24, size);
  storage.flush();
}
