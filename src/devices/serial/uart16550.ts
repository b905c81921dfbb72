/** National Semiconductor PC16550D UART (data sheet of June 1995). Sending takes no time. */
import type { EventQueue, Timer } from '../../machine/events.js';
import type { Line } from '../../machine/line.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { ReceiveFifo, type SavedReceiveFifo } from './receive-fifo.js';

export const UART_PORTS = 8;
export const COM1 = { base: 0x3f8, irq: 4 };
export const COM2 = { base: 0x2f8, irq: 3 };

// Registers; RBR, THR and IER make room for the divisor latch while DLAB is set
const RBR = 0;
const THR = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RECEIVED = 0x01;
const IER_THRE = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THRE = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_TRIGGER_SHIFT = 6;
const TRIGGER_LEVELS: readonly number[] = [1, 4, 8, 14];

const LCR_DLAB = 0x80;
const LCR_WORD = 0x03;
const LCR_STOP = 0x04;
const LCR_PARITY = 0x08;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_ERRORS = 0x1e;
const LSR_EMPTY = 0x60;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
const MSR_DELTA_SHIFT = 4;
const MSR_TRAILING_RI = 0x04;
/** The other side is there and ready. */
const CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

const BAUD_BASE = 115200;
/** The time-out interrupt comes when nothing was received or read for four character times. */
const TIMEOUT_CHARACTERS = 4;
/** So many reads of LSR in a row, and nothing else, are a guest that waits for input. */
const WAITING_POLLS = 16;

/** Where sent bytes go. */
export interface SerialBackend {
  write(byte: number): void;
}

export interface SavedUart {
  version: 1;
  ier: number;
  fifos: boolean;
  trigger: number;
  lcr: number;
  mcr: number;
  lsr: number;
  msr: number;
  scr: number;
  divisor: number;
  threPending: boolean;
  timedOut: boolean;
  polls: number;
  receiver: SavedReceiveFifo;
}

export class Uart16550 implements PortDevice {
  private ier = 0;
  private fifos = false;
  private trigger = 1;
  private lcr = 0;
  private mcr = 0;
  /** Error bits of LSR; the others follow from the FIFO. */
  private lsr = 0;
  private msr = CONNECTED;
  private scr = 0;
  private divisor = 1;
  /** THR became empty since the guest last saw it in IIR. */
  private threPending = false;
  private timedOut = false;
  private polls = 0;
  private readonly fifo = new ReceiveFifo();
  private readonly timeout: Timer;

  /** `name` is for the saved state; `base` the first of its eight ports. */
  constructor(
    private readonly events: EventQueue,
    name: string,
    private readonly base: number,
    private readonly irq: Line,
    private readonly backend: SerialBackend,
  ) {
    this.timeout = events.timer(`UART ${name}`, () => {
      this.timedOut = true;
      this.update();
    });
  }

  attach(ports: PortBus): void {
    ports.map(this.base, UART_PORTS, this);
  }

  reset(): void {
    this.ier = this.lcr = this.mcr = this.lsr = 0;
    this.fifos = this.threPending = this.timedOut = false;
    this.trigger = 1;
    this.msr = CONNECTED;
    this.fifo.giveBack();
    this.fifo.setEnabled(false);
    this.timeout.disarm();
    this.update();
  }

  /** Bytes from the other side. They wait until the guest takes them: none is lost. */
  receive(bytes: Uint8Array): void {
    this.fifo.push(bytes);
    this.fill();
  }

  /** How many bytes wait that the guest has not taken. */
  get waiting(): number {
    return this.fifo.waiting;
  }

  /**
   * The other side keeps what it has until the guest listens: has the receive interrupt on, asserts RTS, or waits
   * for data ready. So what a user types while the system starts gets past the drivers' clearing of the FIFO.
   */
  private get listening(): boolean {
    if (this.mcr & MCR_LOOP) return false;
    return (this.ier & IER_RECEIVED) !== 0 || (this.mcr & MCR_RTS) !== 0 || this.polls >= WAITING_POLLS;
  }

  private fill(): void {
    if (this.listening && this.fifo.fill()) this.restartTimeout();
    this.update();
  }

  private restartTimeout(): void {
    this.timedOut = false;
    const waits =
      this.fifos && this.ier & IER_RECEIVED && this.fifo.length > 0 && this.fifo.length < this.trigger;
    if (!waits) return this.timeout.disarm();
    const bits =
      1 + 5 + (this.lcr & LCR_WORD) + (this.lcr & LCR_PARITY ? 1 : 0) + (this.lcr & LCR_STOP ? 2 : 1);
    const characterNs = Math.ceil((bits * Math.max(1, this.divisor) * 1e9) / BAUD_BASE);
    this.timeout.arm(this.events.clock.now() + TIMEOUT_CHARACTERS * characterNs);
  }

  /** The pending interrupt of highest priority. */
  private identify(): number {
    if (this.ier & IER_LINE_STATUS && this.lsr & LSR_ERRORS) return IIR_LINE_STATUS;
    if (this.ier & IER_RECEIVED) {
      if (this.fifo.length >= (this.fifos ? this.trigger : 1)) return IIR_RECEIVED;
      if (this.timedOut && this.fifo.length > 0) return IIR_TIMEOUT;
    }
    if (this.ier & IER_THRE && this.threPending) return IIR_THRE;
    if (this.ier & IER_MODEM_STATUS && this.msr & 0x0f) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  private update(): void {
    this.irq(this.identify() !== IIR_NONE);
  }

  readPort(port: number): number {
    const register = port - this.base;
    const value = this.read(register);
    if (register === LSR) this.fill();
    else this.update();
    return value;
  }

  private read(register: number): number {
    const dlab = (this.lcr & LCR_DLAB) !== 0;
    if (register !== LSR) this.polls = 0;
    switch (register) {
      case RBR:
        return dlab ? this.divisor & 0xff : this.readReceived();
      case IER:
        return dlab ? this.divisor >> 8 : this.ier;
      case IIR:
        return this.readIdentification();
      case LCR:
        return this.lcr;
      case MCR:
        return this.mcr;
      case LSR:
        return this.readLineStatus();
      case MSR:
        return this.readModemStatus();
      default:
        return this.scr;
    }
  }

  private readReceived(): number {
    const byte = this.fifo.take();
    if (this.listening) this.fifo.fill();
    this.restartTimeout();
    return byte;
  }

  private readIdentification(): number {
    const cause = this.identify();
    if (cause === IIR_THRE) this.threPending = false;
    return cause | (this.fifos ? IIR_FIFOS : 0);
  }

  private readLineStatus(): number {
    this.polls = Math.min(this.polls + 1, WAITING_POLLS);
    const value = LSR_EMPTY | this.lsr | (this.fifo.length > 0 ? LSR_DATA_READY : 0);
    this.lsr = 0;
    return value;
  }

  private readModemStatus(): number {
    const value = this.msr;
    this.msr &= 0xf0;
    return value;
  }

  writePort(port: number, value: number): void {
    this.polls = 0;
    this.write(port - this.base, value);
    this.fill();
  }

  private write(register: number, value: number): void {
    const dlab = (this.lcr & LCR_DLAB) !== 0;
    switch (register) {
      case THR:
        if (dlab) this.divisor = (this.divisor & 0xff00) | value;
        else this.transmit(value);
        return;
      case IER:
        if (dlab) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.writeInterruptEnable(value & 0x0f);
        return;
      case FCR:
        return this.writeFifoControl(value);
      case LCR:
        this.lcr = value;
        return;
      case MCR:
        return this.writeModemControl(value & 0x1f);
      case SCR:
        this.scr = value;
    }
  }

  private transmit(byte: number): void {
    if (this.mcr & MCR_LOOP) {
      if (this.fifo.receive(byte)) this.restartTimeout();
      else this.lsr |= LSR_OVERRUN;
    } else this.backend.write(byte);
    this.threPending = true;
  }

  private writeInterruptEnable(value: number): void {
    // Enabling the THRE interrupt while the register is empty, as it always is, interrupts.
    if (value & ~this.ier & IER_THRE) this.threPending = true;
    this.ier = value;
    this.restartTimeout();
  }

  private writeFifoControl(value: number): void {
    const enable = (value & FCR_ENABLE) !== 0;
    if (enable !== this.fifos || value & FCR_CLEAR_RECEIVER) this.fifo.giveBack();
    this.fifos = enable;
    this.fifo.setEnabled(enable);
    this.trigger = enable ? TRIGGER_LEVELS[value >> FCR_TRIGGER_SHIFT]! : 1;
    this.restartTimeout();
  }

  private writeModemControl(value: number): void {
    if ((value ^ this.mcr) & MCR_LOOP) this.fifo.giveBack();
    this.mcr = value;
    this.setModemLines(value & MCR_LOOP ? loopedBack(value) : CONNECTED);
  }

  private setModemLines(lines: number): void {
    const before = this.msr & 0xf0;
    let deltas = ((before ^ lines) >> MSR_DELTA_SHIFT) & ~MSR_TRAILING_RI;
    if (before & ~lines & MSR_RI) deltas |= MSR_TRAILING_RI;
    this.msr = lines | (this.msr & 0x0f) | deltas;
  }

  save(): SavedUart {
    const { ier, fifos, trigger, lcr, mcr, lsr, msr, scr, divisor, threPending, timedOut, polls } = this;
    return {
      version: 1,
      ier,
      fifos,
      trigger,
      lcr,
      mcr,
      lsr,
      msr,
      scr,
      divisor,
      threPending,
      timedOut,
      polls,
      receiver: this.fifo.save(),
    };
  }

  load(state: SavedUart): void {
    checkVersion('a UART', state, 1);
    const { ier, fifos, trigger, lcr, mcr, lsr, msr, scr, divisor, threPending, timedOut, polls } = state;
    Object.assign(this, {
      ier,
      fifos,
      trigger,
      lcr,
      mcr,
      lsr,
      msr,
      scr,
      divisor,
      threPending,
      timedOut,
      polls,
    });
    this.fifo.setEnabled(fifos);
    this.fifo.load(state.receiver);
  }
}

/** In loopback the outputs are the inputs (8.6.7). */
function loopedBack(mcr: number): number {
  return (
    (mcr & MCR_DTR ? MSR_DSR : 0) |
    (mcr & MCR_RTS ? MSR_CTS : 0) |
    (mcr & MCR_OUT1 ? MSR_RI : 0) |
    (mcr & MCR_OUT2 ? MSR_DCD : 0)
  );
}
