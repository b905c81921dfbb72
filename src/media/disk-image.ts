/** What a disk holds, whatever the format of its file. All in bytes; any position and length within `bytes`. */
export interface DiskImage {
  readonly format: string;
  /** What the guest sees. */
  readonly bytes: number;
  readonly readOnly: boolean;
  read(position: number, target: Uint8Array): void;
  /** The next position from `position` on where there may be something other than zeros; `bytes` if there is none. */
  dataFrom(position: number): number;
  write(position: number, source: Uint8Array): void;
  /** As `read` and `write`, for parts of memory that lie one after the other on the disk; absent where that is no gain. */
  readParts?(position: number, parts: readonly Uint8Array[]): void;
  writeParts?(position: number, parts: readonly Uint8Array[]): void;
  /** These bytes read as zeros from now on; `give`: the room may be given back. */
  zero(position: number, length: number, give: boolean): void;
  flush(): void;
  /**
   * As those without it, while this thread goes on, as far as that can be; absent where it cannot. Rejects with StorageError or
   * ImageError, and may throw them. While such reads and writes are under way, nothing may be zeroed, and all writes are `writeBeside`.
   */
  readBeside?(position: number, target: Uint8Array): Promise<void>;
  writeBeside?(position: number, source: Uint8Array): Promise<void>;
  flushBeside?(): Promise<void>;
  close(): void;
}

/** The file is none of its format, or broken. */
export class ImageError extends Error {
  override name = 'ImageError';
}
