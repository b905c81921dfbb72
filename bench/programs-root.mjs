// The guest of the programs suite: Debian packages unpacked into a directory, our programs compiled by their compiler
// in there, and all of it as a cpio archive that the kernel unpacks beside the demo guest's own.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../dist/manager/guests/cache-directory.js';

const SOURCES = fileURLToPath(new URL('programs', import.meta.url));
const PACKAGES = 'gcc libc6-dev perl-base python3-minimal sqlite3 xz-utils gzip coreutils'.split(' ');
/** What no workload needs: documentation, link-time optimisation, sanitizers. */
const LEFT_OUT = /^(lto1|lto-dump|.*-lto-dump(-\d+)?|lib[a-z]*san[._].*|lib[a-z]*san)$/;

const DATA_BYTES = 8 << 20;

/** Program by source and compiler's options; 32-bit code is told to use SSE2, as 64-bit code does. */
const COMPILED = [
  ...'mix records nbody memory chase sort calls bytecode syscalls switches spawn faults'
    .split(' ')
    .map((name) => [name, `${name}.c`, '-O2']),
  ['matrix', 'matrix.c', '-O3'],
  ['nbody-x87', 'nbody.c', '-O2', '-mfpmath=387', '-DSTEPS=150000'],
];

const run = (program, args, options) => execFileSync(program, args, { stdio: ['ignore', 2, 2], ...options });

/** The archive's path; made when it is not in `cache` yet. Takes a minute; needs root, for chroot. */
function programsRoot(architecture, cache) {
  const sources = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const name of sources) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const archive = join(cache, `programs-${architecture}-${hash.digest('hex').slice(0, 12)}.cpio`);
  if (existsSync(archive)) return archive;
  if (process.getuid() !== 0)
    throw new Error('the guest of the programs suite is made by root: run this as root');
  const root = join(cache, `programs-${architecture}`);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, 'bench/source'), { recursive: true });
  process.stderr.write(`unpacking ${PACKAGES.join(', ')} for ${architecture} ...\n`);
  for (const deb of download(architecture, join(cache, `apt-${architecture}`)))
    run('dpkg-deb', ['-x', deb, root]);
  rmSync(join(root, 'usr/share'), { recursive: true });
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }))
    if (LEFT_OUT.test(entry.name)) rmSync(join(entry.parentPath ?? entry.path, entry.name), { force: true });

  for (const name of sources)
    copyFileSync(join(SOURCES, name), join(root, 'bench', name.endsWith('.c') ? 'source' : '', name));
  // Something real to compress.
  writeFileSync(join(root, 'bench/data'), readFileSync(compilerProper(root)).subarray(0, DATA_BYTES));
  const sse = architecture === 'i386' ? ['-msse2', '-mfpmath=sse'] : [];
  for (const [program, source, ...options] of COMPILED) {
    const files = ['-o', `/bench/${program}`, `/bench/source/${source}`, '-lm'];
    run('chroot', [root, '/usr/bin/gcc', '-static', ...sse, ...options, ...files]);
  }
  run('sh', ['-c', 'find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet > "$0"', `${archive}.new`], {
    cwd: root,
  });
  rmSync(root, { recursive: true });
  renameSync(`${archive}.new`, archive);
  return archive;
}

/** Both archives in one file, as QEMU and v86 take only one; the compressed one has to begin at a multiple of 4. */
export function withPrograms(architecture, initrd) {
  const bench = join(cacheDirectory(), 'bench');
  mkdirSync(bench, { recursive: true });
  const path = join(bench, `initrd-${architecture}`);
  writeFileSync(path, Buffer.concat([readFileSync(programsRoot(architecture, bench)), readFileSync(initrd)]));
  return path;
}

function compilerProper(root) {
  const found = readdirSync(join(root, 'usr/lib/gcc'), { recursive: true }).find((path) =>
    /\/cc1$/.test(path),
  );
  return join(root, 'usr/lib/gcc', found);
}

/** The packages and what they depend on, by apt with state of its own; nothing is installed. */
function download(architecture, directory) {
  mkdirSync(join(directory, 'lists/partial'), { recursive: true });
  mkdirSync(join(directory, 'archives/partial'), { recursive: true });
  writeFileSync(join(directory, 'status'), '');
  const settings = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State=${directory}`,
    `Dir::State::lists=${join(directory, 'lists')}`,
    `Dir::State::status=${join(directory, 'status')}`,
    `Dir::Cache=${directory}`,
    `Dir::Cache::archives=${join(directory, 'archives')}`,
    'APT::Sandbox::User=root',
  ].flatMap((setting) => ['-o', setting]);
  try {
    run('apt-get', ['-q', ...settings, 'update']);
  } catch {
    // Some index may be out of order while the others are good; what is missing shows when it is asked for.
  }
  run('apt-get', [
    '-q',
    '-y',
    ...settings,
    '--download-only',
    '--no-install-recommends',
    'install',
    ...PACKAGES,
  ]);
  const archives = join(directory, 'archives');
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name));
}
