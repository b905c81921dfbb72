/** QEMU's copy-on-write format, versions 2 and 3 (QEMU, docs/interop/qcow2.txt). */
import { decompress } from 'fzstd';
import { inflateSync } from 'fflate';
import { setU64be, text, u64be, viewOf } from './bytes.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { COMPRESSED, moveRefcountTable, packedAt, tableEntry } from './qcow2-entries.js';
import { Refcounts } from './qcow2-refcounts.js';
import { SparseImage, type Place } from './sparse-image.js';
import type { Storage } from './storage.js';

export const QCOW2_MAGIC = 0x514649fb;
const V2_HEADER = 72;
const V3_HEADER = 104;

// Incompatible features
const DIRTY = 1;
const CORRUPT = 2;
const COMPRESSION_TYPE = 8;
const KNOWN_FEATURES = DIRTY | CORRUPT | COMPRESSION_TYPE;
const FEATURE_NAMES = ['dirty', 'corrupt', 'external data file', 'compression type', 'extended L2 entries'];

// Table entries, their upper half
const COPIED = 0x80000000;
/** Lower half: the cluster reads as zeros. */
const ZERO = 1;

const MOST_L2_TABLES = 256;
const EXTENSION_END = 0;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const MOST_NAME = 1023;
const MOST_L1_BYTES = 32 * 2 ** 20;
const MOST_REFCOUNT_TABLE = 8 * 2 ** 20;

export interface Qcow2Header {
  version: number;
  clusterBits: number;
  bytes: number;
  backingFile: string | null;
  backingFormat: string | null;
  l1Size: number;
  l1At: number;
  refcountTableAt: number;
  refcountTableClusters: number;
  refcountOrder: number;
  snapshots: number;
  dirty: boolean;
  zstd: boolean;
}

export function readQcow2Header(storage: Storage): Qcow2Header {
  const bytes = new Uint8Array(V3_HEADER + 8);
  storage.read(0, bytes);
  const view = viewOf(bytes);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3)
    throw new ImageError(`it is qcow2 of version ${version}; 2 and 3 are known`);
  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21)
    throw new ImageError(`its clusters have 2^${clusterBits} bytes, and 2^9 to 2^21 can be`);
  if (view.getUint32(32) !== 0)
    throw new ImageError('it is encrypted, which is not supported; convert it first');
  const features = version === 3 ? view.getUint32(76) : 0;
  const unknown = version === 3 ? (features & ~KNOWN_FEATURES) | view.getUint32(72) : 0;
  if (unknown !== 0) {
    const names = FEATURE_NAMES.filter((_, bit) => unknown & (1 << bit));
    throw new ImageError(
      `it uses features that are not known here (${names.join(', ') || `0x${unknown.toString(16)}`})`,
    );
  }
  if (features & CORRUPT)
    throw new ImageError('it is marked as corrupt: repair a copy of it with "viv media check --repair"');
  const headerBytes = version === 3 ? view.getUint32(100) : V2_HEADER;
  const nameAt = u64be(view, 8);
  const nameBytes = view.getUint32(16);
  if (nameAt !== 0 && (nameBytes > MOST_NAME || nameAt + nameBytes > storage.size))
    throw new ImageError('the name of its backing file lies outside of it');
  const name = new Uint8Array(nameAt === 0 ? 0 : nameBytes);
  storage.read(nameAt, name);
  const zstd = (features & COMPRESSION_TYPE) !== 0 && headerBytes > V3_HEADER && bytes[104] === 1;
  const header: Qcow2Header = {
    version,
    clusterBits,
    bytes: u64be(view, 24),
    backingFile: nameAt === 0 || nameBytes === 0 ? null : text(name),
    backingFormat: backingFormat(storage, headerBytes, nameAt || 2 ** clusterBits),
    l1Size: view.getUint32(36),
    l1At: u64be(view, 40),
    refcountTableAt: u64be(view, 48),
    refcountTableClusters: view.getUint32(56),
    refcountOrder: version === 3 ? view.getUint32(96) : 4,
    snapshots: view.getUint32(60),
    dirty: (features & DIRTY) !== 0,
    zstd,
  };
  checkHeader(header, storage.size);
  return header;
}

/** Tables where tables can be, of sizes that tables can have. */
function checkHeader(header: Qcow2Header, fileBytes: number): void {
  const cluster = 2 ** header.clusterBits;
  const inFile = (at: number, length: number, what: string): void => {
    if (at % cluster !== 0 || at + length > Math.ceil(fileBytes / cluster) * cluster)
      throw new ImageError(
        `${what} is said to be at ${at}, where it cannot be in a file of ${fileBytes} bytes`,
      );
  };
  const needed = Math.ceil(header.bytes / (cluster * (cluster / 8)));
  if (header.l1Size < needed || header.l1Size * 8 > MOST_L1_BYTES)
    throw new ImageError(
      `its first table has ${header.l1Size} entries, and ${needed} are needed for ${header.bytes} bytes`,
    );
  if (header.refcountOrder > 6)
    throw new ImageError(`its reference counts have 2^${header.refcountOrder} bits; 64 is the most`);
  if (header.refcountTableClusters * cluster > MOST_REFCOUNT_TABLE)
    throw new ImageError('its table of reference counts is larger than one can be');
  inFile(header.l1At, header.l1Size * 8, 'its first table');
  inFile(header.refcountTableAt, header.refcountTableClusters * cluster, 'its table of reference counts');
}

function backingFormat(storage: Storage, from: number, end: number): string | null {
  const head = new Uint8Array(8);
  for (let at = from; at + 8 <= Math.min(end, storage.size);) {
    storage.read(at, head);
    const [type, length] = [viewOf(head).getUint32(0), viewOf(head).getUint32(4)];
    if (type === EXTENSION_END || length > end) return null;
    if (type === EXTENSION_BACKING_FORMAT) {
      const name = new Uint8Array(Math.min(length, MOST_NAME));
      storage.read(at + 8, name);
      return text(name);
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return null;
}

export class Qcow2Image extends SparseImage {
  readonly format = 'qcow2';
  readonly bytes: number;
  protected readonly clusterBytes: number;
  private readonly header: Qcow2Header;
  private readonly l1: Uint8Array;
  private l1Dirty = false;
  private readonly l2 = new Map<number, { bytes: Uint8Array; dirty: boolean }>();
  private readonly refcounts: Refcounts;
  private readonly entries: number;

  constructor(storage: Storage, below: DiskImage | null) {
    super(storage, below);
    const header = (this.header = readQcow2Header(storage));
    this.clusterBytes = 2 ** header.clusterBits;
    this.entries = this.clusterBytes / 8;
    this.bytes = header.bytes;
    if (header.dirty && !storage.readOnly)
      throw new ImageError(
        'it was not closed (lazy reference counts): run "viv media check --repair" on it first, or open it read-only',
      );
    this.l1 = new Uint8Array(header.l1Size * 8);
    storage.read(header.l1At, this.l1);
    this.refcounts = new Refcounts(
      storage,
      this.clusterBytes,
      header.refcountOrder,
      header.refcountTableAt,
      header.refcountTableClusters,
      (at, clusters) => moveRefcountTable(storage, at, clusters),
    );
  }

  private inFile(at: number, length: number, what: string): void {
    if (
      at % this.clusterBytes !== 0 ||
      at + length > Math.ceil(this.storage.size / this.clusterBytes) * this.clusterBytes
    )
      throw new ImageError(
        `${what} is said to be at ${at}, where it cannot be in a file of ${this.storage.size} bytes`,
      );
  }

  // ---- tables

  private table(index: number): { bytes: Uint8Array; dirty: boolean } | null {
    const known = this.l2.get(index);
    if (known) return known;
    const { at } = tableEntry(viewOf(this.l1), index);
    if (at === 0) return null;
    this.inFile(at, this.clusterBytes, 'a second table');
    if (this.l2.size >= MOST_L2_TABLES) {
      this.writeBack();
      this.l2.clear();
    }
    const bytes = new Uint8Array(this.clusterBytes);
    this.storage.read(at, bytes);
    const table = { bytes, dirty: false };
    this.l2.set(index, table);
    return table;
  }

  /** The table for a cluster, in a cluster that belongs to this image alone. */
  private ownTable(index: number): { bytes: Uint8Array; dirty: boolean } {
    const { high, at } = tableEntry(viewOf(this.l1), index);
    const known = this.table(index);
    if (known && high & COPIED) return known;
    const { cluster } = this.refcounts.allocate();
    const table = known ?? { bytes: new Uint8Array(this.clusterBytes), dirty: true };
    table.dirty = true;
    this.l2.set(index, table);
    setU64be(viewOf(this.l1), index * 8, cluster * this.clusterBytes);
    viewOf(this.l1).setUint32(index * 8, viewOf(this.l1).getUint32(index * 8) | COPIED);
    this.l1Dirty = true;
    if (at !== 0) this.refcounts.release(at / this.clusterBytes);
    return table;
  }

  protected override emptyFrom(cluster: number): number {
    const index = Math.floor(cluster / this.entries);
    return this.table(index) ? 0 : (index + 1) * this.entries - cluster;
  }

  protected place(cluster: number): Place {
    const table = this.table(Math.floor(cluster / this.entries));
    if (!table) return { kind: 'none' };
    const { high, low, at } = tableEntry(viewOf(table.bytes), cluster % this.entries);
    if (high & COMPRESSED) return { kind: 'packed', unpack: () => this.unpack(high, low) };
    if (low & ZERO && this.header.version === 3) return { kind: 'zero' };
    if (at === 0) return { kind: 'none' };
    if (at % this.clusterBytes !== 0 || at >= this.storage.size)
      throw new ImageError(`a cluster is said to be at ${at}, where none can be`);
    return { kind: 'data', at, shared: (high & COPIED) === 0 };
  }

  private unpack(high: number, low: number): Uint8Array {
    const { at, length } = packedAt(this.header.clusterBits, high, low);
    if (at >= this.storage.size)
      throw new ImageError(`packed bytes are said to be at ${at}, behind the end of the file`);
    const packed = new Uint8Array(length);
    this.storage.read(at, packed);
    const whole = new Uint8Array(this.clusterBytes);
    try {
      if (this.header.zstd)
        whole.set(decompress(packed.subarray(0, frameLength(packed))).subarray(0, whole.length));
      else inflateSync(packed, { out: whole });
    } catch (error) {
      throw new ImageError(`a compressed cluster cannot be unpacked: ${(error as Error).message}`);
    }
    return whole;
  }

  protected allocate(_cluster: number, whole: boolean): number {
    const { cluster, fresh } = this.refcounts.allocate();
    const at = cluster * this.clusterBytes;
    // A cluster that was used before has other bytes; one at the end reads as zeros, where the file has it at all.
    if (!whole && !fresh) this.storage.write(at, new Uint8Array(this.clusterBytes));
    else if (!whole && at + this.clusterBytes > this.storage.size)
      this.storage.resize(at + this.clusterBytes);
    return at;
  }

  private release(place: { high: number; low: number; at: number }): void {
    if (place.high & COMPRESSED) {
      const { at, length } = packedAt(this.header.clusterBits, place.high, place.low);
      const last = Math.floor((at + length - 1) / this.clusterBytes);
      for (let cluster = Math.floor(at / this.clusterBytes); cluster <= last; cluster++)
        this.refcounts.release(cluster);
    } else if (place.at !== 0) this.refcounts.release(place.at / this.clusterBytes);
  }

  private setEntry(cluster: number, high: number, low: number): void {
    const table = this.ownTable(Math.floor(cluster / this.entries));
    const n = cluster % this.entries;
    const old = tableEntry(viewOf(table.bytes), n);
    const view = viewOf(table.bytes);
    view.setUint32(n * 8, high);
    view.setUint32(n * 8 + 4, low);
    table.dirty = true;
    this.release(old);
  }

  protected link(cluster: number, at: number): void {
    this.setEntry(cluster, (Math.floor(at / 2 ** 32) | COPIED) >>> 0, at % 2 ** 32);
  }

  protected unlink(cluster: number): boolean {
    // Version 2 can only say "nothing here", which shows what lies below.
    if (this.header.version === 2 && this.below) return false;
    this.setEntry(cluster, 0, this.header.version === 3 ? ZERO : 0);
    return true;
  }

  /** Counts and data first, then what names them: whatever interrupts it, no cluster is named that is not counted. */
  protected writeBack(): void {
    const tables = [...this.l2].filter(([, { dirty }]) => dirty);
    if (tables.length === 0 && !this.l1Dirty && !this.refcounts.dirty) return;
    this.refcounts.writeBack();
    this.storage.flush();
    for (const [index, table] of tables) {
      this.storage.write(tableEntry(viewOf(this.l1), index).at, table.bytes);
      table.dirty = false;
    }
    if (this.l1Dirty) {
      this.storage.flush();
      this.storage.write(this.header.l1At, this.l1);
      this.l1Dirty = false;
    }
    this.refcounts.settled();
  }
}

/** A zstd frame is followed by other bytes; its blocks say where it ends (RFC 8878, 3.1.1). */
function frameLength(bytes: Uint8Array): number {
  const descriptor = bytes[4]!;
  const single = (descriptor >> 5) & 1;
  const sizeBytes = [single, 2, 4, 8][descriptor >> 6]!;
  let at = 5 + (1 - single) + [0, 1, 2, 4][descriptor & 3]! + sizeBytes;
  for (let last = false; !last;) {
    if (at + 3 > bytes.length) throw new Error('it is cut short');
    const head = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    last = (head & 1) !== 0;
    // A block of one repeated byte has that alone.
    at += 3 + (((head >> 1) & 3) === 1 ? 1 : head >> 3);
  }
  return Math.min(at + (descriptor & 4 ? 4 : 0), bytes.length);
}

export interface Qcow2Options {
  bytes: number;
  backing?: { name: string; format: string };
}

const CLUSTER_BITS = 16;

/** An empty image of version 3. */
export function createQcow2(storage: Storage, { bytes, backing }: Qcow2Options): void {
  const cluster = 2 ** CLUSTER_BITS;
  const l1Size = Math.max(1, Math.ceil(bytes / (cluster * (cluster / 8))));
  const l1Clusters = Math.ceil((l1Size * 8) / cluster);
  const header = new Uint8Array(cluster);
  const view = viewOf(header);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, CLUSTER_BITS);
  setU64be(view, 24, bytes);
  view.setUint32(36, l1Size);
  // Header, table of reference counts, one block of them, first table.
  setU64be(view, 40, 3 * cluster);
  setU64be(view, 48, cluster);
  view.setUint32(56, 1);
  view.setUint32(96, 4);
  view.setUint32(100, V3_HEADER);
  let at = V3_HEADER;
  if (backing) {
    const format = new TextEncoder().encode(backing.format);
    view.setUint32(at, EXTENSION_BACKING_FORMAT);
    view.setUint32(at + 4, format.length);
    header.set(format, at + 8);
    at += 8 + Math.ceil(format.length / 8) * 8 + 8;
    const name = new TextEncoder().encode(backing.name);
    if (name.length > MOST_NAME)
      throw new ImageError(`the name of the backing file has more than ${MOST_NAME} bytes`);
    header.set(name, at);
    setU64be(view, 8, at);
    view.setUint32(16, name.length);
  }
  storage.write(0, header);
  const table = new Uint8Array(cluster);
  setU64be(viewOf(table), 0, 2 * cluster);
  storage.write(cluster, table);
  const counts = new Uint8Array(cluster);
  for (let n = 0; n < 3 + l1Clusters; n++) viewOf(counts).setUint16(n * 2, 1);
  storage.write(2 * cluster, counts);
  storage.write(3 * cluster, new Uint8Array(l1Clusters * cluster));
}
