/** INT 19h and 18h: which drive the system starts from, and the menu that asks (BIOS Boot Specification 1.01). */
import type { Progress } from '../../machine/progress.js';
import type { Disks } from './disks.js';
import { bootImage } from './el-torito.js';
import type { Frame } from './frame.js';
import type { Keyboard } from './keyboard.js';
import {
  DriveError,
  TFTP_BLOCK,
  TFTP_PORT,
  type BiosDrive,
  type BiosLease,
  type BiosMachine,
  type BiosNetwork,
} from './machine.js';
import type { Pxe } from './pxe/pxe.js';
import { PXE_BASE, PXE_SEGMENT, PXENV_OFFSET } from './pxe/structures.js';
import { AGAIN, DONE, ROM_SEGMENT, SPIN, type Outcome, type Rom } from './rom.js';

const BOOT_SECTOR = 0x7c00;
const SIGNATURE = 0xaa55;
const SIGNATURE_AT = 510;
const SECTOR = 512;
const F12 = 0x8600;
const ESCAPE = 0x1b;

/** What a program from the network may have: up to PXE's structures. */
const MOST_PROGRAM = PXE_BASE - BOOT_SECTOR;

/** A program that the network gave. */
interface NetworkProgram {
  readonly lease: BiosLease;
  readonly bytes: Uint8Array;
}

type State = 'start' | 'menu' | 'stopped';

export class Boot {
  private state: State = 'start';
  /** What has been tried since the machine started. */
  private next = 0;
  private candidates: (BiosDrive | BiosNetwork)[] = [];
  /** What is being got from the network. */
  private work: Progress<NetworkProgram | null> | null = null;

  constructor(
    private readonly machine: BiosMachine,
    private readonly parts: { rom: Rom; disks: Disks; keyboard: Keyboard; pxe: Pxe },
    private readonly say: (text: string) => void,
  ) {}

  reset(): void {
    const { drives, networks, bootOrder } = this.machine;
    const all = [...drives, ...networks];
    for (const network of networks) network.reset();
    this.candidates = bootOrder.flatMap((kind) => all.filter((one) => one.kind === kind));
    this.next = 0;
    this.work = null;
    this.state = 'start';
  }

  /** INT 19h: starts from the next drive that has something to start; also INT 18h, when one has given up. */
  call(frame: Frame): Outcome {
    if (this.state === 'start') {
      if (this.machine.bootMenu || this.parts.keyboard.peek() === F12) this.openMenu();
    }
    if (this.state === 'menu' && !this.choose()) return AGAIN;
    if (this.state === 'stopped') return AGAIN;
    this.state = 'start';
    while (this.next < this.candidates.length) {
      const drive = this.candidates[this.next]!;
      const outcome = drive.kind === 'network' ? this.tryNetwork(frame, drive) : this.tryDrive(frame, drive);
      if (outcome === 'wait' && this.work) {
        this.machine.rest();
        return SPIN;
      }
      if (outcome === 'wait') return AGAIN;
      this.next++;
      if (outcome === 'started') return DONE;
    }
    this.state = 'stopped';
    this.say(
      this.candidates.every(({ kind }) => kind === 'network')
        ? 'There is no drive to start from: give the machine one with --disk, --cdrom or --floppy.\r\n'
        : 'Nothing was found to start from.\r\n',
    );
    return AGAIN;
  }

  private openMenu(): void {
    this.state = 'menu';
    while (this.parts.keyboard.take() !== 0);
    this.say('Start from:\r\n\r\n');
    this.candidates.forEach(({ name }, n) => this.say(`  ${n + 1}. ${name}\r\n`));
    this.say('\r\nPress a number; Esc or Enter starts from the first.\r\n\r\n');
  }

  /** true: the menu was answered. */
  private choose(): boolean {
    for (let key = this.parts.keyboard.take(); key !== 0; key = this.parts.keyboard.take()) {
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
    this.enter(frame, drive, sector.subarray(0, SECTOR), BOOT_SECTOR >> 4, this.parts.disks.numberOf(drive));
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
    const number = this.parts.disks.startFrom(drive, image);
    this.enter(frame, drive, content.subarray(0, bytes), image.segment, number);
    return 'started';
  }

  private tryNetwork(frame: Frame, network: BiosNetwork): 'started' | 'wait' | 'no' {
    this.work ??= this.getProgram(network);
    const step = this.work.next();
    if (!step.done) return 'wait';
    this.work = null;
    if (!step.value) {
      network.close();
      return 'no';
    }
    const { lease, bytes } = step.value;
    this.parts.pxe.install(network, lease);
    this.machine.ram.write(BOOT_SECTOR, bytes);
    frame.ax = frame.cx = frame.dx = frame.si = frame.di = frame.bp = 0;
    frame.ds = 0;
    frame.es = PXE_SEGMENT;
    frame.bx = PXENV_OFFSET;
    frame.returnTo(ROM_SEGMENT, this.parts.rom.offset('pxeStart'));
    return 'started';
  }

  private *getProgram(network: BiosNetwork): Progress<NetworkProgram | null> {
    const refuse = (why: string): null => {
      this.say(`${network.name}: ${why}.\r\n`);
      return null;
    };
    if (!network.connected) return refuse('the cable is pulled');
    const lease = yield* network.lease();
    if (typeof lease === 'string') return refuse(lease);
    const { address, server, file } = lease;
    if (file === '')
      return refuse(`the network gives the address ${address.join('.')}, and nothing to start from`);
    this.say(`Starting from ${network.name}: ${file} from ${server.join('.')} ...\r\n\r\n`);
    const download = yield* network.download({ server, file, port: TFTP_PORT, block: TFTP_BLOCK });
    if (typeof download === 'string') return refuse(`${file}: ${download}`);
    const program = new Uint8Array(MOST_PROGRAM);
    let length = 0;
    for (let bytes = yield* download.next(); bytes !== null; bytes = yield* download.next()) {
      if (typeof bytes === 'string') return refuse(`${file}: ${bytes}`);
      if (length + bytes.length > MOST_PROGRAM) {
        download.close();
        return refuse(`${file} is longer than the ${MOST_PROGRAM} bytes that there is room for`);
      }
      program.set(bytes, length);
      length += bytes.length;
    }
    return { lease, bytes: program.subarray(0, length) };
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
