/** Floppy disk controller Intel 82078 (order number 290474), as far as PC systems use it: two drives, DMA. Ports 3F0-3F5, 3F7. */
import type { Drive } from '../../machine/drive.js';
import { floppyShape, type FloppyShape } from '../../machine/floppy-shapes.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { Line } from '../../machine/line.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import type { DmaControllers } from '../legacy/dma8237.js';

export const FLOPPY_IRQ = 6;
const DMA_CHANNEL = 2;
const BASE = 0x3f0;
const DOR = 2;
const MSR_DSR = 4;
const FIFO = 5;
const DIR_CCR = 7;
const SECTOR = 512;

const DOR_ENABLE = 0x04;
const DOR_INTERRUPTS = 0x08;
const DSR_RESET = 0x80;
const MSR_REQUEST = 0x80;
const MSR_TO_HOST = 0x40;
const MSR_BUSY = 0x10;
const DIR_CHANGED = 0x80;

// Status registers
const ST0_ABNORMAL = 0x40;
const ST0_INVALID = 0x80;
const ST0_POLLED = 0xc0;
const ST0_SEEK_END = 0x20;
const ST0_NOT_READY = 0x08;
const ST1_NO_DATA = 0x04;
const ST1_END = 0x80;
const ST1_WRITE_PROTECTED = 0x02;
const ST1_OVERRUN = 0x10;
const ST3_WRITE_PROTECTED = 0x40;
const ST3_READY = 0x20;
const ST3_TRACK_0 = 0x10;
const ST3_TWO_SIDED = 0x08;

/** Bytes of each command, the first included; by its low five bits. */
const LENGTHS: Record<number, number> = {
  0x02: 9,
  0x03: 3,
  0x04: 2,
  0x05: 9,
  0x06: 9,
  0x07: 2,
  0x08: 1,
  0x09: 9,
  0x0a: 2,
  0x0c: 9,
  0x0d: 6,
  0x0e: 1,
  0x0f: 3,
  0x10: 1,
  0x12: 2,
  0x13: 4,
  0x14: 1,
  0x18: 1,
};
const VERSION_82078 = 0x90;
const PART_ID = 0x41;

export class FloppyController implements PortDevice {
  private dor = 0;
  private command: number[] = [];
  private result: number[] = [];
  private readonly cylinders = [0, 0];
  /** What SENSE INTERRUPT STATUS tells next: ST0 and cylinder. */
  private interrupts: [st0: number, cylinder: number][] = [];
  private readonly changed = [true, true];
  private configuration = [0, 0, 0];
  private locked = 0;
  private specified = [0, 0];
  private busy = false;
  private generation = 0;

  constructor(
    private readonly drives: readonly (Drive | undefined)[],
    private readonly ram: GuestRam,
    private readonly dma: DmaControllers,
    private readonly interrupt: Line,
  ) {
    drives.forEach((drive, n) => {
      if (drive) drive.onChange = () => (this.changed[n] = true);
    });
  }

  attach(ports: PortBus): void {
    ports.map(BASE, 6, this);
    ports.map(BASE + DIR_CCR, 1, this);
  }

  reset(): void {
    this.dor = 0;
    this.begin();
    this.interrupts = [];
    this.interrupt(false);
  }

  private begin(): void {
    this.generation++;
    this.command = [];
    this.result = [];
    this.busy = false;
    this.cylinders.fill(0);
  }

  private raise(): void {
    if (this.dor & DOR_INTERRUPTS) this.interrupt(true);
  }

  readPort(port: number): number {
    switch (port - BASE) {
      case DOR:
        return this.dor;
      case MSR_DSR:
        if (!(this.dor & DOR_ENABLE)) return 0;
        if (this.busy) return MSR_BUSY;
        if (this.result.length > 0) return MSR_REQUEST | MSR_TO_HOST | MSR_BUSY;
        return MSR_REQUEST | (this.command.length > 0 ? MSR_BUSY : 0);
      case FIFO: {
        this.interrupt(false);
        return this.result.shift() ?? 0;
      }
      case DIR_CCR: {
        const drive = this.dor & 3;
        return this.drives[drive] && this.changed[drive] ? DIR_CHANGED : 0;
      }
      default:
        return 0;
    }
  }

  writePort(port: number, value: number): void {
    switch (port - BASE) {
      case DOR: {
        const was = this.dor;
        this.dor = value;
        if (!(value & DOR_ENABLE)) this.begin();
        else if (!(was & DOR_ENABLE)) this.leaveReset();
        return;
      }
      case MSR_DSR:
        if (value & DSR_RESET) {
          this.begin();
          this.leaveReset();
        }
        return;
      case FIFO:
        if (this.dor & DOR_ENABLE && !this.busy && this.result.length === 0) this.take(value);
        return;
    }
  }

  /** After a reset all four drives are polled, and each has something to tell. */
  private leaveReset(): void {
    this.interrupts = [0, 1, 2, 3].map((drive) => [ST0_POLLED | drive, 0]);
    this.raise();
  }

  private take(byte: number): void {
    this.command.push(byte);
    const length = LENGTHS[this.command[0]! & 0x1f];
    if (length !== undefined && this.command.length < length) return;
    const command = this.command;
    this.command = [];
    if (length === undefined) this.result = [ST0_INVALID];
    else this.execute(command);
  }

  private execute(command: number[]): void {
    const [code, first = 0] = command as [number, number];
    const drive = first & 3;
    switch (code & 0x1f) {
      case 0x03:
        this.specified = command.slice(1);
        return;
      case 0x04:
        this.result = [this.driveStatus(first)];
        return;
      case 0x07:
        return this.seek(drive, 0);
      case 0x0f:
        return this.seek(drive, command[2]!);
      case 0x08: {
        this.interrupt(false);
        const next = this.interrupts.shift();
        this.result = next ? [...next] : [ST0_INVALID];
        return;
      }
      case 0x0a:
        return this.readId(first);
      case 0x0e:
        this.result = [
          ...this.cylinders,
          0,
          0,
          ...this.specified,
          18,
          this.locked << 7,
          ...this.configuration.slice(1),
        ];
        return;
      case 0x10:
        this.result = [VERSION_82078];
        return;
      case 0x12:
        return;
      case 0x13:
        this.configuration = command.slice(1);
        return;
      case 0x14:
        this.locked = code >> 7;
        this.result = [this.locked << 4];
        return;
      case 0x18:
        this.result = [PART_ID];
        return;
      case 0x0d:
        return this.format(command);
      default:
        return this.transfer(command, (code & 0x1f) === 0x05 || (code & 0x1f) === 0x09);
    }
  }

  private driveStatus(selected: number): number {
    const drive = this.drives[selected & 3];
    let status = ST3_READY | ST3_TWO_SIDED | (selected & 7);
    if (this.cylinders[selected & 1] === 0) status |= ST3_TRACK_0;
    if (drive?.readOnly) status |= ST3_WRITE_PROTECTED;
    return drive ? status : selected & 7;
  }

  private seek(drive: number, cylinder: number): void {
    const there = this.drives[drive] !== undefined;
    if (there) {
      this.cylinders[drive] = cylinder;
      // The head moved: whether the medium was changed is known now, if there is one.
      if (this.drives[drive]!.sectors > 0) this.changed[drive] = false;
    }
    this.interrupts.push([ST0_SEEK_END | (there ? 0 : ST0_ABNORMAL) | drive, cylinder]);
    this.raise();
  }

  private shape(drive: Drive | undefined): FloppyShape | null {
    return drive && drive.sectors > 0 ? floppyShape(drive.sectors) : null;
  }

  private readId(selected: number): void {
    const shape = this.shape(this.drives[selected & 3]);
    const head = (selected >> 2) & 1;
    const cylinder = this.cylinders[selected & 1]!;
    if (!shape || cylinder >= shape.cylinders || head >= shape.heads)
      this.end(selected, ST0_ABNORMAL, ST1_NO_DATA, [cylinder, head, 1, 2]);
    else this.end(selected, 0, 0, [cylinder, head, 1, 2]);
  }

  /** Result of a command with data: status, then where it ended. */
  private end(selected: number, st0: number, st1: number, place: number[]): void {
    this.busy = false;
    this.result = [st0 | (selected & 7), st1, 0, ...place];
    this.raise();
  }

  private transfer(command: number[], write: boolean): void {
    const [code, selected, cylinder, head, sector, size, last] = command as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const drive = this.drives[selected & 3];
    const shape = this.shape(drive);
    const place = [cylinder, head, sector, size];
    if (!drive || !shape) return this.end(selected, ST0_ABNORMAL | ST0_NOT_READY, ST1_NO_DATA, place);
    const { cylinders, heads, sectors } = shape;
    if (cylinder >= cylinders || head >= heads || sector === 0 || sector > sectors || size !== 2)
      return this.end(selected, ST0_ABNORMAL, ST1_NO_DATA, place);
    if (write && drive.readOnly) return this.end(selected, ST0_ABNORMAL, ST1_WRITE_PROTECTED, place);
    const buffer = this.dma.pending(DMA_CHANNEL, this.ram);
    if (!buffer) return this.end(selected, ST0_ABNORMAL, ST1_OVERRUN, place);
    const first = (cylinder * heads + head) * sectors + sector - 1;
    // To the end of the track; with the multi-track bit, of the cylinder.
    const multi = (code & 0x80) !== 0;
    const trackEnd = Math.min(last || sectors, sectors);
    const most = Math.max(0, trackEnd - sector + 1 + (multi && head === 0 && heads === 2 ? sectors : 0));
    const count = Math.min(Math.ceil(buffer.length / SECTOR), most);
    const length = Math.min(buffer.length, count * SECTOR);
    const bytes = this.ram.view(buffer.address, length);
    this.busy = true;
    const { generation } = this;
    const done = (ok: boolean): void => {
      if (generation !== this.generation) return;
      if (!write) this.ram.written(buffer.address, length);
      this.dma.moved(DMA_CHANNEL, length);
      const next = sector + count;
      const over = next > sectors;
      const ended = over
        ? [cylinder + (head === 1 || !multi ? 1 : 0), multi ? head ^ 1 : head, next - sectors, size]
        : [cylinder, head, next, size];
      if (!ok) this.end(selected, ST0_ABNORMAL, ST1_NO_DATA, place);
      else if (buffer.length > length) this.end(selected, ST0_ABNORMAL, ST1_END, ended);
      else this.end(selected, 0, 0, ended);
    };
    if (write) drive.write(first * SECTOR, [bytes], done);
    else drive.read(first * SECTOR, [bytes], done);
  }

  /** FORMAT TRACK: four bytes for each sector say where it is; what it holds is the filler. */
  private format(command: number[]): void {
    const [, selected, size, count, , filler] = command as [number, number, number, number, number, number];
    const drive = this.drives[selected & 3];
    const shape = this.shape(drive);
    const cylinder = this.cylinders[selected & 1]!;
    const head = (selected >> 2) & 1;
    const place = [cylinder, head, count, size];
    if (!drive || !shape || cylinder >= shape.cylinders || head >= shape.heads || count > shape.sectors)
      return this.end(selected, ST0_ABNORMAL, ST1_NO_DATA, place);
    if (drive.readOnly) return this.end(selected, ST0_ABNORMAL, ST1_WRITE_PROTECTED, place);
    const bytes = new Uint8Array(count * SECTOR).fill(filler);
    this.dma.moved(DMA_CHANNEL, Math.min(4 * count, this.dma.pending(DMA_CHANNEL, this.ram)?.length ?? 0));
    this.busy = true;
    const { generation } = this;
    drive.write((cylinder * shape.heads + head) * shape.sectors * SECTOR, [bytes], (ok) => {
      if (generation === this.generation)
        this.end(selected, ok ? 0 : ST0_ABNORMAL, ok ? 0 : ST1_NO_DATA, place);
    });
  }

  save(): { version: 1; own: object } {
    const { dor, command, result, interrupts, configuration, locked, specified } = this;
    const { cylinders, changed } = this;
    const own = { dor, command, result, interrupts, configuration, locked, specified, cylinders, changed };
    return { version: 1, own: structuredClone(own) };
  }
  load(state: ReturnType<FloppyController['save']>): void {
    checkVersion('the floppy controller', state, 1);
    const { cylinders, changed, ...own } = structuredClone(state.own) as {
      cylinders: number[];
      changed: boolean[];
    };
    Object.assign(this, own);
    cylinders.forEach((cylinder, n) => (this.cylinders[n] = cylinder));
    changed.forEach((value, n) => (this.changed[n] = value));
  }
}
