import { gunzipSync } from 'node:zlib';
import { UserError } from '../../machine/user-error.js';
import { unxz } from './xz.js';
import { TarReader } from './tar.js';

const AR_MAGIC = '!<arch>\n';
const AR_HEADER_BYTES = 60;

interface Member {
  name: string;
  content: Uint8Array;
}

/** The members of an ar archive, which a .deb is (deb(5)). */
function* members(archive: Uint8Array): Generator<Member> {
  const text = (start: number, length: number): string =>
    Buffer.from(archive.subarray(start, start + length))
      .toString('latin1')
      .trim();
  if (Buffer.from(archive.subarray(0, 8)).toString('latin1') !== AR_MAGIC)
    throw new Error('not an ar archive');
  for (let at = 8; at + AR_HEADER_BYTES <= archive.length;) {
    const size = Number(text(at + 48, 10));
    const start = at + AR_HEADER_BYTES;
    if (!Number.isSafeInteger(size) || size < 0 || start + size > archive.length)
      throw new Error('ar archive is cut short');
    yield { name: text(at, 16).replace(/\/$/, ''), content: archive.subarray(start, start + size) };
    at = start + size + (size % 2);
  }
}

export interface PackagedFile {
  path: string;
  bytes: Uint8Array;
}

/**
 * The regular files of a Debian package whose path (without leading "./") matches; nothing is unpacked beyond the last that is
 * taken. A UserError when the package is broken; `name` is the package, for the message.
 */
export function* filesOfPackage(name: string, archive: Uint8Array, wanted: RegExp): Generator<PackagedFile> {
  try {
    for (const member of members(archive)) {
      if (!member.name.startsWith('data.tar')) continue;
      const reader = new TarReader((path) => wanted.test(path));
      for (const piece of unpack(member)) yield* reader.push(piece);
    }
  } catch (error) {
    throw new UserError(`package ${name} cannot be unpacked: ${(error as Error).message}`);
  }
}

/** The first of them; a UserError when there is none. */
export function fileOfPackage(name: string, archive: Uint8Array, wanted: RegExp): PackagedFile {
  for (const found of filesOfPackage(name, archive, wanted)) return found;
  throw new UserError(`package ${name} has no file that matches ${wanted.source}: is it the right package?`);
}

function unpack({ name, content }: Member): Iterable<Uint8Array> {
  if (name.endsWith('.xz')) return unxz(content);
  if (name.endsWith('.gz')) return [gunzipSync(content)];
  if (name === 'data.tar') return [content];
  throw new Error(`its ${name} is compressed in a way that is not supported`);
}
