/** What all SCSI devices have (SPC-4), and those of the block commands that disks and CDs share (SBC-3, MMC-6). */
import type { Drive } from '../../machine/drive.js';
import { END, type Sense, type Work } from './work.js';

// Sense keys with codes
export const NOT_READY_NO_MEDIUM: Sense = [0x02, 0x3a, 0x00];
export const ILLEGAL_COMMAND: Sense = [0x05, 0x20, 0x00];
export const ILLEGAL_ADDRESS: Sense = [0x05, 0x21, 0x00];
export const ILLEGAL_FIELD: Sense = [0x05, 0x24, 0x00];
export const ILLEGAL_PARAMETER: Sense = [0x05, 0x26, 0x00];
export const NO_SAVING: Sense = [0x05, 0x39, 0x00];
export const MEDIUM_CHANGED: Sense = [0x06, 0x28, 0x00];
export const POWERED_ON: Sense = [0x06, 0x29, 0x00];
export const WRITE_PROTECTED: Sense = [0x07, 0x27, 0x00];
export const MEDIUM_ERROR: Sense = [0x03, 0x11, 0x00];
export const PREVENTED: Sense = [0x05, 0x53, 0x02];
const NO_SENSE: Sense = [0, 0, 0];

/** Sectors that one command moves at most. */
export const MOST_SECTORS = 0x10000;

const FIXED_SENSE = 0x70;
const SENSE_BYTES = 18;

export const check = (sense: Sense): Work => ({ kind: 'check', sense });

/** Sense data in the fixed format. */
export function senseData([key, code, qualifier]: Sense): Uint8Array {
  const data = new Uint8Array(SENSE_BYTES);
  data[0] = FIXED_SENSE;
  data[2] = key;
  data[7] = SENSE_BYTES - 8;
  data[12] = code;
  data[13] = qualifier;
  return data;
}

export const be16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
export const be24 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 16) | be16(bytes, at + 1);
export const be32 = (bytes: Uint8Array, at: number): number =>
  be16(bytes, at) * 0x10000 + be16(bytes, at + 2);
export const be64 = (bytes: Uint8Array, at: number): number =>
  be32(bytes, at) * 2 ** 32 + be32(bytes, at + 4);

/** An answer cut to what the guest gave room for. */
export function answer(bytes: Uint8Array | number[], room: number): Work {
  return { kind: 'answer', bytes: Uint8Array.from(bytes).subarray(0, room) };
}

/** Text padded with blanks. */
export function padded(text: string, length: number): number[] {
  return [...text.padEnd(length).slice(0, length)].map((letter) => letter.charCodeAt(0));
}

/** A SCSI target with one unit. */
export abstract class ScsiTarget {
  /** What the next command has to hear first. */
  private attention: Sense | null = null;
  private lastSense: Sense = NO_SENSE;

  constructor(readonly drive: Drive) {
    drive.onChange = () => {
      this.attention = MEDIUM_CHANGED;
      this.changed();
    };
  }

  /** The medium was changed. */
  protected changed(): void {}

  reset(): void {
    this.attention = POWERED_ON;
    this.lastSense = NO_SENSE;
    this.drive.locked = false;
  }

  protected abstract readonly deviceType: number;
  protected abstract readonly removable: boolean;
  /** Commands of this kind of device; undefined: not one of them. */
  protected abstract serve(command: number, block: Uint8Array): Work | undefined;
  protected abstract vitalPage(page: number): Uint8Array | null;
  /** The mode pages, header and page code included in each. */
  protected abstract modePages(): Map<number, number[]>;

  /** A command descriptor block came. */
  execute(block: Uint8Array): Work {
    const work = this.dispatch(block[0]!, block);
    if (work.kind === 'check') this.lastSense = work.sense;
    return work;
  }

  /** The work of a command failed later. */
  failed(): Sense {
    this.lastSense = MEDIUM_ERROR;
    return MEDIUM_ERROR;
  }

  private dispatch(command: number, block: Uint8Array): Work {
    switch (command) {
      case 0x03: {
        const sense = this.attention ?? this.lastSense;
        this.attention = null;
        this.lastSense = NO_SENSE;
        return answer(senseData(sense), block[4]!);
      }
      case 0x12:
        return this.inquiry(block);
      case 0xa0:
        // One unit: number 0.
        return answer([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], be32(block, 6));
    }
    const announces = command === 0x4a || command === 0x46;
    if (this.attention && !announces) {
      const sense = this.attention;
      this.attention = null;
      return check(sense);
    }
    switch (command) {
      case 0x00:
        return this.drive.sectors === 0 ? check(NOT_READY_NO_MEDIUM) : END;
      case 0x15:
        return { kind: 'take', length: block[4]!, next: () => END };
      case 0x55:
        return { kind: 'take', length: be16(block, 7), next: () => END };
      case 0x1a:
        return this.modeSense(block, 4, block[4]!);
      case 0x5a:
        return this.modeSense(block, 8, be16(block, 7));
      case 0x1e:
        this.drive.locked = this.removable && (block[4]! & 1) !== 0;
        return END;
      case 0x1b:
        return this.startStop(block[4]!);
      case 0x25:
        return this.capacity();
      default:
        return this.serve(command, block) ?? check(ILLEGAL_COMMAND);
    }
  }

  private inquiry(block: Uint8Array): Work {
    const room = be16(block, 3);
    if (block[1]! & 1) {
      const page = this.page(block[2]!);
      return page
        ? answer([this.deviceType, block[2]!, page.length >> 8, page.length & 0xff, ...page], room)
        : check(ILLEGAL_FIELD);
    }
    if (block[2] !== 0) return check(ILLEGAL_FIELD);
    const [vendor, ...product] = this.drive.model.split(' ');
    const identity = [...padded(vendor!, 8), ...padded(product.join(' '), 16), ...padded('1.0', 4)];
    // SPC-3, answers in its format, commands can be queued.
    return answer([this.deviceType, this.removable ? 0x80 : 0, 5, 2, 31, 0, 0, 2, ...identity], room);
  }

  private page(page: number): Uint8Array | null {
    const { serial } = this.drive;
    const letters = padded(serial, serial.length);
    switch (page) {
      case 0x80:
        return Uint8Array.from(letters);
      case 0x83:
        // Vendor-specific identifier in ASCII.
        return Uint8Array.from([2, 0, 0, letters.length, ...letters]);
      default:
        return this.vitalPage(page);
    }
  }

  private modeSense(block: Uint8Array, headerBytes: 4 | 8, room: number): Work {
    const wanted = block[2]! & 0x3f;
    // Nothing can be saved.
    if (block[2]! >> 6 === 3) return check(NO_SAVING);
    const all = this.modePages();
    if (wanted !== 0x3f && !all.has(wanted)) return check(ILLEGAL_FIELD);
    const pages = [...all]
      .filter(([page]) => wanted === 0x3f || page === wanted)
      .flatMap(([, bytes]) => bytes);
    const protectedBit = this.drive.readOnly && this.deviceType === 0 ? 0x80 : 0;
    const length = headerBytes + pages.length - (headerBytes === 4 ? 1 : 2);
    const header =
      headerBytes === 4
        ? [length, 0, protectedBit, 0]
        : [length >> 8, length & 0xff, 0, protectedBit, 0, 0, 0, 0];
    return answer([...header, ...pages], room);
  }

  private startStop(operation: number): Work {
    const load = (operation & 2) !== 0;
    const start = (operation & 1) !== 0;
    if (!load || start || !this.removable) return END;
    if (this.drive.locked) return check(PREVENTED);
    this.drive.eject();
    return END;
  }

  private capacity(): Work {
    const { sectors, sectorBytes } = this.drive;
    if (sectors === 0) return check(NOT_READY_NO_MEDIUM);
    const last = Math.min(sectors - 1, 0xffffffff);
    const data = new DataView(new ArrayBuffer(8));
    data.setUint32(0, last);
    data.setUint32(4, sectorBytes);
    return { kind: 'answer', bytes: new Uint8Array(data.buffer) };
  }

  /** Sectors of the medium. */
  protected transfer(kind: 'read' | 'write', first: number, count: number): Work {
    const { drive } = this;
    if (drive.sectors === 0) return check(NOT_READY_NO_MEDIUM);
    if (first + count > drive.sectors) return check(ILLEGAL_ADDRESS);
    if (count > MOST_SECTORS) return check(ILLEGAL_FIELD);
    if (kind === 'write' && drive.readOnly) return check(WRITE_PROTECTED);
    if (count === 0) return END;
    return { kind, position: first * drive.sectorBytes, length: count * drive.sectorBytes };
  }
}
