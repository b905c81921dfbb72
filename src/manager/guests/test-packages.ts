import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Makes small Debian packages and a mirror of them, for tests. */
export function tar(files: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  for (const [path, content] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write('0000644\0', 100);
    header.write(content.length.toString(8).padStart(11, '0'), 124);
    header.write('0', 156);
    header.write('ustar', 257);
    const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    body.write(content);
    parts.push(header, body);
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export function ar(members: Record<string, Buffer>): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, content] of Object.entries(members)) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header), content, Buffer.alloc(content.length % 2));
  }
  return Buffer.concat(parts);
}

export function deb(files: Record<string, string>): Buffer {
  return ar({
    'debian-binary': Buffer.from('2.0\n'),
    'control.tar.gz': gzipSync(tar({ './control': '' })),
    'data.tar.gz': gzipSync(tar(files)),
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface TestPackage {
  name: string;
  depends?: string;
  archive: Buffer;
  /** In the index instead of the true one. */
  sha256?: string;
}

/** Writes a mirror of the suite into `directory`. Its release file has no signature. */
export function writeMirror(
  directory: string,
  suite: string,
  architecture: string,
  packages: TestPackage[],
): void {
  const put = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  };
  const paragraphs = packages.map(({ name, depends, archive, ...given }) => {
    put(`pool/${name}.deb`, archive);
    const lines = [
      `Package: ${name}`,
      'Version: 1',
      `Depends: ${depends ?? ''}`,
      `Filename: pool/${name}.deb`,
    ];
    return [...lines, `Size: ${archive.length}`, `SHA256: ${given.sha256 ?? sha256(archive)}`, ''].join('\n');
  });
  const index = gzipSync(paragraphs.join('\n'));
  const path = `main/binary-${architecture}/Packages.gz`;
  put(`dists/${suite}/${path}`, index);
  put(`dists/${suite}/InRelease`, `Codename: ${suite}\nSHA256:\n ${sha256(index)} ${index.length} ${path}\n`);
}
