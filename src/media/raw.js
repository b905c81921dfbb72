const SECTOR = 512;
const ZEROS = new Uint8Array(0x10000);
/** The bytes of the disk as they are. A last sector that is cut short is filled up with zeros. */
export class RawImage {
  storage;
  format = 'raw';
  bytes;
  constructor(storage) {
    this.storage = storage;
    this.bytes = Math.ceil(storage.size / SECTOR) * SECTOR;
  }
  get readOnly() {
    return this.storage.readOnly;
  }
  read(position, target) {
    this.storage.read(position, target);
  }
  write(position, source) {
    this.storage.write(position, source);
  }
  zero(position, length, give) {
    if (give) this.storage.punch(position, length);
    else
      for (let done = 0; done < length; done += ZEROS.length)
        this.storage.write(position + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
  }
  flush() {
    this.storage.flush();
  }
  close() {
    this.storage.close();
  }
}
