/** AMD Am79C973 PCnet-FAST III (data sheet 21510, "User Accessible Registers" and "Buffer Management"). */
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, MOST_FRAME_BYTES, NO_OFFLOAD } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { PortBarDevice } from '../../machine/pci/pci-bar.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { addressCrc } from './multicast-hash.js';

const VENDOR = 0x1022;
const DEVICE = 0x2000;
const REVISION = 0x40;
const BAR_BYTES = 32;

const APROM_BYTES = 16;
// CSR0
const INIT = 0x0001;
const STRT = 0x0002;
const STOP = 0x0004;
const TDMD = 0x0008;
const TXON = 0x0010;
const RXON = 0x0020;
const IENA = 0x0040;
const INTR = 0x0080;
const IDON = 0x0100;
const TINT = 0x0200;
const RINT = 0x0400;
/** Causes that ones clear. */
const CAUSES = 0x7f00;
// CSR3, CSR5, CSR15
const CSR5_SUSPEND = 0x0001;
const MODE_NO_RECEIVER = 0x0001;
const MODE_NO_TRANSMITTER = 0x0002;
const MODE_PROMISCUOUS = 0x8000;
// BCR
const BCR18_DWORD = 0x0080;
const BCR_STYLE = 20;
const BCR_MII_ADDRESS = 33;
const BCR_MII_DATA = 34;

// Descriptors: status in the upper half of a word
const OWN = 0x8000;
const STP = 0x0200;
const ENP = 0x0100;
const LEAST_BYTES = 60;
const CRC_BYTES = 4;
const MOST_RING = 512;

interface Saved extends SavedPciFunction {
  csr: number[];
  bcr: number[];
  index: number;
  dword: boolean;
  rings: number[];
}

interface Descriptor {
  at: number;
  address: number;
  bytes: number;
  status: number;
}

export class PcNet extends PciFunction implements MmioDevice, PortBarDevice, Station {
  readonly abilities = NO_OFFLOAD;
  private readonly aprom = new Uint8Array(APROM_BYTES);
  private readonly csr = new Uint16Array(128);
  private readonly bcr = new Uint16Array(64);
  private index = 0;
  private dword = false;
  private receiveAt = 0;
  private transmitAt = 0;
  private full = false;

  constructor(
    private readonly ram: GuestRam,
    mac: Uint8Array,
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
    this.aprom.set(mac);
    this.aprom[9] = 0x11;
    this.aprom[14] = this.aprom[15] = 0x57;
    const total = this.aprom.reduce((sum, byte) => sum + byte, 0);
    this.aprom[12] = total;
    this.aprom[13] = total >> 8;
    this.resetCard();
    this.bcr.fill(0);
    this.resetBus();
    cable.plug(this);
  }

  private resetCard(): void {
    this.csr.fill(0);
    this.csr[0] = STOP;
    this.csr[4] = 0x0115;
    for (let n = 0; n < 3; n++) this.csr[12 + n] = this.aprom[2 * n]! | (this.aprom[2 * n + 1]! << 8);
    this.csr[76] = this.csr[78] = 0xffff;
    // The chip's own number: 2625h, and AMD's.
    this.csr[88] = 0x5003;
    this.csr[89] = 0x0262;
    this.csr[94] = 0;
    this.csr[112] = this.csr[114] = 0;
    this.index = 0;
    this.dword = false;
    this.full = false;
    this.refreshInterrupt();
  }
  private resetBus(): void {
    this.bcr[0] = this.bcr[1] = 5;
    this.bcr[2] = 2;
    this.bcr[4] = 0xc0;
    this.bcr[5] = 0x84;
    this.bcr[6] = 0x88;
    this.bcr[7] = 0x90;
    this.bcr[18] = 0x9001;
    this.bcr[19] = 2;
    this.bcr[22] = 0xff06;
    this.bcr[32] = 0x0400;
  }

  private get style(): number {
    return this.bcr[BCR_STYLE]! & 0xff;
  }

  private refreshInterrupt(): void {
    const status = this.csr[0]!;
    // Bits of CSR3 mask causes at the same places.
    const wanted = (status & CAUSES & ~this.csr[3]!) !== 0;
    this.csr[0] = wanted ? status | INTR : status & ~INTR;
    this.setInterrupt(wanted && (status & IENA) !== 0);
  }
  private raise(cause: number): void {
    this.csr[0]! |= cause;
    this.refreshInterrupt();
  }

  // ---- ports: the address ROM, then registers behind an index, as words or as double words

  readOffset(offset: number, size: AccessSize): number {
    if (offset < APROM_BYTES) {
      let value = 0;
      for (let n = 0; n < size; n++) value |= (this.aprom[offset + n] ?? 0) << (8 * n);
      return value >>> 0;
    }
    switch (this.register(offset)) {
      case 'data':
        return this.readCsr(this.index);
      case 'index':
        return this.index;
      case 'reset':
        this.resetCard();
        return 0;
      case 'bus':
        return this.readBcr(this.index);
      default:
        return 0;
    }
  }
  mmioRead(offset: number, size: AccessSize): number {
    return this.readOffset(offset, size);
  }

  writeOffset(offset: number, value: number, size: AccessSize): void {
    // The first write of a double word to the data register changes to that mode.
    if (size === 4 && offset === APROM_BYTES && !this.dword) {
      this.dword = true;
      this.bcr[18]! |= BCR18_DWORD;
    }
    switch (this.register(offset)) {
      case 'data':
        return this.writeCsr(this.index, value & 0xffff);
      case 'index':
        this.index = value & 0x7f;
        return;
      case 'bus':
        return this.writeBcr(this.index, value & 0xffff);
    }
  }
  mmioWrite(offset: number, value: number, size: AccessSize): void {
    this.writeOffset(offset, value, size);
  }

  private register(offset: number): 'data' | 'index' | 'reset' | 'bus' | undefined {
    const step = this.dword ? 4 : 2;
    return (
      ([, 'index', 'reset', 'bus'] as const)[(offset - APROM_BYTES) / step] ??
      (offset === APROM_BYTES ? 'data' : undefined)
    );
  }

  private readCsr(index: number): number {
    if (index === 58) return this.bcr[BCR_STYLE]!;
    return this.csr[index]!;
  }

  private writeCsr(index: number, value: number): void {
    const stopped = (this.csr[0]! & STOP) !== 0;
    switch (index) {
      case 0:
        return this.command(value);
      case 5:
        this.csr[5] = value & ~0x0a80;
        if (!(value & CSR5_SUSPEND)) this.wakeUp();
        return;
      case 4:
        this.csr[4] = value & ~0x026a;
        return;
      case 58:
        return this.writeBcr(BCR_STYLE, value);
      case 88:
      case 89:
        return;
      default:
        if (stopped || index === 3 || (index >= 8 && index <= 15)) this.csr[index] = value;
        if (index === 3) this.refreshInterrupt();
    }
  }

  private command(value: number): void {
    let status = this.csr[0]! & ~(value & CAUSES);
    status = (status & ~IENA) | (value & IENA);
    if (value & STOP) {
      this.csr[0] = STOP;
      this.refreshInterrupt();
      return;
    }
    this.csr[0] = status;
    if (value & INIT && status & STOP) this.initialize();
    if (value & STRT && this.csr[0]! & (STOP | INIT)) {
      const mode = this.csr[15]!;
      this.csr[0] =
        (this.csr[0]! & ~STOP) |
        STRT |
        (mode & MODE_NO_TRANSMITTER ? 0 : TXON) |
        (mode & MODE_NO_RECEIVER ? 0 : RXON);
    }
    this.refreshInterrupt();
    if (value & TDMD || value & STRT) this.transmit();
    this.wakeUp();
  }

  /** Reads the initialization block. */
  private initialize(): void {
    const { ram } = this;
    const at = this.csr[1]! | (this.csr[2]! << 16);
    const base = at >>> 0;
    const wide = this.style !== 0;
    if (!ram.contains(base, 28)) return;
    this.csr[15] = ram.readU16(base);
    const skip = wide ? 4 : 2;
    for (let n = 0; n < 3; n++) this.csr[12 + n] = ram.readU16(base + skip + 2 * n);
    const filter = base + (wide ? 12 : 8);
    for (let n = 0; n < 4; n++) this.csr[8 + n] = ram.readU16(filter + 2 * n);
    const rings = filter + 8;
    const [receive, transmit] = [ram.readU32(rings), ram.readU32(rings + 4)];
    // Rings have a power of two of descriptors.
    const [receiveBits, transmitBits] = wide
      ? [ram.readU8(base + 2) >> 4, ram.readU8(base + 3) >> 4]
      : [receive >>> 29, transmit >>> 29];
    const mask = wide ? 0xffffffff : 0xffffff;
    this.setRing(24, 76, (receive & mask) >>> 0, receiveBits);
    this.setRing(30, 78, (transmit & mask) >>> 0, transmitBits);
    this.receiveAt = this.transmitAt = 0;
    this.csr[0] = (this.csr[0]! & ~STOP) | INIT | IDON;
  }

  private setRing(address: number, length: number, at: number, bits: number): void {
    this.csr[address] = at;
    this.csr[address + 1] = at >>> 16;
    this.csr[length] = -Math.min(MOST_RING, 1 << bits);
  }
  private ring(address: number, length: number): { base: number; count: number } {
    const count = Math.min(MOST_RING, 0x10000 - this.csr[length]!);
    return { base: (this.csr[address]! | (this.csr[address + 1]! << 16)) >>> 0, count };
  }

  private readBcr(index: number): number {
    if (index >= this.bcr.length) return 0;
    if (index === BCR_MII_DATA) return this.readMii();
    // Lamps of the link.
    if (index >= 4 && index <= 7)
      return (this.bcr[index]! & 0x7fff) | (this.cable.connected && index === 4 ? 0x8000 : 0);
    return this.bcr[index]!;
  }
  private writeBcr(index: number, value: number): void {
    if (index === BCR_STYLE) {
      const style = value & 0xff;
      // 32 bits wide, with CSRs of that kind.
      this.bcr[BCR_STYLE] = style | (style === 0 ? 0x0200 : 0x0300);
      if (style > 3) this.bcr[BCR_STYLE] = 0x0200;
    } else if (index < this.bcr.length && index !== BCR_MII_DATA) this.bcr[index] = value;
  }

  /** The transceiver at address 0 (IEEE 802.3, 22.2.4): 100 Mb/s, full duplex. */
  private readMii(): number {
    const address = this.bcr[BCR_MII_ADDRESS]!;
    if (address >> 5 !== 0) return 0xffff;
    const up = this.cable.connected;
    const registers: Record<number, number> = {
      0: 0x3100,
      1: up ? 0x782d : 0x7809,
      2: 0x0022,
      3: 0x561b,
      4: 0x01e1,
      5: up ? 0x45e1 : 0,
      6: up ? 5 : 4,
    };
    return registers[address & 31] ?? 0;
  }

  // ---- descriptors

  /** null: outside of memory. */
  private descriptor(ring: { base: number; count: number }, n: number): Descriptor | null {
    const wide = this.style !== 0;
    const at = ring.base + n * (wide ? 16 : 8);
    const { ram } = this;
    if (!ram.contains(at, wide ? 16 : 8)) return null;
    if (!wide) {
      const word = ram.readU32(at);
      return {
        at,
        address: word & 0xffffff,
        status: (word >>> 16) & 0xff00,
        bytes: length(ram.readU16(at + 4)),
      };
    }
    const control = ram.readU32(at + 4);
    return {
      at,
      address: ram.readU32(at + (this.style === 3 ? 8 : 0)),
      status: control >>> 16,
      bytes: length(control),
    };
  }

  /** Gives a descriptor back; `message`: of what was received, its length. */
  private giveBack({ at }: Descriptor, status: number, message = -1): void {
    const { ram } = this;
    if (this.style === 0) {
      if (message >= 0) ram.writeU16(at + 6, message);
      ram.writeU8(at + 3, status >> 8);
      return;
    }
    if (message >= 0) ram.writeU32(at + (this.style === 3 ? 0 : 8), message);
    ram.writeU16(at + 6, status);
  }

  private get running(): boolean {
    return this.isMaster && !(this.csr[5]! & CSR5_SUSPEND);
  }

  private transmit(): void {
    if (!(this.csr[0]! & TXON) || !this.running) return;
    const ring = this.ring(30, 78);
    let sent = false;
    // What finds the cable busy waits in the driver's ring.
    for (let n = 0; n < ring.count && !this.cable.busy;) {
      const used = this.sendOne(ring, ring.count - n);
      if (used === 0) break;
      n += used;
      sent = true;
    }
    if (!sent) return;
    this.cable.flush();
    this.raise(TINT);
  }

  ready(): void {
    this.transmit();
  }

  /** Sends the next frame; gives how many descriptors it took, 0 if it is not there whole. */
  private sendOne(ring: { base: number; count: number }, most: number): number {
    const taken: Descriptor[] = [];
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const descriptor = this.descriptor(ring, (this.transmitAt + taken.length) % ring.count);
      if (!descriptor || !(descriptor.status & OWN) || taken.length >= most) return 0;
      taken.push(descriptor);
      bytes += descriptor.bytes;
      if (bytes <= MOST_FRAME_BYTES && this.ram.contains(descriptor.address, descriptor.bytes))
        parts.push(this.ram.view(descriptor.address, descriptor.bytes));
      if (descriptor.status & ENP) break;
    }
    if (bytes <= MOST_FRAME_BYTES && bytes >= 14) this.cable.send(new Frame(parts));
    for (const descriptor of taken) this.giveBack(descriptor, descriptor.status & ~OWN);
    this.transmitAt = (this.transmitAt + taken.length) % ring.count;
    return taken.length;
  }

  private wakeUp(): void {
    if (!this.full) return;
    this.full = false;
    this.cable.room();
  }

  receive(frame: Frame): boolean {
    if (!(this.csr[0]! & RXON) || !this.running || !this.cable.connected || !this.wants(frame.head(14)))
      return true;
    const ring = this.ring(24, 76);
    const total = Math.max(LEAST_BYTES, frame.length) + CRC_BYTES;
    const taken: Descriptor[] = [];
    for (let room = 0; room < total;) {
      const descriptor = this.descriptor(ring, (this.receiveAt + taken.length) % ring.count);
      if (!descriptor || !(descriptor.status & OWN) || taken.length >= ring.count) {
        // Nothing tells when a driver gives buffers: it does when it has taken some, which it answers by an interrupt's end.
        this.full = true;
        return false;
      }
      taken.push(descriptor);
      room += descriptor.bytes;
      if (descriptor.bytes === 0) return true;
    }
    const bytes = new Uint8Array(total);
    frame.copyTo(bytes);
    let at = 0;
    taken.forEach((descriptor, n) => {
      const piece = bytes.subarray(at, at + descriptor.bytes);
      if (this.ram.contains(descriptor.address, piece.length)) this.ram.write(descriptor.address, piece);
      at += piece.length;
      const last = n === taken.length - 1;
      this.giveBack(descriptor, (n === 0 ? STP : 0) | (last ? ENP : 0), last ? total : 0);
    });
    this.receiveAt = (this.receiveAt + taken.length) % ring.count;
    this.raise(RINT);
    return true;
  }

  private wants(head: Uint8Array): boolean {
    if (this.csr[15]! & MODE_PROMISCUOUS) return true;
    if (head.subarray(0, 6).every((byte) => byte === 255)) return true;
    if (head[0]! & 1) {
      const bit = reversed(addressCrc(head)) >>> 26;
      return (this.csr[8 + (bit >> 4)]! & (1 << (bit & 15))) !== 0;
    }
    return [12, 13, 14].every((index, n) => this.csr[index] === (head[2 * n]! | (head[2 * n + 1]! << 8)));
  }

  connectionChanged(): void {}

  override reset(): void {
    super.reset();
    this.resetCard();
    this.resetBus();
  }
  override save(): Saved {
    return {
      ...super.save(),
      csr: [...this.csr],
      bcr: [...this.bcr],
      index: this.index,
      dword: this.dword,
      rings: [this.receiveAt, this.transmitAt],
    };
  }
  override load(state: Saved): void {
    super.load(state);
    this.csr.set(state.csr);
    this.bcr.set(state.bcr);
    this.index = state.index;
    this.dword = state.dword;
    [this.receiveAt, this.transmitAt] = state.rings as [number, number];
    this.full = true;
  }
}

/** A length as its negative, in 12 bits. */
function length(word: number): number {
  return (0x1000 - (word & 0xfff)) & 0xfff;
}

/** The chip takes the bits of the checksum the other way round. */
function reversed(crc: number): number {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result |= ((crc >>> bit) & 1) << (31 - bit);
  return result >>> 0;
}
