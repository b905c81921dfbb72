/** Kernels for tests: right headers around bytes that nobody runs. */

export interface BzImageOptions {
  version?: number;
  loadflags?: number;
  xloadflags?: number;
  initrdAddressMax?: number;
  commandLineSize?: number;
  prefAddress?: number;
  initSize?: number;
  alignment?: number;
  relocatable?: number;
  code?: number;
}

export const SETUP_BYTES = 2 * 512;

export function bzImage(options: BzImageOptions = {}): Uint8Array {
  const code = options.code ?? 0x1000;
  const bytes = new Uint8Array(SETUP_BYTES + code).fill(0x90, SETUP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, code / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x200, 0xeb);
  view.setUint8(0x201, 0x66);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, options.version ?? 0x20f, true);
  view.setUint8(0x211, options.loadflags ?? 1);
  view.setUint32(0x22c, options.initrdAddressMax ?? 0x7fffffff, true);
  view.setUint32(0x230, options.alignment ?? 0x200000, true);
  view.setUint8(0x234, options.relocatable ?? 1);
  view.setUint16(0x236, options.xloadflags ?? 1, true);
  view.setUint32(0x238, options.commandLineSize ?? 2047, true);
  view.setBigUint64(0x258, BigInt(options.prefAddress ?? 0x1000000), true);
  view.setUint32(0x260, options.initSize ?? 0x400000, true);
  return bytes;
}

export interface TestSegment {
  type?: number;
  physical: number;
  virtual?: number;
  content: Uint8Array;
  memoryBytes?: number;
}

export function elf(
  bits: 32 | 64,
  entry: number,
  segments: TestSegment[],
  machine = bits === 64 ? 62 : 3,
): Uint8Array {
  const wide = bits === 64;
  const [headerBytes, entryBytes] = wide ? [0x40, 0x38] : [0x34, 0x20];
  const total =
    headerBytes +
    segments.length * entryBytes +
    segments.reduce((sum, { content }) => sum + content.length, 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(0x10, 2, true);
  view.setUint16(0x12, machine, true);
  word(0x18, entry);
  word(wide ? 0x20 : 0x1c, headerBytes);
  view.setUint16(wide ? 0x36 : 0x2a, entryBytes, true);
  view.setUint16(wide ? 0x38 : 0x2c, segments.length, true);
  let offset = headerBytes + segments.length * entryBytes;
  segments.forEach((segment, index) => {
    const at = headerBytes + index * entryBytes;
    view.setUint32(at, segment.type ?? 1, true);
    word(at + (wide ? 0x08 : 0x04), offset);
    word(at + (wide ? 0x10 : 0x08), segment.virtual ?? segment.physical);
    word(at + (wide ? 0x18 : 0x0c), segment.physical);
    word(at + (wide ? 0x20 : 0x10), segment.content.length);
    word(at + (wide ? 0x28 : 0x14), segment.memoryBytes ?? segment.content.length);
    bytes.set(segment.content, offset);
    offset += segment.content.length;
  });
  return bytes;
}

/** The note that names a PVH entry point, as a segment. */
export function pvhNote(entry: number): TestSegment {
  const content = new Uint8Array(12 + 4 + 4 + 12 + 4 + 8);
  const view = new DataView(content.buffer);
  // Another note before it, which has to be skipped.
  view.setUint32(0, 4, true);
  view.setUint32(4, 4, true);
  view.setUint32(8, 5, true);
  content.set(new TextEncoder().encode('GNU\0'), 12);
  view.setUint32(20, 4, true);
  view.setUint32(24, 4, true);
  view.setUint32(28, 18, true);
  content.set(new TextEncoder().encode('Xen\0'), 32);
  view.setUint32(36, entry, true);
  return { type: 4, physical: 0, content: content.subarray(0, 40) };
}

const MULTIBOOT_MAGIC = 0x1badb002;

/** A multiboot header and some bytes behind it; `addresses` are header, load, load end, bss end and entry. */
export function multibootHeader(flags: number, addresses: number[] = [], behind = 16): Uint8Array {
  const words = [MULTIBOOT_MAGIC, flags, -(MULTIBOOT_MAGIC + flags) >>> 0, ...addresses];
  const bytes = new Uint8Array(words.length * 4 + behind).fill(0x90);
  words.forEach((word, index) => new DataView(bytes.buffer).setUint32(index * 4, word >>> 0, true));
  return bytes;
}
