/** Intel 82540EM gigabit Ethernet controller ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"). */
import type { Cable, Station } from '../../machine/cable.js';
import type { EventQueue, Timer } from '../../machine/events.js';
import { PartReader, type Frame, type OffloadAbilities } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { PortBarDevice } from '../../machine/pci/pci-bar.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { E1000Phy } from './e1000-phy.js';
import * as R from './e1000-registers.js';
import { DESCRIPTOR_BYTES, E1000Transmit } from './e1000-transmit.js';
import { EEPROM_WORDS, MicrowireEeprom } from './microwire-eeprom.js';

const VENDOR = 0x8086;
const DEVICE = 0x100e;
const SUBSYSTEM = 0x001e;
const REVISION = 3;
const MEMORY_BAR = 0;
const IO_BAR = 1;
const IO_BYTES = 64;
const IO_ADDRESS = 0;
const IO_DATA = 4;

const EEPROM_SUM = 0xbaba;
const PHY_ADDRESS = 1;
const ITR_UNIT_NS = 256;
/** Most descriptors that are looked at for one write of a tail: a whole ring. */
const MOST_DESCRIPTORS = 4096;

// Receive descriptors (3.2.3)
const STATUS_DD = 0x01;
const STATUS_EOP = 0x02;
const STATUS_IXSM = 0x04;
const STATUS_VP = 0x08;
const STATUS_TCPCS = 0x20;
const STATUS_IPCS = 0x40;

const LEAST_BYTES = 60;
const CRC_BYTES = 4;
const MOST_SHORT_FRAME = 1522 - CRC_BYTES;
const MOST_LONG_FRAME = 16384 - CRC_BYTES;
const TYPE_VLAN = 0x8100;
const TAG_BYTES = 4;

interface Saved extends SavedPciFunction {
  registers: number[];
  phy: number[];
  eeprom: number[];
  transmit: object;
  ioAddress: number;
  next: number;
}

export class E1000 extends PciFunction implements MmioDevice, Station {
  private readonly registers = new Uint32Array(R.REGISTERS);
  private readonly phy: E1000Phy;
  private readonly eeprom: MicrowireEeprom;
  private readonly transmitter: E1000Transmit;
  private readonly moderation: Timer;
  /** When the next interrupt may come, ns. */
  private next = 0;
  private asserted = false;
  private ioAddress = 0;
  private full = false;

  constructor(
    private readonly ram: GuestRam,
    private readonly events: EventQueue,
    mac: Uint8Array,
    private readonly cable: Cable,
    name: string,
  ) {
    super({
      vendor: VENDOR,
      device: DEVICE,
      revision: REVISION,
      classCode: 0x020000,
      subsystemVendor: VENDOR,
      subsystem: SUBSYSTEM,
      interruptPin: 1,
    });
    this.addBar(MEMORY_BAR, { kind: 'memory', bits: 32, bytes: R.REGISTER_BYTES, device: this });
    this.addBar(IO_BAR, { kind: 'io', bytes: IO_BYTES, device: this.ioPorts(), width: 4 });
    this.phy = new E1000Phy(() => cable.connected);
    this.eeprom = new MicrowireEeprom(eepromWords(mac));
    this.transmitter = new E1000Transmit(ram, (frame) => this.sendFrame(frame));
    this.moderation = events.timer(`${name} interrupt`, () => this.updateInterrupts());
    this.resetCard();
    cable.plug(this);
  }

  private get(register: number): number {
    return this.registers[register >> 2]!;
  }
  private set(register: number, value: number): void {
    this.registers[register >> 2] = value;
  }
  private count(register: number, by = 1): void {
    this.set(register, Math.min(0xffffffff, this.get(register) + by));
  }

  private resetCard(): void {
    this.registers.fill(0);
    this.phy.reset();
    this.transmitter.reset();
    this.moderation.disarm();
    this.full = false;
    this.set(R.PBA, 0x00100030);
    const [first = 0, second = 0, third = 0] = this.eeprom.words;
    // The address comes from the EEPROM (5.6.1).
    this.set(R.RAL0, (first | (second << 16)) >>> 0);
    this.set(R.RAH0, (third | R.RAH_VALID) >>> 0);
    this.updateInterrupts();
  }

  // ---- interrupts

  private raise(causes: number): void {
    this.set(R.ICR, this.get(R.ICR) | causes);
    this.updateInterrupts();
  }

  /** The line follows what is unmasked; after an interrupt the next one waits as long as ITR says (13.4.18). */
  private updateInterrupts(): void {
    const wanted = (this.get(R.ICR) & this.get(R.IMS)) !== 0;
    const now = this.events.clock.now();
    if (wanted && !this.asserted && now < this.next) {
      if (this.moderation.deadline === undefined) this.moderation.arm(this.next);
      return;
    }
    if (wanted && !this.asserted) this.next = now + (this.get(R.ITR) & 0xffff) * ITR_UNIT_NS;
    this.asserted = wanted;
    this.setInterrupt(wanted);
  }

  connectionChanged(): void {
    this.raise(R.LSC);
  }

  // ---- registers

  mmioRead(offset: number, size: AccessSize): number {
    if (size !== 4) return this.mmioRead(offset & ~3, 4) >>> (8 * (offset & 3));
    return this.readRegister(offset & ~3) >>> 0;
  }
  mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (size === 4 && offset % 4 === 0) this.writeRegister(offset, value >>> 0);
  }

  private readRegister(offset: number): number {
    if (offset >> 2 >= R.REGISTERS) return 0;
    const value = this.get(offset);
    switch (offset) {
      case R.STATUS:
        return R.STATUS_FD | R.STATUS_1000 | (this.cable.connected ? R.STATUS_LU : 0);
      case R.EECD:
        return (
          value | R.EECD_PRES | (value & R.EECD_REQ ? R.EECD_GNT : 0) | (this.eeprom.output ? R.EECD_DO : 0)
        );
      case R.ICR:
        // Reading clears all causes.
        this.set(R.ICR, 0);
        this.updateInterrupts();
        return value;
      case R.ICS:
      case R.IMC:
        return 0;
    }
    // So do those of statistics (13.7).
    if (offset >= R.STATISTICS && offset < R.STATISTICS_END) this.set(offset, 0);
    return value;
  }

  private writeRegister(offset: number, value: number): void {
    if (offset >> 2 >= R.REGISTERS) return;
    switch (offset) {
      case R.CTRL:
        if (value & R.CTRL_RST) return this.resetCard();
        if ((value & R.CTRL_PHY_RST) !== 0) this.phy.reset();
        this.set(R.CTRL, value & ~R.CTRL_PHY_RST);
        return;
      case R.STATUS:
        return;
      case R.EECD:
        this.set(R.EECD, value & 0x77);
        this.eeprom.drive((value & R.EECD_CS) !== 0, (value & R.EECD_SK) !== 0, (value & R.EECD_DI) !== 0);
        return;
      case R.EERD:
        if (value & R.EERD_START) {
          const word = this.eeprom.words[(value >>> 8) & (EEPROM_WORDS - 1)]!;
          this.set(R.EERD, ((value & 0xff00) | R.EERD_DONE | (word << 16)) >>> 0);
        }
        return;
      case R.MDIC:
        return this.accessPhy(value);
      case R.ICR:
        this.set(R.ICR, this.get(R.ICR) & ~value);
        return this.updateInterrupts();
      case R.ICS:
        return this.raise(value);
      case R.IMS:
        this.set(R.IMS, this.get(R.IMS) | value);
        return this.updateInterrupts();
      case R.IMC:
        this.set(R.IMS, this.get(R.IMS) & ~value);
        return this.updateInterrupts();
      case R.RDH:
      case R.TDH:
        this.set(offset, value & 0xffff);
        return;
      case R.RDT:
        this.set(offset, value & 0xffff);
        return this.makeRoom();
      case R.RCTL:
        this.set(offset, value);
        return this.makeRoom();
      case R.TDT:
        this.set(offset, value & 0xffff);
        return this.transmit();
      case R.TCTL:
        this.set(offset, value);
        return this.transmit();
      default:
        this.set(offset, value);
    }
  }

  private accessPhy(value: number): void {
    const register = (value >>> 16) & 31;
    let result = (value & ~R.MDIC_ERROR) | R.MDIC_READY;
    if (((value >>> 21) & 31) !== PHY_ADDRESS) result |= R.MDIC_ERROR;
    else if (value & R.MDIC_READ) result = (result & ~0xffff) | this.phy.read(register);
    else if (value & R.MDIC_WRITE && this.phy.write(register, value & 0xffff)) this.raise(R.LSC);
    this.set(R.MDIC, result >>> 0);
  }

  /** An address and the data there, for those who cannot reach memory (13.2). */
  private ioPorts(): PortBarDevice {
    return {
      readOffset: (offset, size) => {
        if (offset === IO_ADDRESS) return this.ioAddress;
        return offset === IO_DATA ? this.mmioRead(this.ioAddress, size) : 0;
      },
      writeOffset: (offset, value, size) => {
        if (offset === IO_ADDRESS) this.ioAddress = value % R.REGISTER_BYTES;
        else if (offset === IO_DATA) this.mmioWrite(this.ioAddress, value, size);
      },
    };
  }

  /** Where a ring is: its first byte, and how many descriptors it has; null: nowhere. */
  private ring(low: number): { base: number; count: number } | null {
    const base = (this.get(low) & ~15) + this.get(low + 4) * 2 ** 32;
    const bytes = this.get(low + 8) & 0xfff80;
    const at = base < 0 ? base + 2 ** 32 : base;
    return bytes > 0 && this.ram.contains(at, bytes) ? { base: at, count: bytes / DESCRIPTOR_BYTES } : null;
  }

  // ---- sending

  private transmit(): void {
    const ring = this.ring(R.TDBAL);
    if (!(this.get(R.TCTL) & R.TCTL_EN) || !ring || !this.isMaster) return;
    let head = this.get(R.TDH);
    const tail = this.get(R.TDT);
    let causes = 0;
    for (let n = 0; n < MOST_DESCRIPTORS && head !== tail && head < ring.count; n++) {
      if (this.transmitter.take(ring.base + head * DESCRIPTOR_BYTES)) causes |= R.TXDW;
      head = head + 1 === ring.count ? 0 : head + 1;
    }
    this.set(R.TDH, head);
    this.cable.flush();
    this.raise(causes | R.TXQE);
  }

  private sendFrame(frame: Frame): void {
    this.count(R.GPTC);
    this.count(R.TPT);
    this.count(R.GOTCL, frame.length);
    this.count(R.TOTL, frame.length);
    this.cable.send(frame);
  }

  // ---- receiving

  get abilities(): OffloadAbilities {
    const checksum = (this.get(R.RXCSUM) & R.RXCSUM_TUOFL) !== 0;
    return { checksum, tcp4: false, tcp6: false, udp: false };
  }

  private get bufferBytes(): number {
    const rctl = this.get(R.RCTL);
    const shift = (rctl >> 16) & 3;
    // With the extension, the sizes but the first are 16 times as much.
    return (2048 >> shift) * (rctl & R.RCTL_BSEX && shift > 0 ? 16 : 1);
  }

  private makeRoom(): void {
    if (!this.full) return;
    this.full = false;
    this.cable.room();
  }

  receive(frame: Frame): boolean {
    const rctl = this.get(R.RCTL);
    if (!(rctl & R.RCTL_EN) || !this.cable.connected || !this.isMaster) return true;
    if (frame.length > (rctl & R.RCTL_LPE ? MOST_LONG_FRAME : MOST_SHORT_FRAME)) return true;
    const head = frame.head(18);
    if (!this.wants(head, rctl)) return true;
    const ring = this.ring(R.RDBAL);
    if (!ring) return true;
    const tag =
      head.length >= 18 && this.get(R.CTRL) & R.CTRL_VME && isTagged(head)
        ? (head[14]! << 8) | head[15]!
        : null;
    const parts = (tag === null ? frame : frame.untagged()).parts;
    const bytes = Math.max(LEAST_BYTES, frame.length - (tag === null ? 0 : TAG_BYTES));
    const total = bytes + (rctl & R.RCTL_SECRC ? 0 : CRC_BYTES);
    const wanted = Math.ceil(total / this.bufferBytes);
    const free = (this.get(R.RDT) - this.get(R.RDH) + ring.count) % ring.count;
    if (free < wanted) {
      this.full = true;
      return false;
    }
    this.fill(ring, parts, total, frame.checked || frame.offload !== null, tag);
    this.count(R.GPRC);
    this.count(R.TPR);
    this.count(R.GORCL, bytes);
    this.count(R.TORL, bytes);
    const left = free - wanted;
    const threshold = ring.count >> (1 + ((rctl >> 8) & 3));
    this.raise(R.RXT0 | (left <= threshold ? R.RXDMT0 : 0));
    return true;
  }

  /** Puts a frame of `total` bytes, with zeros behind what there is, into the next buffers. */
  private fill(
    ring: { base: number; count: number },
    parts: readonly Uint8Array[],
    total: number,
    checked: boolean,
    tag: number | null,
  ): void {
    const { ram, bufferBytes } = this;
    // The rest is the driver's to check.
    const status =
      STATUS_DD | (checked ? STATUS_TCPCS | STATUS_IPCS : STATUS_IXSM) | (tag === null ? 0 : STATUS_VP);
    const source = new PartReader(parts);
    for (let done = 0; done < total;) {
      const head = this.get(R.RDH);
      const at = ring.base + head * DESCRIPTOR_BYTES;
      const address = ram.readAddress(at);
      const count = Math.min(bufferBytes, total - done);
      if (ram.contains(address, count)) {
        const target = ram.view(address, count);
        target.fill(0, source.read(target));
        ram.written(address, count);
      }
      done += count;
      ram.writeU32(at + 8, count);
      ram.writeU32(at + 12, (status | (done === total ? STATUS_EOP : 0) | ((tag ?? 0) << 16)) >>> 0);
      this.set(R.RDH, head + 1 === ring.count ? 0 : head + 1);
    }
  }

  /** Whether the filters let a frame through (3.2.1). */
  private wants(head: Uint8Array, rctl: number): boolean {
    if (rctl & R.RCTL_VFE && head.length >= 18 && isTagged(head)) {
      const vlan = ((head[14]! << 8) | head[15]!) & 0xfff;
      if (!(this.get(R.VFTA + 4 * (vlan >> 5)) & (1 << (vlan & 31)))) return false;
    }
    const group = (head[0]! & 1) === 1;
    if (group ? rctl & R.RCTL_MPE : rctl & R.RCTL_UPE) return true;
    if (group && rctl & R.RCTL_BAM && head.subarray(0, 6).every((byte) => byte === 255)) return true;
    const low = (head[0]! | (head[1]! << 8) | (head[2]! << 16) | (head[3]! << 24)) >>> 0;
    const high = head[4]! | (head[5]! << 8);
    for (let n = 0; n < 16; n++) {
      const valid = this.get(R.RAH0 + 8 * n);
      if (valid & R.RAH_VALID && this.get(R.RAL0 + 8 * n) === low && (valid & 0xffff) === high) return true;
    }
    if (!group) return false;
    const shift = [4, 3, 2, 0][(rctl >> 12) & 3]!;
    const hash = (high >> shift) & 0xfff;
    return (this.get(R.MTA + 4 * (hash >> 5)) & (1 << (hash & 31))) !== 0;
  }

  override reset(): void {
    super.reset();
    this.resetCard();
  }

  override save(): Saved {
    return {
      ...super.save(),
      registers: [...this.registers],
      phy: this.phy.save(),
      eeprom: this.eeprom.save(),
      transmit: this.transmitter.save(),
      ioAddress: this.ioAddress,
      next: this.next,
    };
  }

  override load(state: Saved): void {
    super.load(state);
    this.registers.set(state.registers);
    this.phy.load(state.phy);
    this.eeprom.load(state.eeprom);
    this.transmitter.load(state.transmit);
    this.ioAddress = state.ioAddress;
    this.next = state.next;
    this.asserted = state.interrupt;
    // A frame that found no room may wait: it is asked for again.
    this.full = true;
  }
}

function isTagged(head: Uint8Array): boolean {
  return ((head[12]! << 8) | head[13]!) === TYPE_VLAN;
}

/** What the EEPROM of a card with this address holds (chapter 5). */
function eepromWords(mac: Uint8Array): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  for (let n = 0; n < 3; n++) words[n] = mac[2 * n]! | (mac[2 * n + 1]! << 8);
  words.set([0x0000, 0x0000, 0x3000, 0x1000, 0x6403, SUBSYSTEM, VENDOR, DEVICE, VENDOR, 0x3040], 0x05);
  words.set([0x0008, 0x2000, 0x7e14], 0x0f);
  words[EEPROM_WORDS - 1] = EEPROM_SUM - words.reduce((total, word) => total + word, 0);
  return words;
}
