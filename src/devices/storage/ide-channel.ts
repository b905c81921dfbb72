/** One channel of an IDE controller: ports, two devices, and how data move (ATA/ATAPI-7 volume 2, chapter 5 and 9). */
import type { Drive } from '../../machine/drive.js';
import type { Line } from '../../machine/line.js';
import type { AccessSize, PortDevice } from '../../machine/port-bus.js';
import type { Scatter } from '../../machine/scatter.js';
import { AtaDisk, type AtaWork } from './ata-disk.js';
import { AtaPacket } from './ata-packet.js';
import {
  ABRT,
  BSY,
  DISK_SIGNATURE,
  DRDY,
  DRQ,
  DSC,
  ERR,
  PACKET_SIGNATURE,
  UNC,
  type TaskFile,
} from './ata-registers.js';
import type { Work } from './work.js';

// Registers, from the base of the command block
const DATA = 0;
const ERROR_FEATURES = 1;
const COUNT = 2;
const LBA_LOW = 3;
const LBA_HIGH = 5;
const DEVICE = 6;
const STATUS_COMMAND = 7;

const SLAVE = 0x10;
// Device control
const SOFT_RESET = 0x04;
const NO_INTERRUPT = 0x02;
const HIGH_ORDER = 0x80;

const EXECUTE_DIAGNOSTIC = 0x90;
const DEVICE_RESET = 0x08;
const PACKET = 0xa0;
const IDENTIFY = 0xec;
const PACKET_BYTES = 12;
const SECTOR = 512;
/** The most that a PIO transfer of a packet device fetches at once. */
const MOST_PACKET_BLOCK = 0xfffe;
// Interrupt reason, in the count register
const IS_COMMAND = 1;
const TO_HOST = 2;

/** One device's registers. Each is two deep: the older value is that of 48-bit commands. */
class Registers {
  error = 0;
  status = 0;
  features = [0, 0];
  count = [0, 0];
  lba = [
    [0, 0],
    [0, 0],
    [0, 0],
  ];
  device = 0;
}

/** What the bus master does for the channel. */
export interface BusMaster {
  /** The guest's buffer, when it has started the transfer; null: not yet, `channel.dmaStarted` comes. */
  buffer(): Scatter | null;
  /** The transfer ended. */
  done(error: boolean): void;
  interrupted(): void;
}

type Device = AtaDisk | AtaPacket;

export class IdeChannel implements PortDevice {
  readonly devices: (Device | null)[];
  private readonly registers = [new Registers(), new Registers()];
  private selected = 0;
  private control = 0;
  /** Data on their way through the data port: `at` up to `end` in `data`. */
  private data: Uint8Array = new Uint8Array();
  private at = 0;
  private end = 0;
  /** What happens when the host has moved them all. */
  private drained: (() => void) | null = null;
  /** A transfer that waits for the bus master. */
  private waiting: ((buffer: Scatter) => void) | null = null;
  /** Requests whose answer comes after a reset are none of ours any more. */
  private generation = 0;

  constructor(
    drives: readonly (Drive | undefined)[],
    private readonly interrupt: Line,
    private readonly master: BusMaster,
  ) {
    this.devices = [0, 1].map((n) => {
      const drive = drives[n];
      return drive ? (drive.kind === 'cdrom' ? new AtaPacket(drive) : new AtaDisk(drive)) : null;
    });
    this.reset();
  }

  reset(): void {
    this.control = 0;
    this.softReset();
    this.interrupt(false);
  }

  private softReset(): void {
    this.generation++;
    this.waiting = this.drained = null;
    this.at = this.end = 0;
    this.selected = 0;
    this.devices.forEach((device, n) => {
      device?.reset();
      this.sign(n);
    });
  }

  /** The registers say what the device is. */
  private sign(n: number): void {
    const registers = (this.registers[n] = new Registers());
    const device = this.devices[n];
    if (!device) return;
    const { count, lba } = device.packet ? PACKET_SIGNATURE : DISK_SIGNATURE;
    registers.count = [count, 0];
    registers.lba = [0, 8, 16].map((shift) => [(lba >> shift) & 0xff, 0]);
    registers.error = 1;
    registers.status = device.packet ? 0 : DRDY | DSC;
  }

  private get device(): Device | null {
    return this.devices[this.selected]!;
  }
  private get own(): Registers {
    return this.registers[this.selected]!;
  }

  private raise(): void {
    this.master.interrupted();
    if (!(this.control & NO_INTERRUPT)) this.interrupt(true);
  }

  // ---- ports

  readPort(port: number, size: AccessSize): number {
    const register = port & 7;
    if (register === DATA) return this.readData(size);
    if (!this.devices[0] && !this.devices[1]) return register === STATUS_COMMAND ? 0 : 0xff;
    const { own } = this;
    const depth = this.control & HIGH_ORDER ? 1 : 0;
    switch (register) {
      case ERROR_FEATURES:
        return own.error;
      case COUNT:
        return own.count[depth]!;
      case DEVICE:
        return own.device | 0xa0;
      case STATUS_COMMAND:
        this.interrupt(false);
        return this.alternateStatus();
      default:
        return own.lba[register - LBA_LOW]![depth]!;
    }
  }

  /** The status, without taking the interrupt back. */
  alternateStatus(): number {
    return this.device ? this.own.status : 0;
  }

  writePort(port: number, value: number, size: AccessSize): void {
    const register = port & 7;
    if (register === DATA) return this.writeData(value, size);
    this.control &= ~HIGH_ORDER;
    const push = (pair: number[]): number[] => [value, pair[0]!];
    for (const registers of this.registers) {
      if (register === ERROR_FEATURES) registers.features = push(registers.features);
      else if (register === COUNT) registers.count = push(registers.count);
      else if (register >= LBA_LOW && register <= LBA_HIGH)
        registers.lba[register - LBA_LOW] = push(registers.lba[register - LBA_LOW]!);
      else if (register === DEVICE) registers.device = value;
    }
    if (register === DEVICE) this.selected = value & SLAVE ? 1 : 0;
    else if (register === STATUS_COMMAND) this.command(value);
  }

  writeControl(value: number): void {
    const was = this.control;
    this.control = value;
    if (value & SOFT_RESET && !(was & SOFT_RESET)) {
      this.softReset();
      for (const registers of this.registers) registers.status |= BSY;
    } else if (was & SOFT_RESET && !(value & SOFT_RESET))
      for (const registers of this.registers) registers.status &= ~BSY;
    if (value & NO_INTERRUPT) this.interrupt(false);
  }

  // ---- data port

  private readData(size: AccessSize): number {
    if (this.at + size > this.end || !(this.own.status & DRQ)) return size === 4 ? 0xffffffff : 0xffff;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.data[this.at + i]! << (8 * i);
    this.moved(size);
    return value >>> 0;
  }

  private writeData(value: number, size: AccessSize): void {
    if (this.at + size > this.end || !(this.own.status & DRQ)) return;
    for (let i = 0; i < size; i++) this.data[this.at + i] = (value >>> (8 * i)) & 0xff;
    this.moved(size);
  }

  private moved(size: number): void {
    this.at += size;
    if (this.at < this.end) return;
    const { drained } = this;
    this.drained = null;
    drained?.();
  }

  /** Lets the host move `length` bytes of `data`, then goes on. */
  private offer(data: Uint8Array, from: number, length: number, then: () => void): void {
    this.data = data;
    this.at = from;
    this.end = from + length;
    this.drained = then;
    this.own.status = DRDY | DSC | DRQ;
  }

  // ---- commands

  private command(command: number): void {
    this.interrupt(false);
    const { device, own } = this;
    if (!device) return;
    if (command === DEVICE_RESET && device.packet) {
      device.reset();
      this.sign(this.selected);
      return;
    }
    if (own.status & BSY) return;
    own.error = 0;
    this.drained = this.waiting = null;
    if (command === EXECUTE_DIAGNOSTIC) {
      this.softReset();
      return this.raise();
    }
    if (command === PACKET && device.packet) return this.takePacket();
    if (command === IDENTIFY && device.packet) {
      // The way to find out that it is no disk.
      this.sign(this.selected);
      return this.fail(ABRT);
    }
    const file = this.taskFile(command);
    own.status = DRDY | DSC | BSY;
    this.perform(device.command(file), this.generation);
  }

  private taskFile(command: number): TaskFile {
    const { own } = this;
    const byte = (n: number, depth: number): number => own.lba[n]![depth]!;
    const low = byte(0, 0) + byte(1, 0) * 2 ** 8 + byte(2, 0) * 2 ** 16;
    const high = byte(0, 1) + byte(1, 1) * 2 ** 8 + byte(2, 1) * 2 ** 16;
    return {
      command,
      features: own.features[0]!,
      count: own.count[0]! | (own.count[1]! << 8),
      lba: low + high * 2 ** 24,
      device: own.device,
    };
  }

  private finish(): void {
    this.own.status = DRDY | DSC;
    this.raise();
  }

  private fail(error: number): void {
    this.own.error = error;
    this.own.status = DRDY | DSC | ERR;
    this.drained = this.waiting = null;
    this.raise();
  }

  private perform(asked: AtaWork, generation: number): void {
    const { work } = asked;
    const device = this.device!;
    if (asked.result) {
      const { lba } = asked.result;
      [0, 1, 2].forEach((n) => {
        this.own.lba[n] = [Math.floor(lba / 2 ** (8 * n)) & 0xff, Math.floor(lba / 2 ** (8 * n + 24)) & 0xff];
      });
    }
    switch (work.kind) {
      case 'end':
        return this.finish();
      case 'error':
        return this.fail(work.error);
      case 'check':
        return this.fail(ABRT);
      case 'answer': {
        this.offer(work.bytes, 0, work.bytes.length, () => (this.own.status = DRDY | DSC));
        return this.raise();
      }
      case 'wait':
        return work.start((ok) => {
          if (generation !== this.generation) return;
          if (ok) this.finish();
          else this.fail(ABRT);
        });
      case 'take': {
        const take = (bytes: Uint8Array): void =>
          this.perform({ ...asked, work: work.next(bytes) }, this.generation);
        if (asked.dma)
          return this.withBuffer((buffer) => {
            const bytes = buffer.read(0, work.length);
            this.master.done(bytes.length < work.length);
            take(bytes);
          });
        const bytes = new Uint8Array(work.length);
        return this.offer(bytes, 0, bytes.length, () => take(bytes));
      }
    }
    const safe = work.kind === 'write' && (asked.forceUnit || ('writeCache' in device && !device.writeCache));
    const end = (): void => {
      if (!safe) return this.finish();
      device.drive.flush((ok) => {
        if (generation !== this.generation) return;
        if (ok) this.finish();
        else this.fail(ABRT);
      });
    };
    if (asked.dma) this.withBuffer((buffer) => this.moveByMaster(work, buffer, generation, end));
    else if (work.kind === 'read')
      this.readBlocks(work.position, work.length, asked.block * SECTOR, generation);
    else this.writeBlocks(work.position, work.length, asked.block * SECTOR, generation, end);
  }

  /** Calls `act` when the guest has given its buffer. */
  private withBuffer(act: (buffer: Scatter) => void): void {
    const buffer = this.master.buffer();
    if (buffer) act(buffer);
    else this.waiting = act;
  }

  /** The guest started the bus master. */
  dmaStarted(buffer: Scatter): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.(buffer);
  }

  private moveByMaster(
    work: { kind: 'read' | 'write'; position: number; length: number },
    buffer: Scatter,
    generation: number,
    end: () => void,
  ): void {
    const { drive } = this.device!;
    const length = Math.min(work.length, buffer.length);
    const short = length < work.length;
    const done = (ok: boolean): void => {
      if (generation !== this.generation) return;
      if (work.kind === 'read') buffer.written(0, length);
      this.master.done(!ok || short);
      if (!ok) this.fail(UNC);
      else if (short) this.fail(ABRT);
      else end();
    };
    drive[work.kind](work.position, buffer.parts(0, length), done);
  }

  private readBlocks(position: number, length: number, block: number, generation: number): void {
    const data = new Uint8Array(length);
    this.device!.drive.read(position, [data], (ok) => {
      if (generation !== this.generation) return;
      if (!ok) return this.fail(UNC);
      const next = (from: number): void => {
        if (from === length) {
          this.own.status = DRDY | DSC;
          return;
        }
        const count = Math.min(block, length - from);
        this.offer(data, from, count, () => next(from + count));
        this.raise();
      };
      next(0);
    });
  }

  private writeBlocks(
    position: number,
    length: number,
    block: number,
    generation: number,
    end: () => void,
  ): void {
    const data = new Uint8Array(length);
    const next = (from: number): void => {
      const count = Math.min(block, length - from);
      this.offer(data, from, count, () => {
        if (from + count < length) {
          next(from + count);
          return this.raise();
        }
        this.own.status = DRDY | DSC | BSY;
        this.device!.drive.write(position, [data], (ok) => {
          if (generation !== this.generation) return;
          if (ok) end();
          else this.fail(UNC);
        });
      });
    };
    next(0);
  }

  // ---- packets

  private takePacket(): void {
    const { own } = this;
    const dma = (own.features[0]! & 1) !== 0;
    const limit = own.lba[1]![0]! | (own.lba[2]![0]! << 8);
    const bytes = new Uint8Array(PACKET_BYTES);
    own.count[0] = IS_COMMAND;
    this.offer(bytes, 0, PACKET_BYTES, () => {
      this.own.status = DRDY | BSY;
      this.performPacket(this.device!.packet!.execute(bytes), { dma, limit }, this.generation);
    });
  }

  private packetEnd(sense: number): void {
    this.own.count[0] = IS_COMMAND | TO_HOST;
    this.own.error = sense << 4;
    this.own.status = DRDY | DSC | (sense ? ERR : 0);
    this.raise();
  }

  private performPacket(work: Work, how: { dma: boolean; limit: number }, generation: number): void {
    const { packet, drive } = this.device as AtaPacket;
    switch (work.kind) {
      case 'end':
        return this.packetEnd(0);
      case 'check':
        if (how.dma) this.withBufferIfStarted();
        return this.packetEnd(work.sense[0]);
      case 'error':
        return this.fail(work.error);
      case 'wait':
        return work.start((ok) => {
          if (generation === this.generation) this.packetEnd(ok ? 0 : packet.failed()[0]);
        });
      case 'answer':
        return this.sendPacketData(work.bytes, how);
      case 'take': {
        if (work.length === 0) return this.performPacket(work.next(new Uint8Array()), how, generation);
        const then = (bytes: Uint8Array): void => this.performPacket(work.next(bytes), how, this.generation);
        if (how.dma)
          return this.withBuffer((buffer) => {
            const bytes = buffer.read(0, work.length);
            this.master.done(false);
            then(bytes);
          });
        const bytes = new Uint8Array(work.length);
        this.own.count[0] = 0;
        this.setByteCount(work.length);
        this.offer(bytes, 0, bytes.length, () => then(bytes));
        return this.raise();
      }
      default: {
        const move = (parts: Uint8Array[], done: () => void): void =>
          drive.read(work.position, parts, (ok) => {
            if (generation !== this.generation) return;
            if (ok) done();
            else this.packetEnd(packet.failed()[0]);
          });
        if (how.dma)
          return this.withBuffer((buffer) => {
            const length = Math.min(work.length, buffer.length);
            move(buffer.parts(0, length), () => {
              buffer.written(0, length);
              this.master.done(false);
              this.packetEnd(0);
            });
          });
        const data = new Uint8Array(work.length);
        move([data], () => this.sendPacketData(data, how));
      }
    }
  }

  /** A command that failed leaves no transfer behind. */
  private withBufferIfStarted(): void {
    if (this.master.buffer()) this.master.done(true);
  }

  private setByteCount(count: number): void {
    this.own.lba[1]![0] = count & 0xff;
    this.own.lba[2]![0] = count >> 8;
  }

  private sendPacketData(data: Uint8Array, { dma, limit }: { dma: boolean; limit: number }): void {
    if (data.length === 0) return this.packetEnd(0);
    if (dma)
      return this.withBuffer((buffer) => {
        buffer.write(data);
        this.master.done(false);
        this.packetEnd(0);
      });
    const most = limit === 0 || limit === 0xffff ? MOST_PACKET_BLOCK : limit;
    const next = (from: number): void => {
      if (from === data.length) return this.packetEnd(0);
      // All but the last block are even.
      const count = data.length - from <= most ? data.length - from : most & ~1 || data.length - from;
      this.own.count[0] = TO_HOST;
      this.setByteCount(count);
      this.offer(data, from, count, () => next(from + count));
      this.raise();
    };
    // Data are moved in words.
    const even = data.length % 2 === 0 ? data : Uint8Array.from([...data, 0]);
    data = even;
    next(0);
  }

  save(): object {
    const { selected, control } = this;
    const registers = this.registers.map((own) => structuredClone({ ...own }));
    return { selected, control, registers, devices: this.devices.map((device) => device?.save() ?? null) };
  }

  load(state: object): void {
    const saved = state as {
      selected: number;
      control: number;
      registers: object[];
      devices: (object | null)[];
    };
    this.selected = saved.selected;
    this.control = saved.control;
    saved.registers.forEach((own, n) => Object.assign(this.registers[n]!, structuredClone(own)));
    saved.devices.forEach((own, n) => own && this.devices[n]?.load(own));
  }
}
