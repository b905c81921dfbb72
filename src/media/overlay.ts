import type { DiskImage } from './disk-image.js';

const CLUSTER = 0x10000;

/** What is written stays in memory, and is forgotten with it; the image below is only read. */
export class MemoryOverlay implements DiskImage {
  readonly readOnly = false;
  private readonly clusters = new Map<number, Uint8Array>();

  constructor(private readonly below: DiskImage) {}

  get format(): string {
    return this.below.format;
  }
  get bytes(): number {
    return this.below.bytes;
  }

  /** Calls `act` for each cluster that the range touches: its number, and where in it and in the range the part begins. */
  private parts(
    position: number,
    length: number,
    act: (cluster: number, within: number, at: number, count: number) => void,
  ): void {
    for (let at = 0; at < length;) {
      const within = (position + at) % CLUSTER;
      const count = Math.min(CLUSTER - within, length - at);
      act((position + at - within) / CLUSTER, within, at, count);
      at += count;
    }
  }

  read(position: number, target: Uint8Array): void {
    this.parts(position, target.length, (cluster, within, at, count) => {
      const own = this.clusters.get(cluster);
      const part = target.subarray(at, at + count);
      if (own) part.set(own.subarray(within, within + count));
      else this.below.read(position + at, part);
    });
  }

  dataFrom(position: number): number {
    const start = position - (position % CLUSTER);
    let own = this.bytes;
    for (const cluster of this.clusters.keys())
      if (cluster * CLUSTER >= start) own = Math.min(own, cluster * CLUSTER);
    return Math.max(position, Math.min(this.below.dataFrom(position), own));
  }

  private own(cluster: number): Uint8Array {
    let own = this.clusters.get(cluster);
    if (!own) {
      own = new Uint8Array(CLUSTER);
      const start = cluster * CLUSTER;
      this.below.read(start, own.subarray(0, Math.min(CLUSTER, this.bytes - start)));
      this.clusters.set(cluster, own);
    }
    return own;
  }

  write(position: number, source: Uint8Array): void {
    this.parts(position, source.length, (cluster, within, at, count) =>
      this.own(cluster).set(source.subarray(at, at + count), within),
    );
  }

  zero(position: number, length: number): void {
    this.parts(position, length, (cluster, within, _at, count) =>
      this.own(cluster).fill(0, within, within + count),
    );
  }

  flush(): void {}
  close(): void {
    this.below.close();
  }
}
