/** Realtek RTL8139C fast Ethernet controller (RTL8139C data sheet, chapter 5; programming guide 0.1). */
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { PortBarDevice } from '../../machine/pci/pci-bar.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import { maskTo, type AccessSize } from '../../machine/port-bus.js';
import { EEPROM_WORDS, MicrowireEeprom } from './microwire-eeprom.js';
import { addressCrc } from './multicast-hash.js';

const VENDOR = 0x10ec;
const DEVICE = 0x8139;
const REVISION = 0x10;
const BAR_BYTES = 256;

// Registers
const MAR0 = 0x08;
const TSD0 = 0x10;
const TSAD0 = 0x20;
const RBSTART = 0x30;
const CR = 0x37;
const CAPR = 0x38;
const CBR = 0x3a;
const IMR = 0x3c;
const ISR = 0x3e;
const TCR = 0x40;
const RCR = 0x44;
const CR9346 = 0x50;
const MSR = 0x58;
const BMCR = 0x62;
const BMSR = 0x64;
const ANAR = 0x66;
const ANLPAR = 0x68;

const CR_BUFE = 0x01;
const CR_TE = 0x04;
const CR_RE = 0x08;
const CR_RST = 0x10;
const ISR_ROK = 0x0001;
const ISR_TOK = 0x0004;
const ISR_RXOVW = 0x0010;
const ISR_LINK = 0x0020;
const TSD_OWN = 0x2000;
const TSD_TOK = 0x8000;
const TSD_SIZE = 0x1fff;
/** What tells the chip's version: RTL8139C. */
const TCR_VERSION = 0x74000000;
const RCR_AAP = 0x01;
const RCR_APM = 0x02;
const RCR_AM = 0x04;
const RCR_AB = 0x08;
const RCR_WRAP = 0x80;
const MSR_LINK_BAD = 0x04;

// Header of what is received
const RX_OK = 0x0001;
const RX_BROADCAST = 0x2000;
const RX_PHYSICAL = 0x4000;
const RX_MULTICAST = 0x8000;
const HEADER_BYTES = 4;
const CRC_BYTES = 4;
const LEAST_BYTES = 60;
const MOST_BYTES = 1792;
/** Room behind the ring for frames that do not wrap. */
const BEHIND_RING = 16;

interface Saved extends SavedPciFunction {
  registers: number[];
  eeprom: number[];
  waiting: number[];
}

export class Rtl8139 extends PciFunction implements MmioDevice, PortBarDevice, Station {
  readonly abilities = NO_OFFLOAD;
  private readonly registers = new Uint8Array(BAR_BYTES);
  private readonly fields = new DataView(this.registers.buffer);
  private readonly eeprom: MicrowireEeprom;
  private full = false;
  /** Descriptors that are still to be sent, in the order in which they were written. */
  private readonly waiting: number[] = [];

  constructor(
    private readonly ram: GuestRam,
    private readonly mac: Uint8Array,
    private readonly cable: Cable,
  ) {
    super({
      vendor: VENDOR,
      device: DEVICE,
      revision: REVISION,
      classCode: 0x020000,
      subsystemVendor: VENDOR,
      subsystem: DEVICE,
      interruptPin: 1,
    });
    this.addBar(0, { kind: 'io', bytes: BAR_BYTES, device: this, width: 4 });
    this.addBar(1, { kind: 'memory', bits: 32, bytes: BAR_BYTES, device: this });
    const words = new Uint16Array(EEPROM_WORDS);
    words.set([0x8129, VENDOR, DEVICE, VENDOR, DEVICE]);
    for (let n = 0; n < 3; n++) words[7 + n] = mac[2 * n]! | (mac[2 * n + 1]! << 8);
    this.eeprom = new MicrowireEeprom(words);
    this.resetCard();
    cable.plug(this);
  }

  private resetCard(): void {
    this.registers.fill(0);
    this.registers.set(this.mac);
    for (let n = 0; n < 4; n++) this.fields.setUint32(TSD0 + 4 * n, TSD_OWN, true);
    this.fields.setUint16(CAPR, 0xfff0, true);
    this.fields.setUint32(TCR, TCR_VERSION, true);
    this.fields.setUint16(BMCR, 0x3100, true);
    this.fields.setUint16(ANAR, 0x05e1, true);
    this.full = false;
    this.waiting.length = 0;
    this.refreshInterrupt();
  }

  private field16(at: number): number {
    return this.fields.getUint16(at, true);
  }
  private field32(at: number): number {
    return this.fields.getUint32(at, true);
  }

  private raise(cause: number): void {
    this.fields.setUint16(ISR, this.field16(ISR) | cause, true);
    this.refreshInterrupt();
  }
  private refreshInterrupt(): void {
    this.setInterrupt((this.field16(ISR) & this.field16(IMR)) !== 0);
  }

  connectionChanged(): void {
    this.raise(ISR_LINK);
  }

  // ---- registers, by ports and by memory alike

  readOffset(offset: number, size: AccessSize): number {
    let value = 0;
    for (let n = 0; n < size; n++) value |= this.readByte(offset + n) << (8 * n);
    return maskTo(value, size);
  }
  mmioRead(offset: number, size: AccessSize): number {
    return this.readOffset(offset, size);
  }

  private readByte(at: number): number {
    const value = this.registers[at & (BAR_BYTES - 1)]!;
    switch (at) {
      case CR:
        return value | (this.isEmpty ? CR_BUFE : 0);
      case CR9346:
        return (value & ~1) | (this.eeprom.output ? 1 : 0);
      case MSR:
        return this.cable.connected ? 0 : MSR_LINK_BAD;
      case BMSR:
        return this.cable.connected ? 0x2d : 0x09;
      case BMSR + 1:
        return 0x78;
      case ANLPAR:
        return this.cable.connected ? 0xe1 : 0;
      case ANLPAR + 1:
        return this.cable.connected ? 0x45 : 0;
      default:
        return value;
    }
  }

  writeOffset(offset: number, value: number, size: AccessSize): void {
    // A register is written whole; wider accesses reach several.
    if (offset >= TSD0 && offset < TSD0 + 16 && size === 4)
      return this.writeStatus((offset - TSD0) >> 2, value);
    for (let n = 0; n < size; n++) this.writeByte(offset + n, (value >>> (8 * n)) & 0xff);
    if (offset <= IMR + 1 && offset + size > IMR) this.refreshInterrupt();
    if (offset <= CAPR + 1 && offset + size > CAPR) this.makeRoom();
  }
  mmioWrite(offset: number, value: number, size: AccessSize): void {
    this.writeOffset(offset, value, size);
  }

  private writeByte(at: number, value: number): void {
    switch (at) {
      case CR:
        if (value & CR_RST) return this.resetCard();
        this.registers[CR] = value & (CR_TE | CR_RE);
        if (!(value & CR_TE)) this.waiting.length = 0;
        return this.makeRoom();
      case CBR:
      case CBR + 1:
      case TCR + 3:
      case MSR:
      case BMSR:
      case BMSR + 1:
        return;
      case ISR:
      case ISR + 1:
        // Ones clear; but while frames wait for room, the driver is to look again whatever it says to have seen.
        this.registers[at]! &= ~value;
        if (at === ISR && this.full) this.registers[ISR]! |= ISR_RXOVW;
        return this.refreshInterrupt();
      case CR9346:
        this.registers[at] = value & 0xce;
        this.eeprom.drive((value & 8) !== 0, (value & 4) !== 0, (value & 2) !== 0);
        return;
      case BMCR + 1:
        // Reset and negotiation are over at once.
        this.registers[at] = value & ~0x82;
        return;
      case RBSTART:
      case RBSTART + 1:
      case RBSTART + 2:
      case RBSTART + 3:
        this.registers[at] = value;
        this.fields.setUint16(CBR, 0, true);
        return;
      default:
        if (at < BAR_BYTES) this.registers[at] = value;
    }
  }

  // ---- sending

  /** Writing its status sends what a descriptor describes. */
  private writeStatus(n: number, value: number): void {
    if (!(this.registers[CR]! & CR_TE) || value & TSD_OWN) {
      this.fields.setUint32(TSD0 + 4 * n, value, true);
      return;
    }
    this.fields.setUint32(TSD0 + 4 * n, (value & ~TSD_TOK) >>> 0, true);
    if (!this.waiting.includes(n)) this.waiting.push(n);
    this.ready();
  }

  /** Until it is sent, a descriptor stays the card's own: OWN is clear. */
  ready(): void {
    while (this.waiting.length > 0 && !this.cable.busy) this.sendOne(this.waiting.shift()!);
  }

  private sendOne(n: number): void {
    const value = this.field32(TSD0 + 4 * n);
    // The driver has taken it back.
    if (value & TSD_OWN) return;
    const length = value & TSD_SIZE;
    const address = this.field32(TSAD0 + 4 * n);
    if (length >= 14 && length <= MOST_BYTES && this.isMaster && this.ram.contains(address, length)) {
      this.cable.send(Frame.of(this.ram.view(address, length)));
      this.cable.flush();
    }
    this.fields.setUint32(TSD0 + 4 * n, (value | TSD_OWN | TSD_TOK) >>> 0, true);
    this.raise(ISR_TOK);
  }

  // ---- receiving

  private get ringBytes(): number {
    return 8192 << ((this.field32(RCR) >> 11) & 3);
  }
  /** Where the driver reads next. */
  private get readAt(): number {
    return (this.field16(CAPR) + 16) % this.ringBytes;
  }
  private get isEmpty(): boolean {
    return this.field16(CBR) % this.ringBytes === this.readAt;
  }

  private makeRoom(): void {
    if (!this.full) return;
    this.full = false;
    this.cable.room();
  }

  receive(frame: Frame): boolean {
    if (
      !(this.registers[CR]! & CR_RE) ||
      !this.cable.connected ||
      !this.isMaster ||
      frame.length > MOST_BYTES
    )
      return true;
    const kind = this.kindOf(frame.head(14));
    if (kind === 0) return true;
    const length = Math.max(LEAST_BYTES, frame.length) + CRC_BYTES;
    const needed = (HEADER_BYTES + length + 3) & ~3;
    const { ringBytes } = this;
    const at = this.field16(CBR) % ringBytes;
    const free = this.isEmpty ? ringBytes : (this.readAt - at + ringBytes) % ringBytes;
    // A full ring would look like an empty one.
    if (needed >= free) {
      this.full = true;
      this.raise(ISR_RXOVW);
      return false;
    }
    const record = new Uint8Array(HEADER_BYTES + length);
    const view = new DataView(record.buffer);
    view.setUint16(0, kind | RX_OK, true);
    view.setUint16(2, length, true);
    frame.copyTo(record, HEADER_BYTES);
    this.put(at, record);
    this.fields.setUint16(CBR, (at + needed) % ringBytes, true);
    this.raise(ISR_ROK);
    return true;
  }

  /** Writes to the ring: behind its end where that is asked for, else from its start on. */
  private put(at: number, record: Uint8Array): void {
    const start = this.field32(RBSTART);
    const { ringBytes } = this;
    const behind = this.field32(RCR) & RCR_WRAP ? MOST_BYTES + BEHIND_RING : 0;
    const first = Math.min(record.length, ringBytes + behind - at);
    if (!this.ram.contains(start, ringBytes) || !this.ram.contains(start + at, first)) return;
    this.ram.write(start + at, record.subarray(0, first));
    this.ram.write(start, record.subarray(first));
  }

  /** What to say of a frame that is let through; 0: it is not. */
  private kindOf(head: Uint8Array): number {
    const rcr = this.field32(RCR);
    const broadcast = head.subarray(0, 6).every((byte) => byte === 255);
    if (broadcast) return rcr & (RCR_AB | RCR_AAP) ? RX_BROADCAST : 0;
    if (head[0]! & 1) {
      const bit = addressCrc(head) >>> 26;
      const wanted = rcr & RCR_AAP || (rcr & RCR_AM && this.registers[MAR0 + (bit >> 3)]! & (1 << (bit & 7)));
      return wanted ? RX_MULTICAST : 0;
    }
    const own = this.registers.subarray(0, 6).every((byte, n) => byte === head[n]);
    return rcr & RCR_AAP || (own && rcr & RCR_APM) ? RX_PHYSICAL : 0;
  }

  override reset(): void {
    super.reset();
    this.resetCard();
  }
  override save(): Saved {
    return {
      ...super.save(),
      registers: [...this.registers],
      eeprom: this.eeprom.save(),
      waiting: [...this.waiting],
    };
  }
  override load(state: Saved): void {
    super.load(state);
    this.registers.set(state.registers);
    this.eeprom.load(state.eeprom);
    this.waiting.splice(0, Infinity, ...state.waiting);
    this.full = true;
  }
}
