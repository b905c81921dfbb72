import type { DiskImage } from './disk-image.js';
import type { Storage } from './storage.js';

const SECTOR = 512;
const ZEROS = new Uint8Array(0x10000);

/** The bytes of the disk as they are. A last sector that is cut short is filled up with zeros. */
export class RawImage implements DiskImage {
  readonly format = 'raw';
  readonly bytes: number;

  constructor(private readonly storage: Storage) {
    this.bytes = Math.ceil(storage.size / SECTOR) * SECTOR;
  }

  get readOnly(): boolean {
    return this.storage.readOnly;
  }

  read(position: number, target: Uint8Array): void {
    this.storage.read(position, target);
  }
  dataFrom(position: number): number {
    return position;
  }
  write(position: number, source: Uint8Array): void {
    this.storage.write(position, source);
  }

  zero(position: number, length: number, give: boolean): void {
    if (give) this.storage.punch(position, length);
    else
      for (let done = 0; done < length; done += ZEROS.length)
        this.storage.write(position + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
  }

  flush(): void {
    this.storage.flush();
  }
  close(): void {
    this.storage.close();
  }
}
