/** Microsoft's VHDX ([MS-VHDX]): blocks of 1 to 256 MiB, with its bookkeeping in regions. */
import { alignUp, setU64le, u64le, viewOf } from './bytes.js';
import { crc32c } from './crc32c.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { SparseImage, type Place } from './sparse-image.js';
import type { Storage } from './storage.js';
import { replayLog } from './vhdx-log.js';

export const VHDX_SIGNATURE = 'vhdxfile';
const MIB = 2 ** 20;
const HEADERS = [0x10000, 0x20000];
const HEADER_BYTES = 4096;
const REGION_TABLES = [0x30000, 0x40000];
const REGION_BYTES = 0x10000;

const BAT_REGION = '2dc27766-f623-4200-9d64-115e9bfd4a08';
const METADATA_REGION = '8b7ca206-4790-4b9a-b8fe-575f050f886e';
const FILE_PARAMETERS = 'caa16737-fa36-4d43-b3b6-33f0aa44e76b';
const DISK_SIZE = '2fa54224-cd1b-4876-b211-5dbed83bf4b8';
const DISK_ID = 'beca12ab-b2e6-4523-93ef-c309e000c746';
const LOGICAL_SECTOR = '8141bf1d-a96f-4709-ba47-f233a8faab5f';
const PHYSICAL_SECTOR = 'cda348c7-445d-4471-9cc9-e9885251c556';
const PARENT_LOCATOR = 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c';
const KNOWN_ITEMS = [FILE_PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR];

// States of a block
const NOT_PRESENT = 0;
const UNDEFINED = 1;
const ZERO = 2;
const UNMAPPED = 3;
const FULLY_PRESENT = 6;
const PARTIALLY_PRESENT = 7;

const HAS_PARENT = 2;
const MOST_BYTES = 64 * 2 ** 40;
const MOST_BAT = 256 * MIB;

/** A GUID as it is written: three numbers in little endian, then bytes. */
function guid(bytes: Uint8Array): string {
  const hex = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    .map((n) => bytes[n]!.toString(16).padStart(2, '0'))
    .join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
function guidBytes(text: string): Uint8Array {
  const digits = text.replaceAll('-', '');
  const plain = Array.from({ length: 16 }, (_, n) => parseInt(digits.slice(2 * n, 2 * n + 2), 16));
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((n) => plain[n]!));
}

interface Header {
  at: number;
  sequence: number;
  bytes: Uint8Array;
}

/** A file whose bytes are partly those that its log says. */
class LoggedStorage {
  private readonly pages: { at: number; bytes: Uint8Array }[] = [];
  constructor(private readonly storage: Storage) {}
  write(at: number, bytes: Uint8Array): void {
    this.pages.push({ at, bytes });
  }
  read(position: number, target: Uint8Array): void {
    this.storage.read(position, target);
    for (const { at, bytes } of this.pages) {
      const from = Math.max(at, position);
      const to = Math.min(at + bytes.length, position + target.length);
      if (from < to) target.set(bytes.subarray(from - at, to - at), from - position);
    }
  }
}

export class VhdxImage extends SparseImage {
  readonly format = 'vhdx';
  readonly bytes: number;
  protected readonly clusterBytes: number;
  private readonly bat: Uint8Array;
  private readonly batAt: number;
  /** Blocks between two entries for bitmaps. */
  private readonly ratio: number;
  private header: Header;
  private end: number;
  private readonly dirty = new Set<number>();
  private marked = false;

  constructor(storage: Storage, below: DiskImage | null) {
    super(storage, below);
    this.header = currentHeader(storage);
    const file = this.openLog();
    const regions = readRegions(file, storage.size);
    const metadata = readMetadata(file, regions.metadata);
    this.bytes = metadata.bytes;
    this.clusterBytes = metadata.blockBytes;
    this.ratio = (2 ** 23 * metadata.sectorBytes) / this.clusterBytes;
    const blocks = Math.ceil(this.bytes / this.clusterBytes);
    const entries = blocks + Math.floor((blocks - 1) / this.ratio);
    if (entries * 8 > regions.bat.length || entries * 8 > MOST_BAT)
      throw new ImageError(
        `its table of blocks has ${regions.bat.length} bytes, and ${entries * 8} are needed`,
      );
    this.batAt = regions.bat.at;
    this.bat = new Uint8Array(entries * 8);
    file.read(this.batAt, this.bat);
    this.end = alignUp(storage.size, MIB);
  }

  /** What a log says is done for good where the file can be written, and shown where it is only read. */
  private openLog(): Pick<Storage, 'read'> {
    const { storage } = this;
    const view = viewOf(this.header.bytes);
    const log = {
      at: u64le(view, 72),
      length: view.getUint32(68, true),
      guid: this.header.bytes.subarray(48, 64),
    };
    if (log.guid.every((byte) => byte === 0)) return storage;
    if (
      log.length === 0 ||
      log.length % MIB !== 0 ||
      log.at + log.length > alignUp(storage.size, MIB) ||
      log.length > 2 ** 28
    )
      throw new ImageError(`its log of ${log.length} bytes at ${log.at} cannot be`);
    const shown = new LoggedStorage(storage);
    if (storage.readOnly) {
      replayLog(storage, log, shown);
      return shown;
    }
    replayLog(storage, log, storage);
    storage.flush();
    this.writeHeader(false);
    return storage;
  }

  /** The other header becomes the current one; the log is empty. */
  private writeHeader(changed: boolean): void {
    const { at, sequence, bytes } = this.header;
    const next = bytes.slice();
    const view = viewOf(next);
    setU64le(view, 8, sequence + 1);
    // Who compares these sees that the file was changed.
    if (changed) for (const field of [16, 32]) next[field] = (next[field]! + 1) & 0xff;
    next.fill(0, 48, 64);
    view.setUint32(4, crc32c(next, 4), true);
    const other = HEADERS.find((place) => place !== at)!;
    this.storage.write(other, next);
    this.storage.flush();
    this.header = { at: other, sequence: sequence + 1, bytes: next };
  }

  private entryAt(cluster: number): number {
    return (cluster + Math.floor(cluster / this.ratio)) * 8;
  }

  protected place(cluster: number): Place {
    const at = this.entryAt(cluster);
    const view = viewOf(this.bat);
    const state = this.bat[at]! & 7;
    const offset = Math.floor(u64le(view, at) / MIB) * MIB;
    switch (state) {
      case NOT_PRESENT:
        return { kind: 'none' };
      case UNDEFINED:
      case ZERO:
      case UNMAPPED:
        return { kind: 'zero' };
      case FULLY_PRESENT:
        if (offset < MIB || offset >= this.end)
          throw new ImageError(`block ${cluster} is said to be at ${offset}, where it cannot be`);
        return { kind: 'data', at: offset };
      case PARTIALLY_PRESENT:
        throw new ImageError(
          'it has blocks of which only some sectors are its own; merge it with its parent first',
        );
      default:
        throw new ImageError(`block ${cluster} has a state of ${state}, which is not known`);
    }
  }

  private mark(): void {
    if (this.marked) return;
    this.marked = true;
    this.writeHeader(true);
  }

  override write(position: number, source: Uint8Array): void {
    this.mark();
    super.write(position, source);
  }
  override writeBeside(position: number, source: Uint8Array): Promise<void> {
    this.mark();
    return super.writeBeside(position, source);
  }

  protected allocate(): number {
    const at = this.end;
    this.end += this.clusterBytes;
    this.storage.resize(this.end);
    return at;
  }

  private setEntry(cluster: number, at: number, state: number): void {
    const place = this.entryAt(cluster);
    setU64le(viewOf(this.bat), place, at);
    this.bat[place]! |= state;
    this.dirty.add(place);
  }

  protected link(cluster: number, at: number): void {
    this.setEntry(cluster, at, FULLY_PRESENT);
  }
  protected unlink(cluster: number, old: Place): boolean {
    if (old.kind === 'data') return false;
    this.mark();
    this.setEntry(cluster, 0, ZERO);
    return true;
  }

  protected writeBack(): void {
    if (this.dirty.size === 0) return;
    this.storage.flush();
    for (const at of this.dirty) this.storage.write(this.batAt + at, this.bat.subarray(at, at + 8));
    this.dirty.clear();
  }
}

function currentHeader(storage: Storage): Header {
  const headers = HEADERS.map((at): Header | null => {
    const bytes = new Uint8Array(HEADER_BYTES);
    storage.read(at, bytes);
    const view = viewOf(bytes);
    const sound =
      String.fromCharCode(...bytes.subarray(0, 4)) === 'head' && crc32c(bytes, 4) === view.getUint32(4, true);
    return sound ? { at, sequence: u64le(view, 8), bytes } : null;
  }).filter((header) => header !== null);
  const current = headers.sort((a, b) => b.sequence - a.sequence)[0];
  if (!current) throw new ImageError('both of its headers are broken');
  const version = viewOf(current.bytes).getUint16(66, true);
  if (version !== 1) throw new ImageError(`it is VHDX of version ${version}; 1 is known`);
  return current;
}

interface Region {
  at: number;
  length: number;
}

function readRegions(file: Pick<Storage, 'read'>, size: number): { bat: Region; metadata: Region } {
  for (const table of REGION_TABLES) {
    const bytes = new Uint8Array(REGION_BYTES);
    file.read(table, bytes);
    const view = viewOf(bytes);
    const count = view.getUint32(8, true);
    if (
      String.fromCharCode(...bytes.subarray(0, 4)) !== 'regi' ||
      crc32c(bytes, 4) !== view.getUint32(4, true) ||
      count > 2047
    )
      continue;
    const found = new Map<string, Region>();
    for (let n = 0; n < count; n++) {
      const at = 16 + n * 32;
      const name = guid(bytes.subarray(at, at + 16));
      const region = { at: u64le(view, at + 16), length: view.getUint32(at + 24, true) };
      if (view.getUint32(at + 28, true) & 1 && name !== BAT_REGION && name !== METADATA_REGION)
        throw new ImageError(`it needs a region that is not known here (${name})`);
      if (region.at < MIB || region.at + region.length > alignUp(size, MIB))
        throw new ImageError(`a region at ${region.at} lies outside of it`);
      found.set(name, region);
    }
    const [bat, metadata] = [found.get(BAT_REGION), found.get(METADATA_REGION)];
    if (bat && metadata) return { bat, metadata };
  }
  throw new ImageError('both of its region tables are broken');
}

function readMetadata(
  file: Pick<Storage, 'read'>,
  region: Region,
): { bytes: number; blockBytes: number; sectorBytes: number } {
  const table = new Uint8Array(REGION_BYTES);
  file.read(region.at, table);
  const view = viewOf(table);
  const count = view.getUint16(10, true);
  if (String.fromCharCode(...table.subarray(0, 8)) !== 'metadata' || count > 2047)
    throw new ImageError('its metadata are broken');
  const items = new Map<string, DataView>();
  for (let n = 0; n < count; n++) {
    const at = 32 + n * 32;
    const name = guid(table.subarray(at, at + 16));
    const offset = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    if (view.getUint32(at + 24, true) & 4 && !KNOWN_ITEMS.includes(name))
      throw new ImageError(`it needs metadata that are not known here (${name})`);
    if (offset + length > region.length || length > MIB)
      throw new ImageError('an item of its metadata lies outside of them');
    const item = new Uint8Array(Math.max(8, length));
    file.read(region.at + offset, item.subarray(0, length));
    items.set(name, viewOf(item));
  }
  const parameters = items.get(FILE_PARAMETERS);
  const size = items.get(DISK_SIZE);
  const sector = items.get(LOGICAL_SECTOR);
  if (!parameters || !size || !sector) throw new ImageError('its metadata lack the size of the disk');
  const blockBytes = parameters.getUint32(0, true);
  if (blockBytes < MIB || blockBytes > 256 * MIB || (blockBytes & (blockBytes - 1)) !== 0)
    throw new ImageError(`its blocks have ${blockBytes} bytes, which cannot be`);
  if (parameters.getUint32(4, true) & HAS_PARENT)
    throw new ImageError(
      'it is a difference image of VHDX, which is not supported; merge it with its parent first',
    );
  const sectorBytes = sector.getUint32(0, true);
  if (sectorBytes !== 512 && sectorBytes !== 4096)
    throw new ImageError(`its sectors have ${sectorBytes} bytes, which cannot be`);
  const bytes = u64le(size, 0);
  if (bytes === 0 || bytes > MOST_BYTES)
    throw new ImageError(`it is said to have ${bytes} bytes, which cannot be`);
  return { bytes, blockBytes, sectorBytes };
}

const BLOCK = 32 * MIB;
const LOG_AT = MIB;
const METADATA_AT = 2 * MIB;
const BAT_AT = 3 * MIB;
const ITEMS_AT = 0x10000;

export interface VhdxOptions {
  bytes: number;
  fixed?: boolean;
  /** 16 random bytes each: of the file, of its data, and of the disk. */
  ids: readonly [Uint8Array, Uint8Array, Uint8Array];
}

export function createVhdx(storage: Storage, { bytes, fixed, ids }: VhdxOptions): void {
  const identifier = new Uint8Array(0x10000);
  identifier.set(new TextEncoder().encode(VHDX_SIGNATURE));
  [...'Vivarium'].forEach((letter, n) => viewOf(identifier).setUint16(8 + 2 * n, letter.charCodeAt(0), true));
  storage.write(0, identifier);
  HEADERS.forEach((at, n) => {
    const header = new Uint8Array(HEADER_BYTES);
    const view = viewOf(header);
    header.set(new TextEncoder().encode('head'));
    setU64le(view, 8, n + 1);
    header.set(ids[0], 16);
    header.set(ids[1], 32);
    view.setUint16(66, 1, true);
    view.setUint32(68, MIB, true);
    setU64le(view, 72, LOG_AT);
    view.setUint32(4, crc32c(header, 4), true);
    storage.write(at, header);
  });
  const blocks = Math.ceil(bytes / BLOCK);
  const ratio = (2 ** 23 * 512) / BLOCK;
  const entries = blocks + Math.floor((blocks - 1) / ratio);
  const batBytes = alignUp(entries * 8, MIB);
  for (const at of REGION_TABLES) {
    const table = new Uint8Array(REGION_BYTES);
    const view = viewOf(table);
    table.set(new TextEncoder().encode('regi'));
    view.setUint32(8, 2, true);
    [
      { name: BAT_REGION, at: BAT_AT, length: batBytes },
      { name: METADATA_REGION, at: METADATA_AT, length: MIB },
    ].forEach((region, n) => {
      const entry = 16 + n * 32;
      table.set(guidBytes(region.name), entry);
      setU64le(view, entry + 16, region.at);
      view.setUint32(entry + 24, region.length, true);
      view.setUint32(entry + 28, 1, true);
    });
    view.setUint32(4, crc32c(table, 4), true);
    storage.write(at, table);
  }
  storage.write(METADATA_AT, metadata(bytes, fixed === true, ids[2]));
  const dataAt = BAT_AT + batBytes;
  const bat = new Uint8Array(entries * 8);
  if (fixed)
    for (let n = 0; n < blocks; n++) {
      const entry = (n + Math.floor(n / ratio)) * 8;
      setU64le(viewOf(bat), entry, dataAt + n * BLOCK);
      bat[entry]! |= FULLY_PRESENT;
    }
  storage.write(BAT_AT, bat);
  storage.resize(dataAt + (fixed ? blocks * BLOCK : 0));
}

function metadata(bytes: number, fixed: boolean, diskId: Uint8Array): Uint8Array {
  const region = new Uint8Array(ITEMS_AT + 0x1000);
  const view = viewOf(region);
  region.set(new TextEncoder().encode('metadata'));
  const IS_DISK = 2;
  const IS_REQUIRED = 4;
  const items: [name: string, flags: number, length: number, put: (at: number) => void][] = [
    [
      FILE_PARAMETERS,
      IS_REQUIRED,
      8,
      (at) => {
        view.setUint32(at, BLOCK, true);
        view.setUint32(at + 4, fixed ? 1 : 0, true);
      },
    ],
    [DISK_SIZE, IS_REQUIRED | IS_DISK, 8, (at) => setU64le(view, at, bytes)],
    [DISK_ID, IS_REQUIRED | IS_DISK, 16, (at) => region.set(diskId, at)],
    [LOGICAL_SECTOR, IS_REQUIRED | IS_DISK, 4, (at) => view.setUint32(at, 512, true)],
    [PHYSICAL_SECTOR, IS_REQUIRED | IS_DISK, 4, (at) => view.setUint32(at, 4096, true)],
  ];
  view.setUint16(10, items.length, true);
  let at = ITEMS_AT;
  items.forEach(([name, flags, length, put], n) => {
    const entry = 32 + n * 32;
    region.set(guidBytes(name), entry);
    view.setUint32(entry + 16, at, true);
    view.setUint32(entry + 20, length, true);
    view.setUint32(entry + 24, flags, true);
    put(at);
    at += length;
  });
  return region;
}
