/** Bytes that stay: a file of the host, or what serves as one. All positions and lengths in bytes. */
export interface Storage {
  /** As the user named it, for messages. */
  readonly name: string;
  readonly readOnly: boolean;
  readonly size: number;
  /** Fills `target`; what lies behind the end reads as zeros. Throws StorageError. */
  read(position: number, target: Uint8Array): void;
  /** Grows as needed. */
  write(position: number, bytes: Uint8Array): void;
  /** As `read` and `write`, for parts of memory that lie one after the other there; absent where that is no gain. */
  readParts?(position: number, parts: readonly Uint8Array[]): void;
  writeParts?(position: number, parts: readonly Uint8Array[]): void;
  resize(size: number): void;
  /** Gives the room back where the host can; the bytes read as zeros. */
  punch(position: number, length: number): void;
  /** All that was written is safe against a crash of the host. */
  flush(): void;
  /** As those without it, while this thread goes on; absent where the host cannot. Rejects with StorageError. `close` may be called meanwhile. */
  readBeside?(position: number, target: Uint8Array): Promise<void>;
  writeBeside?(position: number, bytes: Uint8Array): Promise<void>;
  flushBeside?(): Promise<void>;
  close(): void;
}

/** The host could not do it: a full disk, a file that vanished, a bad sector. What was asked may be asked again. */
export class StorageError extends Error {
  override name = 'StorageError';
}

/** All three, for files and images: beside this thread where that can be, else at once. */
export async function readBeside(
  from: Pick<Storage, 'read' | 'readBeside'>,
  position: number,
  target: Uint8Array,
): Promise<void> {
  if (from.readBeside) await from.readBeside(position, target);
  else from.read(position, target);
}

export async function writeBeside(
  to: Pick<Storage, 'write' | 'writeBeside'>,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  if (to.writeBeside) await to.writeBeside(position, bytes);
  else to.write(position, bytes);
}

export async function flushBeside(what: Pick<Storage, 'flush' | 'flushBeside'>): Promise<void> {
  if (what.flushBeside) await what.flushBeside();
  else what.flush();
}

/** Fills parts that follow each other, one by one. */
export function readEach(from: Pick<Storage, 'read'>, position: number, parts: readonly Uint8Array[]): void {
  let at = position;
  for (const part of parts) {
    from.read(at, part);
    at += part.length;
  }
}

/** Both: with one request of the host where that is a gain. */
export function readParts(from: Storage, position: number, parts: readonly Uint8Array[]): void {
  if (from.readParts) from.readParts(position, parts);
  else readEach(from, position, parts);
}

export function writeParts(to: Storage, position: number, parts: readonly Uint8Array[]): void {
  if (to.writeParts) return to.writeParts(position, parts);
  let at = position;
  for (const part of parts) {
    to.write(at, part);
    at += part.length;
  }
}

/** Waits until all of them have ended, and fails then if one has. */
export async function allEnded(promises: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(promises);
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

/** Of parts that follow each other, bytes. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** In memory: for tests, pages, and what shall be forgotten. */
export class MemoryStorage implements Storage {
  readonly readOnly = false;
  constructor(
    readonly name: string,
    private bytes: Uint8Array = new Uint8Array(),
    private length = bytes.length,
  ) {}

  get size(): number {
    return this.length;
  }

  read(position: number, target: Uint8Array): void {
    const found = this.bytes.subarray(position, Math.min(position + target.length, this.length));
    target.set(found);
    target.fill(0, found.length);
  }

  write(position: number, bytes: Uint8Array): void {
    this.resize(Math.max(this.length, position + bytes.length));
    this.bytes.set(bytes, position);
  }

  resize(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    } else if (size < this.length) this.bytes.fill(0, size, this.length);
    this.length = size;
  }

  punch(position: number, length: number): void {
    this.bytes.fill(0, position, Math.min(position + length, this.length));
  }
  flush(): void {}
  close(): void {}
}
