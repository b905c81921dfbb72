/** Microsoft's Virtual Hard Disk ("Virtual Hard Disk Image Format Specification", October 11, 2006). Numbers are big endian. */
import { alignUp, setU64be, u64be, viewOf } from './bytes.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { PlainImage } from './raw.js';
import { SparseImage, type Place } from './sparse-image.js';
import type { Storage } from './storage.js';

export const VHD_COOKIE = 'conectix';
const FOOTER_BYTES = 512;
const HEADER_BYTES = 1024;
const SECTOR = 512;
const NONE = 0xffffffff;
const ZEROS = new Uint8Array(0x10000);

const FIXED = 2;
const DYNAMIC = 3;
const DIFFERENCE = 4;
const MOST_TABLE = 64 * 2 ** 20;

/** Programs whose images have the size that is written, rather than that of cylinders, heads and sectors. */
const EXACT_CREATORS = ['win ', 'qem2', 'd2v ', 'tap\0', 'vs  ', 'wa\0\0', 'vbox'];

interface Footer {
  type: number;
  bytes: number;
  dataAt: number;
  uuid: Uint8Array;
}

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

export function readVhdFooter(storage: Storage): Footer {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const sound = (): boolean =>
    ascii(bytes.subarray(0, 8)) === VHD_COOKIE && viewOf(bytes).getUint32(64) === checksum(bytes, 64);
  if (storage.size >= FOOTER_BYTES) storage.read(Math.floor((storage.size - 511) / 512) * 512 || 0, bytes);
  // Dynamic images have a copy at the start.
  if (!sound()) storage.read(Math.max(0, storage.size - FOOTER_BYTES), bytes);
  if (!sound()) storage.read(0, bytes);
  if (!sound()) throw new ImageError('its footer is broken, and so is the copy of it');
  const view = viewOf(bytes);
  const chs = view.getUint16(56) * view.getUint8(58) * view.getUint8(59) * SECTOR;
  const exact =
    EXACT_CREATORS.includes(ascii(bytes.subarray(28, 32))) || view.getUint16(56) === 0xffff || chs === 0;
  return {
    type: view.getUint32(60),
    bytes: exact ? u64be(view, 48) : chs,
    dataAt: u64be(view, 16),
    uuid: bytes.slice(68, 84),
  };
}

/** The complement of the sum of all bytes but those of the checksum itself. */
function checksum(bytes: Uint8Array, at: number): number {
  let sum = 0;
  bytes.forEach((byte, n) => {
    if (n < at || n >= at + 4) sum += byte;
  });
  return ~sum >>> 0;
}

export function openVhd(storage: Storage, below: DiskImage | null): DiskImage {
  const { type, bytes } = readVhdFooter(storage);
  // The bytes of the disk, then the footer.
  if (type === FIXED && bytes > storage.size - FOOTER_BYTES)
    throw new ImageError('it is shorter than the disk that its footer tells of');
  if (type === FIXED) return new PlainImage('vhd', storage, bytes);
  if (type === DYNAMIC || type === DIFFERENCE) return new DynamicVhdImage(storage, below);
  throw new ImageError(`it is a VHD image of type ${type}, which is not known`);
}

/** Name of the parent of a difference image; null: it has none. */
export function vhdParent(storage: Storage): { name: string; uuid: Uint8Array } | null {
  const { type, dataAt } = readVhdFooter(storage);
  if (type !== DIFFERENCE) return null;
  const header = readHeader(storage, dataAt);
  const name = new TextDecoder('utf-16be').decode(header.slice(64, 576)).replace(/\0.*$/s, '');
  return { name, uuid: header.slice(40, 56) };
}

function readHeader(storage: Storage, at: number): Uint8Array {
  if (at + HEADER_BYTES > storage.size)
    throw new ImageError(`its header is said to be at ${at}, behind the end of the file`);
  const header = new Uint8Array(HEADER_BYTES);
  storage.read(at, header);
  if (ascii(header.subarray(0, 8)) !== 'cxsparse' || viewOf(header).getUint32(36) !== checksum(header, 36))
    throw new ImageError('the header of its dynamic part is broken');
  return header;
}

/** Blocks of usually 2 MiB, each behind a bitmap that says which of its sectors are its own. */
class DynamicVhdImage extends SparseImage {
  readonly format = 'vhd';
  readonly bytes: number;
  protected readonly clusterBytes: number;
  private readonly table: DataView;
  private readonly tableAt: number;
  private readonly bitmapBytes: number;
  private readonly footer = new Uint8Array(FOOTER_BYTES);
  private end: number;
  private readonly dirty = new Set<number>();

  constructor(storage: Storage, below: DiskImage | null) {
    super(storage, below);
    const { bytes, dataAt } = readVhdFooter(storage);
    const header = viewOf(readHeader(storage, dataAt));
    this.bytes = bytes;
    this.clusterBytes = header.getUint32(32);
    const entries = header.getUint32(28);
    this.tableAt = u64be(header, 16);
    if (
      this.clusterBytes < SECTOR ||
      (this.clusterBytes & (this.clusterBytes - 1)) !== 0 ||
      this.clusterBytes > 2 ** 28
    )
      throw new ImageError(`its blocks have ${this.clusterBytes} bytes, which cannot be`);
    if (
      entries * this.clusterBytes < bytes ||
      entries * 4 > MOST_TABLE ||
      this.tableAt + entries * 4 > storage.size
    )
      throw new ImageError(
        `its table of ${entries} blocks at ${this.tableAt} cannot be that of ${bytes} bytes`,
      );
    this.bitmapBytes = alignUp(this.clusterBytes / SECTOR / 8, SECTOR);
    const table = new Uint8Array(entries * 4);
    storage.read(this.tableAt, table);
    this.table = viewOf(table);
    storage.read(0, this.footer);
    // New blocks take the place of the footer, which moves behind them.
    let end = alignUp(this.tableAt + entries * 4, SECTOR);
    for (let n = 0; n < entries; n++) {
      const sector = this.table.getUint32(n * 4);
      if (sector === NONE) continue;
      const blockEnd = sector * SECTOR + this.bitmapBytes + this.clusterBytes;
      if (sector * SECTOR >= storage.size)
        throw new ImageError(`block ${n} is said to be behind the end of the file`);
      end = Math.max(end, blockEnd);
    }
    this.end = end;
  }

  protected place(cluster: number): Place {
    const sector = this.table.getUint32(cluster * 4);
    if (sector === NONE) return { kind: 'none' };
    return { kind: 'data', at: sector * SECTOR + this.bitmapBytes };
  }

  /** Sectors of a block that are not its own are the parent's. */
  override read(position: number, target: Uint8Array): void {
    if (!this.below) return super.read(position, target);
    for (let at = 0; at < target.length;) {
      const sector = Math.floor((position + at) / SECTOR);
      const count = Math.min(SECTOR - ((position + at) % SECTOR), target.length - at);
      const part = target.subarray(at, at + count);
      if (this.owns(sector)) super.read(position + at, part);
      else this.readBelow(position + at, part);
      at += count;
    }
  }

  private bitOf(sector: number): { at: number; bit: number } | null {
    const perBlock = this.clusterBytes / SECTOR;
    const block = this.table.getUint32(Math.floor(sector / perBlock) * 4);
    const within = sector % perBlock;
    return block === NONE ? null : { at: block * SECTOR + (within >> 3), bit: 0x80 >> (within & 7) };
  }

  private owns(sector: number): boolean {
    const place = this.bitOf(sector);
    if (!place) return false;
    const byte = new Uint8Array(1);
    this.storage.read(place.at, byte);
    return (byte[0]! & place.bit) !== 0;
  }

  override write(position: number, source: Uint8Array): void {
    const first = Math.floor(position / SECTOR);
    const last = Math.floor((position + source.length - 1) / SECTOR);
    if (this.below) {
      // Parts of sectors are joined with what the parent has of them.
      for (const sector of new Set([first, last]))
        if (!this.owns(sector)) {
          const whole = new Uint8Array(SECTOR);
          this.readBelow(sector * SECTOR, whole);
          super.write(sector * SECTOR, whole);
        }
    }
    super.write(position, source);
    if (this.below) for (let sector = first; sector <= last; sector++) this.own(sector);
  }

  /** Over a parent each sector has to be looked at, which is done at once. */
  override async readBeside(position: number, target: Uint8Array): Promise<void> {
    if (this.below) this.read(position, target);
    else await super.readBeside(position, target);
  }
  override async writeBeside(position: number, source: Uint8Array): Promise<void> {
    if (this.below) this.write(position, source);
    else await super.writeBeside(position, source);
  }

  /** Over a parent zeros are data. */
  override zero(position: number, length: number, give: boolean): void {
    if (!this.below) return super.zero(position, length, give);
    for (let at = 0; at < length; at += ZEROS.length)
      this.write(position + at, ZEROS.subarray(0, Math.min(ZEROS.length, length - at)));
  }

  private own(sector: number): void {
    const place = this.bitOf(sector)!;
    const byte = new Uint8Array(1);
    this.storage.read(place.at, byte);
    if (byte[0]! & place.bit) return;
    byte[0]! |= place.bit;
    this.storage.write(place.at, byte);
  }

  protected allocate(): number {
    const at = this.end;
    this.end += this.bitmapBytes + this.clusterBytes;
    // Zeros over the footer, too.
    this.storage.write(at, new Uint8Array(FOOTER_BYTES));
    this.storage.resize(this.end);
    this.storage.write(this.end, this.footer);
    const bitmap = new Uint8Array(this.bitmapBytes);
    if (!this.below) bitmap.fill(0xff, 0, this.clusterBytes / SECTOR / 8);
    this.storage.write(at, bitmap);
    return at + this.bitmapBytes;
  }

  protected link(cluster: number, at: number): void {
    this.table.setUint32(cluster * 4, (at - this.bitmapBytes) / SECTOR);
    this.dirty.add(cluster);
  }
  protected unlink(): boolean {
    return false;
  }

  protected writeBack(): void {
    if (this.dirty.size === 0) return;
    this.storage.flush();
    for (const cluster of this.dirty) {
      const entry = new Uint8Array(4);
      viewOf(entry).setUint32(0, this.table.getUint32(cluster * 4));
      this.storage.write(this.tableAt + cluster * 4, entry);
    }
    this.dirty.clear();
  }
}

const BLOCK = 2 * 2 ** 20;
/** Seconds between 1970 and 2000. */
const EPOCH_2000 = 946684800;

export interface VhdOptions {
  bytes: number;
  fixed?: boolean;
  uuid: Uint8Array;
  parent?: { name: string; uuid: Uint8Array };
  seconds: number;
}

export function createVhd(storage: Storage, { bytes, fixed, uuid, parent, seconds }: VhdOptions): void {
  const footer = new Uint8Array(FOOTER_BYTES);
  const view = viewOf(footer);
  footer.set(new TextEncoder().encode(VHD_COOKIE));
  view.setUint32(8, 2);
  view.setUint32(12, 0x00010000);
  const nowhere = 0xffffffff;
  if (fixed) for (const at of [16, 20]) view.setUint32(at, nowhere);
  else setU64be(view, 16, FOOTER_BYTES);
  view.setUint32(24, Math.max(0, Math.floor(seconds) - EPOCH_2000));
  // What others take as: the size is exactly the one written here.
  footer.set(new TextEncoder().encode('win '), 28);
  view.setUint32(32, 0x000a0000);
  footer.set(new TextEncoder().encode('Wi2k'), 36);
  setU64be(view, 40, bytes);
  setU64be(view, 48, bytes);
  const [cylinders, heads, sectors] = shape(Math.ceil(bytes / SECTOR));
  view.setUint16(56, cylinders);
  view.setUint8(58, heads);
  view.setUint8(59, sectors);
  view.setUint32(60, fixed ? FIXED : parent ? DIFFERENCE : DYNAMIC);
  footer.set(uuid, 68);
  view.setUint32(64, checksum(footer, 64));
  if (fixed) {
    storage.resize(alignUp(bytes, SECTOR));
    storage.write(alignUp(bytes, SECTOR), footer);
    return;
  }
  const entries = Math.ceil(bytes / BLOCK);
  const tableAt = FOOTER_BYTES + HEADER_BYTES;
  const header = new Uint8Array(HEADER_BYTES);
  const head = viewOf(header);
  header.set(new TextEncoder().encode('cxsparse'));
  for (const at of [8, 12]) head.setUint32(at, nowhere);
  setU64be(head, 16, tableAt);
  head.setUint32(24, 0x00010000);
  head.setUint32(28, entries);
  head.setUint32(32, BLOCK);
  if (parent) {
    header.set(parent.uuid, 40);
    [...parent.name].slice(0, 255).forEach((letter, n) => head.setUint16(64 + 2 * n, letter.charCodeAt(0)));
  }
  head.setUint32(36, checksum(header, 36));
  storage.write(0, footer);
  storage.write(FOOTER_BYTES, header);
  const table = new Uint8Array(alignUp(entries * 4, SECTOR)).fill(0xff);
  storage.write(tableAt, table);
  storage.write(tableAt + table.length, footer);
}

/** Cylinders, heads and sectors for a number of sectors (appendix "CHS Calculation"). */
function shape(total: number): [cylinders: number, heads: number, sectors: number] {
  const count = Math.min(total, 65535 * 16 * 255);
  if (count >= 65535 * 16 * 63) return [Math.floor(count / (16 * 255)), 16, 255];
  let sectors = 17;
  let tracks = Math.floor(count / sectors);
  let heads = Math.max(4, Math.floor((tracks + 1023) / 1024));
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = Math.floor(count / sectors);
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = Math.floor(count / sectors);
  }
  return [Math.floor(tracks / heads), heads, sectors];
}
