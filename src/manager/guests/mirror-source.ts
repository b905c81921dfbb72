import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../../machine/user-error.js';
import { findPackage, parseParagraph, type PackageRecord, type Paragraph } from './control-file.js';
import { checkSha256, type OnProgress, type PackageSource } from './package-source.js';
import { verifySignature } from './release-signature.js';
import { unxz } from './xz.js';

/** A Release file is some 200 KB, a Packages index some 12 MB, a kernel package 70 MB; more than this is a mistake. */
const LARGEST_FILE = 512 * 1024 * 1024;
const COMPONENT = 'main';

/**
 * A Debian archive read without apt ("Debian repository format"): InRelease, whose signature is
 * checked where gpgv and a keyring are there; the Packages index by its checksum in the release; packages by theirs.
 */
export class MirrorSource implements PackageSource {
  private constructor(
    private readonly base: URL,
    private readonly index: string,
  ) {}

  /** `mirror`: http, https or file URL of the directory that holds dists and pool. */
  static async open(
    mirror: string,
    suite: string,
    architecture: string,
    onProgress: OnProgress,
    keyrings?: readonly string[],
  ): Promise<MirrorSource> {
    const base = parseMirror(mirror);
    const dists = `dists/${suite}`;
    const phase = 'reading the package index';
    onProgress({ phase, done: 0, total: 0 });
    const signed = await get(base, `${dists}/InRelease`, phase, onProgress);
    const verified = await verifySignature(Buffer.from(signed).toString('utf8'), keyrings);
    if (verified.doubt) onProgress({ phase, done: 0, total: 0, note: doubtNote(base, verified.doubt) });
    const release = parseParagraph(verified.text);
    if (release.get('codename') !== suite && release.get('suite') !== suite) {
      throw new UserError(`${mirror}: its release file is for ${release.get('codename')}, not for ${suite}`);
    }
    const index = await packagesIndex(base, dists, release, architecture, onProgress);
    return new MirrorSource(base, index);
  }

  find(name: string): Promise<PackageRecord | null> {
    return Promise.resolve(findPackage(this.index, name));
  }

  async fetch(record: PackageRecord, onProgress: OnProgress): Promise<Uint8Array> {
    const bytes = await get(
      this.base,
      record.filename,
      `downloading ${record.name}`,
      onProgress,
      record.size,
    );
    checkSha256(record.name, bytes, record.sha256);
    return bytes;
  }
}

function parseMirror(mirror: string): URL {
  let url: URL | null = null;
  try {
    url = new URL(mirror.endsWith('/') ? mirror : `${mirror}/`);
  } catch {
    // told below
  }
  if (!url || !['http:', 'https:', 'file:'].includes(url.protocol)) {
    throw new UserError(
      `--mirror ${mirror}: this is not a URL of a Debian mirror: give the http, https or file URL of the directory ` +
        'that holds "dists" and "pool"',
    );
  }
  return url;
}

function doubtNote(base: URL, doubt: string): string {
  const trust =
    base.protocol === 'http:' ? 'nothing vouches for this index' : `it is as trustworthy as the connection`;
  return `The signature of the package index was not verified: ${doubt}. Checksums are checked, but ${trust}.`;
}

async function packagesIndex(
  base: URL,
  dists: string,
  release: Paragraph,
  architecture: string,
  onProgress: OnProgress,
): Promise<string> {
  const directory = `${COMPONENT}/binary-${architecture}`;
  const sums = (release.get('sha256') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  for (const form of ['gz', 'xz'] as const) {
    const entry = sums.find(([, , path]) => path === `${directory}/Packages.${form}`);
    if (!entry) continue;
    const [sha256, size] = entry as [string, string, string];
    // By hash, where the archive has that: the file stays the one that the release tells of while a mirror is updated.
    const byHash = release.get('acquire-by-hash') === 'yes';
    const path = byHash ? `${directory}/by-hash/SHA256/${sha256}` : `${directory}/Packages.${form}`;
    const packed = await tryGet(
      base,
      `${dists}/${path}`,
      'reading the package index',
      onProgress,
      Number(size),
    );
    if (!packed) continue;
    checkSha256(`Packages.${form}`, packed, sha256);
    return (form === 'gz' ? gunzipSync(packed) : Buffer.concat([...copies(unxz(packed))])).toString('utf8');
  }
  throw new UserError(`${base.href}: has no package index for ${architecture}: use another mirror`);
}

/** The decoder reuses the memory of its pieces. */
function* copies(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const piece of pieces) yield piece.slice();
}

async function get(
  base: URL,
  path: string,
  phase: string,
  onProgress: OnProgress,
  size = 0,
): Promise<Uint8Array> {
  const bytes = await tryGet(base, path, phase, onProgress, size);
  if (bytes) return bytes;
  throw new UserError(
    `${new URL(path, base).href}: not there: is this the directory of a Debian mirror that holds "dists" and "pool"?`,
  );
}

/** Null when the file is not there. `size` 0: not known. */
async function tryGet(
  base: URL,
  path: string,
  phase: string,
  onProgress: OnProgress,
  size: number,
): Promise<Uint8Array | null> {
  const url = new URL(path, base);
  if (!url.href.startsWith(base.href))
    throw new UserError(`${base.href}: names a file outside itself: ${path}`);
  try {
    return url.protocol === 'file:' ? await readFile(url) : await download(url, phase, onProgress, size);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code, cause, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new UserError(`${url.href} cannot be read: ${cause instanceof Error ? cause.message : message}`);
  }
}

async function download(
  url: URL,
  phase: string,
  onProgress: OnProgress,
  size: number,
): Promise<Uint8Array | null> {
  const response = await fetch(url);
  if (response.status === 404) return null;
  if (!response.ok || !response.body)
    throw new UserError(`${url.href}: the server says ${response.status} ${response.statusText}`);
  const total = size || Number(response.headers.get('content-length') ?? 0);
  const parts: Uint8Array[] = [];
  let done = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    done += part.length;
    if (done > LARGEST_FILE) throw new UserError(`${url.href}: the file does not end; use another mirror`);
    onProgress({ phase, done, total });
  }
  return Buffer.concat(parts);
}
