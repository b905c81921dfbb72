/** The commands of a hard disk (ATA8-ACS). */
import type { Drive } from '../../machine/drive.js';
import { identifyDisk } from './ata-identify.js';
import { ABRT, IDNF, LBA, type TaskFile } from './ata-registers.js';
import { inTurn } from './in-turn.js';
import { END, type Work } from './work.js';

const SECTOR = 512;
export const MOST_MULTIPLE = 16;
const MOST_28_BIT = 2 ** 28 - 1;
const TRIM = 1;
const TRIM_ENTRY_BYTES = 8;
/** Sectors of ranges in one command. */
export const MOST_TRIM_SECTORS = 8;

const ABORT: Work = { kind: 'error', error: ABRT };

/** How the data of a command move, where the command says it. */
export interface AtaWork {
  work: Work;
  dma: boolean;
  /** Sectors for each interrupt, where the host moves the data itself. */
  block: number;
  /** All must be safe when it is done. */
  forceUnit?: boolean;
  /** What the address registers show afterwards. */
  result?: { lba: number };
}

export class AtaDisk {
  readonly packet = null;
  /** Sectors of a block of READ and WRITE MULTIPLE; 0: not set. */
  private multiple = MOST_MULTIPLE;
  /** What INITIALIZE DEVICE PARAMETERS set. */
  private heads = 16;
  private trackSectors = 63;
  writeCache = true;

  /** `serial`: it is on Serial ATA, where commands can be queued. */
  constructor(
    readonly drive: Drive,
    private readonly serial = false,
  ) {}

  reset(): void {
    this.multiple = MOST_MULTIPLE;
    this.heads = 16;
    this.trackSectors = 63;
    this.writeCache = true;
  }

  get identity(): Uint8Array {
    const { multiple, heads, trackSectors, writeCache, serial } = this;
    return identifyDisk(this.drive, { multiple, heads, trackSectors, writeCache, serial });
  }

  command(file: TaskFile): AtaWork {
    const pio = (work: Work, block = 1): AtaWork => ({ work, dma: false, block });
    const dma = (work: Work): AtaWork => ({ work, dma: true, block: 0 });
    switch (file.command) {
      case 0x20:
      case 0x21:
        return pio(this.transfer('read', file, false));
      case 0x24:
        return pio(this.transfer('read', file, true));
      case 0xc4:
        return this.multiple ? pio(this.transfer('read', file, false), this.multiple) : pio(ABORT);
      case 0x29:
        return this.multiple ? pio(this.transfer('read', file, true), this.multiple) : pio(ABORT);
      case 0xc8:
      case 0xc9:
        return dma(this.transfer('read', file, false));
      case 0x25:
        return dma(this.transfer('read', file, true));
      case 0x30:
      case 0x31:
        return pio(this.transfer('write', file, false));
      case 0x34:
        return pio(this.transfer('write', file, true));
      case 0xc5:
        return this.multiple ? pio(this.transfer('write', file, false), this.multiple) : pio(ABORT);
      case 0x39:
        return this.multiple ? pio(this.transfer('write', file, true), this.multiple) : pio(ABORT);
      case 0xce:
        return this.multiple
          ? { ...pio(this.transfer('write', file, true), this.multiple), forceUnit: true }
          : pio(ABORT);
      case 0xca:
      case 0xcb:
        return dma(this.transfer('write', file, false));
      case 0x35:
        return dma(this.transfer('write', file, true));
      case 0x3d:
        return { ...dma(this.transfer('write', file, true)), forceUnit: true };
      case 0x40:
      case 0x41:
      case 0x42: {
        const asked = this.transfer('read', file, file.command === 0x42);
        return pio(asked.kind === 'read' ? END : asked);
      }
      case 0x06:
        return dma(this.trim(file));
      case 0x27:
      case 0xf8: {
        const last = this.drive.sectors - 1;
        return {
          ...pio(END),
          result: { lba: file.command === 0x27 ? last : Math.min(last, MOST_28_BIT - 1) },
        };
      }
      default:
        return pio(this.other(file));
    }
  }

  private other(file: TaskFile): Work {
    switch (file.command) {
      case 0xec:
        return { kind: 'answer', bytes: this.identity };
      case 0xe7:
      case 0xea:
        return { kind: 'wait', start: (done) => this.drive.flush(done) };
      case 0xef:
        return this.setFeatures(file);
      case 0x91:
        this.heads = (file.device & 0x0f) + 1;
        this.trackSectors = file.count & 0xff;
        return END;
      case 0xc6: {
        const count = file.count & 0xff;
        if (count > MOST_MULTIPLE || (count & (count - 1)) !== 0) return ABORT;
        this.multiple = count;
        return END;
      }
      // Seek, recalibrate, power management, security freeze: nothing is to be done.
      case 0x10:
      case 0x70:
      case 0xe0:
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0x94:
      case 0x95:
      case 0x96:
      case 0x97:
      case 0x99:
      case 0xf5:
        return END;
      default:
        return ABORT;
    }
  }

  private setFeatures(file: TaskFile): Work {
    switch (file.features) {
      case 0x02:
      case 0x82:
        this.writeCache = file.features === 0x02;
        return this.writeCache ? END : { kind: 'wait', start: (done) => this.drive.flush(done) };
      // Transfer mode, read look-ahead, power-on defaults, advanced power management, acoustic management.
      case 0x03:
      case 0x05:
      case 0x42:
      case 0x55:
      case 0x66:
      case 0x85:
      case 0xaa:
      case 0xc2:
      case 0xcc:
        return END;
      default:
        return ABORT;
    }
  }

  private transfer(kind: 'read' | 'write', file: TaskFile, wide: boolean): Work {
    const count = wide ? file.count || 0x10000 : file.count & 0xff || 0x100;
    const first = this.address(file, wide);
    if (kind === 'write' && this.drive.readOnly) return ABORT;
    if (first < 0 || first + count > this.drive.sectors) return { kind: 'error', error: IDNF };
    return { kind, position: first * SECTOR, length: count * SECTOR };
  }

  /** The sector that the registers name; -1: there is none. */
  private address(file: TaskFile, wide: boolean): number {
    if (wide) return file.lba;
    const low = file.lba % 2 ** 24;
    if (file.device & LBA) return low + (file.device & 0x0f) * 2 ** 24;
    const sector = low & 0xff;
    const cylinder = (low >> 8) & 0xffff;
    const head = file.device & 0x0f;
    if (sector === 0 || sector > this.trackSectors || head >= this.heads) return -1;
    return (cylinder * this.heads + head) * this.trackSectors + sector - 1;
  }

  /** DATA SET MANAGEMENT: ranges that are not needed any more, 6 bytes of address and 2 of count each. */
  private trim(file: TaskFile): Work {
    if (!(file.features & TRIM) || !this.drive.discards || file.count > MOST_TRIM_SECTORS) return ABORT;
    return {
      kind: 'take',
      length: (file.count || 1) * SECTOR,
      next: (bytes) => ({ kind: 'wait', start: (done) => this.discardAll(bytes, done) }),
    };
  }

  private discardAll(bytes: Uint8Array, done: (ok: boolean) => void): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const ranges: [first: number, count: number][] = [];
    for (let at = 0; at + TRIM_ENTRY_BYTES <= bytes.length; at += TRIM_ENTRY_BYTES) {
      const entry = view.getBigUint64(at, true);
      const [first, count] = [Number(entry & 0xffffffffffffn), Number(entry >> 48n)];
      if (first + count > this.drive.sectors) return done(false);
      if (count > 0) ranges.push([first, count]);
    }
    inTurn(ranges, ([first, count], next) => this.drive.discard(first * SECTOR, count * SECTOR, next), done);
  }

  save(): object {
    const { multiple, heads, trackSectors, writeCache } = this;
    return { multiple, heads, trackSectors, writeCache };
  }
  load(state: object): void {
    Object.assign(this, state);
  }
}
