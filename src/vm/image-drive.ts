import { DriveError, type BiosDrive } from '../firmware/bios/machine.js';
import { ImageError, type DiskImage } from '../media/disk-image.js';
import { lengthOf, StorageError } from '../media/storage.js';
import type { Done, Drive } from '../machine/drive.js';

const SECTOR_BYTES = { disk: 512, cdrom: 2048, floppy: 512 };

export const BUSES = ['ide', 'ahci', 'nvme', 'virtio', 'scsi'] as const;
export type Bus = (typeof BUSES)[number];

export interface DriveOptions {
  readonly kind: Drive['kind'];
  /** What it is plugged into; of no meaning for floppies. */
  readonly bus: Bus;
  /** null: an empty drive. */
  readonly image: DiskImage | null;
  /** What the user calls it: disk, disk2, cdrom, floppy, ... */
  readonly place: string;
  /** For the boot menu and messages. */
  readonly name: string;
  readonly model: string;
  readonly serial: string;
}

/** Whether requests of a kind are slow: one took longer than `slowMs` at once, and none beside the CPUs less than `quickMs` since. */
interface Pace {
  slow: boolean;
  readonly slowMs: number;
  readonly quickMs: number;
}

interface Request {
  act: () => void;
  done: Done;
}

/** How a request is done beside the CPUs, if it can be. */
interface Beside {
  readonly pace: Pace;
  readonly start: (() => Promise<void>) | null;
}

/** `waits`: the host may be able to do it later. `fails`: the image is broken there, now and later. */
type Outcome = 'done' | 'waits' | 'fails';

/**
 * A drive with an image in it. When the host cannot do what a request asks, the request waits and `onTrouble` is told; `retry`
 * does it again, and those behind it, in their order: the guest knows nothing of it. What a broken image cannot give fails, as
 * on a disk with bad sectors, and `onFailure` is told.
 */
export class ImageDrive implements Drive {
  readonly kind: Drive['kind'];
  readonly bus: Bus;
  readonly place: string;
  readonly model: string;
  readonly serial: string;
  readonly sectorBytes: number;
  onChange: () => void = () => {};
  onTrouble: (message: string) => void = () => {};
  onFailure: (message: string) => void = () => {};
  private image: DiskImage | null;
  private label: string;
  private readonly waiting: Request[] = [];
  private changed = false;
  /** What takes long here is done beside the CPUs, if `beside` allows that. */
  private readonly reads: Pace = { slow: false, slowMs: 2, quickMs: 1 };
  private readonly writes: Pace = { slow: false, slowMs: 2, quickMs: 1 };
  private readonly flushes: Pace = { slow: false, slowMs: 0.5, quickMs: 0.5 };
  /** Goes up when the machine starts anew: what is under way is not wanted any more. */
  private epoch = 0;
  /** Requests that are done beside the CPUs now; of writes, where. */
  private underWay = 0;
  private readonly writing = new Set<{ from: number; to: number }>();
  /** What waits until nothing is under way, and what came after it. */
  private readonly held: Request[] = [];
  /** Media that are closed when nothing is under way any more. */
  private readonly retired: DiskImage[] = [];
  beside = false;
  /** Something that was done beside the CPUs has ended. */
  onSettled: () => void = () => {};
  locked = false;

  constructor(options: DriveOptions) {
    this.kind = options.kind;
    this.bus = options.bus;
    this.place = options.place;
    this.model = options.model;
    this.serial = options.serial;
    this.image = options.image;
    this.label = options.name;
    this.sectorBytes = SECTOR_BYTES[options.kind];
  }

  get name(): string {
    return this.label;
  }
  get sectors(): number {
    return this.image ? Math.floor(this.image.bytes / this.sectorBytes) : 0;
  }
  get readOnly(): boolean {
    return this.kind === 'cdrom' || (this.image?.readOnly ?? true);
  }
  get discards(): boolean {
    return !this.readOnly;
  }
  /** Requests wait for the host. */
  get troubled(): boolean {
    return this.waiting.length > 0;
  }

  /** Puts a medium in, or takes it out. The one that was there is closed. */
  insert(image: DiskImage | null, name: string): void {
    // They were meant for the other one.
    for (const { done } of this.held.splice(0)) done(false);
    this.retire();
    this.image = image;
    this.label = name;
    this.changed = true;
    this.onChange();
  }
  takeChange(): boolean {
    const { changed } = this;
    this.changed = false;
    return changed;
  }
  eject(): void {
    if (this.kind !== 'disk') this.insert(null, `${this.kind} drive`);
  }

  private perform(act: () => void, done: Done): void {
    const outcome = this.troubled ? 'waits' : this.attempt(act);
    if (outcome === 'waits') this.waiting.push({ act, done });
    else done(outcome === 'done');
  }

  private attempt(act: () => void): Outcome {
    try {
      act();
      return 'done';
    } catch (error) {
      if (error instanceof StorageError) {
        this.onTrouble(error.message);
        return 'waits';
      }
      if (!(error instanceof ImageError)) throw error;
      this.onFailure(error.message);
      return 'fails';
    }
  }

  /** Does again what could not be done; true: nothing waits any more. */
  retry(): boolean {
    // Before what is under way has ended, nothing may be done at once.
    if (this.underWay > 0) return !this.troubled;
    for (let first = this.waiting[0]; first; first = this.waiting[0]) {
      const outcome = this.attempt(first.act);
      if (outcome === 'waits') return false;
      this.waiting.shift();
      first.done(outcome === 'done');
    }
    return true;
  }

  read(position: number, parts: readonly Uint8Array[], done: Done): void {
    if (this.held.length > 0) return this.hold(() => this.read(position, parts, done), done);
    const { image, epoch } = this;
    if (!image) return done(false);
    // What the guest has in its memory is not touched before all is there, and it still wants that.
    const start = async (): Promise<void> => {
      const bytes = new Uint8Array(lengthOf(parts));
      await image.readBeside!(position, bytes);
      if (epoch === this.epoch) scatter(bytes, parts);
    };
    const act = (): void => readParts(image, position, parts);
    this.performAsFits({ act, done }, { pace: this.reads, start: image.readBeside ? start : null });
  }

  /** Not beside the CPUs: for a BIOS, which looks again after the next interrupt only. */
  readNow(position: number, target: Uint8Array, done: Done): void {
    if (this.held.length > 0) return this.hold(() => this.readNow(position, target, done), done);
    const { image } = this;
    if (!image) return done(false);
    this.perform(() => image.read(position, target), done);
  }

  write(position: number, parts: readonly Uint8Array[], done: Done): void {
    const range = { from: position, to: position + lengthOf(parts) };
    // Of two writes to the same place, the later one is done later.
    const meets = [...this.writing].some(({ from, to }) => from < range.to && range.from < to);
    if (meets || this.held.length > 0) return this.hold(() => this.write(position, parts, done), done);
    const { image, writes, writing } = this;
    if (!image || this.readOnly) return done(false);
    // Two writes must not make room for the same part of an image, one at once and one beside the CPUs.
    if (writing.size > 0) writes.slow = true;
    const start = async (): Promise<void> => {
      writing.add(range);
      try {
        await image.writeBeside!(position, gather(parts, new Uint8Array(lengthOf(parts))));
      } finally {
        writing.delete(range);
      }
    };
    const act = (): void => writeParts(image, position, parts);
    this.performAsFits({ act, done }, { pace: writes, start: image.writeBeside ? start : null });
  }

  discard(position: number, length: number, done: Done): void {
    this.clear(position, length, true, done);
  }
  zero(position: number, length: number, done: Done): void {
    this.clear(position, length, false, done);
  }
  private clear(position: number, length: number, give: boolean, done: Done): void {
    // What is under way has its place in the file, which must not become another's meanwhile.
    if (this.underWay > 0 || this.held.length > 0)
      return this.hold(() => this.clear(position, length, give, done), done);
    const { image } = this;
    if (!image || this.readOnly) return done(false);
    this.perform(() => image.zero(position, length, give), done);
  }

  private hold(act: () => void, done: Done): void {
    this.held.push({ act, done });
  }
  private release(): void {
    if (this.underWay > 0) return;
    for (const image of this.retired.splice(0)) this.attempt(() => image.close());
    for (const { act } of this.held.splice(0)) act();
  }

  /** The medium is used no more: what is under way on it ends first. */
  private retire(): void {
    if (this.underWay === 0) this.image?.close();
    else if (this.image) this.retired.push(this.image);
    this.image = null;
  }

  flush(done: Done): void {
    if (this.held.length > 0) return this.hold(() => this.flush(done), done);
    const { image } = this;
    if (!image || this.readOnly) return done(true);
    const start = image.flushBeside ? (): Promise<void> => image.flushBeside!() : null;
    this.performAsFits({ act: () => image.flush(), done }, { pace: this.flushes, start });
  }

  /** At once, or by `start` beside the CPUs where that is allowed and such requests have been slow. */
  private performAsFits({ act, done }: Request, { pace, start }: Beside): void {
    const started = performance.now();
    if (!start || !pace.slow || !this.beside || this.troubled) {
      this.perform(act, done);
      pace.slow = performance.now() - started > pace.slowMs;
      return;
    }
    const { epoch, image } = this;
    let ended = Promise.resolve();
    // What has to be done before may fail at once.
    const outcome = this.attempt(() => (ended = start()));
    if (outcome === 'waits') this.waiting.push({ act, done });
    if (outcome === 'fails') done(false);
    if (outcome !== 'done') return;
    this.underWay++;
    const settle = (error: Error | null): void => {
      this.underWay--;
      if (epoch === this.epoch) {
        // A medium that was taken out needs no mending.
        const there = image === this.image;
        if (there && error instanceof StorageError) {
          this.waiting.push({ act, done });
          this.onTrouble(error.message);
        } else {
          if (there && error) this.onFailure(error.message);
          done(!error);
        }
      }
      this.release();
      this.onSettled();
    };
    void ended.then(
      () => {
        pace.slow = performance.now() - started > pace.quickMs;
        settle(null);
      },
      (error: Error) => {
        settle(error);
        if (!(error instanceof StorageError || error instanceof ImageError)) throw error;
      },
    );
  }

  /** The machine starts anew: what it asked for is not wanted any more. What is under way ends before anything else is done. */
  forget(): void {
    this.epoch++;
    this.waiting.length = 0;
    this.held.length = 0;
    if (this.underWay > 0) this.hold(NOTHING, NOTHING);
  }
  /** How often the machine started anew. */
  get generation(): number {
    return this.epoch;
  }

  close(): void {
    this.forget();
    this.retire();
  }
}

const NOTHING = (): void => {};

/** Small parts are put together in here: a request of the host costs more than a copy. */
const gathered = new Uint8Array(2 ** 20);
const SMALL = 0x8000;

/** The parts in groups that lie one after the other: a large part alone, small ones as far as they fit. */
function* groups(
  position: number,
  parts: readonly Uint8Array[],
): Generator<{ at: number; length: number; parts: readonly Uint8Array[] }> {
  let at = position;
  for (let n = 0; n < parts.length;) {
    let length = parts[n]!.length;
    let end = n + 1;
    if (length < SMALL)
      for (let next = parts[end]; next && next.length < SMALL && length + next.length <= gathered.length;) {
        length += next.length;
        next = parts[++end];
      }
    yield { at, length, parts: parts.slice(n, end) };
    at += length;
    n = end;
  }
}

/** Copies the parts, one after the other, to where `into` begins; gives what they fill of it. */
function gather(parts: readonly Uint8Array[], into: Uint8Array): Uint8Array {
  let to = 0;
  for (const part of parts) {
    into.set(part, to);
    to += part.length;
  }
  return into.subarray(0, to);
}

/** Puts bytes into parts, one after the other. */
function scatter(bytes: Uint8Array, parts: readonly Uint8Array[]): void {
  let from = 0;
  for (const part of parts) part.set(bytes.subarray(from, (from += part.length)));
}

function readParts(image: DiskImage, position: number, all: readonly Uint8Array[]): void {
  if (image.readParts && all.length > 1) return image.readParts(position, all);
  for (const { at, length, parts } of groups(position, all)) {
    if (parts.length === 1) {
      image.read(at, parts[0]!);
      continue;
    }
    image.read(at, gathered.subarray(0, length));
    scatter(gathered, parts);
  }
}

function writeParts(image: DiskImage, position: number, all: readonly Uint8Array[]): void {
  if (image.writeParts && all.length > 1) return image.writeParts(position, all);
  for (const { at, parts } of groups(position, all))
    image.write(at, parts.length === 1 ? parts[0]! : gather(parts, gathered));
}

/** The drive as the BIOS uses it: a request is done when it returns, or waits for the host. */
export function biosDrive(drive: ImageDrive): BiosDrive {
  // What the host could not do when it was asked first.
  let pending: 'none' | Outcome = 'none';
  let result: Uint8Array | null = null;
  let { generation } = drive;
  const forgetIfAnew = (): void => {
    if (generation === drive.generation) return;
    ({ generation } = drive);
    pending = 'none';
    result = null;
  };
  const ask = (start: (done: Done) => void): boolean => {
    if (pending === 'none') {
      pending = 'waits';
      start((ok) => (pending = ok ? 'done' : 'fails'));
    }
    const outcome: Outcome = pending;
    if (outcome === 'waits') return false;
    pending = 'none';
    if (outcome === 'fails') throw new DriveError(`${drive.name} cannot do what is asked`);
    return true;
  };
  return {
    kind: drive.kind,
    get name() {
      return drive.name;
    },
    sectorBytes: drive.sectorBytes,
    get sectors() {
      return drive.sectors;
    },
    get readOnly() {
      return drive.readOnly;
    },
    takeChange: () => drive.takeChange(),
    eject: () => drive.eject(),
    read(sector, count) {
      forgetIfAnew();
      result ??= new Uint8Array(count * drive.sectorBytes);
      const bytes = result;
      try {
        if (!ask((done) => drive.readNow(sector * drive.sectorBytes, bytes, done))) return null;
      } catch (error) {
        result = null;
        throw error;
      }
      result = null;
      return bytes;
    },
    write(sector, bytes) {
      forgetIfAnew();
      return ask((done) => drive.write(sector * drive.sectorBytes, [bytes.slice()], done));
    },
  };
}
