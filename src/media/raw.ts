import type { DiskImage } from './disk-image.js';
import { flushBeside, readBeside, readParts, writeBeside, writeParts, type Storage } from './storage.js';

const SECTOR = 512;
const ZEROS = new Uint8Array(0x10000);

/** The bytes of the disk as they are, in a part of a file. */
export class PlainImage implements DiskImage {
  /** `offset`: where the disk begins in the file, in bytes. */
  constructor(
    readonly format: string,
    private readonly storage: Storage,
    readonly bytes: number,
    private readonly offset = 0,
  ) {}

  get readOnly(): boolean {
    return this.storage.readOnly;
  }

  read(position: number, target: Uint8Array): void {
    this.storage.read(this.offset + position, target);
  }
  dataFrom(position: number): number {
    return position;
  }
  write(position: number, source: Uint8Array): void {
    this.storage.write(this.offset + position, source);
  }

  readParts(position: number, parts: readonly Uint8Array[]): void {
    readParts(this.storage, this.offset + position, parts);
  }
  writeParts(position: number, parts: readonly Uint8Array[]): void {
    writeParts(this.storage, this.offset + position, parts);
  }

  zero(position: number, length: number, give: boolean): void {
    const from = this.offset + position;
    if (give) return this.storage.punch(from, length);
    for (let done = 0; done < length; done += ZEROS.length)
      this.storage.write(from + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
  }

  flush(): void {
    this.storage.flush();
  }
  readBeside(position: number, target: Uint8Array): Promise<void> {
    return readBeside(this.storage, this.offset + position, target);
  }
  writeBeside(position: number, source: Uint8Array): Promise<void> {
    return writeBeside(this.storage, this.offset + position, source);
  }
  flushBeside(): Promise<void> {
    return flushBeside(this.storage);
  }
  close(): void {
    this.storage.close();
  }
}

/** All of a file. A last sector that is cut short is filled up with zeros. */
export class RawImage extends PlainImage {
  constructor(storage: Storage) {
    super('raw', storage, Math.ceil(storage.size / SECTOR) * SECTOR);
  }
}
