/** Consistency of a qcow2 image: whether each cluster of the file is counted as often as it is used. */
import { u64be, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
import { readQcow2Header } from './qcow2.js';
import { COMPRESSED, packedAt, tableEntry } from './qcow2-entries.js';
import { getCount, setCount } from './qcow2-refcounts.js';
import type { Storage } from './storage.js';

const DIRTY = 1;
const CORRUPT = 2;

export interface CheckResult {
  /** Clusters that are counted and not used: room that is lost, no harm. */
  leaked: number;
  /** Clusters that are used more often than counted, or by two: what is in them may be overwritten. */
  wrong: number;
  messages: string[];
}

/** With `repair`, counts are set right; what is used twice cannot be mended and stays. */
export function checkQcow2(
  storage: Storage,
  repair: boolean,
  onProgress: (part: number) => void,
): CheckResult {
  const header = readQcow2Header(storage);
  if (header.snapshots > 0) throw new ImageError('it has internal snapshots, which are not checked here');
  const cluster = 2 ** header.clusterBits;
  const clusters = Math.ceil(storage.size / cluster);
  const used = new Uint32Array(clusters);
  const messages: string[] = [];
  let wrong = 0;
  const tell = (message: string): void => {
    wrong++;
    if (messages.length < 20) messages.push(message);
  };
  const use = (at: number, length: number, what: string): void => {
    if (at % 512 !== 0 || at + length > clusters * cluster)
      return tell(`${what} is said to be at ${at}, outside of the file`);
    for (let n = Math.floor(at / cluster); n * cluster < at + length; n++) used[n]!++;
  };
  const table = (at: number, length: number): DataView => {
    const bytes = new Uint8Array(length);
    if (at + length <= clusters * cluster) storage.read(at, bytes);
    return viewOf(bytes);
  };
  use(0, cluster, 'the header');
  use(header.l1At, header.l1Size * 8, 'the first table');
  use(header.refcountTableAt, header.refcountTableClusters * cluster, 'the table of reference counts');
  const counts = table(header.refcountTableAt, header.refcountTableClusters * cluster);
  const perBlock = (cluster * 8) >> header.refcountOrder;
  const blocks = Math.ceil(clusters / perBlock);
  for (let n = 0; n < counts.byteLength / 8; n++) {
    const at = u64be(counts, n * 8);
    if (at !== 0) use(at, cluster, `block ${n} of reference counts`);
  }
  const l1 = table(header.l1At, header.l1Size * 8);
  for (let n = 0; n < header.l1Size; n++) {
    onProgress(n / header.l1Size);
    const { at: l2At } = tableEntry(l1, n);
    if (l2At === 0) continue;
    use(l2At, cluster, `table ${n}`);
    const l2 = table(l2At, cluster);
    for (let m = 0; m < cluster / 8; m++) {
      const { high, low, at: plainAt } = tableEntry(l2, m);
      if (high & COMPRESSED) {
        const { at, length } = packedAt(header.clusterBits, high, low);
        const start = at - (at & 511);
        use(start, Math.min(at + length, clusters * cluster) - start, `packed cluster ${m} of table ${n}`);
      } else if (plainAt !== 0) use(plainAt, cluster, `cluster ${m} of table ${n}`);
    }
  }
  return { ...compare(), messages };

  function compare(): { leaked: number; wrong: number } {
    let leaked = 0;
    for (let block = 0; block < blocks; block++) {
      const at = (block + 1) * 8 <= counts.byteLength ? u64be(counts, block * 8) : 0;
      const list = at === 0 ? viewOf(new Uint8Array(cluster)) : table(at, cluster);
      let changed = false;
      for (let n = 0; n < perBlock && block * perBlock + n < clusters; n++) {
        const number = block * perBlock + n;
        const counted = getCount(list, n, header.refcountOrder);
        const wanted = used[number]!;
        if (counted === wanted) continue;
        if (counted > wanted) leaked++;
        else tell(`cluster ${number} is used ${wanted} times and counted ${counted} times`);
        setCount(list, n, header.refcountOrder, wanted);
        changed = true;
      }
      if (repair && changed && at !== 0) storage.write(at, new Uint8Array(list.buffer));
    }
    if (repair && header.version === 3) {
      const features = new Uint8Array(8);
      storage.read(72, features);
      features[7]! &= ~(DIRTY | CORRUPT);
      storage.write(72, features);
    }
    if (repair) storage.flush();
    return { leaked, wrong };
  }
}
