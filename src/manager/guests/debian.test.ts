import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../../machine/user-error.js';
import { cacheDirectory, writeWhole } from './cache-directory.js';
import { debianGuest } from './debian.js';
import { MirrorSource } from './mirror-source.js';
import type { Progress } from './package-source.js';
import { verifySignature } from './release-signature.js';
import { deb, writeMirror, type TestPackage } from './test-packages.js';

const room = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
after(() => rmSync(room, { recursive: true }));

const PACKAGES: TestPackage[] = [
  { name: 'linux-image-amd64', depends: 'linux-image-6.1.0-1-amd64 (= 1)', archive: deb({}) },
  { name: 'linux-image-6.1.0-1-amd64', archive: deb({ './boot/vmlinuz-6.1.0-1-amd64': 'a kernel' }) },
  { name: 'busybox-static', archive: deb({ './bin/busybox': 'a busybox' }) },
];

let mirrors = 0;

function mirror(packages = PACKAGES, suite = 'bookworm'): string {
  const directory = join(room, `mirror-${mirrors++}`);
  writeMirror(directory, suite, 'amd64', packages);
  return directory;
}

function open(url: string, notes: Progress[] = [], keyrings: string[] = []): Promise<MirrorSource> {
  return MirrorSource.open(url, 'bookworm', 'amd64', (progress) => notes.push(progress), keyrings);
}

test('reads a mirror without apt, and says that nothing vouched for its index', async () => {
  const progress: Progress[] = [];
  const source = await open(pathToFileURL(mirror()).href, progress);
  const record = await source.find('linux-image-6.1.0-1-amd64');
  assert.ok(record);
  assert.deepEqual(await source.fetch(record, () => undefined), PACKAGES[1]!.archive);
  assert.equal(await source.find('nothing'), null);
  assert.match(progress.map((step) => step.note ?? '').join(), /signature .* not verified/);
});

test('reads a mirror over http, with progress, and names what is missing', async () => {
  const directory = mirror();
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(directory, request.url!.replace('/debian', ''))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const source = await open(`${base}/debian`);
    const steps: Progress[] = [];
    const record = (await source.find('busybox-static'))!;
    assert.deepEqual(
      Buffer.from(await source.fetch(record, (step) => steps.push(step))),
      PACKAGES[2]!.archive,
    );
    assert.equal(steps.at(-1)!.done, record.size);
    assert.equal(steps.at(-1)!.total, record.size);
    await assert.rejects(open(`${base}/debian/dists`), /InRelease: not there: is this the directory/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a package or an index with a wrong checksum is refused', async () => {
  const bad = PACKAGES.map((item) => ({ ...item, sha256: '0'.repeat(64) }));
  const source = await open(pathToFileURL(mirror(bad)).href);
  const record = (await source.find('busybox-static'))!;
  await assert.rejects(
    source.fetch(record, () => undefined),
    /busybox-static: wrong checksum/,
  );

  const directory = mirror();
  writeFileSync(join(directory, 'dists/bookworm/main/binary-amd64/Packages.gz'), 'changed');
  await assert.rejects(open(pathToFileURL(directory).href), /Packages\.gz: wrong checksum/);
});

test('the release of another suite is refused', async () => {
  const directory = mirror();
  const path = join(directory, 'dists/bookworm/InRelease');
  writeFileSync(path, readFileSync(path, 'utf8').replace('bookworm', 'sid'));
  await assert.rejects(open(pathToFileURL(directory).href), /is for sid, not for bookworm/);
});

test('an index that names a file outside the mirror is refused', async () => {
  const packages = [{ name: '../../../etc/passwd?', archive: deb({}) }];
  const directory = mirror(PACKAGES);
  const source = await open(pathToFileURL(directory).href);
  const record = { ...(await source.find('busybox-static'))!, filename: packages[0]!.name };
  await assert.rejects(
    source.fetch(record, () => undefined),
    /outside itself/,
  );
});

test('what is no URL of a mirror is a UserError', async () => {
  for (const url of ['', 'debian', 'ftp://host/debian']) await assert.rejects(open(url), UserError);
  await assert.rejects(open(pathToFileURL(join(room, 'nowhere')).href), /not there/);
});

test('a release file without good signature is refused where it can be checked', async () => {
  const keyring = join(room, 'keyring.gpg');
  writeFileSync(keyring, '');
  const outcome = await verifySignature('Codename: bookworm\n', [keyring]).catch((error: unknown) => error);
  if (outcome instanceof Error) assert.match(outcome.message, /signature .* is not good/);
  else assert.match((outcome as { doubt: string }).doubt, /gpgv is not installed/);
});

test('the text under a signature is found without gpgv', async () => {
  const signed =
    '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\n- -dash\n-----BEGIN PGP SIGNATURE-----\n\nxx\n';
  assert.equal((await verifySignature(signed, [])).text, 'Origin: Debian\n-dash');
});

test('the guest is in the cache: made once, then used as it is', async () => {
  const cacheDir = join(room, 'cache');
  const directory = join(cacheDir, 'guests', 'debian-amd64-generic');
  // As if it had been fetched: with these there, no package source is opened.
  await writeWhole(join(directory, 'vmlinuz'), 'a kernel');
  await writeWhole(join(directory, 'busybox'), 'a busybox');
  const guest = await debianGuest({ cacheDir });
  assert.equal(readFileSync(guest.kernel, 'utf8'), 'a kernel');
  assert.equal(guest.append, 'console=ttyS0');
  const scripted = await debianGuest({ cacheDir, script: 'echo hi\n' });
  assert.notEqual(scripted.initrd, guest.initrd);
  assert.equal((await debianGuest({ cacheDir })).initrd, guest.initrd);
});

test('a flavour that the architecture does not have is a UserError', async () => {
  await assert.rejects(debianGuest({ arch: 'i386', flavour: 'cloud', cacheDir: room }), /686-pae, 686/);
});

test('the cache directory follows the environment', () => {
  assert.equal(cacheDirectory({ VIVARIUM_CACHE: '/v', XDG_CACHE_HOME: '/x' }), '/v');
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/x' }), '/x/vivarium');
  assert.match(cacheDirectory({}), /\.cache\/vivarium$/);
});
