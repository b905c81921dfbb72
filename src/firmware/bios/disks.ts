/** INT 13h: drives (IBM PS/2 and PC BIOS interface technical reference, "INT 13H"; BIOS Enhanced Disk Drive Specification 3.0). */
import { floppyShape } from '../../machine/floppy-shapes.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import * as B from './bda.js';
import { CD_SECTOR, type BootImage } from './el-torito.js';
import type { Frame } from './frame.js';
import { DriveError, type BiosDrive, type BiosMachine } from './machine.js';
import { ROM_SEGMENT, type Rom } from './rom.js';

const SECTOR = 512;
const FIRST_DISK = 0x80;
const FIRST_CD = 0xe0;

// Status in AH
const OK = 0x00;
const BAD_COMMAND = 0x01;
const WRITE_PROTECTED = 0x03;
const NOT_FOUND = 0x04;
const CHANGED = 0x06;
const CONTROLLER_FAILURE = 0x20;
const NO_MEDIUM = 0x31;
const NOT_READY = 0x80;
const NOT_REMOVABLE = 0xb2;

const EDD_VERSION = 0x30;
/** Extended access, locking and ejecting, drive parameters. */
const EDD_SUBSETS = 0x07;

interface Shape {
  cylinders: number;
  heads: number;
  sectors: number;
}

/** A drive under its number: a real one, or one that a CD pretends. */
interface Numbered {
  number: number;
  drive: BiosDrive;
  shape: Shape;
  /** The CD's boot image, where this number stands for it. */
  image: BootImage | null;
}

/** The request has to wait for the drive. */
const AGAIN = -1;
/** AH and carry say something other than a status. */
const ANSWERED = -2;

export class Disks {
  private drives: Numbered[] = [];
  /** Started from this one's boot image. */
  booted: { number: number; image: BootImage } | null = null;

  constructor(
    private readonly machine: BiosMachine,
    private readonly rom: Rom,
  ) {}

  private get ram(): GuestRam {
    return this.machine.ram;
  }

  reset(): void {
    const { drives } = this.machine;
    const number = (kind: BiosDrive['kind'], first: number): Numbered[] =>
      drives
        .filter((drive) => drive.kind === kind)
        .map((drive, n) => ({ number: first + n, drive, shape: shapeOf(drive), image: null }));
    this.drives = [...number('floppy', 0), ...number('disk', FIRST_DISK), ...number('cdrom', FIRST_CD)];
    this.booted = null;
    this.count();
  }

  /** What the BIOS data area says of drives. */
  private count(): void {
    const { ram } = this;
    const floppies = this.drives.filter(({ number }) => number < FIRST_DISK).length;
    const equipment = ram.readU16(B.EQUIPMENT) & ~0xc1;
    ram.writeU16(B.EQUIPMENT, floppies === 0 ? equipment : equipment | 1 | ((floppies - 1) << 6));
    const disks = this.drives.filter(({ number }) => number >= FIRST_DISK && number < FIRST_CD);
    ram.writeU8(B.DISKS, disks.length);
    disks.slice(0, 2).forEach(({ shape }, n) => {
      const table = new DataView(new ArrayBuffer(16));
      table.setUint16(0, Math.min(shape.cylinders, 0xffff), true);
      table.setUint8(2, shape.heads & 0xff);
      table.setUint16(5, 0xffff, true);
      table.setUint8(8, shape.heads > 8 ? 0x08 : 0);
      table.setUint8(14, shape.sectors);
      ram.write(ROM_SEGMENT * 16 + this.rom.offset(`disk${n}`), new Uint8Array(table.buffer));
    });
  }

  /** The number of a drive; -1: it has none. */
  numberOf(drive: BiosDrive): number {
    return this.drives.find((numbered) => numbered.drive === drive && numbered.image === null)?.number ?? -1;
  }

  /** From now on the boot image of a CD is the first floppy or hard disk, or is known under the CD's own number. Gives that. */
  startFrom(drive: BiosDrive, image: BootImage): number {
    const own = this.numberOf(drive);
    if (image.emulation === 'none') {
      this.booted = { number: own, image };
      return own;
    }
    const number = image.emulation === 'floppy' ? 0 : FIRST_DISK;
    for (const other of this.drives)
      if (other.number >= number && other.number < number + 0x60) other.number++;
    this.drives.push({ number, drive, shape: image.shape, image });
    this.booted = { number, image };
    this.count();
    return number;
  }

  /** Returns true when it has to be asked again. */
  call(frame: Frame): boolean {
    const found = this.drives.find(({ number }) => number === frame.dl);
    const status = this.serve(frame, found);
    if (status === AGAIN) return true;
    const at = frame.dl < FIRST_DISK ? B.FLOPPY_STATUS : B.DISK_STATUS;
    if (status !== ANSWERED) {
      this.ram.writeU8(at, status);
      frame.ah = status;
      frame.carry = status !== OK;
    }
    return false;
  }

  private serve(frame: Frame, found: Numbered | undefined): number {
    const command = frame.ah;
    if (command === 0x08) return this.parameters(frame, found);
    if (command === 0x15) return this.type(frame, found);
    if (command === 0x4b) return this.emulationStatus(frame);
    if (!found) return command === 0x00 ? OK : BAD_COMMAND;
    const { drive } = found;
    const cd = found.number >= FIRST_CD;
    switch (command) {
      case 0x00:
      case 0x09:
      case 0x0c:
      case 0x0d:
      case 0x10:
      case 0x11:
      case 0x14:
      case 0x47:
        return OK;
      case 0x01:
        return this.ram.readU8(frame.dl < FIRST_DISK ? B.FLOPPY_STATUS : B.DISK_STATUS);
      case 0x02:
      case 0x03:
      case 0x04:
        return cd ? BAD_COMMAND : this.byPlace(frame, found, command);
      case 0x05:
        return this.format(frame, found);
      case 0x16:
        if (drive.kind !== 'floppy') return BAD_COMMAND;
        return drive.takeChange() ? CHANGED : OK;
      case 0x17:
      case 0x18: {
        if (drive.kind !== 'floppy') return BAD_COMMAND;
        if (drive.sectors === 0) return NO_MEDIUM;
        frame.es = ROM_SEGMENT;
        frame.di = this.rom.offset('floppyParameters');
        return OK;
      }
      case 0x41:
        if (frame.bx !== 0x55aa || found.number < FIRST_DISK) return BAD_COMMAND;
        frame.bx = 0xaa55;
        frame.cx = EDD_SUBSETS;
        frame.ah = EDD_VERSION;
        frame.carry = false;
        // Its version stands where a status would.
        return ANSWERED;
      case 0x42:
      case 0x43:
      case 0x44:
        return this.extended(frame, found, command);
      case 0x45:
        if (drive.kind !== 'cdrom') return NOT_REMOVABLE;
        if (frame.al === 2) frame.al = 0;
        return OK;
      case 0x46:
        if (drive.kind !== 'cdrom') return NOT_REMOVABLE;
        drive.eject?.();
        return OK;
      case 0x48:
        return this.extendedParameters(frame, found);
      case 0x49:
        return drive.takeChange() ? CHANGED : OK;
      default:
        return BAD_COMMAND;
    }
  }

  // ---- reading and writing

  private byPlace(frame: Frame, found: Numbered, command: number): number {
    const { shape } = found;
    const count = frame.al;
    const cylinder = frame.ch | ((frame.cl & 0xc0) << 2);
    const sector = frame.cl & 0x3f;
    const head = frame.dh;
    if (found.drive.sectors === 0) return NOT_READY;
    const fits = sector >= 1 && sector <= shape.sectors && head < shape.heads && cylinder < shape.cylinders;
    if (!fits || count === 0) return fits ? BAD_COMMAND : NOT_FOUND;
    const first = (cylinder * shape.heads + head) * shape.sectors + sector - 1;
    if (command === 0x04) return OK;
    const status = this.transfer(found, first, count, frame.es * 16 + frame.bx, command === 0x03);
    if (status > OK) frame.al = 0;
    return status;
  }

  private extended(frame: Frame, found: Numbered, command: number): number {
    const { ram } = this;
    const at = frame.ds * 16 + frame.si;
    if (!ram.contains(at, 16) || ram.readU8(at) < 16) return BAD_COMMAND;
    const count = ram.readU16(at + 2);
    const first = Number(ram.readU64(at + 8));
    const pointer = ram.readU32(at + 4);
    const flat = pointer === 0xffffffff && ram.readU8(at) >= 24;
    const address = flat ? Number(ram.readU64(at + 16)) : (pointer >>> 16) * 16 + (pointer & 0xffff);
    if (found.drive.sectors === 0) return NO_MEDIUM;
    const status =
      command === 0x44 || count === 0 ? OK : this.transfer(found, first, count, address, command === 0x43);
    if (status > OK) ram.writeU16(at + 2, 0);
    return status;
  }

  private transfer(found: Numbered, first: number, count: number, address: number, write: boolean): number {
    const { drive, image } = found;
    const sectorBytes = image ? SECTOR : drive.sectorBytes;
    const length = count * sectorBytes;
    if (!this.ram.contains(address, length)) return BAD_COMMAND;
    if (write && (drive.readOnly || image)) return WRITE_PROTECTED;
    try {
      if (image) return this.readImage(drive, image, first, count, address);
      if (first + count > drive.sectors) return NOT_FOUND;
      if (write) return drive.write(first, this.ram.read(address, length)) ? OK : AGAIN;
      const bytes = drive.read(first, count);
      if (!bytes) return AGAIN;
      this.ram.write(address, bytes);
      return OK;
    } catch (error) {
      if (error instanceof DriveError) return CONTROLLER_FAILURE;
      throw error;
    }
  }

  /** Sectors of 512 bytes from those of a CD. */
  private readImage(
    drive: BiosDrive,
    image: BootImage,
    first: number,
    count: number,
    address: number,
  ): number {
    const from = first * SECTOR;
    const start = Math.floor(from / CD_SECTOR);
    const end = Math.ceil((from + count * SECTOR) / CD_SECTOR);
    if (image.start + end > drive.sectors) return NOT_FOUND;
    const bytes = drive.read(image.start + start, end - start);
    if (!bytes) return AGAIN;
    const skip = from - start * CD_SECTOR;
    this.ram.write(address, bytes.subarray(skip, skip + count * SECTOR));
    return OK;
  }

  private format(frame: Frame, found: Numbered): number {
    const { drive, shape } = found;
    if (drive.kind !== 'floppy' || found.image) return BAD_COMMAND;
    if (drive.readOnly) return WRITE_PROTECTED;
    const cylinder = frame.ch | ((frame.cl & 0xc0) << 2);
    if (cylinder >= shape.cylinders || frame.dh >= shape.heads) return NOT_FOUND;
    const first = (cylinder * shape.heads + frame.dh) * shape.sectors;
    return drive.write(first, new Uint8Array(shape.sectors * SECTOR).fill(0xf6)) ? OK : AGAIN;
  }

  // ---- what drives are like

  private parameters(frame: Frame, found: Numbered | undefined): number {
    const floppy = frame.dl < FIRST_DISK;
    const same = this.drives.filter(({ number }) => number < FIRST_CD && number < FIRST_DISK === floppy);
    if (floppy && !found) {
      // As IBM's: no error, and nothing there.
      frame.ax = frame.bx = frame.cx = 0;
      frame.dx = same.length;
      return OK;
    }
    if (!found || found.number >= FIRST_CD) return BAD_COMMAND;
    const { cylinders, heads, sectors } = found.shape;
    const last = Math.min(cylinders, 1024) - 1;
    frame.ch = last & 0xff;
    frame.cl = sectors | ((last >> 2) & 0xc0);
    frame.dh = heads - 1;
    frame.dl = same.length;
    frame.al = 0;
    if (floppy) {
      frame.bx = { 9: 3, 15: 2, 18: 4, 36: 6 }[sectors] ?? 4;
      frame.es = ROM_SEGMENT;
      frame.di = this.rom.offset('floppyParameters');
    }
    return OK;
  }

  private type(frame: Frame, found: Numbered | undefined): number {
    frame.carry = false;
    if (!found || found.number >= FIRST_CD) frame.ah = 0;
    else if (found.number < FIRST_DISK) frame.ah = 2;
    else {
      const { cylinders, heads, sectors } = found.shape;
      const total = Math.min(cylinders * heads * sectors, 0xffffffff);
      frame.ah = 3;
      frame.cx = total >>> 16;
      frame.dx = total & 0xffff;
    }
    return ANSWERED;
  }

  private extendedParameters(frame: Frame, { drive, shape, image, number }: Numbered): number {
    const { ram } = this;
    const at = frame.ds * 16 + frame.si;
    const room = ram.contains(at, 2) ? ram.readU16(at) : 0;
    if (room < 26 || !ram.contains(at, room)) return BAD_COMMAND;
    const length = room >= 30 ? 30 : 26;
    const block = new DataView(new ArrayBuffer(length));
    const cd = number >= FIRST_CD;
    block.setUint16(0, length, true);
    // Removable, with a change line, lockable; or: the shape holds.
    block.setUint16(2, cd ? 0x74 : 0x02, true);
    const shown = cd ? { cylinders: 0xffffffff, heads: 0xffffffff, sectors: 0xffffffff } : shape;
    block.setUint32(4, shown.cylinders, true);
    block.setUint32(8, shown.heads, true);
    block.setUint32(12, shown.sectors, true);
    const sectors = image ? shape.cylinders * shape.heads * shape.sectors : drive.sectors;
    block.setBigUint64(16, BigInt(sectors), true);
    block.setUint16(24, image ? SECTOR : drive.sectorBytes, true);
    if (length >= 30) block.setUint32(26, 0xffffffff, true);
    ram.write(at, new Uint8Array(block.buffer));
    return OK;
  }

  /** What the CD that was started from pretends to be. */
  private emulationStatus(frame: Frame): number {
    const { booted, ram } = this;
    const at = frame.ds * 16 + frame.si;
    if (!booted || frame.al > 1 || !ram.contains(at, 19)) return BAD_COMMAND;
    const { image, number } = booted;
    const packet = new DataView(new ArrayBuffer(19));
    packet.setUint8(0, 19);
    packet.setUint8(1, image.mediaType);
    packet.setUint8(2, number);
    packet.setUint32(4, image.start, true);
    packet.setUint16(12, image.segment, true);
    packet.setUint16(14, image.count, true);
    const { cylinders, heads, sectors } = image.shape;
    if (image.emulation !== 'none') {
      packet.setUint8(16, (cylinders - 1) & 0xff);
      packet.setUint8(17, sectors | (((cylinders - 1) >> 2) & 0xc0));
      packet.setUint8(18, heads - 1);
    }
    ram.write(at, new Uint8Array(packet.buffer));
    if (frame.al === 0 && image.emulation !== 'none') this.endEmulation(number);
    return OK;
  }

  /** The drives get their own numbers back. */
  private endEmulation(number: number): void {
    this.drives = this.drives.filter((drive) => drive.image === null);
    for (const other of this.drives)
      if (other.number > number && other.number < number + 0x60) other.number--;
    this.count();
  }
}

/** Cylinders, heads and sectors that a drive is addressed by where it is not by number. */
export function shapeOf(drive: BiosDrive): Shape {
  if (drive.kind === 'floppy') return floppyShape(drive.sectors);
  if (drive.kind === 'cdrom') return { cylinders: 0, heads: 0, sectors: 0 };
  // So many heads that 1024 cylinders of 63 sectors suffice, if any number does.
  const heads = [16, 32, 64, 128].find((count) => count * 63 * 1024 >= drive.sectors) ?? 255;
  const cylinders = Math.max(1, Math.min(Math.floor(drive.sectors / (heads * 63)), 0xffff));
  return { cylinders, heads, sectors: 63 };
}
