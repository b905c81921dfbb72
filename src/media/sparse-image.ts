import type { DiskImage } from './disk-image.js';
import { allEnded, flushBeside, readBeside, writeBeside, type Storage } from './storage.js';

/** Where a cluster's bytes are. */
export type Place =
  /** In the file, from `at` on; `shared`: others read them too, they may not be changed there. */
  | { kind: 'data'; at: number; shared?: boolean }
  | { kind: 'zero' }
  /** The image has nothing of its own: what lies below it, or zeros, is read. */
  | { kind: 'none' }
  /** All bytes of the cluster, which have to be unpacked. */
  | { kind: 'packed'; unpack: () => Uint8Array };

const ZEROS = new Uint8Array(0x10000);

/**
 * An image in clusters, of which the file has only those that were written. Formats say where clusters are and make new ones; what
 * a request touches of which cluster, and what has to be copied, is found here.
 */
export abstract class SparseImage implements DiskImage {
  abstract readonly format: string;
  abstract readonly bytes: number;
  protected abstract readonly clusterBytes: number;

  /** `below`: what is read where this image has nothing, its backing file or parent. */
  constructor(
    protected readonly storage: Storage,
    readonly below: DiskImage | null,
  ) {}

  get readOnly(): boolean {
    return this.storage.readOnly;
  }

  protected abstract place(cluster: number): Place;
  /** Room for a cluster of the file, all zeros or, with `whole`, to be filled at once. Gives where it is. */
  protected abstract allocate(cluster: number, whole: boolean): number;
  /** From now on the cluster's bytes are at `at`; what it was before is `old`. They have been written. */
  protected abstract link(cluster: number, at: number, old: Place): void;
  /** The cluster reads as zeros from now on, without room of its own if that can be; false: the format cannot say that. */
  protected abstract unlink(cluster: number, old: Place, give: boolean): boolean;
  /** Bookkeeping goes to the file, in an order in which it may be interrupted. */
  protected abstract writeBack(): void;

  private parts(
    position: number,
    length: number,
    act: (cluster: number, within: number, at: number, count: number) => void,
  ): void {
    const { clusterBytes } = this;
    for (let at = 0; at < length;) {
      const within = (position + at) % clusterBytes;
      const count = Math.min(clusterBytes - within, length - at);
      act((position + at - within) / clusterBytes, within, at, count);
      at += count;
    }
  }

  private lastUnpacked: { cluster: number; bytes: Uint8Array } | null = null;

  private unpacked(cluster: number, unpack: () => Uint8Array): Uint8Array {
    if (this.lastUnpacked?.cluster !== cluster) this.lastUnpacked = { cluster, bytes: unpack() };
    return this.lastUnpacked.bytes;
  }

  read(position: number, target: Uint8Array): void {
    this.parts(position, target.length, (cluster, within, at, count) =>
      this.readPart(this.place(cluster), cluster, within, target.subarray(at, at + count)),
    );
  }

  /** Clusters from this one on of which the image has nothing, as far as that is quick to tell. */
  protected emptyFrom(_cluster: number): number {
    return 0;
  }

  dataFrom(position: number): number {
    const { clusterBytes, bytes, below } = this;
    let next = position;
    while (next < bytes) {
      const cluster = Math.floor(next / clusterBytes);
      const empty = this.emptyFrom(cluster);
      const end = (cluster + Math.max(1, empty)) * clusterBytes;
      const kind = empty > 0 ? 'none' : this.place(cluster).kind;
      if (kind === 'data' || kind === 'packed') return next;
      if (kind === 'none' && below) {
        const lower = next < below.bytes ? below.dataFrom(next) : bytes;
        if (lower < end) return Math.min(lower, bytes);
      }
      next = end;
    }
    return bytes;
  }

  private readPart(place: Place, cluster: number, within: number, target: Uint8Array): void {
    switch (place.kind) {
      case 'data':
        return this.storage.read(place.at + within, target);
      case 'zero':
        target.fill(0);
        return;
      case 'packed':
        target.set(this.unpacked(cluster, place.unpack).subarray(within, within + target.length));
        return;
      case 'none':
        this.readBelow(cluster * this.clusterBytes + within, target);
    }
  }

  /** What lies below may be shorter. */
  protected readBelow(position: number, target: Uint8Array): void {
    const count = this.below ? Math.max(0, Math.min(target.length, this.below.bytes - position)) : 0;
    if (count > 0) this.below!.read(position, target.subarray(0, count));
    target.fill(0, count);
  }

  write(position: number, source: Uint8Array): void {
    this.parts(position, source.length, (cluster, within, at, count) =>
      this.writePart(cluster, within, source.subarray(at, at + count)),
    );
  }

  private writePart(cluster: number, within: number, source: Uint8Array): void {
    const place = this.place(cluster);
    if (place.kind === 'data' && !place.shared) return this.storage.write(place.at + within, source);
    const { at, from, bytes } = this.renew(place, cluster, within, source);
    this.storage.write(at + from, bytes);
    this.link(cluster, at, place);
  }

  /** Room for a cluster that gets `source` at `within`: where it is, and what has to be written into it from where on. */
  private renew(
    place: Place,
    cluster: number,
    within: number,
    source: Uint8Array,
  ): { at: number; from: number; bytes: Uint8Array } {
    const { clusterBytes } = this;
    const whole = source.length === clusterBytes;
    const plain = place.kind === 'zero' || (place.kind === 'none' && !this.below);
    this.lastUnpacked = null;
    const at = this.allocate(cluster, whole || !plain);
    if (whole || plain) return { at, from: within, bytes: source };
    // What is not written now is as it was.
    const bytes = new Uint8Array(clusterBytes);
    this.readPart(
      place,
      cluster,
      0,
      bytes.subarray(0, Math.min(clusterBytes, this.bytes - cluster * clusterBytes)),
    );
    bytes.set(source, within);
    return { at, from: 0, bytes };
  }

  zero(position: number, length: number, give: boolean): void {
    this.parts(position, length, (cluster, within, _at, count) => {
      const place = this.place(cluster);
      const start = cluster * this.clusterBytes;
      // The last cluster may stick out behind the end.
      const whole = within === 0 && (count === this.clusterBytes || start + count === this.bytes);
      if (place.kind === 'zero' || (place.kind === 'none' && !this.below)) return;
      if (whole && this.unlink(cluster, place, give)) return;
      for (let done = 0; done < count; done += ZEROS.length)
        this.writePart(cluster, within + done, ZEROS.subarray(0, Math.min(ZEROS.length, count - done)));
    });
  }

  flush(): void {
    if (this.readOnly) return;
    this.writeBack();
    this.storage.flush();
  }

  async readBeside(position: number, target: Uint8Array): Promise<void> {
    const reads: Promise<void>[] = [];
    this.parts(position, target.length, (cluster, within, at, count) =>
      reads.push(this.readPartBeside(cluster, within, target.subarray(at, at + count))),
    );
    await allEnded(reads);
  }

  private async readPartBeside(cluster: number, within: number, target: Uint8Array): Promise<void> {
    const place = this.place(cluster);
    if (place.kind === 'data') await readBeside(this.storage, place.at + within, target);
    else this.readPart(place, cluster, within, target);
  }

  async writeBeside(position: number, source: Uint8Array): Promise<void> {
    const writes: Promise<void>[] = [];
    this.parts(position, source.length, (cluster, within, at, count) =>
      writes.push(this.writePartBeside(cluster, within, source.subarray(at, at + count))),
    );
    await allEnded(writes);
  }

  /** Clusters whose new bytes are being written, which are not linked before that is done. */
  private readonly renewing = new Map<number, Promise<unknown>>();

  private async writePartBeside(cluster: number, within: number, source: Uint8Array): Promise<void> {
    for (let other = this.renewing.get(cluster); other; other = this.renewing.get(cluster)) await other;
    const place = this.place(cluster);
    if (place.kind === 'data' && !place.shared) return writeBeside(this.storage, place.at + within, source);
    const { at, from, bytes } = this.renew(place, cluster, within, source);
    const written = writeBeside(this.storage, at + from, bytes);
    this.renewing.set(
      cluster,
      written.catch(() => {}),
    );
    try {
      await written;
      this.link(cluster, at, place);
    } finally {
      this.renewing.delete(cluster);
    }
  }

  /** Bookkeeping, and what has to be safe before it, is written at once. */
  flushBeside(): Promise<void> {
    if (this.readOnly) return Promise.resolve();
    this.writeBack();
    return flushBeside(this.storage);
  }

  close(): void {
    if (!this.readOnly) this.writeBack();
    this.storage.close();
    this.below?.close();
  }
}
