import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  read,
  readSync,
  readvSync,
  statSync,
  write,
  writeSync,
  writevSync,
} from 'node:fs';
import { lengthOf, readEach, StorageError, type Storage } from '../../media/storage.js';
import { UserError } from '../../machine/user-error.js';

const ZEROS = new Uint8Array(0x10000);
const MOST_VECTORS = 1024;
/** No file has this number: what is asked of it fails. */
const CLOSED = -1;

/** A file or block device of the host. */
export class FileStorage implements Storage {
  private length: number;

  private constructor(
    readonly name: string,
    readonly readOnly: boolean,
    private handle: number,
    size: number,
  ) {
    this.length = size;
  }

  /** `option`: how the user named it, for messages. `create`: it must not be there yet. */
  static open(option: string, path: string, mode: 'read' | 'write' | 'create'): FileStorage {
    try {
      if (mode !== 'create' && statSync(path).isDirectory())
        throw new UserError(`${option} ${path}: is a folder, not a file`);
      const flags = {
        read: constants.O_RDONLY,
        write: constants.O_RDWR,
        create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
      };
      const handle = openSync(path, flags[mode]);
      return new FileStorage(path, mode === 'read', handle, sizeOf(handle));
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`${option} ${path}: ${openMessage(error as NodeJS.ErrnoException, mode)}`);
    }
  }

  get size(): number {
    return this.length;
  }

  private guard<T>(what: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new StorageError(`${this.name} cannot be ${what}: ${(error as Error).message}`);
    }
  }

  read(position: number, target: Uint8Array): void {
    this.guard('read', () => {
      let done = 0;
      while (done < target.length) {
        const count = readSync(this.handle, target, done, target.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      target.fill(0, done);
      // A file that became shorter lost what it had.
      const expected = Math.min(target.length, this.length - position);
      if (done < expected) throw new Error(`it ends at ${position + done}, before ${this.length}`);
    });
  }

  write(position: number, bytes: Uint8Array): void {
    this.guard('written', () => {
      let done = 0;
      while (done < bytes.length)
        done += writeSync(this.handle, bytes, done, bytes.length - done, position + done);
    });
    this.length = Math.max(this.length, position + bytes.length);
  }

  readParts(position: number, parts: readonly Uint8Array[]): void {
    let at = position;
    for (const some of vectors(parts)) {
      const length = lengthOf(some);
      const count = this.guard('read', () => readvSync(this.handle, some, at));
      // The end of the file, or an interruption: once more, part by part.
      if (count < length) readEach(this, at, some);
      at += length;
    }
  }

  writeParts(position: number, parts: readonly Uint8Array[]): void {
    let at = position;
    for (const some of vectors(parts)) {
      let done = this.guard('written', () => writevSync(this.handle, some, at));
      // Not all of it: the host says why when it is asked for the rest.
      for (const part of some) {
        if (done < part.length) this.write(at + done, part.subarray(done));
        done = Math.max(0, done - part.length);
        at += part.length;
      }
    }
    this.length = Math.max(this.length, at);
  }

  resize(size: number): void {
    this.guard('resized', () => ftruncateSync(this.handle, size));
    this.length = size;
  }

  /** Node has no way to punch holes: zeros are written where there are others. */
  punch(position: number, length: number): void {
    const end = Math.min(position + length, this.length);
    const found = new Uint8Array(ZEROS.length);
    for (let at = position; at < end; at += ZEROS.length) {
      const part = found.subarray(0, Math.min(ZEROS.length, end - at));
      this.read(at, part);
      if (part.some((byte) => byte !== 0)) this.write(at, ZEROS.subarray(0, part.length));
    }
  }

  flush(): void {
    if (!this.readOnly) this.guard('flushed', () => fdatasyncSync(this.handle));
  }
  /** What is done beside this thread, and whether the file is to be closed behind it. */
  private underWay = 0;
  private closing = false;

  private beside(what: string, start: (done: (error: Error | null) => void) => void): Promise<void> {
    this.underWay++;
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        this.underWay--;
        if (this.closing) this.closeWhenQuiet();
        if (error) reject(new StorageError(`${this.name} cannot be ${what}: ${error.message}`));
        else resolve();
      };
      try {
        start(end);
      } catch (error) {
        end(error as Error);
      }
    });
  }

  async readBeside(position: number, target: Uint8Array): Promise<void> {
    let count = 0;
    await this.beside('read', (done) =>
      read(this.handle, target, 0, target.length, position, (error, bytes) => {
        count = bytes;
        done(error);
      }),
    );
    // The end of the file, or less than was asked for: once more, with all that belongs to it.
    if (count < target.length) this.read(position, target);
  }

  async writeBeside(position: number, bytes: Uint8Array): Promise<void> {
    let count = 0;
    await this.beside('written', (done) =>
      write(this.handle, bytes, 0, bytes.length, position, (error, written) => {
        count = written;
        done(error);
      }),
    );
    this.length = Math.max(this.length, position + count);
    // Less than was asked for: the host says why when it is asked for the rest.
    if (count < bytes.length) this.write(position + count, bytes.subarray(count));
  }

  flushBeside(): Promise<void> {
    return this.readOnly ? Promise.resolve() : this.beside('flushed', (done) => fdatasync(this.handle, done));
  }

  close(): void {
    this.closing = true;
    this.closeWhenQuiet();
  }

  /** Its number must not become another file's while something is under way, and is of no use afterwards. */
  private closeWhenQuiet(): void {
    if (this.underWay > 0 || this.handle === CLOSED) return;
    closeSync(this.handle);
    this.handle = CLOSED;
  }
}

/** As many parts as the host takes at once (IOV_MAX). */
function* vectors(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (let n = 0; n < parts.length; n += MOST_VECTORS) yield parts.slice(n, n + MOST_VECTORS);
}

/** Block devices have no size in their status: it is where reading ends. */
function sizeOf(handle: number): number {
  const status = fstatSync(handle);
  if (!status.isBlockDevice()) return status.size;
  const byte = new Uint8Array(1);
  const readable = (at: number): boolean => readSync(handle, byte, 0, 1, at) === 1;
  let end = 1;
  while (readable(end)) end *= 2;
  let start = end / 2;
  while (end - start > 1) {
    const middle = Math.floor((start + end) / 2);
    if (readable(middle)) start = middle;
    else end = middle;
  }
  return end;
}

function openMessage(error: NodeJS.ErrnoException, mode: string): string {
  switch (error.code) {
    case 'ENOENT':
      return mode === 'create' ? 'its folder does not exist' : 'there is no such file';
    case 'EEXIST':
      return 'exists already; it is left as it is';
    case 'EACCES':
    case 'EPERM':
      return 'you may not open it';
    case 'EROFS':
    case 'ETXTBSY':
      return 'cannot be written; add mode=readonly';
    default:
      return error.message;
  }
}
