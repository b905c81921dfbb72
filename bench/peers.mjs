// What Vivarium is compared with: QEMU and SeaBIOS from Debian's packages, v86 from npm.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const V86_VERSION = '0.5.462';

const have = (command) => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** What QEMU says of itself. */
export function installQemu(withV86) {
  const packages = [];
  if (!have('qemu-system-x86_64')) packages.push('qemu-system-x86');
  if (withV86 && !existsSync('/usr/share/seabios/bios.bin')) packages.push('seabios');
  if (packages.length > 0) install(packages);
  return execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0];
}

function install(packages) {
  if (process.getuid() !== 0) throw new Error(`install ${packages.join(' and ')}, or run this as root`);
  execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
    stdio: 'inherit',
  });
}

/** Its version. v86 is not among the project's dependencies, so that ordinary installs do not carry it. */
export function installV86() {
  const peers = join(root, 'dist/bench-peers');
  const manifest = join(peers, 'node_modules/v86/package.json');
  const installed = () =>
    existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
  // The version in the package itself has the commit after a plus sign.
  if (installed()?.split('+')[0] === V86_VERSION) return installed();
  mkdirSync(peers, { recursive: true });
  const options = ['--prefix', peers, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  try {
    execFileSync('npm', ['install', ...options, `v86@${V86_VERSION}`], { stdio: ['ignore', 2, 2] });
  } catch (error) {
    throw new Error(
      `v86 ${V86_VERSION} could not be installed with npm, and the i386 guest is compared with it`,
      {
        cause: error,
      },
    );
  }
  return installed();
}
