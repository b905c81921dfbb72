/** New images of VMware's format: sparse ones, those in several files, and streams. */
import { zlibSync } from 'fflate';
import { alignUp, setU64le, viewOf } from './bytes.js';
import type { Storage } from './storage.js';
import { DEFLATE, HEADER_BYTES, SECTOR, VMDK_MAGIC } from './vmdk.js';

const GRAIN_SECTORS = 128;
const GRAIN = GRAIN_SECTORS * SECTOR;
const TABLE_ENTRIES = 512;
const DESCRIPTOR_SECTORS = 20;

export interface VmdkOptions {
  bytes: number;
  /** Name of the file itself, for its descriptor. */
  name: string;
  cid: number;
  parent?: { name: string; cid: number };
}

interface NewHeader {
  flags: number;
  sectors: number;
  redundantAt: number;
  directoryAt: number | 'at the end';
  overhead: number;
  compression: number;
}

function headerOf({
  flags,
  sectors,
  redundantAt,
  directoryAt,
  overhead,
  compression,
}: NewHeader): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOf(header);
  view.setUint32(0, VMDK_MAGIC, true);
  view.setUint32(4, compression === 0 ? 1 : 3, true);
  view.setUint32(8, flags, true);
  setU64le(view, 12, sectors);
  setU64le(view, 20, GRAIN_SECTORS);
  setU64le(view, 28, 1);
  setU64le(view, 36, DESCRIPTOR_SECTORS);
  view.setUint32(44, TABLE_ENTRIES, true);
  setU64le(view, 48, redundantAt);
  if (directoryAt === 'at the end') header.fill(0xff, 56, 64);
  else setU64le(view, 56, directoryAt);
  setU64le(view, 64, overhead);
  header.set([0, 0x0a, 0x20, 0x0d, 0x0a], 72);
  view.setUint16(77, compression, true);
  return header;
}

function descriptorOf(
  { bytes, cid, parent }: VmdkOptions,
  type: string,
  extents: readonly string[],
): Uint8Array {
  const sectors = Math.ceil(bytes / SECTOR);
  const id = (value: number): string => value.toString(16).padStart(8, '0');
  const cylinders = Math.min(16383, Math.floor(sectors / (16 * 63)));
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${id(cid)}`,
    `parentCID=${id(parent?.cid ?? 0xffffffff)}`,
    `createType="${type}"`,
    ...(parent ? [`parentFileNameHint="${parent.name}"`] : []),
    '',
    '# Extent description',
    ...extents,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.virtualHWVersion = "4"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    'ddb.geometry.heads = "16"',
    'ddb.geometry.sectors = "63"',
    'ddb.adapterType = "ide"',
    '',
  ];
  return new TextEncoder().encode(lines.join('\n'));
}

const extentLine = (sectors: number, kind: string, name: string): string =>
  `RW ${sectors} ${kind} "${name}"${kind === 'FLAT' ? ' 0' : ''}`;

/** The descriptor of an image that is one file. */
function ownDescriptor(options: VmdkOptions, type: string): Uint8Array {
  const line = extentLine(Math.ceil(options.bytes / SECTOR), 'SPARSE', options.name);
  return descriptorOf(options, type, [line]);
}

/** A monolithic sparse image. */
export function createVmdk(storage: Storage, options: VmdkOptions): void {
  createExtent(storage, Math.ceil(options.bytes / SECTOR));
  storage.write(SECTOR, ownDescriptor(options, 'monolithicSparse'));
}

/** A sparse extent: header, room for a descriptor, directory and tables twice, then grains. */
function createExtent(storage: Storage, sectors: number): void {
  const grains = Math.ceil(sectors / GRAIN_SECTORS);
  const tables = Math.ceil(grains / TABLE_ENTRIES);
  const tableSectors = (TABLE_ENTRIES * 4) / SECTOR;
  const directorySectors = Math.ceil((tables * 4) / SECTOR);
  const redundantAt = 1 + DESCRIPTOR_SECTORS;
  const copySectors = directorySectors + tables * tableSectors;
  const directoryAt = redundantAt + copySectors;
  const overhead = alignUp(directoryAt + copySectors, GRAIN_SECTORS);
  storage.write(0, headerOf({ flags: 3, sectors, redundantAt, directoryAt, overhead, compression: 0 }));
  for (const at of [redundantAt, directoryAt]) {
    const directory = new Uint8Array(directorySectors * SECTOR);
    for (let n = 0; n < tables; n++)
      viewOf(directory).setUint32(n * 4, at + directorySectors + n * tableSectors, true);
    storage.write(at * SECTOR, directory);
  }
  storage.resize(overhead * SECTOR);
}

/** As VMware splits: what every file system can hold. */
const PIECE_SECTORS = 2047 * 2048;

/** `flat`: the bytes as they are. `split`: in files of less than two gigabytes. */
export interface VmdkPieces {
  flat: boolean;
  split: boolean;
}

/** An image of several files: `storage` gets the descriptor, `create` makes the file of an extent by its name beside it. */
export function createVmdkPieces(
  storage: Storage,
  options: VmdkOptions,
  { flat, split }: VmdkPieces,
  create: (name: string) => Storage,
): void {
  const sectors = Math.ceil(options.bytes / SECTOR);
  const stem = options.name.replace(/\.vmdk$/i, '');
  const lines: string[] = [];
  for (let from = 0; from < sectors;) {
    const count = split ? Math.min(PIECE_SECTORS, sectors - from) : sectors;
    const number = String(lines.length + 1).padStart(3, '0');
    const name = split ? `${stem}-${flat ? 'f' : 's'}${number}.vmdk` : `${stem}-flat.vmdk`;
    const extent = create(name);
    try {
      if (flat) extent.resize(count * SECTOR);
      else createExtent(extent, count);
      extent.flush();
    } finally {
      extent.close();
    }
    lines.push(extentLine(count, flat ? 'FLAT' : 'SPARSE', name));
    from += count;
  }
  const type = split ? `twoGbMaxExtent${flat ? 'Flat' : 'Sparse'}` : 'monolithicFlat';
  storage.write(0, descriptorOf(options, type, lines));
}

// What stands before tables and at the end of a stream ("Virtual Disk Format 5.0", Stream-Optimized Compressed Sparse Extents)
const MARK_END = 0;
const MARK_TABLE = 1;
const MARK_DIRECTORY = 2;
const MARK_FOOTER = 3;

/** Writes a stream-optimized image from start to end, as appliances (OVF) have them: packed grains, each table behind its own. */
export class VmdkStream {
  private readonly header: Omit<NewHeader, 'directoryAt'>;
  private readonly directory: Uint8Array;
  private table = new Uint8Array(TABLE_ENTRIES * 4);
  private tableNumber = 0;
  private end = GRAIN_SECTORS * SECTOR;

  constructor(
    private readonly storage: Storage,
    options: VmdkOptions,
  ) {
    const sectors = Math.ceil(options.bytes / SECTOR);
    const tables = Math.ceil(sectors / GRAIN_SECTORS / TABLE_ENTRIES);
    const flags = 0x30001;
    this.header = { flags, sectors, redundantAt: 0, overhead: GRAIN_SECTORS, compression: DEFLATE };
    this.directory = new Uint8Array(alignUp(tables * 4, SECTOR));
    storage.write(0, headerOf({ ...this.header, directoryAt: 'at the end' }));
    storage.write(SECTOR, ownDescriptor(options, 'streamOptimized'));
  }

  /** Bytes of the disk from `position` on, which is a multiple of 64 KiB: at most as many. To be called in the order of positions. */
  write(position: number, bytes: Uint8Array): void {
    const grain = position / GRAIN;
    const number = Math.floor(grain / TABLE_ENTRIES);
    if (number !== this.tableNumber) this.writeTable();
    this.tableNumber = number;
    const whole = new Uint8Array(GRAIN);
    whole.set(bytes);
    const packed = zlibSync(whole);
    const marked = new Uint8Array(12 + packed.length);
    setU64le(viewOf(marked), 0, position / SECTOR);
    viewOf(marked).setUint32(8, packed.length, true);
    marked.set(packed, 12);
    viewOf(this.table).setUint32((grain % TABLE_ENTRIES) * 4, this.append(marked), true);
  }

  /** What is left: the last table, the directory, and the header again with its place. */
  finish(): void {
    this.writeTable();
    const directoryAt = this.appendMarked(MARK_DIRECTORY, this.directory);
    this.appendMarked(MARK_FOOTER, headerOf({ ...this.header, directoryAt }));
    this.appendMarked(MARK_END, new Uint8Array());
    this.storage.resize(this.end);
  }

  private writeTable(): void {
    if (this.table.every((byte) => byte === 0)) return;
    const at = this.appendMarked(MARK_TABLE, this.table);
    viewOf(this.directory).setUint32(this.tableNumber * 4, at, true);
    this.table = new Uint8Array(TABLE_ENTRIES * 4);
  }

  /** Gives the sector where it is, behind its mark. */
  private appendMarked(kind: number, bytes: Uint8Array): number {
    const mark = new Uint8Array(SECTOR);
    setU64le(viewOf(mark), 0, bytes.length / SECTOR);
    viewOf(mark).setUint32(12, kind, true);
    this.append(mark);
    return this.append(bytes);
  }

  private append(bytes: Uint8Array): number {
    const at = this.end;
    this.storage.write(at, bytes);
    this.end = alignUp(at + bytes.length, SECTOR);
    return at / SECTOR;
  }
}
