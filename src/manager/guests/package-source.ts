import { createHash } from 'node:crypto';
import { UserError } from '../../machine/user-error.js';
import type { PackageRecord } from './control-file.js';

/** Tells what is going on; `done` of `total` bytes, total 0 where it is not known. */
export interface Progress {
  phase: string;
  done: number;
  total: number;
  /** Something the user should know, to be shown once on a line of its own. */
  note?: string;
}

export type OnProgress = (progress: Progress) => void;

/** Where packages of one architecture come from. */
export interface PackageSource {
  /** Null when there is no such package. */
  find(name: string): Promise<PackageRecord | null>;
  fetch(record: PackageRecord, onProgress: OnProgress): Promise<Uint8Array>;
}

/** Throws a UserError unless `bytes` have this SHA-256 (hexadecimal). */
export function checkSha256(what: string, bytes: Uint8Array, sha256: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256.toLowerCase()) return;
  throw new UserError(
    `${what}: wrong checksum (SHA-256 ${found}, expected ${sha256}): the copy is damaged, or the mirror is being ` +
      'updated; try again later or use another mirror',
  );
}
