const ZEROS = new Uint8Array(0x10000);
/**
 * An image in clusters, of which the file has only those that were written. Formats say where clusters are and make new ones; what
 * a request touches of which cluster, and what has to be copied, is found here.
 */
export class SparseImage {
  storage;
  below;
  /** `below`: what is read where this image has nothing, its backing file or parent. */
  constructor(storage, below) {
    this.storage = storage;
    this.below = below;
  }
  get readOnly() {
    return this.storage.readOnly;
  }
  parts(position, length, act) {
    const { clusterBytes } = this;
    for (let at = 0; at < length;) {
      const within = (position + at) % clusterBytes;
      const count = Math.min(clusterBytes - within, length - at);
      act((position + at - within) / clusterBytes, within, at, count);
      at += count;
    }
  }
  lastUnpacked = null;
  unpacked(cluster, unpack) {
    if (this.lastUnpacked?.cluster !== cluster) this.lastUnpacked = { cluster, bytes: unpack() };
    return this.lastUnpacked.bytes;
  }
  read(position, target) {
    this.parts(position, target.length, (cluster, within, at, count) =>
      this.readPart(this.place(cluster), cluster, within, target.subarray(at, at + count)),
    );
  }
  readPart(place, cluster, within, target) {
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
  readBelow(position, target) {
    const count = this.below ? Math.max(0, Math.min(target.length, this.below.bytes - position)) : 0;
    if (count > 0) this.below.read(position, target.subarray(0, count));
    target.fill(0, count);
  }
  write(position, source) {
    this.parts(position, source.length, (cluster, within, at, count) =>
      this.writePart(cluster, within, source.subarray(at, at + count)),
    );
  }
  writePart(cluster, within, source) {
    const place = this.place(cluster);
    if (place.kind === 'data' && !place.shared) return this.storage.write(place.at + within, source);
    const { clusterBytes } = this;
    const whole = source.length === clusterBytes;
    const plain = place.kind === 'zero' || (place.kind === 'none' && !this.below);
    this.lastUnpacked = null;
    const at = this.allocate(cluster, whole || !plain);
    if (whole || plain) this.storage.write(at + within, source);
    else {
      // What is not written now is as it was.
      const bytes = new Uint8Array(clusterBytes);
      this.readPart(
        place,
        cluster,
        0,
        bytes.subarray(0, Math.min(clusterBytes, this.bytes - cluster * clusterBytes)),
      );
      bytes.set(source, within);
      this.storage.write(at, bytes);
    }
    this.link(cluster, at, place);
  }
  zero(position, length, give) {
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
  flush() {
    if (this.readOnly) return;
    this.writeBack();
    this.storage.flush();
  }
  close() {
    if (!this.readOnly) this.writeBack();
    this.storage.close();
    this.below?.close();
  }
}
