/** A file or folder of the host, to be shown as a disk. */
export interface FolderEntry {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Content; null: a folder. */
  readonly file: FolderFile | null;
  readonly executable: boolean;
  readonly children: readonly FolderEntry[];
}

export interface FolderFile {
  /** In bytes. */
  readonly size: number;
  /** Fills `target`; what lies behind the end reads as zeros. */
  read(position: number, target: Uint8Array): void;
}
