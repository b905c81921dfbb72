/**
 * A folder as a CD, made while it is read: ISO 9660 (ECMA-119) with Rock Ridge (IEEE P1282) for long names and modes, and Joliet for
 * systems of Microsoft. Only the directories are in memory.
 */
import { ImageError } from './disk-image.js';
import type { FolderEntry } from './folder.js';
import { PiecesImage } from './pieces-image.js';

const SECTOR = 2048;
const FIRST_DESCRIPTOR = 16;
const DIRECTORY = 2;
const LONGEST_NAME = 100;
const LONGEST_JOLIET = 64;
const MOST_FILE = 0xffffffff;

interface Node {
  entry: FolderEntry;
  parent: Node;
  children: Node[];
  /** Name in ISO 9660's letters. */
  isoName: string;
  /** First sector: of the content; of the directory in each tree. */
  sector: number;
  isoSector: number;
  isoBytes: number;
  jolietSector: number;
  jolietBytes: number;
  /** Place in the path table, from 1. */
  number: number;
}

export class FolderCd extends PiecesImage {
  readonly format = 'iso';
  readonly bytes: number;

  /** `label`: name of the volume. */
  constructor(root: FolderEntry, label: string) {
    super();
    const top = tree(root, null);
    const folders = breadthFirst(top);
    let next = FIRST_DESCRIPTOR + 3;
    const take = (bytes: number): number => {
      const sector = next;
      next += Math.ceil(bytes / SECTOR);
      return sector;
    };
    const tables = [false, true].map((joliet) => {
      const length = pathTable(folders, joliet, false).length;
      return { length, little: take(length), big: take(length) };
    });
    for (const folder of folders) {
      folder.isoBytes = directory(folder, false).length;
      folder.isoSector = take(folder.isoBytes);
    }
    for (const folder of folders) {
      folder.jolietBytes = directory(folder, true).length;
      folder.jolietSector = take(folder.jolietBytes);
    }
    for (const node of folders.flatMap(({ children }) => children)) {
      const { file } = node.entry;
      if (!file) continue;
      node.sector = take(file.size);
      this.put(node.sector * SECTOR, file);
    }
    this.bytes = next * SECTOR;
    const put = (sector: number, bytes: Uint8Array): void => this.put(sector * SECTOR, bytes);
    put(FIRST_DESCRIPTOR, descriptor(top, label, next, tables[0]!, false));
    put(FIRST_DESCRIPTOR + 1, descriptor(top, label, next, tables[1]!, true));
    put(FIRST_DESCRIPTOR + 2, Uint8Array.of(255, ...ascii('CD001'), 1));
    [false, true].forEach((joliet, n) => {
      put(tables[n]!.little, pathTable(folders, joliet, false));
      put(tables[n]!.big, pathTable(folders, joliet, true));
      for (const folder of folders)
        put(joliet ? folder.jolietSector : folder.isoSector, directory(folder, joliet));
    });
    this.sort();
  }
}

const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

function tree(entry: FolderEntry, parent: Node | null): Node {
  const node = { entry, children: [], isoName: '', sector: 0, isoSector: 0, isoBytes: 0 } as unknown as Node;
  Object.assign(node, { jolietSector: 0, jolietBytes: 0, number: 0, parent: parent ?? node });
  if (entry.file && entry.file.size > MOST_FILE)
    throw new ImageError(`${entry.name} is larger than a file of a CD can be (4 GiB)`);
  if (new TextEncoder().encode(entry.name).length > LONGEST_NAME)
    throw new ImageError(`the name ${entry.name} is longer than ${LONGEST_NAME} bytes`);
  node.children = entry.children.map((child) => tree(child, node));
  nameAll(node.children);
  node.children.sort((a, b) => (a.isoName < b.isoName ? -1 : 1));
  return node;
}

/** Eight letters, a point and three, each name once. */
function nameAll(nodes: Node[]): void {
  const used = new Set<string>();
  /** The last number behind the same letters, as there may be many. */
  const tails = new Map<string, number>();
  for (const node of nodes) {
    const clean = (text: string, length: number): string =>
      text
        .toUpperCase()
        .replace(/[^A-Z0-9_]/g, '_')
        .slice(0, length);
    const { name, file } = node.entry;
    const dot = file ? name.lastIndexOf('.') : -1;
    const base = clean(dot > 0 ? name.slice(0, dot) : name, 8) || '_';
    const ending = dot > 0 ? clean(name.slice(dot + 1), 3) : '';
    const whole = (stem: string): string => (file ? `${stem}.${ending};1` : stem);
    const first = whole(base);
    let chosen = first;
    for (let n = (tails.get(first) ?? 0) + 1; used.has(chosen); n++) {
      chosen = whole(base.slice(0, 8 - String(n).length) + n);
      tails.set(first, n);
    }
    used.add(chosen);
    node.isoName = chosen;
  }
}

function breadthFirst(root: Node): Node[] {
  const folders = [root];
  for (let n = 0; n < folders.length; n++) {
    folders[n]!.number = n + 1;
    folders.push(...folders[n]!.children.filter(({ entry }) => !entry.file));
  }
  return folders;
}

/** Both byte orders, one after the other. */
const both16 = (value: number): number[] => [value & 0xff, value >> 8, value >> 8, value & 0xff];
const little32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const both32 = (value: number): number[] => [...little32(value), ...little32(value).reverse()];

function date(milliseconds: number): number[] {
  const when = new Date(milliseconds);
  return [
    when.getUTCFullYear() - 1900,
    when.getUTCMonth() + 1,
    when.getUTCDate(),
    when.getUTCHours(),
    when.getUTCMinutes(),
    when.getUTCSeconds(),
    0,
  ];
}

function jolietName(name: string): number[] {
  return [...name.slice(0, LONGEST_JOLIET)].flatMap((letter) => {
    const code = letter.charCodeAt(0);
    return [code >> 8, code & 0xff];
  });
}

/** What Rock Ridge says in a record: the first of all says that it is there. */
function rockRidge(node: Node, name: string, first: boolean): number[] {
  const { entry } = node;
  const mode = entry.file ? (entry.executable ? 0o100555 : 0o100444) : 0o040555;
  const extension = ascii('RRIP_1991A');
  const entries = first
    ? [
        ...ascii('SP'),
        7,
        1,
        0xbe,
        0xef,
        0,
        ...ascii('ER'),
        8 + extension.length,
        1,
        extension.length,
        0,
        0,
        1,
        ...extension,
      ]
    : [];
  entries.push(
    ...ascii('PX'),
    36,
    1,
    ...both32(mode),
    ...both32(entry.file ? 1 : 2),
    ...both32(0),
    ...both32(0),
  );
  // Modification.
  entries.push(...ascii('TF'), 12, 1, 0x02, ...date(entry.modified));
  if (name !== '') {
    const bytes = new TextEncoder().encode(name);
    entries.push(...ascii('NM'), 5 + bytes.length, 1, 0, ...bytes);
  }
  return entries;
}

function record(node: Node, identifier: number[], joliet: boolean, use: number[]): number[] {
  const { file } = node.entry;
  const sector = file ? node.sector : joliet ? node.jolietSector : node.isoSector;
  const bytes = file ? file.size : Math.ceil((joliet ? node.jolietBytes : node.isoBytes) / SECTOR) * SECTOR;
  const body = [
    0,
    ...both32(sector),
    ...both32(bytes),
    ...date(node.entry.modified),
    file ? 0 : DIRECTORY,
    0,
    0,
    ...both16(1),
    identifier.length,
    ...identifier,
  ];
  // Even lengths.
  if (identifier.length % 2 === 0) body.push(0);
  body.push(...use);
  if (body.length % 2 === 0) body.push(0);
  return [body.length + 1, ...body];
}

function directory(folder: Node, joliet: boolean): Uint8Array {
  const records = [
    record(folder, [0], joliet, joliet ? [] : rockRidge(folder, '', folder.parent === folder)),
    record(folder.parent, [1], joliet, joliet ? [] : rockRidge(folder.parent, '', false)),
    ...folder.children.map((child) =>
      joliet
        ? record(child, jolietName(child.entry.name), true, [])
        : record(child, ascii(child.isoName), false, rockRidge(child, child.entry.name, false)),
    ),
  ];
  const bytes: number[] = [];
  for (const one of records) {
    // Records do not cross sectors.
    const left = SECTOR - (bytes.length % SECTOR);
    if (one.length > left) for (let n = 0; n < left; n++) bytes.push(0);
    for (const byte of one) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function pathTable(folders: Node[], joliet: boolean, big: boolean): Uint8Array {
  const bytes = folders.flatMap((folder) => {
    const name =
      folder.parent === folder ? [0] : joliet ? jolietName(folder.entry.name) : ascii(folder.isoName);
    const sector = little32(joliet ? folder.jolietSector : folder.isoSector);
    const parent = [folder.parent.number & 0xff, folder.parent.number >> 8];
    const numbers = big ? [...sector.reverse(), ...parent.reverse()] : [...sector, ...parent];
    return [name.length, 0, ...numbers, ...name, ...(name.length % 2 ? [0] : [])];
  });
  return Uint8Array.from(bytes);
}

function descriptor(
  root: Node,
  label: string,
  sectors: number,
  table: { length: number; little: number; big: number },
  joliet: boolean,
): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const text = (at: number, value: string, length: number): void => {
    if (!joliet)
      return bytes.set(
        ascii(
          value
            .toUpperCase()
            .replace(/[^A-Z0-9_ ]/g, '_')
            .padEnd(length)
            .slice(0, length),
        ),
        at,
      );
    for (let n = 0; n + 1 < length; n += 2) bytes.set([0, value.charCodeAt(n / 2) || 0x20], at + n);
  };
  bytes.set([joliet ? 2 : 1, ...ascii('CD001'), 1]);
  text(8, '', 32);
  text(40, label, 32);
  bytes.set(both32(sectors), 80);
  // Escape sequence for UCS-2 level 3.
  if (joliet) bytes.set(ascii('%/E'), 88);
  bytes.set(both16(1), 120);
  bytes.set(both16(1), 124);
  bytes.set(both16(SECTOR), 128);
  bytes.set(both32(table.length), 132);
  bytes.set(little32(table.little), 140);
  bytes.set(little32(table.big).reverse(), 148);
  bytes.set(record(root, [0], joliet, []), 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const)
    text(at, '', length);
  const when = new Date(root.entry.modified).toISOString().replace(/[-:T]/g, '').slice(0, 14) + '00';
  for (const at of [813, 830]) bytes.set([...ascii(when), 0], at);
  for (const at of [847, 864]) bytes.set([...ascii('0'.repeat(16)), 0], at);
  bytes[881] = 1;
  return bytes;
}
