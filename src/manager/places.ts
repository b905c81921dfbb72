/** Where running parts of this user's machines are found by other processes: files that tell a port of the loopback interface. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { lockFile } from '../host/node/file-lock.js';
import { UserError } from '../machine/user-error.js';
import { writeWhole } from './guests/cache-directory.js';

/** Where a service is, and what it wants to hear: only who may read the file knows that. TCP has more room than UNIX sockets. */
export interface Place {
  readonly port: number;
  readonly token: string;
}

/** A network's switch, or the control of a machine. */
export type PlaceKind = 'net' | 'machine';

/** XDG_RUNTIME_DIR, unless it is not there or not the user's, as after su. */
function directory(): string {
  const name = `vivarium-${userInfo().uid}`;
  const wanted = process.env['XDG_RUNTIME_DIR'];
  const path = wanted && isUsable(wanted) ? join(wanted, name) : join(tmpdir(), name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(path);
  if (uid !== userInfo().uid)
    throw new UserError(`${path} belongs to another user: remove it, or set XDG_RUNTIME_DIR`);
  if (mode & 0o077) chmodSync(path, 0o700);
  return path;
}

function isUsable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

const fileOf = (kind: PlaceKind, name: string): string => join(directory(), `${name}.${kind}`);

/** null: nobody has said where that is. */
export function readPlace(kind: PlaceKind, name: string): Place | null {
  try {
    return JSON.parse(readFileSync(fileOf(kind, name), 'utf8')) as Place;
  } catch {
    return null;
  }
}

/** Names of all that have said where they are; some may be gone. */
export function placeNames(kind: PlaceKind): string[] {
  return readdirSync(directory())
    .filter((file) => file.endsWith(`.${kind}`))
    .map((file) => file.slice(0, -kind.length - 1));
}

/** A name that this process has for as long as it runs. */
export class TakenPlace {
  readonly token = randomBytes(24).toString('hex');

  private constructor(
    private readonly path: string,
    private readonly unlock: () => void,
  ) {}

  /** null: another process has the name. */
  static take(kind: PlaceKind, name: string): TakenPlace | null {
    const path = fileOf(kind, name);
    const lock = `${path}-lock`;
    writeFileSync(lock, '', { flag: 'a' });
    try {
      return new TakenPlace(path, lockFile('the name', lock));
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  }

  /** From now on others find it. */
  tell(port: number): Promise<void> {
    const { token } = this;
    return writeWhole(this.path, JSON.stringify({ port, token } satisfies Place), 0o600);
  }

  leave(): void {
    try {
      unlinkSync(this.path);
    } catch {
      // It was not told.
    }
    this.unlock();
  }
}
