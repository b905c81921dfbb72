import type { DiskImage } from './disk-image.js';
import { flushBeside, readBeside, writeBeside } from './storage.js';

/** An image whose every write is safe when it is done. */
export class WriteThrough implements DiskImage {
  constructor(private readonly image: DiskImage) {}
  get format(): string {
    return this.image.format;
  }
  get bytes(): number {
    return this.image.bytes;
  }
  get readOnly(): boolean {
    return this.image.readOnly;
  }
  read(position: number, target: Uint8Array): void {
    this.image.read(position, target);
  }
  dataFrom(position: number): number {
    return this.image.dataFrom(position);
  }
  write(position: number, source: Uint8Array): void {
    this.image.write(position, source);
    this.image.flush();
  }
  zero(position: number, length: number, give: boolean): void {
    this.image.zero(position, length, give);
    this.image.flush();
  }
  flush(): void {
    this.image.flush();
  }
  readBeside(position: number, target: Uint8Array): Promise<void> {
    return readBeside(this.image, position, target);
  }
  async writeBeside(position: number, source: Uint8Array): Promise<void> {
    await writeBeside(this.image, position, source);
    await flushBeside(this.image);
  }
  flushBeside(): Promise<void> {
    return flushBeside(this.image);
  }
  close(): void {
    this.image.close();
  }
}
