/** INT 15h, AH = 53h: advanced power management (APM BIOS Specification 1.2), by its real-mode interface. */
import { PM_BASE } from '../../machine/pci/piix4-pm.js';
import type { PortBus } from '../../machine/port-bus.js';
import { SLP_TYP_S5 } from '../tables/board.js';
import type { Frame } from './frame.js';
import { AGAIN, DONE, type Outcome } from './rom.js';

const VERSION = 0x0102;
const SIGNATURE = 0x504d;
const BIOS = 0;
const ALL_DEVICES = 1;
const OFF = 3;

const DISABLED = 0x01;
const CONNECTED = 0x02;
const NOT_CONNECTED = 0x03;
const NO_DEVICE = 0x09;
const OUT_OF_RANGE = 0x0a;
const CANNOT = 0x60;
const NO_EVENT = 0x80;

const POWER_CONTROL = PM_BASE + 4;
const SLP_EN = 1 << 13;
const ON_LINE = 1;
const UNKNOWN = 0xff;

export class ApmService {
  private connected = false;
  private enabled = true;
  /** The caller is idle, and waits for an interrupt. */
  private idle = false;

  constructor(private readonly ports: PortBus) {}

  reset(): void {
    this.connected = this.idle = false;
    this.enabled = true;
  }

  call(frame: Frame): Outcome {
    if (frame.al === 0x05 && this.connected && !this.idle) {
      this.idle = true;
      return AGAIN;
    }
    this.idle = false;
    const error = this.serve(frame);
    frame.carry = error !== 0;
    if (error !== 0) frame.ah = error;
    return DONE;
  }

  /** 0, or what is wrong. */
  private serve(frame: Frame): number {
    switch (frame.al) {
      case 0x00:
        if (frame.bx !== BIOS) return NO_DEVICE;
        frame.ax = VERSION;
        frame.bx = SIGNATURE;
        // Nothing for protected mode; it is enabled and engaged.
        frame.cx = 0;
        return 0;
      case 0x01:
        if (frame.bx !== BIOS) return NO_DEVICE;
        if (this.connected) return CONNECTED;
        this.connected = true;
        return 0;
      case 0x04:
        if (!this.connected) return NOT_CONNECTED;
        this.connected = false;
        return 0;
    }
    return this.connected ? this.serveConnected(frame) : NOT_CONNECTED;
  }

  private serveConnected(frame: Frame): number {
    switch (frame.al) {
      case 0x05:
      case 0x06:
        return 0;
      case 0x07:
        return this.setState(frame.bx, frame.cx);
      case 0x08:
        if (frame.cx > 1) return OUT_OF_RANGE;
        this.enabled = frame.cx === 1;
        return 0;
      case 0x09:
        this.enabled = true;
        return 0;
      case 0x0a:
        if (frame.bx !== ALL_DEVICES) return NO_DEVICE;
        // No battery.
        frame.bx = (ON_LINE << 8) | UNKNOWN;
        frame.cx = (0x80 << 8) | UNKNOWN;
        frame.dx = 0xffff;
        return 0;
      case 0x0b:
        return NO_EVENT;
      case 0x0c:
        frame.cx = 0;
        return 0;
      case 0x0d:
      case 0x0f:
        return 0;
      case 0x0e:
        frame.ax = VERSION;
        return 0;
      default:
        return CANNOT;
    }
  }

  private setState(device: number, state: number): number {
    if (!this.enabled) return DISABLED;
    if (device !== ALL_DEVICES) return NO_DEVICE;
    if (state !== OFF) return CANNOT;
    this.ports.write(POWER_CONTROL, (SLP_TYP_S5 << 10) | SLP_EN, 2);
    return 0;
  }
}
