/** Archive in the "new ASCII" cpio format, as Linux unpacks for its initial root (Linux Documentation/driver-api/early-userspace). */
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const CHARACTER_DEVICE = 0o020000;
const TRAILER = 'TRAILER!!!';

export class CpioArchive {
  private readonly parts: Buffer[] = [];
  private inode = 0;

  directory(path: string, mode = 0o755): this {
    return this.entry(path, DIRECTORY | mode);
  }

  file(path: string, content: Uint8Array, mode = 0o644): this {
    return this.entry(path, REGULAR | mode, content);
  }

  characterDevice(path: string, major: number, minor: number, mode = 0o600): this {
    return this.entry(path, CHARACTER_DEVICE | mode, new Uint8Array(0), major, minor);
  }

  finish(): Buffer {
    this.entry(TRAILER, 0);
    return Buffer.concat(this.parts);
  }

  private entry(
    path: string,
    mode: number,
    content: Uint8Array = new Uint8Array(0),
    major = 0,
    minor = 0,
  ): this {
    const name = Buffer.from(`${path}\0`);
    const fields = [++this.inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0];
    const header = '070701' + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
    this.parts.push(pad(Buffer.concat([Buffer.from(header), name])), pad(Buffer.from(content)));
    return this;
  }
}

/** Names and contents end at multiples of 4 bytes. */
function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
