/** National's DP8390 network interface controller with 16 KiB of its own, as NE2000 cards have it (DP8390D data sheet, section 10). */
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import type { Line } from '../../machine/line.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { addressCrc } from './multicast-hash.js';

/** Registers, the data port, and the port that resets. */
export const DP8390_PORTS = 32;
const DATA = 0x10;
const RESET = 0x18;

const CR = 0x00;
const CR_STP = 0x01;
const CR_STA = 0x02;
const CR_TXP = 0x04;
const CR_READ = 0x08;
const CR_REMOTE = 0x38;
// Page 0
const PSTART = 0x01;
const PSTOP = 0x02;
const BNRY = 0x03;
const TPSR = 0x04;
const TBCR0 = 0x05;
const TBCR1 = 0x06;
const ISR = 0x07;
const RSAR0 = 0x08;
const RSAR1 = 0x09;
const RBCR0 = 0x0a;
const RBCR1 = 0x0b;
const RCR = 0x0c;
const TCR = 0x0d;
const DCR = 0x0e;
const IMR = 0x0f;
// Page 1
const PAR0 = 0x01;
const CURR = 0x07;
const MAR0 = 0x08;

const ISR_PRX = 0x01;
const ISR_PTX = 0x02;
const ISR_RDC = 0x40;
const ISR_RST = 0x80;
const RCR_AB = 0x04;
const RCR_AM = 0x08;
const RCR_PRO = 0x10;
const RCR_MON = 0x20;
const TCR_LOOPBACK = 0x06;
const DCR_WORD = 0x01;
const RSR_OK = 0x01;
const RSR_GROUP = 0x20;

const PAGE = 256;
const RAM_START = 0x4000;
const RAM_END = 0x8000;
const PROM_BYTES = 32;
const LEAST_BYTES = 60;
const MOST_BYTES = 1518;
const HEADER_BYTES = 4;

interface Saved {
  version: 1;
  page0: number[];
  page1: number[];
  memory: number[];
  cr: number;
  isr: number;
}

export class Dp8390 implements Station {
  readonly abilities = NO_OFFLOAD;
  /** Registers of page 0 as they are written, and of page 1. */
  private readonly page0 = new Uint8Array(16);
  private readonly page1 = new Uint8Array(16);
  private readonly memory = new Uint8Array(RAM_END);
  private cr = CR_STP | 0x20;
  private isr = ISR_RST;
  private full = false;

  constructor(
    mac: Uint8Array,
    private readonly cable: Cable,
    private readonly interrupt: Line,
  ) {
    // The address ROM of a 16-bit card: each byte twice, and what tells that it is one.
    for (let n = 0; n < PROM_BYTES; n++) this.memory[n] = n < 12 ? mac[n >> 1]! : n >= 28 ? 0x57 : 0;
    cable.plug(this);
  }

  reset(): void {
    this.cr = CR_STP | 0x20;
    this.isr = ISR_RST;
    this.page0[IMR] = 0;
    this.full = false;
    this.update();
  }

  private raise(cause: number): void {
    this.isr |= cause;
    this.update();
  }
  private update(): void {
    this.interrupt((this.isr & this.page0[IMR]! & 0x7f) !== 0);
  }
  connectionChanged(): void {}

  read(offset: number, size: AccessSize): number {
    if (offset >= RESET) {
      this.reset();
      return 0;
    }
    if (offset >= DATA) return this.readData(size);
    let value = 0;
    for (let n = 0; n < size; n++) value |= this.readRegister(offset + n) << (8 * n);
    return value >>> 0;
  }

  private readRegister(register: number): number {
    if (register === CR) return this.cr;
    if (this.cr >> 6 === 1) return this.page1[register] ?? 0;
    if (this.cr >> 6 !== 0) return this.page0[register] ?? 0;
    switch (register) {
      case BNRY:
        return this.page0[BNRY]!;
      case TPSR:
        return 1; // TSR: sent without an error
      case ISR:
        return this.isr;
      case RSAR0:
      case RSAR1:
        return this.page0[register]!;
      case RBCR0:
        return 0x50; // an RTL8029 tells its name
      case RBCR1:
        return 0x43;
      case RCR:
        return RSR_OK;
      default:
        return 0;
    }
  }

  write(offset: number, value: number, size: AccessSize): void {
    if (offset >= RESET) return;
    if (offset >= DATA) return this.writeData(value, size);
    for (let n = 0; n < size; n++) this.writeRegister(offset + n, (value >>> (8 * n)) & 0xff);
  }

  private writeRegister(register: number, value: number): void {
    if (register === CR) return this.command(value);
    if (this.cr >> 6 === 1) {
      this.page1[register] = value;
      return this.makeRoom();
    }
    if (this.cr >> 6 !== 0) return;
    if (register === ISR) {
      // Ones clear; that it was reset is a state, and so is that frames wait for room.
      this.isr &= ~(value & 0x7f);
      if (this.full) this.isr |= ISR_PRX;
      return this.update();
    }
    this.page0[register] = value;
    if (register === IMR) this.update();
    else if (register === BNRY) this.makeRoom();
  }

  private command(value: number): void {
    this.cr = value & ~CR_TXP;
    if (value & CR_STP) this.isr |= ISR_RST;
    else if (value & CR_STA) {
      this.isr &= ~ISR_RST;
      // Nothing to move is moved at once.
      if (value & (CR_READ | 0x10) && this.remoteCount === 0) this.raise(ISR_RDC);
      this.makeRoom();
    }
    if (value & CR_TXP && !(value & CR_STP)) this.transmit();
  }

  /** Does not wait while the cable is busy: Linux's driver resets a card that takes 0.2 s for a frame (8390.h, TX_TIMEOUT). */
  private transmit(): void {
    const start = this.page0[TPSR]! * PAGE;
    const length = this.page0[TBCR0]! | (this.page0[TBCR1]! << 8);
    const fits = start >= RAM_START && start + length <= RAM_END && length >= 14;
    if (fits && !(this.page0[TCR]! & TCR_LOOPBACK)) {
      this.cable.send(Frame.of(this.memory.subarray(start, start + length)));
      this.cable.flush();
    }
    this.raise(ISR_PTX);
  }

  // ---- what the driver moves to and from the card's memory

  private get remoteCount(): number {
    return this.page0[RBCR0]! | (this.page0[RBCR1]! << 8);
  }
  /** The next address, after which so many bytes fewer are left. */
  private step(bytes: number): number {
    const at = this.page0[RSAR0]! | (this.page0[RSAR1]! << 8);
    let next = at + bytes;
    // The ring has no end.
    if (next === this.page0[PSTOP]! * PAGE) next = this.page0[PSTART]! * PAGE;
    this.page0[RSAR0] = next;
    this.page0[RSAR1] = next >> 8;
    const left = Math.max(0, this.remoteCount - bytes);
    this.page0[RBCR0] = left;
    this.page0[RBCR1] = left >> 8;
    if (left === 0) this.raise(ISR_RDC);
    return at;
  }
  private get unit(): number {
    return this.page0[DCR]! & DCR_WORD ? 2 : 1;
  }

  private readData(size: AccessSize): number {
    let value = 0;
    for (let done = 0; done < size; done += this.unit) {
      if ((this.cr & CR_REMOTE) !== CR_READ || this.remoteCount === 0) break;
      // In word mode an access of a byte moves a word, too.
      const at = this.step(this.unit);
      for (let n = 0; n < Math.min(size, this.unit); n++) {
        const inside = at + n < PROM_BYTES || (at + n >= RAM_START && at + n < RAM_END);
        value |= (inside ? this.memory[at + n]! : 0xff) << (8 * (done + n));
      }
    }
    return value >>> 0;
  }

  private writeData(value: number, size: AccessSize): void {
    for (let done = 0; done < size; done += this.unit) {
      if ((this.cr & CR_REMOTE) !== 0x10 || this.remoteCount === 0) return;
      const at = this.step(this.unit);
      for (let n = 0; n < Math.min(size, this.unit); n++)
        if (at + n >= RAM_START && at + n < RAM_END) this.memory[at + n] = value >>> (8 * (done + n));
    }
  }

  // ---- receiving

  private makeRoom(): void {
    if (!this.full) return;
    this.full = false;
    this.cable.room();
  }

  receive(frame: Frame): boolean {
    if (this.cr & CR_STP || this.page0[RCR]! & RCR_MON || !this.cable.connected || frame.length > MOST_BYTES)
      return true;
    const head = frame.head(14);
    if (!this.wants(head)) return true;
    const [start, stop] = [this.page0[PSTART]!, this.page0[PSTOP]!];
    const current = this.page1[CURR]!;
    if (
      start * PAGE < RAM_START ||
      stop * PAGE > RAM_END ||
      start >= stop ||
      current < start ||
      current >= stop
    )
      return true;
    const total = HEADER_BYTES + Math.max(LEAST_BYTES, frame.length);
    const pages = Math.ceil(total / PAGE);
    const free = (this.page0[BNRY]! - current + (stop - start)) % (stop - start) || stop - start;
    if (pages >= free) {
      this.full = true;
      return false;
    }
    const next = current + pages >= stop ? current + pages - (stop - start) : current + pages;
    const status = RSR_OK | (head[0]! & 1 ? RSR_GROUP : 0);
    const record = new Uint8Array(total);
    record.set([status, next, total & 0xff, total >> 8]);
    frame.copyTo(record, HEADER_BYTES);
    const first = Math.min(total, (stop - current) * PAGE);
    this.memory.set(record.subarray(0, first), current * PAGE);
    this.memory.set(record.subarray(first), start * PAGE);
    this.page1[CURR] = next;
    this.raise(ISR_PRX);
    return true;
  }

  private wants(head: Uint8Array): boolean {
    const rcr = this.page0[RCR]!;
    if (rcr & RCR_PRO) return true;
    if (head.subarray(0, 6).every((byte) => byte === 255)) return (rcr & RCR_AB) !== 0;
    if (head[0]! & 1) {
      const bit = addressCrc(head) >>> 26;
      return (rcr & RCR_AM) !== 0 && (this.page1[MAR0 + (bit >> 3)]! & (1 << (bit & 7))) !== 0;
    }
    return this.page1.subarray(PAR0, PAR0 + 6).every((byte, n) => byte === head[n]);
  }

  save(): Saved {
    const { cr, isr } = this;
    return { version: 1, page0: [...this.page0], page1: [...this.page1], memory: [...this.memory], cr, isr };
  }
  load(state: Saved): void {
    checkVersion('an NE2000', state, 1);
    this.page0.set(state.page0);
    this.page1.set(state.page1);
    this.memory.set(state.memory);
    this.cr = state.cr;
    this.isr = state.isr;
    this.full = true;
  }
}
