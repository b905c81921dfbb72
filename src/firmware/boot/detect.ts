import { UserError } from '../../machine/user-error.js';
import type { BootFile } from './boot-request.js';
import { isElf, readElf } from './elf.js';
import { isLinux } from './linux-header.js';
import { isMultiboot } from './multiboot.js';
import { isPvh } from './pvh.js';

export type KernelKind = 'linux' | 'multiboot' | 'pvh';

/** What kind of kernel a file is; a UserError that says what else it is and what to do. */
export function detectKernel(file: BootFile): KernelKind {
  if (isLinux(file.bytes)) return 'linux';
  if (isMultiboot(file)) return 'multiboot';
  if (isPvh(file)) return 'pvh';
  throw new UserError(`${file.name}: ${describe(file)}`);
}

const KINDS = 'a Linux bzImage, a multiboot kernel or an ELF kernel with a PVH entry note';

interface Magic {
  at: number;
  bytes: string;
  says: string;
}

/** Files that people give by mistake, by their first bytes. */
const MAGICS: Magic[] = [
  {
    at: 0,
    bytes: '\x1f\x8b',
    says: 'a gzip file: unpack it if it is a kernel, give it with --initrd if it is an initramfs',
  },
  { at: 0, bytes: '\xfd7zXZ\0', says: 'an xz file: unpack it first' },
  {
    at: 0,
    bytes: '\x28\xb5\x2f\xfd',
    says: 'a zstd file: unpack it if it is a kernel, give it with --initrd if it is an initramfs',
  },
  { at: 0, bytes: 'BZh', says: 'a bzip2 file: unpack it first' },
  {
    at: 0,
    bytes: '070701',
    says: 'a cpio archive, probably an initramfs: give it with --initrd, and the kernel with --kernel',
  },
  { at: 0, bytes: '!<arch>', says: 'a package or library archive: give the kernel in it' },
  { at: 0, bytes: 'QFI\xfb', says: 'a qcow2 disk image, not a kernel' },
  { at: 0, bytes: '#!', says: 'a script, not a kernel' },
  { at: 0, bytes: '%PDF', says: 'a PDF document, not a kernel' },
  { at: 0x38, bytes: 'ARM\x64', says: 'a Linux kernel for ARM: use one for x86' },
  {
    at: 0x8001,
    bytes: 'CD001',
    says: 'an ISO 9660 image: give the kernel in it (for example its boot or live folder)',
  },
  {
    at: 0,
    bytes: 'MZ',
    says: `an EFI or DOS program without Linux's boot header (or a kernel cut short): use ${KINDS}`,
  },
  { at: 0x1fe, bytes: '\x55\xaa', says: `a disk image or boot sector: use ${KINDS}` },
];

function describe({ bytes, name }: BootFile): string {
  if (bytes.length === 0) return 'the file is empty';
  if (isElf(bytes)) {
    const { bits } = readElf({ bytes, name });
    return (
      `an ELF file of ${bits} bits without multiboot header and without PVH entry note: ` +
      'for Linux use the bzImage (arch/x86/boot/bzImage), or build with CONFIG_PVH'
    );
  }
  const magic = MAGICS.find((candidate) => startsWith(bytes, candidate.at, candidate.bytes));
  if (magic) return `this is ${magic.says}`;
  if (hasMultiboot2(bytes))
    return 'this is a multiboot 2 kernel, which is not supported: use its multiboot 1 build';
  return `this is not a kernel that can be started directly (${bytes.length} bytes): use ${KINDS}`;
}

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  return [...text].every((character, i) => bytes[at + i] === character.charCodeAt(0));
}

const MULTIBOOT2_MAGIC = 0xe85250d6;
const MULTIBOOT2_SEARCH_BYTES = 32768;

function hasMultiboot2(bytes: Uint8Array): boolean {
  const view = new DataView(
    bytes.buffer,
    bytes.byteOffset,
    Math.min(bytes.byteLength, MULTIBOOT2_SEARCH_BYTES),
  );
  for (let at = 0; at + 16 <= view.byteLength; at += 8) {
    if (view.getUint32(at, true) === MULTIBOOT2_MAGIC) return true;
  }
  return false;
}
