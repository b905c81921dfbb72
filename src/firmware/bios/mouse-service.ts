/** INT 15h, AH = C2h: the PS/2 mouse (IBM PS/2 and PC BIOS interface technical reference); its driver is called from INT 74h. */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { PortBus } from '../../machine/port-bus.js';
import { EBDA } from '../boot/memory-map.js';
import type { Frame } from './frame.js';

// In the extended BIOS data area: the driver's far pointer, then the words that it is called with.
export const MOUSE_DRIVER = 0x22;
export const MOUSE_STATUS = 0x28;
export const MOUSE_X = 0x2a;
export const MOUSE_Y = 0x2c;

const DATA = 0x60;
const CONTROL = 0x64;
const OUTPUT_FULL = 0x01;
const AUX_DATA = 0x20;
const READ_COMMAND_BYTE = 0x20;
const WRITE_COMMAND_BYTE = 0x60;
const ENABLE_AUX = 0xa8;
const WRITE_AUX = 0xd4;
const AUX_INTERRUPT = 0x02;
const AUX_DISABLED = 0x20;
const KEYBOARD_INTERRUPT = 0x01;
const SLAVE_MASK = 0xa1;
const MASTER_MASK = 0x21;
const MOUSE_LINE = 1 << 4;
const CASCADE = 1 << 2;

// To the mouse
const SCALE_1_1 = 0xe6;
const SCALE_2_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS_REQUEST = 0xe9;
const READ_ID = 0xf2;
const SET_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const RESET = 0xff;
const ACKNOWLEDGE = 0xfa;
const RATES = [10, 20, 40, 60, 80, 100, 200];
const MOST_RESOLUTION = 3;
const PACKET_BYTES = 3;
/** First bytes of packets have it. */
const ALWAYS_ONE = 0x08;

const INVALID_FUNCTION = 0x01;
const INVALID_INPUT = 0x02;
const INTERFACE_ERROR = 0x03;
const NO_DRIVER = 0x05;

export class MouseService {
  private packet: number[] = [];

  constructor(
    private readonly ram: GuestRam,
    private readonly ports: PortBus,
  ) {}

  reset(): void {
    this.packet = [];
  }

  call(frame: Frame): void {
    const error = this.serve(frame);
    frame.ah = error;
    frame.carry = error !== 0;
  }

  private serve(frame: Frame): number {
    switch (frame.al) {
      case 0x00:
        if (frame.bh > 1) return INVALID_INPUT;
        if (frame.bh === 1 && this.ram.readU32(EBDA + MOUSE_DRIVER) === 0) return NO_DRIVER;
        this.packet = [];
        if (frame.bh === 1) this.openInterrupt();
        return this.ask(frame.bh === 1 ? ENABLE : DISABLE) ? 0 : INTERFACE_ERROR;
      case 0x01:
      case 0x05: {
        if (frame.al === 0x05 && frame.bh !== PACKET_BYTES) return INVALID_INPUT;
        this.packet = [];
        const answer = this.ask(RESET, [], 2);
        if (!answer) return INTERFACE_ERROR;
        if (frame.al === 0x01) frame.bx = answer[0]! | (answer[1]! << 8);
        return 0;
      }
      case 0x02: {
        const rate = RATES[frame.bh];
        if (rate === undefined) return INVALID_INPUT;
        return this.ask(SET_RATE, [rate]) ? 0 : INTERFACE_ERROR;
      }
      case 0x03:
        if (frame.bh > MOST_RESOLUTION) return INVALID_INPUT;
        return this.ask(SET_RESOLUTION, [frame.bh]) ? 0 : INTERFACE_ERROR;
      case 0x04: {
        const answer = this.ask(READ_ID, [], 1);
        if (!answer) return INTERFACE_ERROR;
        frame.bh = answer[0]!;
        return 0;
      }
      case 0x06:
        return this.extended(frame);
      case 0x07:
        this.ram.writeU16(EBDA + MOUSE_DRIVER, frame.bx);
        this.ram.writeU16(EBDA + MOUSE_DRIVER + 2, frame.es);
        return 0;
      default:
        return INVALID_FUNCTION;
    }
  }

  private extended(frame: Frame): number {
    if (frame.bh > 2) return INVALID_INPUT;
    if (frame.bh > 0) return this.ask(frame.bh === 1 ? SCALE_1_1 : SCALE_2_1) ? 0 : INTERFACE_ERROR;
    const answer = this.ask(STATUS_REQUEST, [], 3);
    if (!answer) return INTERFACE_ERROR;
    [frame.bl, frame.cl, frame.dl] = answer as [number, number, number];
    return 0;
  }

  private openInterrupt(): void {
    const { ports } = this;
    ports.write(SLAVE_MASK, ports.read(SLAVE_MASK, 1) & ~MOUSE_LINE, 1);
    ports.write(MASTER_MASK, ports.read(MASTER_MASK, 1) & ~CASCADE, 1);
  }

  /** Sends a command and what belongs to it; gives `count` bytes of answer, or null if there is none. No interrupt comes meanwhile. */
  private ask(command: number, operands: readonly number[] = [], count = 0): number[] | null {
    const { ports } = this;
    ports.write(CONTROL, ENABLE_AUX, 1);
    ports.write(CONTROL, READ_COMMAND_BYTE, 1);
    const before = ports.read(DATA, 1) & ~AUX_DISABLED;
    this.setCommandByte(before & ~(AUX_INTERRUPT | KEYBOARD_INTERRUPT));
    const acknowledged = [command, ...operands].every((byte) => {
      ports.write(CONTROL, WRITE_AUX, 1);
      ports.write(DATA, byte, 1);
      return this.take() === ACKNOWLEDGE;
    });
    const answer = Array.from({ length: acknowledged ? count : 0 }, () => this.take());
    this.setCommandByte(before | AUX_INTERRUPT);
    return acknowledged && answer.every((byte) => byte >= 0) ? answer : null;
  }

  private setCommandByte(value: number): void {
    this.ports.write(CONTROL, WRITE_COMMAND_BYTE, 1);
    this.ports.write(DATA, value, 1);
  }

  /** The next byte of the mouse, or -1. */
  private take(): number {
    const status = this.ports.read(CONTROL, 1);
    if ((status & (OUTPUT_FULL | AUX_DATA)) !== (OUTPUT_FULL | AUX_DATA)) return -1;
    return this.ports.read(DATA, 1);
  }

  /** INT 74h: takes a byte; true: a movement is whole, and its driver shall be called. */
  interrupt(): boolean {
    const byte = this.take();
    if (byte < 0) return false;
    // What is not the first of a packet is not taken for one.
    if (this.packet.length === 0 && !(byte & ALWAYS_ONE)) return false;
    this.packet.push(byte);
    if (this.packet.length < PACKET_BYTES) return false;
    [MOUSE_STATUS, MOUSE_X, MOUSE_Y].forEach((at, n) => this.ram.writeU16(EBDA + at, this.packet[n]!));
    this.packet = [];
    return this.ram.readU32(EBDA + MOUSE_DRIVER) !== 0;
  }
}
