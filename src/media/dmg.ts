/**
 * Apple's disk images (UDIF), which are only read: runs of sectors that are zero, plain, or packed by zlib. The file ends with a
 * trailer that says where a property list is, and that has a table of runs for each partition.
 */
import { unzlibSync } from 'fflate';
import { u64be, viewOf } from './bytes.js';
import { ImageError, type DiskImage } from './disk-image.js';
import { dataUnder } from './property-list.js';
import type { Storage } from './storage.js';

const SECTOR = 512;
const TRAILER_BYTES = 512;
export const DMG_TRAILER = 'koly';
const MOST_LIST = 64 * 2 ** 20;
const MOST_PACKED = 64 * 2 ** 20;

const TABLE_MARK = 0x6d697368; // "mish"
const TABLE_RUNS = 204;
const RUN_BYTES = 40;

const ZERO = 0;
const PLAIN = 1;
const IGNORE = 2;
const ZLIB = 0x80000005;
const COMMENT = 0x7ffffffe;
const END = 0xffffffff;
const OTHERS: Record<number, string> = {
  0x80000004: 'ADC',
  0x80000006: 'bzip2',
  0x80000007: 'LZFSE',
  0x80000008: 'LZMA',
};

interface Run {
  /** On the disk, in bytes. */
  readonly position: number;
  readonly length: number;
  readonly kind: number;
  /** In the file, in bytes. */
  readonly at: number;
  readonly packed: number;
}

export class DmgImage implements DiskImage {
  readonly format = 'dmg';
  readonly readOnly = true;
  readonly bytes: number;
  /** Those that are not zero, in their order on the disk. */
  private readonly runs: readonly Run[];
  private unpacked: { run: Run; bytes: Uint8Array } | null = null;

  constructor(private readonly storage: Storage) {
    const trailer = new Uint8Array(TRAILER_BYTES);
    storage.read(storage.size - TRAILER_BYTES, trailer);
    const view = viewOf(trailer);
    const dataAt = u64be(view, 0x18);
    const [listAt, listBytes] = [u64be(view, 0xd8), u64be(view, 0xe0)];
    if (listBytes === 0 || listBytes > MOST_LIST || listAt + listBytes > storage.size)
      throw new ImageError(`its property list of ${listBytes} bytes at ${listAt} cannot be`);
    const list = new Uint8Array(listBytes);
    storage.read(listAt, list);
    const runs = dataUnder('blkx', new TextDecoder().decode(list)).flatMap((table) =>
      runsOf(table, dataAt, storage.size),
    );
    if (runs.length === 0) throw new ImageError('its property list has no table of what it holds');
    runs.sort((a, b) => a.position - b.position);
    const overlapping = runs.find(
      (run, n) => n > 0 && runs[n - 1]!.position + runs[n - 1]!.length > run.position,
    );
    if (overlapping) throw new ImageError(`it has two runs for the sector at ${overlapping.position}`);
    const last = runs.at(-1)!;
    this.bytes = Math.max(u64be(view, 0x1ec) * SECTOR, last.position + last.length);
    if (!Number.isSafeInteger(this.bytes)) throw new ImageError('it is said to be larger than a disk can be');
    this.runs = runs.filter(({ kind }) => kind === PLAIN || kind === ZLIB);
  }

  /** Number of the first run that ends behind a position. */
  private runFrom(position: number): number {
    let low = 0;
    for (let high = this.runs.length; low < high;) {
      const middle = (low + high) >> 1;
      const { position: start, length } = this.runs[middle]!;
      if (start + length <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  read(position: number, target: Uint8Array): void {
    target.fill(0);
    const end = position + target.length;
    for (let n = this.runFrom(position); n < this.runs.length && this.runs[n]!.position < end; n++) {
      const run = this.runs[n]!;
      const from = Math.max(position, run.position);
      const to = Math.min(end, run.position + run.length);
      const part = target.subarray(from - position, to - position);
      if (run.kind === PLAIN) this.storage.read(run.at + from - run.position, part);
      else part.set(this.unpack(run).subarray(from - run.position, to - run.position));
    }
  }

  private unpack(run: Run): Uint8Array {
    if (this.unpacked?.run !== run) {
      const packed = new Uint8Array(run.packed);
      this.storage.read(run.at, packed);
      const bytes = new Uint8Array(run.length);
      try {
        unzlibSync(packed, { out: bytes });
      } catch (error) {
        throw new ImageError(`what is packed at ${run.at} cannot be unpacked: ${(error as Error).message}`);
      }
      this.unpacked = { run, bytes };
    }
    return this.unpacked.bytes;
  }

  dataFrom(position: number): number {
    const run = this.runs[this.runFrom(position)];
    return run ? Math.max(position, run.position) : this.bytes;
  }
  write(): void {}
  zero(): void {}
  flush(): void {}
  close(): void {
    this.storage.close();
  }
}

/** The runs of one partition's table. */
function runsOf(table: Uint8Array, dataAt: number, fileBytes: number): Run[] {
  const view = viewOf(table);
  if (table.length < TABLE_RUNS || view.getUint32(0) !== TABLE_MARK)
    throw new ImageError('a table of what it holds does not begin as one');
  const first = u64be(view, 8);
  const offset = dataAt + u64be(view, 24);
  const count = view.getUint32(200);
  if (TABLE_RUNS + count * RUN_BYTES > table.length)
    throw new ImageError(`a table of ${count} runs has ${table.length} bytes only`);
  const runs: Run[] = [];
  for (let n = 0; n < count; n++) {
    const entry = TABLE_RUNS + n * RUN_BYTES;
    const kind = view.getUint32(entry);
    if (kind === COMMENT || kind === END) continue;
    if (kind in OTHERS)
      throw new ImageError(
        `it is packed by ${OTHERS[kind]}, and only zlib is read here: convert it where it was made`,
      );
    if (kind !== ZERO && kind !== PLAIN && kind !== IGNORE && kind !== ZLIB)
      throw new ImageError(`it has a run of type 0x${kind.toString(16)}, which is not known`);
    const position = (first + u64be(view, entry + 8)) * SECTOR;
    const length = u64be(view, entry + 16) * SECTOR;
    const at = offset + u64be(view, entry + 24);
    const packed = u64be(view, entry + 32);
    if (length === 0) continue;
    const stored = kind === PLAIN ? length : kind === ZLIB ? packed : 0;
    if (!Number.isSafeInteger(position + length) || at + stored > fileBytes)
      throw new ImageError(`a run of ${stored} bytes at ${at} lies outside of the file`);
    if (kind === ZLIB && Math.max(packed, length) > MOST_PACKED)
      throw new ImageError(`a packed run of ${length} bytes is larger than one can be`);
    runs.push({ position, length, kind, at, packed });
  }
  return runs;
}
