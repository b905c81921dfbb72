/** INT 19h and 18h: which drive the system starts from, and the menu that asks (BIOS Boot Specification 1.01). */
import type { Disks } from './disks.js';
import { bootImage } from './el-torito.js';
import type { Frame } from './frame.js';
import type { Keyboard } from './keyboard.js';
import { DriveError, type BiosDrive, type BiosMachine } from './machine.js';
import { AGAIN, DONE, type Outcome } from './rom.js';

const BOOT_SECTOR = 0x7c00;
const SIGNATURE = 0xaa55;
const SIGNATURE_AT = 510;
const SECTOR = 512;
const F12 = 0x8600;
const ESCAPE = 0x1b;

type State = 'start' | 'menu' | 'stopped';

export class Boot {
  private state: State = 'start';
  /** What has been tried since the machine started. */
  private next = 0;
  private candidates: BiosDrive[] = [];

  constructor(
    private readonly machine: BiosMachine,
    private readonly disks: Disks,
    private readonly keyboard: Keyboard,
    private readonly say: (text: string) => void,
  ) {}

  reset(): void {
    const { drives, bootOrder } = this.machine;
    this.candidates = bootOrder.flatMap((kind) => drives.filter((drive) => drive.kind === kind));
    this.next = 0;
    this.state = 'start';
  }

  /** INT 19h: starts from the next drive that has something to start; also INT 18h, when one has given up. */
  call(frame: Frame): Outcome {
    if (this.state === 'start') {
      if (this.machine.bootMenu || this.keyboard.peek() === F12) this.openMenu();
    }
    if (this.state === 'menu' && !this.choose()) return AGAIN;
    if (this.state === 'stopped') return AGAIN;
    this.state = 'start';
    while (this.next < this.candidates.length) {
      const drive = this.candidates[this.next]!;
      const outcome = this.tryDrive(frame, drive);
      if (outcome === 'wait') return AGAIN;
      this.next++;
      if (outcome === 'started') return DONE;
    }
    this.state = 'stopped';
    this.say(
      this.candidates.length === 0
        ? 'There is no drive to start from: give the machine one with --disk, --cdrom or --floppy.\r\n'
        : 'Nothing was found to start from.\r\n',
    );
    return AGAIN;
  }

  private openMenu(): void {
    this.state = 'menu';
    while (this.keyboard.take() !== 0);
    this.say('Start from:\r\n\r\n');
    this.candidates.forEach(({ name }, n) => this.say(`  ${n + 1}. ${name}\r\n`));
    this.say('\r\nPress a number; Esc or Enter starts from the first.\r\n\r\n');
  }

  /** true: the menu was answered. */
  private choose(): boolean {
    for (let key = this.keyboard.take(); key !== 0; key = this.keyboard.take()) {
      const code = key & 0xff;
      const index = code === ESCAPE || code === 0x0d ? 0 : code - 0x31;
      const chosen = this.candidates[index];
      if (!chosen) continue;
      this.candidates = [chosen, ...this.candidates.filter((other) => other !== chosen)];
      return true;
    }
    return false;
  }

  private tryDrive(frame: Frame, drive: BiosDrive): 'started' | 'wait' | 'no' {
    try {
      return drive.kind === 'cdrom' ? this.startCd(frame, drive) : this.startDisk(frame, drive);
    } catch (error) {
      if (!(error instanceof DriveError)) throw error;
      this.say(`${drive.name}: ${error.message}\r\n`);
      return 'no';
    }
  }

  private startDisk(frame: Frame, drive: BiosDrive): 'started' | 'wait' | 'no' {
    if (drive.sectors === 0) return this.refuse(drive, 'is empty');
    const sector = drive.read(0, 1);
    if (!sector) return 'wait';
    const signature = sector[SIGNATURE_AT]! | (sector[SIGNATURE_AT + 1]! << 8);
    // Boot sectors of old floppies have no signature; but code they begin with.
    const code = drive.kind === 'floppy' && (sector[0] === 0xeb || sector[0] === 0xe9 || sector[0] === 0xfa);
    if (signature !== SIGNATURE && !code) return this.refuse(drive, 'has no boot sector');
    this.enter(frame, drive, sector.subarray(0, SECTOR), BOOT_SECTOR >> 4, this.disks.numberOf(drive));
    return 'started';
  }

  private startCd(frame: Frame, drive: BiosDrive): 'started' | 'wait' | 'no' {
    if (drive.sectors === 0) return this.refuse(drive, 'is empty');
    const image = bootImage(drive);
    if (!image) return this.refuse(drive, 'has nothing to start from');
    // A drive that is emulated starts from its first sector.
    const bytes = (image.emulation === 'none' ? image.count : 1) * SECTOR;
    const sectors = Math.min(Math.ceil(bytes / drive.sectorBytes), drive.sectors - image.start);
    const content = sectors > 0 ? drive.read(image.start, sectors) : new Uint8Array();
    if (!content) return 'wait';
    const number = this.disks.startFrom(drive, image);
    this.enter(frame, drive, content.subarray(0, bytes), image.segment, number);
    return 'started';
  }

  private refuse(drive: BiosDrive, why: string): 'no' {
    this.say(`${drive.name} ${why}.\r\n`);
    return 'no';
  }

  private enter(frame: Frame, drive: BiosDrive, code: Uint8Array, segment: number, number: number): void {
    this.say(`Starting from ${drive.name} ...\r\n\r\n`);
    this.machine.ram.write(segment * 16, code);
    frame.dx = number;
    frame.ax = frame.bx = frame.cx = frame.si = frame.di = frame.bp = 0;
    frame.ds = frame.es = 0;
    if (segment === BOOT_SECTOR >> 4) frame.returnTo(0, BOOT_SECTOR);
    else frame.returnTo(segment, 0);
  }
}
