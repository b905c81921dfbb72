/** A port of an AHCI controller (Serial ATA AHCI 1.3.1, 3.3), with the device on it. */
import type { Drive } from '../../machine/drive.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import { Scatter } from '../../machine/scatter.js';
import { AtaDisk, type AtaWork } from './ata-disk.js';
import { AtaPacket } from './ata-packet.js';
import {
  ABRT,
  DISK_SIGNATURE,
  DRDY,
  DSC,
  ERR,
  PACKET_SIGNATURE,
  UNC,
  type TaskFile,
} from './ata-registers.js';
import { perform, type Ending } from './perform.js';
import type { Work } from './work.js';

// Registers
const CLB = 0x00;
const CLBU = 0x04;
const FB = 0x08;
const FBU = 0x0c;
const IS = 0x10;
const IE = 0x14;
const CMD = 0x18;
const TFD = 0x20;
const SIG = 0x24;
const SSTS = 0x28;
const SCTL = 0x2c;
const SERR = 0x30;
const SACT = 0x34;
const CI = 0x38;

const CMD_ST = 0x0001;
const CMD_CLO = 0x0008;
const CMD_FRE = 0x0010;
const CMD_FR = 0x4000;
const CMD_CR = 0x8000;
const CMD_ATAPI = 1 << 24;
const CMD_WRITABLE = 0xf7000000 | CMD_ST | 0x0006 | CMD_FRE | CMD_ATAPI;

const IS_DHRS = 1 << 0;
const IS_PSS = 1 << 1;
const IS_SDBS = 1 << 3;
const IS_PCS = 1 << 6;
const IS_TFES = 1 << 30;

/** Device present, generation 2, active. */
const PRESENT = 0x123;
const DET_RESET = 1;
const DIAGNOSTIC_CHANGED = (1 << 26) | (1 << 16);

export const SLOTS = 32;
const HEADER_BYTES = 32;
const HEADER_PACKET = 1 << 5;
const TABLE_PACKET = 0x40;
const TABLE_REGIONS = 0x80;
const REGION_BYTES = 16;
const REGION_LENGTH = 0x3fffff;

// FIS types, and where they are received
const FIS_H2D = 0x27;
const FIS_D2H = 0x34;
const FIS_PIO_SETUP = 0x5f;
const FIS_SET_BITS = 0xa1;
const RECEIVED_PIO = 0x20;
const RECEIVED_D2H = 0x40;
const RECEIVED_SET_BITS = 0x58;
const FIS_COMMAND = 0x80;
const FIS_INTERRUPT = 0x40;

const PACKET = 0xa0;
const READ_FPDMA = 0x60;
const WRITE_FPDMA = 0x61;
const IDENTIFY = 0xec;
const SECTOR = 512;
const SOFT_RESET = 0x04;

export class AhciPort {
  readonly device: AtaDisk | AtaPacket | null;
  private readonly registers = new Uint32Array(0x20);
  private generation = 0;

  /** `changed`: the interrupt status did. */
  constructor(
    private readonly ram: GuestRam,
    drive: Drive | undefined,
    private readonly changed: () => void,
  ) {
    this.device = drive ? (drive.kind === 'cdrom' ? new AtaPacket(drive) : new AtaDisk(drive, true)) : null;
    this.reset();
  }

  private get(register: number): number {
    return this.registers[register >> 2]!;
  }
  private set(register: number, value: number): void {
    this.registers[register >> 2] = value;
  }

  get interrupting(): boolean {
    return (this.get(IS) & this.get(IE)) !== 0;
  }

  reset(): void {
    this.registers.fill(0);
    this.set(CMD, 0x0006);
    this.link();
  }

  /** The link comes up, where there is a device. */
  private link(): void {
    this.generation++;
    this.set(SACT, 0);
    this.set(CI, 0);
    this.device?.reset();
    this.set(SSTS, this.device ? PRESENT : 0);
    this.set(TFD, this.device ? (0x01 << 8) | DRDY | DSC : 0x7f);
    this.set(SIG, this.device ? this.signature : 0xffffffff);
    if (!this.device) return;
    this.set(SERR, DIAGNOSTIC_CHANGED);
    this.raise(IS_PCS);
  }

  private get signature(): number {
    const { count, lba } = this.device?.packet ? PACKET_SIGNATURE : DISK_SIGNATURE;
    return ((lba << 8) | count) >>> 0;
  }

  read(register: number): number {
    return this.get(register);
  }

  write(register: number, value: number): void {
    switch (register) {
      case CLB:
        return this.set(CLB, value & ~0x3ff);
      case FB:
        return this.set(FB, value & ~0xff);
      case CLBU:
      case FBU:
      case IE:
        return this.set(register, value);
      case IS:
        this.set(IS, this.get(IS) & ~value);
        return this.changed();
      case SERR:
        return this.set(SERR, this.get(SERR) & ~value);
      case CMD:
        return this.writeCommand(value);
      case SCTL: {
        const was = this.get(SCTL) & 0xf;
        this.set(SCTL, value);
        if (was === DET_RESET && (value & 0xf) === 0) this.comreset();
        else if ((value & 0xf) === DET_RESET) this.set(SSTS, 0);
        return;
      }
      case SACT:
        if (this.get(CMD) & CMD_ST) this.set(SACT, this.get(SACT) | value);
        return;
      case CI:
        if (this.get(CMD) & CMD_ST) {
          this.set(CI, this.get(CI) | value);
          this.issue(value);
        }
    }
  }

  private comreset(): void {
    this.link();
    this.sendSignature();
  }

  private writeCommand(value: number): void {
    const was = this.get(CMD);
    let command = (was & ~CMD_WRITABLE) | (value & CMD_WRITABLE);
    if (value & CMD_CLO) this.set(TFD, this.get(TFD) & ~0x88);
    command = command & CMD_ST ? command | CMD_CR : command & ~CMD_CR;
    command = command & CMD_FRE ? command | CMD_FR : command & ~CMD_FR;
    this.set(CMD, command >>> 0);
    if (was & CMD_ST && !(command & CMD_ST)) {
      this.generation++;
      this.set(CI, 0);
      this.set(SACT, 0);
    }
    if (!(was & CMD_FRE) && command & CMD_FRE) this.sendSignature();
    if (command & CMD_ST && !(was & CMD_ST)) this.issue(this.get(CI));
  }

  private raise(bits: number): void {
    this.set(IS, this.get(IS) | bits);
    this.changed();
  }

  // ---- FISes to the host

  private receive(offset: number, fis: number[]): void {
    const at = this.get(FB) + this.get(FBU) * 2 ** 32 + offset;
    if (!(this.get(CMD) & CMD_FRE) || !this.ram.contains(at, fis.length)) return;
    this.ram.write(at, Uint8Array.from(fis));
  }

  private sendSignature(): void {
    if (!this.device) return;
    const { count, lba } = this.device.packet ? PACKET_SIGNATURE : DISK_SIGNATURE;
    const status = this.device.packet ? DSC : DRDY | DSC;
    this.receive(RECEIVED_D2H, [
      FIS_D2H,
      0,
      status,
      1,
      lba & 0xff,
      (lba >> 8) & 0xff,
      (lba >> 16) & 0xff,
      0,
      0,
      0,
      0,
      0,
      count,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    ]);
  }

  private sendRegisters(file: TaskFile, status: number, error: number): void {
    const byte = (n: number): number => Math.floor(file.lba / 2 ** (8 * n)) & 0xff;
    const lba = [byte(0), byte(1), byte(2)];
    const high = [byte(3), byte(4), byte(5)];
    this.receive(RECEIVED_D2H, [
      FIS_D2H,
      FIS_INTERRUPT,
      status,
      error,
      ...lba,
      file.device,
      ...high,
      0,
      file.count & 0xff,
      file.count >> 8,
      0,
      0,
      0,
      0,
      0,
      0,
    ]);
  }

  // ---- commands

  private issue(slots: number): void {
    for (let slot = 0; slot < SLOTS; slot++) if (slots & (1 << slot)) this.start(slot);
  }

  private start(slot: number): void {
    const { ram, device } = this;
    const at = this.get(CLB) + this.get(CLBU) * 2 ** 32 + slot * HEADER_BYTES;
    if (!device || !ram.contains(at, HEADER_BYTES)) return;
    const header = ram.readU32(at);
    const table = Number(ram.readU64(at + 8));
    if (!ram.contains(table, TABLE_REGIONS)) return;
    const fis = ram.read(table, 0x40);
    if (fis[0] !== FIS_H2D) return this.free(slot);
    if (!(fis[1]! & FIS_COMMAND)) {
      // Device control: a soft reset ends with the signature.
      if (!(fis[15]! & SOFT_RESET)) {
        device.reset();
        this.set(TFD, (1 << 8) | (device.packet ? DSC : DRDY | DSC));
        this.sendSignature();
      }
      return this.free(slot);
    }
    const buffer = this.regions(table, header >>> 16);
    const packet = header & HEADER_PACKET ? ram.read(table + TABLE_PACKET, 16) : null;
    this.run(slot, at, taskFile(fis), packet, buffer);
  }

  private regions(table: number, count: number): Scatter {
    const { ram } = this;
    const segments: { address: number; length: number }[] = [];
    for (let n = 0; n < count; n++) {
      const at = table + TABLE_REGIONS + n * REGION_BYTES;
      if (!ram.contains(at, REGION_BYTES)) break;
      const address = Number(ram.readU64(at));
      const length = (ram.readU32(at + 12) & REGION_LENGTH) + 1;
      if (!ram.contains(address, length)) break;
      segments.push({ address, length });
    }
    return new Scatter(ram, segments);
  }

  private run(
    slot: number,
    header: number,
    file: TaskFile,
    packet: Uint8Array | null,
    buffer: Scatter,
  ): void {
    const device = this.device!;
    const queued = file.command === READ_FPDMA || file.command === WRITE_FPDMA;
    const { generation } = this;
    const end = (ending: Ending): void => {
      if (generation !== this.generation) return;
      if (ending.kind === 'done') {
        this.ram.writeU32(header + 4, ending.moved);
        this.succeed(slot, file, queued);
      } else this.fail(slot, file, errorOf(ending.work, packet !== null));
    };
    if (packet && file.command === PACKET && device.packet)
      return perform(
        device.drive,
        device.packet.execute(packet),
        { toGuest: buffer, fromGuest: buffer },
        (ending) => {
          if (ending.kind === 'failed' && ending.work === null)
            return end({ kind: 'failed', work: { kind: 'check', sense: device.packet!.failed() } });
          end(ending);
        },
      );
    if (file.command === IDENTIFY && device.packet)
      return end({ kind: 'failed', work: { kind: 'error', error: ABRT } });
    const asked = queued ? queuedWork(device, file) : device.command(file);
    if (asked.result) file.lba = asked.result.lba;
    const safe =
      asked.work.kind === 'write' && (asked.forceUnit || ('writeCache' in device && !device.writeCache));
    const pio = !asked.dma && (asked.work.kind === 'answer' || asked.work.kind === 'read');
    perform(device.drive, asked.work, { toGuest: buffer, fromGuest: buffer }, (ending) => {
      if (pio && ending.kind === 'done') {
        this.receive(RECEIVED_PIO, [
          FIS_PIO_SETUP,
          0x60,
          DRDY | DSC | 8,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          DRDY | DSC,
          ending.moved & 0xff,
          (ending.moved >> 8) & 0xff,
          0,
          0,
        ]);
        this.set(IS, this.get(IS) | IS_PSS);
      }
      if (!safe || ending.kind !== 'done') return end(ending);
      device.drive.flush((ok) => end(ok ? ending : { kind: 'failed', work: null }));
    });
  }

  private free(slot: number): void {
    this.set(CI, this.get(CI) & ~(1 << slot));
  }

  private succeed(slot: number, file: TaskFile, queued: boolean): void {
    const status = DRDY | DSC;
    this.set(TFD, status);
    this.free(slot);
    if (queued) {
      const tag = 1 << (file.count >> 3);
      this.set(SACT, this.get(SACT) & ~tag);
      const bits = [0, 8, 16, 24].map((shift) => (tag >>> shift) & 0xff);
      this.receive(RECEIVED_SET_BITS, [FIS_SET_BITS, FIS_INTERRUPT, status & 0x77, 0, ...bits]);
      this.raise(IS_SDBS);
    } else {
      this.sendRegisters(file, status, 0);
      this.raise(IS_DHRS);
    }
  }

  private fail(slot: number, file: TaskFile, error: number): void {
    const status = DRDY | DSC | ERR;
    this.set(TFD, (error << 8) | status);
    if (!(this.device?.packet === null && (file.command === READ_FPDMA || file.command === WRITE_FPDMA)))
      this.free(slot);
    this.sendRegisters(file, status, error);
    this.raise(IS_TFES | IS_DHRS);
  }

  save(): object {
    return { registers: [...this.registers], device: this.device?.save() ?? null };
  }
  load(state: object): void {
    const { registers, device } = state as { registers: number[]; device: object | null };
    this.registers.set(registers);
    if (device) this.device?.load(device);
  }
}

function taskFile(fis: Uint8Array): TaskFile {
  const low = fis[4]! + fis[5]! * 2 ** 8 + fis[6]! * 2 ** 16;
  const high = fis[8]! + fis[9]! * 2 ** 8 + fis[10]! * 2 ** 16;
  return {
    command: fis[2]!,
    features: fis[3]! | (fis[11]! << 8),
    device: fis[7]!,
    lba: low + high * 2 ** 24,
    count: fis[12]! | (fis[13]! << 8),
  };
}

/** READ and WRITE FPDMA QUEUED: the count stands in the features register, the tag in that of the count. */
function queuedWork(device: AtaDisk | AtaPacket, file: TaskFile): AtaWork {
  const { drive } = device;
  const count = file.features || 0x10000;
  const kind = file.command === READ_FPDMA ? 'read' : 'write';
  const common = { dma: true, block: 0, forceUnit: (file.device & 0x80) !== 0 };
  if (device.packet || file.lba + count > drive.sectors || (kind === 'write' && drive.readOnly))
    return { ...common, work: { kind: 'error', error: ABRT } };
  return { ...common, work: { kind, position: file.lba * SECTOR, length: count * SECTOR } };
}

function errorOf(work: Extract<Work, { kind: 'error' | 'check' }> | null, packet: boolean): number {
  if (work?.kind === 'check') return (work.sense[0] << 4) | (packet ? ABRT : 0);
  return work?.error ?? UNC;
}
