/** NOR flash with Intel's command set (Intel, "Common Flash Memory Interface and command sets", AP-646), of bytes, as firmware keeps its variables in. */
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { AccessSize } from '../../machine/port-bus.js';

export const ERASE_BLOCK = 4096;
const ERASED = 0xff;
const READY = 0x80;
const COMMAND_ERROR = 0x30;

// Commands
const PROGRAM = 0x40;
const PROGRAM_ALSO = 0x10;
const ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const READ_STATUS = 0x70;
const READ_ID = 0x90;
const CONFIRM = 0xd0;
const PROGRAM_BUFFER = 0xe8;

/** Intel, an unlockable part. */
const ID = [0x89, 0x18];

type State = 'array' | 'status' | 'id' | 'program' | 'erase' | 'count' | 'fill' | 'confirm';

export class NorFlash implements MmioDevice {
  private state: State = 'array';
  private status = READY;
  /** Bytes of a buffered program still to come. */
  private left = 0;
  private readonly buffered: [offset: number, value: number][] = [];

  /** `changed`: these bytes are to be kept. */
  constructor(
    readonly bytes: Uint8Array,
    private readonly changed: (offset: number, length: number) => void,
  ) {}

  reset(): void {
    this.state = 'array';
    this.status = READY;
    this.left = 0;
    this.buffered.length = 0;
  }

  mmioRead(offset: number, size: AccessSize): number {
    if (this.state === 'id') return ID[offset & 1]!;
    if (this.state !== 'array') return this.status;
    let value = 0;
    for (let i = 0; i < size; i++) value |= (this.bytes[offset + i] ?? ERASED) << (8 * i);
    return value;
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    switch (this.state) {
      case 'program':
        for (let i = 0; i < size; i++) this.clearBits(offset + i, (value >>> (8 * i)) & 0xff);
        this.changed(offset, size);
        this.end();
        return;
      case 'erase':
        if ((value & 0xff) !== CONFIRM) return this.fail();
        this.erase(offset);
        return this.end();
      case 'count':
        this.left = (value & 0xff) + 1;
        this.state = 'fill';
        return;
      case 'fill':
        for (let i = 0; i < size; i++) this.buffered.push([offset + i, (value >>> (8 * i)) & 0xff]);
        this.left -= size;
        if (this.left <= 0) this.state = 'confirm';
        return;
      case 'confirm':
        if ((value & 0xff) !== CONFIRM) return this.fail();
        for (const [at, byte] of this.buffered.splice(0)) {
          this.clearBits(at, byte);
          this.changed(at, 1);
        }
        return this.end();
      default:
        this.command(value & 0xff);
    }
  }

  private command(command: number): void {
    switch (command) {
      case PROGRAM:
      case PROGRAM_ALSO:
        this.state = 'program';
        return;
      case ERASE:
        this.state = 'erase';
        return;
      case CLEAR_STATUS:
        this.status = 0;
        this.state = 'array';
        return;
      case READ_STATUS:
        this.state = 'status';
        return;
      case READ_ID:
        this.state = 'id';
        return;
      case PROGRAM_BUFFER:
        this.buffered.length = 0;
        this.state = 'count';
        return;
      default:
        this.state = 'array';
    }
  }

  /** Programming makes zeros of ones, and nothing else. */
  private clearBits(offset: number, value: number): void {
    if (offset < this.bytes.length) this.bytes[offset]! &= value;
  }

  private erase(offset: number): void {
    const start = offset - (offset % ERASE_BLOCK);
    this.bytes.fill(ERASED, start, start + ERASE_BLOCK);
    this.changed(start, Math.min(ERASE_BLOCK, this.bytes.length - start));
  }

  private end(): void {
    this.status |= READY;
    this.state = 'status';
  }
  private fail(): void {
    this.status |= COMMAND_ERROR | READY;
    this.buffered.length = 0;
    this.state = 'status';
  }

  save(): object {
    const { state, status, left } = this;
    return { state, status, left, buffered: structuredClone(this.buffered) };
  }
  load(saved: object): void {
    const { buffered, ...rest } = saved as { buffered: [number, number][] };
    Object.assign(this, rest);
    this.buffered.splice(0, Infinity, ...buffered);
  }
}
