/**
 * A folder as a floppy or a disk of one partition with a FAT file system, made while it is read ("Microsoft FAT Specification",
 * 2005). The tables and directories are in memory; files are read from the host.
 */
import { viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
import { nameAll, shortNameBytes, type FatName } from './fat-names.js';
import type { FolderEntry } from './folder.js';
import { PiecesImage } from './pieces-image.js';

const SECTOR = 512;
const ENTRY = 32;
const MIB = 2 ** 20;
const MOST_FILE = 0xffffffff;
/** Directory entries have 16 bits less for the size of a folder; drivers of DOS end at so many. */
const MOST_ENTRIES = 65536;

const ATTRIBUTE_LABEL = 0x08;
const ATTRIBUTE_FOLDER = 0x10;
const ATTRIBUTE_FILE = 0x20;
const ATTRIBUTE_LONG = 0x0f;

/** The geometry that ATA disks and our BIOS begin with: what CHS addresses in the partition table count. */
const HEADS = 16;
const TRACK_SECTORS = 63;
/** Up to here all of a disk can be addressed by cylinder, head and sector: DOS before 7 needs that. */
const MOST_CHS_SECTORS = 1023 * HEADS * TRACK_SECTORS;

/** Where the parts of a volume are, in sectors. */
interface Shape {
  readonly bits: 12 | 16 | 32;
  /** Sectors before the volume: the partition table's. */
  readonly start: number;
  readonly clusterSectors: number;
  readonly clusters: number;
  readonly reserved: number;
  readonly fatSectors: number;
  /** Entries of the root directory where it has a place of its own; 0: it is a chain of clusters. */
  readonly rootEntries: number;
  /** Of the volume. */
  readonly sectors: number;
  readonly media: number;
  readonly heads: number;
  readonly trackSectors: number;
}

interface Node {
  readonly entry: FolderEntry;
  readonly name: FatName;
  readonly parent: Node | null;
  readonly children: readonly Node[];
  /** Entries that it takes in its folder's directory, and that its own has; 0 for a file. */
  readonly slots: number;
  readonly directorySlots: number;
  /** First cluster; 0: it has none. */
  cluster: number;
}

/** Floppies of 1.44 and 2.88 MB. */
const FLOPPIES: readonly Shape[] = [
  { trackSectors: 18, clusterSectors: 1, rootEntries: 224, sectors: 2880 },
  { trackSectors: 36, clusterSectors: 2, rootEntries: 240, sectors: 5760 },
].map((shape) => {
  const fatSectors = 9;
  const data = shape.sectors - 1 - 2 * fatSectors - (shape.rootEntries * ENTRY) / SECTOR;
  const clusters = Math.floor(data / shape.clusterSectors);
  return { ...shape, clusters, fatSectors, bits: 12, start: 0, reserved: 1, media: 0xf0, heads: 2 };
});

export class FolderFat extends PiecesImage {
  readonly format = 'fat';
  readonly bytes: number;

  /** `label`: name of the volume. Throws ImageError if the folder does not fit. */
  constructor(root: FolderEntry, label: string, kind: 'floppy' | 'disk') {
    super();
    const top = treeOf(root);
    const nodes = allOf(top);
    const shape = kind === 'floppy' ? floppyFor(top, nodes) : diskFor(top, nodes);
    this.bytes = (shape.start + shape.sectors) * SECTOR;
    const serial = Math.floor(root.modified / 1000) >>> 0;
    const volume = { shape, label: shortLabel(label), serial };
    if (shape.start > 0) this.put(0, partitionTable(shape));
    const sector = (n: number): number => (shape.start + n) * SECTOR;
    for (const at of shape.bits === 32 ? [0, 6] : [0]) this.put(sector(at), bootSector(volume));
    const fats = new FileAllocationTable(shape);
    const rootSectors = Math.ceil((shape.rootEntries * ENTRY) / SECTOR);
    const firstData = shape.reserved + 2 * shape.fatSectors + rootSectors;
    const place = (node: Node): number => sector(firstData + (node.cluster - 2) * shape.clusterSectors);
    // The root of the smaller kinds has a place of its own.
    const inChain = (node: Node): boolean => node !== top || shape.bits === 32;
    for (const node of nodes)
      if (inChain(node)) node.cluster = fats.take(bytesOf(node) / (shape.clusterSectors * SECTOR));
    for (const node of nodes) {
      if (node.entry.file) this.put(place(node), node.entry.file);
      else {
        this.put(
          inChain(node) ? place(node) : sector(shape.reserved + 2 * shape.fatSectors),
          directory(node, volume.label),
        );
      }
    }
    for (const at of [0, 1]) this.put(sector(shape.reserved + at * shape.fatSectors), fats.bytes);
    if (shape.bits === 32)
      for (const at of [1, 7]) this.put(sector(at), fsInfo(shape.clusters - fats.taken, fats.next));
    this.sort();
  }
}

function treeOf(root: FolderEntry): Node {
  const of = (entry: FolderEntry, name: FatName, parent: Node | null): Node => {
    const { file } = entry;
    if (file && file.size > MOST_FILE)
      throw new ImageError(`${entry.name} is larger than a file of FAT can be (4 GiB)`);
    const children: Node[] = [];
    const names = nameAll(entry.children.map((child) => child.name));
    const slots = 1 + name.parts.length;
    const node = { entry, name, parent, children, slots, directorySlots: 0, cluster: 0 };
    entry.children.forEach((child, n) => children.push(of(child, names[n]!, node)));
    const own = children.reduce((sum, child) => sum + child.slots, 0);
    // Its label, or itself and the folder above.
    if (!file) node.directorySlots = own + (parent ? 2 : 1);
    if (node.directorySlots > MOST_ENTRIES)
      throw new ImageError(`the folder ${entry.name} has more files than one of FAT can have`);
    return node;
  };
  return of(root, nameAll([root.name])[0]!, null);
}

/** A folder comes before what is in it. */
function allOf(node: Node): Node[] {
  return [node, ...node.children.flatMap(allOf)];
}

function bytesOf({ entry, directorySlots }: Node): number {
  return entry.file ? entry.file.size : directorySlots * ENTRY;
}

/** Clusters that all need, beside the root where that has a place of its own. */
function clustersOf(nodes: readonly Node[], top: Node | null, clusterBytes: number): number {
  return nodes.reduce((sum, node) => sum + (node === top ? 0 : Math.ceil(bytesOf(node) / clusterBytes)), 0);
}

function floppyFor(top: Node, nodes: readonly Node[]): Shape {
  const fits = FLOPPIES.find(
    ({ clusterSectors, clusters, rootEntries }) =>
      top.directorySlots <= rootEntries && clustersOf(nodes, top, clusterSectors * SECTOR) <= clusters,
  );
  if (fits) return fits;
  const kilobytes = Math.ceil(clustersOf(nodes, top, 1024));
  throw new ImageError(
    `it holds ${kilobytes} KiB in ${nodes.length - 1} files and folders, and a floppy has room for 2863 KiB and 240 names in its first folder: give it as a --disk or --cdrom`,
  );
}

/** Room that the guest may fill, beside what there is. */
const LEAST_FREE = 64 * MIB;
// The number of clusters says which kind of FAT it is (specification, "FAT Type Determination").
const LEAST_16 = 4200;
const MOST_16 = 65500;
const LEAST_32 = 65600;
const MOST_32 = 0x0fffff00;

function diskFor(top: Node, nodes: readonly Node[]): Shape {
  const wanted = (own: Node | null, clusterBytes: number): number => {
    const used = clustersOf(nodes, own, clusterBytes);
    return used + Math.ceil(Math.max(LEAST_FREE / clusterBytes, used / 4));
  };
  const rootEntries = 512;
  for (const clusterSectors of [4, 8, 16, 32, 64]) {
    const clusters = Math.max(LEAST_16, wanted(top, clusterSectors * SECTOR));
    if (clusters > MOST_16 || top.directorySlots > rootEntries) continue;
    return shapeOf({ bits: 16, clusterSectors, clusters, reserved: 1, rootEntries });
  }
  for (const clusterSectors of [8, 16, 32, 64]) {
    const clusters = Math.max(LEAST_32, wanted(null, clusterSectors * SECTOR));
    // Larger clusters keep the tables small.
    if (clusters > 2 ** 21 && clusterSectors < 64) continue;
    if (clusters <= MOST_32 && clusters * clusterSectors < 2 ** 32)
      return shapeOf({ bits: 32, clusterSectors, clusters, reserved: 32, rootEntries: 0 });
  }
  throw new ImageError('it holds more than fits on a disk with FAT (2 TiB)');
}

function shapeOf(
  shape: Pick<Shape, 'bits' | 'clusterSectors' | 'clusters' | 'reserved' | 'rootEntries'>,
): Shape {
  const { bits, clusterSectors, clusters, reserved, rootEntries } = shape;
  const fatSectors = Math.ceil(((clusters + 2) * bits) / 8 / SECTOR);
  const sectors = reserved + 2 * fatSectors + (rootEntries * ENTRY) / SECTOR + clusters * clusterSectors;
  const disk = { start: TRACK_SECTORS, media: 0xf8, heads: HEADS, trackSectors: TRACK_SECTORS };
  return { ...shape, ...disk, fatSectors, sectors };
}

/** The table: each cluster names the next of its file. Files here lie in one piece, one after the other. */
class FileAllocationTable {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** First cluster that is free. */
  next = 2;

  constructor(private readonly shape: Shape) {
    this.bytes = new Uint8Array(shape.fatSectors * SECTOR);
    this.view = viewOf(this.bytes);
    this.set(0, 0x0fffff00 | shape.media);
    this.set(1, 0x0fffffff);
  }

  get taken(): number {
    return this.next - 2;
  }

  /** Takes clusters for a file, `count` rounded up; gives the first, or 0 if it needs none. */
  take(count: number): number {
    const whole = Math.ceil(count);
    if (whole === 0) return 0;
    const first = this.next;
    this.next += whole;
    for (let cluster = first; cluster < this.next - 1; cluster++) this.set(cluster, cluster + 1);
    this.set(this.next - 1, 0x0fffffff);
    return first;
  }

  private set(cluster: number, value: number): void {
    const { view } = this;
    switch (this.shape.bits) {
      case 12: {
        const at = cluster + (cluster >> 1);
        const old = view.getUint16(at, true);
        const odd = cluster % 2 === 1;
        view.setUint16(
          at,
          odd ? (old & 0x000f) | ((value & 0xfff) << 4) : (old & 0xf000) | (value & 0xfff),
          true,
        );
        return;
      }
      case 16:
        return view.setUint16(cluster * 2, value & 0xffff, true);
      case 32:
        return view.setUint32(cluster * 4, value, true);
    }
  }
}

/** Eleven letters of a volume's name. */
function shortLabel(label: string): Uint8Array {
  const letters = label
    .toUpperCase()
    .replace(/[^A-Z0-9_ -]/g, '_')
    .slice(0, 11);
  return new TextEncoder().encode(letters.padEnd(11));
}

/** Programs that say "next drive, please" (INT 18h), as nothing starts from here. */
const NOT_BOOTABLE = [0xcd, 0x18, 0xeb, 0xfe];

function partitionTable(shape: Shape): Uint8Array {
  const { bits, start, sectors } = shape;
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  bytes.set(NOT_BOOTABLE);
  const whole = start + sectors <= MOST_CHS_SECTORS;
  const entry = 446;
  bytes.set(chs(start), entry + 1);
  bytes[entry + 4] = bits === 32 ? 0x0c : whole ? 0x06 : 0x0e;
  bytes.set(whole ? chs(start + sectors - 1) : [0xfe, 0xff, 0xff], entry + 5);
  view.setUint32(entry + 8, start, true);
  view.setUint32(entry + 12, sectors, true);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** Head, sector with the upper bits of the cylinder, cylinder. */
function chs(sector: number): number[] {
  const cylinder = Math.floor(sector / (HEADS * TRACK_SECTORS));
  const head = Math.floor(sector / TRACK_SECTORS) % HEADS;
  return [head, (1 + (sector % TRACK_SECTORS)) | ((cylinder >> 8) << 6), cylinder & 0xff];
}

function bootSector({
  shape,
  label,
  serial,
}: {
  shape: Shape;
  label: Uint8Array;
  serial: number;
}): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  const wide = shape.bits === 32;
  const extended = wide ? 64 : 36;
  const code = extended + 26;
  bytes.set([0xeb, code - 2, 0x90]);
  bytes.set(new TextEncoder().encode('MSWIN4.1'), 3);
  view.setUint16(11, SECTOR, true);
  bytes[13] = shape.clusterSectors;
  view.setUint16(14, shape.reserved, true);
  bytes[16] = 2;
  view.setUint16(17, shape.rootEntries, true);
  if (shape.sectors < 0x10000 && !wide) view.setUint16(19, shape.sectors, true);
  else view.setUint32(32, shape.sectors, true);
  bytes[21] = shape.media;
  if (!wide) view.setUint16(22, shape.fatSectors, true);
  view.setUint16(24, shape.trackSectors, true);
  view.setUint16(26, shape.heads, true);
  view.setUint32(28, shape.start, true);
  if (wide) {
    view.setUint32(36, shape.fatSectors, true);
    view.setUint32(44, 2, true);
    view.setUint16(48, 1, true);
    view.setUint16(50, 6, true);
  }
  bytes[extended] = shape.start > 0 ? 0x80 : 0;
  bytes[extended + 2] = 0x29;
  view.setUint32(extended + 3, serial, true);
  bytes.set(label, extended + 7);
  bytes.set(new TextEncoder().encode(`FAT${shape.bits}   `), extended + 18);
  bytes.set(NOT_BOOTABLE, code);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** How much is free: FAT32 keeps that. */
function fsInfo(free: number, next: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  view.setUint32(0, 0x41615252, true);
  view.setUint32(484, 0x61417272, true);
  view.setUint32(488, free, true);
  view.setUint32(492, next, true);
  view.setUint32(508, 0xaa550000, true);
  return bytes;
}

function directory(folder: Node, label: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(folder.directorySlots * ENTRY);
  let at = 0;
  const add = (entry: Uint8Array): void => {
    bytes.set(entry, at);
    at += ENTRY;
  };
  const { parent } = folder;
  if (!parent) add(entryOf(label, ATTRIBUTE_LABEL, folder, 0));
  else {
    add(entryOf(shortNameBytes('.'), ATTRIBUTE_FOLDER, folder, folder.cluster));
    // The root is 0 here, wherever it is.
    add(entryOf(shortNameBytes('..'), ATTRIBUTE_FOLDER, parent, parent.parent ? parent.cluster : 0));
  }
  for (const child of folder.children) {
    const short = shortNameBytes(child.name.short);
    child.name.parts.forEach((part, n) => add(longEntry(part, child.name.parts.length - n, n === 0, short)));
    add(entryOf(short, child.entry.file ? ATTRIBUTE_FILE : ATTRIBUTE_FOLDER, child, child.cluster));
  }
  return bytes;
}

function entryOf(name: Uint8Array, attribute: number, { entry }: Node, cluster: number): Uint8Array {
  const bytes = new Uint8Array(ENTRY);
  const view = viewOf(bytes);
  bytes.set(name);
  bytes[11] = attribute;
  const when = new Date(Math.max(entry.modified, Date.UTC(1980, 0, 1)));
  const time = (when.getUTCHours() << 11) | (when.getUTCMinutes() << 5) | (when.getUTCSeconds() >> 1);
  const year = Math.min(127, when.getUTCFullYear() - 1980);
  const date = (year << 9) | ((when.getUTCMonth() + 1) << 5) | when.getUTCDate();
  view.setUint16(14, time, true);
  view.setUint16(16, date, true);
  view.setUint16(18, date, true);
  view.setUint16(20, cluster >>> 16, true);
  view.setUint16(22, time, true);
  view.setUint16(24, date, true);
  view.setUint16(26, cluster & 0xffff, true);
  view.setUint32(28, attribute === ATTRIBUTE_FILE ? entry.file!.size : 0, true);
  return bytes;
}

/** Places of the thirteen letters in an entry of a long name. */
const LETTERS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

function longEntry(part: string, number: number, isLast: boolean, short: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ENTRY).fill(0xff);
  const view = viewOf(bytes);
  bytes[0] = number | (isLast ? 0x40 : 0);
  bytes[11] = ATTRIBUTE_LONG;
  bytes[12] = 0;
  bytes[13] = short.reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
  view.setUint16(26, 0, true);
  LETTERS.forEach((at, n) => {
    if (n <= part.length) view.setUint16(at, n < part.length ? part.charCodeAt(n) : 0, true);
  });
  return bytes;
}
