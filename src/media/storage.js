/** The host could not do it: a full disk, a file that vanished, a bad sector. What was asked may be asked again. */
export class StorageError extends Error {
  name = 'StorageError';
}
/** In memory: for tests, pages, and what shall be forgotten. */
export class MemoryStorage {
  name;
  bytes;
  length;
  readOnly = false;
  constructor(name, bytes = new Uint8Array(), length = bytes.length) {
    this.name = name;
    this.bytes = bytes;
    this.length = length;
  }
  get size() {
    return this.length;
  }
  read(position, target) {
    const found = this.bytes.subarray(position, Math.min(position + target.length, this.length));
    target.set(found);
    target.fill(0, found.length);
  }
  write(position, bytes) {
    this.resize(Math.max(this.length, position + bytes.length));
    this.bytes.set(bytes, position);
  }
  resize(size) {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    } else if (size < this.length) this.bytes.fill(0, size, this.length);
    this.length = size;
  }
  punch(position, length) {
    this.bytes.fill(0, position, Math.min(position + length, this.length));
  }
  flush() {}
  close() {}
}
