import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../machine/user-error.js';
import { AptSource } from './apt-source.js';
import { cacheDirectory, writeWhole } from './cache-directory.js';
import type { PackageRecord } from './control-file.js';
import { fileOfPackage } from './deb.js';
import { modulesArchive, modulesFile, type ModuleSet, type Package } from './kernel-modules.js';
import { INIT, initramfs } from './initramfs.js';
import { MirrorSource } from './mirror-source.js';
import type { OnProgress, PackageSource } from './package-source.js';

export type { OnProgress, Progress } from './package-source.js';

export type DebianArchitecture = 'amd64' | 'i386';
export type DebianFlavour = 'generic' | 'cloud' | '686' | '686-pae';

export interface DebianGuestOptions {
  /** amd64 when not given. */
  arch?: DebianArchitecture;
  /** generic for amd64 and 686-pae for i386 when not given. */
  flavour?: DebianFlavour;
  /** URL of a Debian mirror, to be read without apt. */
  mirror?: string;
  /** See cacheDirectory() for where this is when not given. */
  cacheDir?: string;
  onProgress?: OnProgress;
  /** A shell script that the guest runs instead of a shell before it powers off. */
  script?: string;
  /** With kernel modules for network cards, or for drives too. */
  modules?: ModuleSet;
}

/** Files and kernel command line to boot. */
export interface DebianGuest {
  kernel: string;
  initrd: string;
  /** A second initial RAM disk with kernel modules, where they were asked for. */
  modules: string | null;
  append: string;
}

/** The release whose kernels the project is tested with. */
const SUITE = 'bookworm';
const COMMAND_LINE = 'console=ttyS0';

/** Packages by flavour; the first is what is meant when none is given. */
const KERNELS: Record<DebianArchitecture, readonly (readonly [DebianFlavour, string])[]> = {
  amd64: [
    ['generic', 'linux-image-amd64'],
    ['cloud', 'linux-image-cloud-amd64'],
  ],
  i386: [
    ['686-pae', 'linux-image-686-pae'],
    ['686', 'linux-image-686'],
  ],
};

/**
 * The demo guest: a kernel and busybox from Debian's packages, in an initramfs. Fetched once and then kept in the
 * cache; what is in the cache is used without looking for newer. A UserError says what to do when it cannot be made.
 */
export async function debianGuest(options: DebianGuestOptions = {}): Promise<DebianGuest> {
  const { arch = 'amd64', script, onProgress = (): void => undefined } = options;
  const kernels = KERNELS[arch];
  const chosen = kernels.find(([name]) => name === (options.flavour ?? kernels[0]![0]));
  if (!chosen) {
    const known = kernels.map(([name]) => name).join(', ');
    throw new UserError(`Debian ${arch} has no kernel flavour ${options.flavour}: use one of ${known}`);
  }
  const [flavour, kernelPackage] = chosen;
  const directory = join(options.cacheDir ?? cacheDirectory(), 'guests', `debian-${arch}-${flavour}`);
  const kernel = join(directory, 'vmlinuz');
  const busybox = join(directory, 'busybox');
  const modules = options.modules ? join(directory, modulesFile(options.modules)) : null;
  const lacks = modules !== null && !existsSync(modules);
  if (lacks || !existsSync(kernel) || !existsSync(busybox)) {
    const aptDirectory = join(directory, 'apt');
    const source = await openSource(arch, options.mirror, aptDirectory, onProgress);
    const meta = await find(source, kernelPackage, arch);
    // The package that people install depends on the one of the current version.
    const name = meta.depends.find((depended) => depended.startsWith('linux-image-')) ?? kernelPackage;
    const image = await fetch(source, await find(source, name, arch), onProgress);
    await keepFile(image, /^boot\/vmlinuz-/, kernel, onProgress);
    // Those of another kernel would not fit.
    for (const set of ['network', 'drives'] as const) {
      const file = join(directory, modulesFile(set));
      if (modules) await writeWhole(file, modulesArchive(image, set, onProgress));
      else await rm(file, { force: true });
    }
    const shell = await fetch(source, await find(source, 'busybox-static', arch), onProgress);
    await keepFile(shell, /^(usr\/)?bin\/busybox$/, busybox, onProgress);
    await rm(aptDirectory, { recursive: true, force: true });
  }
  const initrd = await keepInitramfs(directory, busybox, script);
  return { kernel, initrd, modules, append: COMMAND_LINE };
}

async function openSource(
  arch: DebianArchitecture,
  mirror: string | undefined,
  aptDirectory: string,
  onProgress: OnProgress,
): Promise<PackageSource> {
  if (mirror !== undefined) return MirrorSource.open(mirror, SUITE, arch, onProgress);
  const apt = await AptSource.open(aptDirectory, arch, onProgress);
  if (apt) return apt;
  throw new UserError(
    "the Debian guest is made from Debian's packages, but this system has no apt: " +
      'give a Debian mirror with --mirror URL, or a kernel of your own with --kernel FILE --initrd FILE',
  );
}

async function find(source: PackageSource, name: string, arch: DebianArchitecture): Promise<PackageRecord> {
  const record = await source.find(name);
  if (record) return record;
  throw new UserError(
    `there is no package ${name} for ${arch} in the package sources that were read: ` +
      'give a Debian mirror with --mirror URL, or a kernel of your own with --kernel FILE --initrd FILE',
  );
}

async function fetch(source: PackageSource, record: PackageRecord, onProgress: OnProgress): Promise<Package> {
  return { name: record.name, archive: await source.fetch(record, onProgress) };
}

async function keepFile(
  { name, archive }: Package,
  wanted: RegExp,
  path: string,
  onProgress: OnProgress,
): Promise<void> {
  onProgress({ phase: `unpacking ${name}`, done: 0, total: 0 });
  await writeWhole(path, fileOfPackage(name, archive, wanted).bytes);
}

/** The name tells what it is made of, so that one made by another version of this program is not taken. */
async function keepInitramfs(
  directory: string,
  busyboxPath: string,
  script: string | undefined,
): Promise<string> {
  const busybox = await readFile(busyboxPath);
  const hash = createHash('sha256')
    .update(INIT)
    .update('\0')
    .update(script ?? '')
    .update(busybox)
    .digest('hex');
  const path = join(directory, `initrd-${hash.slice(0, 12)}`);
  if (!existsSync(path)) await writeWhole(path, initramfs(busybox, script));
  return path;
}
