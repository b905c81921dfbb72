import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../machine/user-error.js';
import { runCommand } from './command.js';

/** Where Debian's package debian-archive-keyring, also packaged by others, puts its keys. */
const DEBIAN_KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.pgp',
  '/usr/share/keyrings/debian-archive-keyring.gpg',
];

export interface VerifiedText {
  /** The text under the signature. */
  text: string;
  /** Why the signature could not be looked at; null when it is good. */
  doubt: string | null;
}

/** Checks the signature of an InRelease file with gpgv. A UserError when the signature is bad. */
export async function verifySignature(
  inRelease: string,
  keyrings: readonly string[] = DEBIAN_KEYRINGS,
): Promise<VerifiedText> {
  const keyring = keyrings.find((path) => existsSync(path));
  if (!keyring)
    return { text: unwrap(inRelease), doubt: 'there is no keyring (package debian-archive-keyring)' };
  const directory = await mkdtemp(join(tmpdir(), 'vivarium-release-'));
  try {
    const [signed, plain] = [join(directory, 'InRelease'), join(directory, 'Release')];
    await writeFile(signed, inRelease);
    const result = await runCommand('gpgv', ['--keyring', keyring, '--output', plain, signed]);
    if (!result) return { text: unwrap(inRelease), doubt: 'the program gpgv is not installed' };
    if (result.status !== 0) {
      throw new UserError(
        `the signature of the mirror's release file is not good (keyring ${keyring}); gpgv says:\n${result.stderr.trim()}\n` +
          'Use another mirror, or install a newer debian-archive-keyring',
      );
    }
    return { text: await readFile(plain, 'utf8'), doubt: null };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The text of a clear-signed message (RFC 4880, section 7), not verified. */
function unwrap(message: string): string {
  const match =
    /-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE-----/.exec(
      message,
    );
  return (match ? match[1]! : message).replace(/^- /gm, '');
}
