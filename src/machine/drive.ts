/** A drive as a controller uses it: what it is, and what it does for requests, each of which ends with a call of `done`, maybe at once. */
export interface Drive {
  readonly kind: 'disk' | 'cdrom' | 'floppy';
  /** What the guest reads as its model (40 letters at most) and serial number (20 at most). */
  readonly model: string;
  readonly serial: string;
  readonly sectorBytes: number;
  /** Sectors of the medium; 0: there is none. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Whether unused parts can be given back. */
  readonly discards: boolean;
  /** The same parts in memory from, or to, `position` on; bytes. The caller has checked that they lie on the medium. */
  read(position: number, parts: readonly Uint8Array[], done: Done): void;
  write(position: number, parts: readonly Uint8Array[], done: Done): void;
  /** These bytes are not needed any more; they read as zeros then. */
  discard(position: number, length: number, done: Done): void;
  zero(position: number, length: number, done: Done): void;
  /** All that was written before is safe when it is done. */
  flush(done: Done): void;
  /** The guest does not want the medium to be taken out. */
  locked: boolean;
  /** The guest opens the tray. */
  eject(): void;
  /** Told when a medium was put in or taken out. */
  onChange: () => void;
}

/** false: it could not be done. */
export type Done = (ok: boolean) => void;
