/** VMware's format ("Virtual Disk Format 5.0"): a descriptor, and extents that are flat or sparse. */
import { inflateSync } from 'fflate';
import { alignUp, text, u64le, viewOf } from './bytes.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { PlainImage } from './raw.js';
import { SparseImage, type Place } from './sparse-image.js';
import { allEnded, flushBeside, readBeside, writeBeside, type Storage } from './storage.js';

export const VMDK_MAGIC = 0x564d444b;
export const SECTOR = 512;
export const HEADER_BYTES = 512;
const FLAG_ZERO_GRAINS = 1 << 2;
const FLAG_COMPRESSED = 1 << 16;
const KNOWN_FLAGS = 0x00030007;
const MOST_DIRECTORY = 2 ** 20;
const MOST_DESCRIPTOR = 0x10000;
export const DEFLATE = 1;
const FOOTER_FROM_END = 1024;
const MOST_PACKED = 2 ** 22;

interface Header {
  flags: number;
  capacity: number;
  grainBytes: number;
  descriptorAt: number;
  descriptorBytes: number;
  entries: number;
  directoryAt: number;
  redundantAt: number;
  compression: number;
}

function readHeader(storage: Storage, at = 0): Header {
  const bytes = new Uint8Array(HEADER_BYTES);
  storage.read(at, bytes);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== VMDK_MAGIC) throw new ImageError('a sparse extent does not begin as one');
  // A stream says at its end where its directory is.
  const atEnd = view.getUint32(56, true) === 0xffffffff && view.getUint32(60, true) === 0xffffffff;
  if (atEnd && at === 0) return readHeader(storage, Math.max(0, storage.size - FOOTER_FROM_END));
  return {
    flags: view.getUint32(8, true),
    capacity: u64le(view, 12) * SECTOR,
    grainBytes: u64le(view, 20) * SECTOR,
    descriptorAt: u64le(view, 28) * SECTOR,
    descriptorBytes: u64le(view, 36) * SECTOR,
    entries: view.getUint32(44, true),
    redundantAt: u64le(view, 48) * SECTOR,
    directoryAt: u64le(view, 56) * SECTOR,
    compression: view.getUint16(77, true),
  };
}

/** An extent of grains, usually of 64 KiB. */
export class SparseVmdk extends SparseImage {
  readonly format = 'vmdk';
  readonly bytes: number;
  protected readonly clusterBytes: number;
  private readonly header: Header;
  private readonly directory: DataView;
  private readonly tables = new Map<number, { bytes: Uint8Array; dirty: boolean }>();
  private end: number;

  constructor(storage: Storage, below: DiskImage | null) {
    super(storage, below);
    const header = (this.header = readHeader(storage));
    this.bytes = header.capacity;
    this.clusterBytes = header.grainBytes;
    if (header.flags & ~KNOWN_FLAGS)
      throw new ImageError(`a sparse extent has flags that are not known: 0x${header.flags.toString(16)}`);
    if (
      this.clusterBytes < SECTOR ||
      (this.clusterBytes & (this.clusterBytes - 1)) !== 0 ||
      this.clusterBytes > 2 ** 22
    )
      throw new ImageError(`its grains have ${this.clusterBytes} bytes, which cannot be`);
    if (header.entries === 0 || header.entries > 0x10000)
      throw new ImageError(`its tables have ${header.entries} entries, which cannot be`);
    if (header.flags & FLAG_COMPRESSED && header.compression !== DEFLATE)
      throw new ImageError('it is compressed in a way that is not known');
    const count = Math.ceil(this.bytes / (this.clusterBytes * header.entries));
    if (count > MOST_DIRECTORY || header.directoryAt + count * 4 > storage.size)
      throw new ImageError(`its directory of ${count} tables at ${header.directoryAt} cannot be`);
    const directory = new Uint8Array(count * 4);
    storage.read(header.directoryAt, directory);
    this.directory = viewOf(directory);
    this.end = alignUp(storage.size, SECTOR);
  }

  override get readOnly(): boolean {
    // Packed grains have no room for others.
    return this.storage.readOnly || (this.header.flags & FLAG_COMPRESSED) !== 0;
  }

  private tableAt(index: number): number {
    return this.directory.getUint32(index * 4, true) * SECTOR;
  }

  private table(index: number): { bytes: Uint8Array; dirty: boolean } | null {
    const known = this.tables.get(index);
    if (known) return known;
    const at = this.tableAt(index);
    if (at === 0) return null;
    if (at >= this.storage.size)
      throw new ImageError(`a table is said to be at ${at}, behind the end of the file`);
    const bytes = new Uint8Array(this.header.entries * 4);
    this.storage.read(at, bytes);
    const table = { bytes, dirty: false };
    this.tables.set(index, table);
    return table;
  }

  protected place(cluster: number): Place {
    const table = this.table(Math.floor(cluster / this.header.entries));
    const sector = table ? viewOf(table.bytes).getUint32((cluster % this.header.entries) * 4, true) : 0;
    if (sector === 0) return { kind: 'none' };
    if (sector === 1 && this.header.flags & FLAG_ZERO_GRAINS) return { kind: 'zero' };
    const at = sector * SECTOR;
    if (at >= this.storage.size && !(this.header.flags & FLAG_COMPRESSED)) {
      if (at >= this.end) throw new ImageError(`a grain is said to be at ${at}, behind the end of the file`);
    }
    if (this.header.flags & FLAG_COMPRESSED) return { kind: 'packed', unpack: () => this.unpack(at) };
    return { kind: 'data', at };
  }

  /** A grain in a stream: sector of the disk, length, then the packed bytes. */
  private unpack(at: number): Uint8Array {
    const marker = new Uint8Array(12);
    this.storage.read(at, marker);
    const length = viewOf(marker).getUint32(8, true);
    if (length === 0 || length > MOST_PACKED || at + 12 + length > this.storage.size)
      throw new ImageError(`a packed grain at ${at} is said to have ${length} bytes`);
    const packed = new Uint8Array(length);
    this.storage.read(at + 12, packed);
    const whole = new Uint8Array(this.clusterBytes);
    try {
      // Two bytes of zlib's header, and its checksum, surround the deflated bytes.
      inflateSync(packed.subarray(2), { out: whole });
    } catch (error) {
      throw new ImageError(`a packed grain at ${at} cannot be unpacked: ${(error as Error).message}`);
    }
    return whole;
  }

  protected allocate(): number {
    const at = this.end;
    this.end += this.clusterBytes;
    this.storage.resize(this.end);
    return at;
  }

  private setEntry(cluster: number, sector: number): void {
    const index = Math.floor(cluster / this.header.entries);
    const table = this.table(index);
    if (!table) throw new ImageError('it lacks a table for what is to be written');
    viewOf(table.bytes).setUint32((cluster % this.header.entries) * 4, sector, true);
    table.dirty = true;
  }

  protected link(cluster: number, at: number): void {
    this.setEntry(cluster, at / SECTOR);
  }
  protected unlink(cluster: number): boolean {
    if (!(this.header.flags & FLAG_ZERO_GRAINS)) return false;
    this.setEntry(cluster, 1);
    return true;
  }

  protected writeBack(): void {
    const dirty = [...this.tables].filter(([, table]) => table.dirty);
    if (dirty.length === 0) return;
    this.storage.flush();
    const redundant = new Uint8Array(this.directory.byteLength);
    if (this.header.redundantAt !== 0) this.storage.read(this.header.redundantAt, redundant);
    for (const [index, table] of dirty) {
      this.storage.write(this.tableAt(index), table.bytes);
      const copy = this.header.redundantAt === 0 ? 0 : viewOf(redundant).getUint32(index * 4, true) * SECTOR;
      if (copy !== 0) this.storage.write(copy, table.bytes);
      table.dirty = false;
    }
  }
}

/** What a descriptor says. */
export interface VmdkDescriptor {
  type: string;
  extents: { sectors: number; kind: string; file: string; offset: number }[];
  parent: string | null;
}

/** The descriptor of a file: the file itself, or a part of a sparse extent. */
export function readDescriptor(storage: Storage): VmdkDescriptor {
  const start = new Uint8Array(4);
  storage.read(0, start);
  let bytes: Uint8Array;
  if (viewOf(start).getUint32(0, true) === VMDK_MAGIC) {
    const first = new Uint8Array(HEADER_BYTES);
    storage.read(0, first);
    const at = u64le(viewOf(first), 28) * SECTOR;
    bytes = new Uint8Array(Math.min(u64le(viewOf(first), 36) * SECTOR, MOST_DESCRIPTOR));
    if (at !== 0) storage.read(at, bytes);
  } else {
    bytes = new Uint8Array(Math.min(storage.size, MOST_DESCRIPTOR));
    storage.read(0, bytes);
  }
  const content = text(bytes);
  const value = (name: string): string | null =>
    new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\r\\n]*)"?`, 'm').exec(content)?.[1] ?? null;
  const extents = [
    ...content.matchAll(/^\s*(?:RW|RDONLY)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d+))?)?/gm),
  ].map(([, sectors, kind, file, offset]) => ({
    sectors: Number(sectors),
    kind: kind!,
    file: file ?? '',
    offset: Number(offset ?? 0) * SECTOR,
  }));
  return { type: value('createType') ?? '', extents, parent: value('parentFileNameHint') };
}

/** Several extents, one after the other. */
export class ExtentsImage implements DiskImage {
  readonly format = 'vmdk';
  readonly bytes: number;
  constructor(private readonly extents: readonly { image: DiskImage; bytes: number }[]) {
    this.bytes = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  get readOnly(): boolean {
    return this.extents.some(({ image }) => image.readOnly);
  }
  private each(
    position: number,
    length: number,
    act: (image: DiskImage, within: number, at: number, count: number) => void,
  ): void {
    let start = 0;
    for (const { image, bytes } of this.extents) {
      const from = Math.max(position, start);
      const to = Math.min(position + length, start + bytes);
      if (from < to) act(image, from - start, from - position, to - from);
      start += bytes;
    }
  }
  read(position: number, target: Uint8Array): void {
    this.each(position, target.length, (image, within, at, count) =>
      image.read(within, target.subarray(at, at + count)),
    );
  }
  dataFrom(position: number): number {
    return position;
  }
  write(position: number, source: Uint8Array): void {
    this.each(position, source.length, (image, within, at, count) =>
      image.write(within, source.subarray(at, at + count)),
    );
  }
  zero(position: number, length: number, give: boolean): void {
    this.each(position, length, (image, within, _at, count) => image.zero(within, count, give));
  }
  flush(): void {
    for (const { image } of this.extents) image.flush();
  }
  async readBeside(position: number, target: Uint8Array): Promise<void> {
    const reads: Promise<void>[] = [];
    this.each(position, target.length, (image, within, at, count) =>
      reads.push(readBeside(image, within, target.subarray(at, at + count))),
    );
    await allEnded(reads);
  }
  async writeBeside(position: number, source: Uint8Array): Promise<void> {
    const writes: Promise<void>[] = [];
    this.each(position, source.length, (image, within, at, count) =>
      writes.push(writeBeside(image, within, source.subarray(at, at + count))),
    );
    await allEnded(writes);
  }
  async flushBeside(): Promise<void> {
    await allEnded(this.extents.map(({ image }) => flushBeside(image)));
  }
  close(): void {
    for (const { image } of this.extents) image.close();
  }
}

/** `open` gives the file of an extent, by its name beside the descriptor. */
export function openVmdk(
  storage: Storage,
  below: DiskImage | null,
  open: (name: string) => Storage,
): DiskImage {
  const start = new Uint8Array(4);
  storage.read(0, start);
  if (viewOf(start).getUint32(0, true) === VMDK_MAGIC) return new SparseVmdk(storage, below);
  const { extents, type } = readDescriptor(storage);
  if (extents.length === 0) throw new ImageError(`its descriptor (${type || 'of no type'}) names no extents`);
  const parts = extents.map(({ sectors, kind, file, offset }) => {
    const bytes = sectors * SECTOR;
    switch (kind) {
      case 'FLAT':
        return { image: new PlainImage('vmdk', open(file), bytes, offset), bytes };
      case 'SPARSE':
        return { image: new SparseVmdk(open(file), null), bytes };
      default:
        throw new ImageError(`its descriptor has an extent of type ${kind}, which is not known`);
    }
  });
  storage.close();
  return new ExtentsImage(parts);
}

/** The content id of an image, which its children name. */
export function vmdkContentId(storage: Storage): number {
  const bytes = new Uint8Array(Math.min(storage.size, MOST_DESCRIPTOR));
  storage.read(0, bytes);
  return parseInt(/CID=([0-9a-f]{8})/i.exec(new TextDecoder('latin1').decode(bytes))?.[1] ?? 'ffffffff', 16);
}
