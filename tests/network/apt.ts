/** Run by network-load.slow.test.ts in namespaces of its own: Debian's apt-get fetches from many servers at once. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runGuest } from './guest.js';
import type { Content } from './programs.js';

const PORT = 8090;
const MIRRORS = 24;
const PACKAGES = 3000;

/** A flat repository (sources.list(5)): an index of packages, and what tells its checksum. */
function repository(mirror: number): Map<string, Buffer> {
  const entries = Array.from(
    { length: PACKAGES },
    (_, n) =>
      `Package: made-up-${mirror}-${n}\nVersion: 1.${n}\nArchitecture: amd64\nMaintainer: nobody\n` +
      `Filename: ./made-up-${n}.deb\nSize: 1\nSHA256: ${randomBytes(32).toString('hex')}\nDescription: not there\n`,
  );
  const packages = Buffer.from(entries.join('\n'));
  const packed = gzipSync(packages);
  const line = (name: string, bytes: Buffer): string =>
    ` ${createHash('sha256').update(bytes).digest('hex')} ${bytes.length} ${name}`;
  const release = `Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n${line('Packages', packages)}\n${line('Packages.gz', packed)}\n`;
  return new Map([
    ['Release', Buffer.from(release)],
    ['Packages.gz', packed],
  ]);
}

test('apt-get update from many servers at once', { timeout: 300_000 }, async () => {
  const mirrors = Array.from({ length: MIRRORS }, (_, n) => repository(n));
  const sockets = new Set<unknown>();
  const server = createServer(({ url, headers: { host }, socket }, answer) => {
    sockets.add(socket);
    const mirror = Number(/^mirror(\d+):/.exec(host ?? '')?.[1]);
    const bytes = mirrors[mirror]?.get(url!.split('/').pop()!);
    answer.writeHead(bytes ? 200 : 404, { 'Content-Length': bytes?.length ?? 0 }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(PORT, '127.0.0.1', resolve));
  const names = mirrors.map((_, n) => `mirror${n}`);
  const files: Record<string, Content> = {
    '/usr/bin/apt-get': { from: '/usr/bin/apt-get' },
    '/usr/bin/apt-cache': { from: '/usr/bin/apt-cache' },
    ...Object.fromEntries(
      ['http', 'store', 'gpgv'].map((name) => [
        `/usr/lib/apt/methods/${name}`,
        { from: `/usr/lib/apt/methods/${name}` },
      ]),
    ),
    '/etc/apt/apt.conf.d/00': {
      text: 'APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Sandbox::User "root"; Dir::Bin::dpkg "/bin/true";\n',
    },
    '/etc/apt/sources.list': {
      text: names.map((name) => `deb [trusted=yes] http://${name}:${PORT}/ ./\n`).join(''),
    },
    '/etc/nsswitch.conf': { text: 'hosts: files\n' },
    ...Object.fromEntries(
      ['cputable', 'tupletable'].map((name) => [
        `/usr/share/dpkg/${name}`,
        { text: readFileSync(`/usr/share/dpkg/${name}`, 'utf8') },
      ]),
    ),
    '/var/lib/dpkg/status': { text: '' },
    '/var/lib/apt/lists/partial/none': { text: '' },
    '/var/cache/apt/archives/partial/none': { text: '' },
    '/etc/passwd': { text: 'root::0:0:root:/root:/bin/sh\n' },
  };
  const script = `
echo '10.0.2.2 ${names.join(' ')}' >>/etc/hosts
time apt-get -q update && echo updated
apt-cache stats | head -3
rm -rf /var/lib/apt/lists/mirror*; apt-get -qq update && echo again
`;
  const ended = await runGuest(script, 'nat,host=on', 280, files);
  server.close();
  assert.doesNotMatch(ended.output, /^(Err|[WE]):/m);
  assert.match(ended.output, /^updated/m);
  assert.match(ended.output, /^again/m);
  const known = Number(/Normal packages: (\d+)/.exec(ended.output)?.[1]);
  assert.equal(known, MIRRORS * PACKAGES, ended.output);
  console.log(`${sockets.size} connections, ${/Fetched.*/.exec(ended.output)?.[0]}`);
});
