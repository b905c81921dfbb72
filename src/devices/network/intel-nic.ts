/**
 * What Intel's gigabit Ethernet controllers have in common ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
 * Manual", here "8254x"; "82574 GbE Controller Family Datasheet").
 */
import type { Cable, Station } from '../../machine/cable.js';
import type { EventQueue } from '../../machine/events.js';
import { NO_OFFLOAD, type Frame } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { PortBarDevice } from '../../machine/pci/pci-bar.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { E1000Phy } from './e1000-phy.js';
import {
  descriptorBytes,
  isTagged,
  store,
  wants,
  type DescriptorStyle,
  type ReceiveRing,
} from './e1000-receive.js';
import * as R from './e1000-registers.js';
import { DESCRIPTOR_BYTES, E1000Transmit } from './e1000-transmit.js';
import { EEPROM_WORDS } from './microwire-eeprom.js';
import { UNSCALED, type Scaled } from './receive-scaling.js';

export const INTEL = 0x8086;
const CLASS_ETHERNET = 0x020000;
const IO_ADDRESS = 0;
const IO_DATA = 4;

const PHY_ADDRESS = 1;
/** What EEPROMs add up to, and where the word is that sees to it. */
const EEPROM_SUM = 0xbaba;
/** ITR and EITR count in these. */
export const ITR_UNIT_NS = 256;
/** Most descriptors that are looked at for one write of a tail: a whole ring. */
const MOST_DESCRIPTORS = 4096;

const LEAST_BYTES = 60;
const CRC_BYTES = 4;
const MOST_SHORT_FRAME = 1522 - CRC_BYTES;
const MOST_LONG_FRAME = 16384 - CRC_BYTES;
const TAG_BYTES = 4;

export interface SavedNic extends SavedPciFunction {
  registers: number[];
  phy: number[];
  transmit: object[];
  ioAddress: number;
}

/** What differs between the models. */
export interface NicModel {
  readonly device: number;
  readonly subsystem: number;
  readonly revision: number;
  /** Identifier of the transceiver. */
  readonly phy: number;
  readonly eeprom: Uint16Array;
  /** Bits of STATUS that are always set. */
  readonly status: number;
  /** Of each kind. */
  readonly queues: number;
}

export abstract class IntelNic extends PciFunction implements MmioDevice, Station {
  private readonly registers = new Uint32Array(R.REGISTERS);
  private readonly phy: E1000Phy;
  /** One for each queue. */
  private readonly transmitters: readonly E1000Transmit[];
  private ioAddress = 0;
  private full = false;

  constructor(
    private readonly ram: GuestRam,
    protected readonly events: EventQueue,
    private readonly model: NicModel,
    protected readonly cable: Cable,
  ) {
    super({
      vendor: INTEL,
      device: model.device,
      revision: model.revision,
      classCode: CLASS_ETHERNET,
      subsystemVendor: INTEL,
      subsystem: model.subsystem,
      interruptPin: 1,
    });
    this.phy = new E1000Phy(() => cable.connected, model.phy);
    this.transmitters = Array.from(
      { length: model.queues },
      () => new E1000Transmit(ram, (frame) => this.sendFrame(frame)),
    );
  }

  protected get(register: number): number {
    return this.registers[register >> 2]!;
  }
  protected set(register: number, value: number): void {
    this.registers[register >> 2] = value;
  }
  private count(register: number, by = 1): void {
    this.set(register, Math.min(0xffffffff, this.get(register) + by));
  }

  protected resetCard(): void {
    this.registers.fill(0);
    this.receiving.clear();
    this.phy.reset();
    for (const transmitter of this.transmitters) transmitter.reset();
    this.full = false;
    this.set(R.PBA, 0x00100030);
    const [first = 0, second = 0, third = 0] = this.model.eeprom;
    // The address comes from the EEPROM (8254x, 5.6.1).
    this.set(R.RAL0, (first | (second << 16)) >>> 0);
    this.set(R.RAH0, (third | R.RAH_VALID) >>> 0);
    this.updateInterrupts();
  }

  // ---- interrupts

  /** Something happened: bits of ICR. */
  protected raise(causes: number): void {
    this.set(R.ICR, this.get(R.ICR) | causes);
    this.updateInterrupts();
  }
  protected abstract updateInterrupts(): void;
  /** What ICR gives, and what reading it changes. */
  protected abstract readCauses(): number;
  /** What to raise for a frame that was stored, and for descriptors of a queue that were written back. */
  protected abstract receiveCause(queue: number): number;
  protected abstract transmitCause(queue: number): number;

  connectionChanged(): void {
    this.raise(R.LSC);
  }

  // ---- registers

  mmioRead(offset: number, size: AccessSize): number {
    if (size !== 4) return this.mmioRead(offset & ~3, 4) >>> (8 * (offset & 3));
    return offset >> 2 >= R.REGISTERS ? 0 : this.readRegister(offset & ~3) >>> 0;
  }
  mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (size === 4 && offset % 4 === 0 && offset >> 2 < R.REGISTERS) this.writeRegister(offset, value >>> 0);
  }

  protected readRegister(offset: number): number {
    const value = this.get(offset);
    switch (offset) {
      case R.STATUS: {
        const { connected, busy } = this.cable;
        const link = (connected ? R.STATUS_LU : 0) | (busy ? R.STATUS_TXOFF : 0);
        return this.model.status | R.STATUS_FD | R.STATUS_1000 | link;
      }
      case R.ICR:
        return this.readCauses();
      case R.ICS:
      case R.IMC:
        return 0;
    }
    // Reading statistics clears them (8254x, 13.7).
    if (offset >= R.STATISTICS && offset < R.STATISTICS_END) this.set(offset, 0);
    return value;
  }

  protected writeRegister(offset: number, value: number): void {
    switch (offset) {
      case R.CTRL:
        if (value & R.CTRL_RST) return this.resetCard();
        if ((value & R.CTRL_PHY_RST) !== 0) this.phy.reset();
        this.set(R.CTRL, value & ~R.CTRL_PHY_RST);
        return;
      case R.STATUS:
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
      case R.RCTL:
        this.set(offset, value);
        this.receiving.clear();
        return this.makeRoom();
      case R.PSRCTL:
      case R.RFCTL:
        this.set(offset, value);
        this.receiving.clear();
        return;
      case R.TCTL:
        this.set(offset, value);
        this.transmitters.forEach((_, queue) => this.transmit(queue));
        return;
    }
    const queue =
      offset >= R.RDBAL && offset < R.STATISTICS ? (offset % R.QUEUES_BYTES) >> R.QUEUE_SHIFT : -1;
    if (queue >= 0 && queue < this.model.queues)
      this.writeQueue(queue, offset - queue * R.QUEUE_BYTES, offset, value);
    else this.set(offset, value);
  }

  /** `first`: the register of the first queue that `offset` is the like of. */
  private writeQueue(queue: number, first: number, offset: number, value: number): void {
    switch (first) {
      case R.RDT:
        this.set(offset, value & 0xffff);
        return this.makeRoom();
      case R.TDT:
        this.set(offset, value & 0xffff);
        return this.transmit(queue);
      case R.RDH:
        this.set(offset, value & 0xffff);
        return;
      case R.RDBAL:
      case R.RDBAH:
      case R.RDLEN:
        this.receiving.clear();
    }
    this.set(offset, value);
  }

  private accessPhy(value: number): void {
    const register = (value >>> 16) & 31;
    let result = (value & ~R.MDIC_ERROR) | R.MDIC_READY;
    if (((value >>> 21) & 31) !== PHY_ADDRESS) result |= R.MDIC_ERROR;
    else if (value & R.MDIC_READ) result = (result & ~0xffff) | this.phy.read(register);
    else if (value & R.MDIC_WRITE && this.phy.write(register, value & 0xffff)) this.raise(R.LSC);
    this.set(R.MDIC, result >>> 0);
  }

  /** An address and the data there, for those who cannot reach memory (8254x, 13.2). */
  protected ioPorts(): PortBarDevice {
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
  private ring(low: number, each: number): { base: number; count: number } | null {
    const base = ((this.get(low) & ~15) >>> 0) + this.get(low + 4) * 2 ** 32;
    const bytes = this.get(low + 8) & 0xfff80;
    const count = Math.floor(bytes / each);
    return count > 0 && this.ram.contains(base, bytes) ? { base, count } : null;
  }

  // ---- sending

  /**
   * While the cable is busy, descriptors wait, as after a pause frame. STATUS tells so (8254x, 13.4.2): else drivers would take
   * the card for hung when one waits for a second (Linux, e1000_clean_tx_irq).
   */
  private transmit(queue: number): void {
    const registers = queue * R.QUEUE_BYTES;
    const ring = this.ring(R.TDBAL + registers, DESCRIPTOR_BYTES);
    if (!(this.get(R.TCTL) & R.TCTL_EN) || !ring || !this.isMaster) return;
    let head = this.get(R.TDH + registers);
    const tail = this.get(R.TDT + registers);
    let causes = 0;
    for (let n = 0; n < MOST_DESCRIPTORS && head !== tail && head < ring.count && !this.cable.busy; n++) {
      if (this.transmitters[queue]!.take(ring.base + head * DESCRIPTOR_BYTES))
        causes |= this.transmitCause(queue);
      head = head + 1 === ring.count ? 0 : head + 1;
    }
    this.set(R.TDH + registers, head);
    this.cable.flush();
    this.raise(causes | (head === tail ? R.TXQE : 0));
  }

  ready(): void {
    this.transmitters.forEach((_, queue) => {
      const registers = queue * R.QUEUE_BYTES;
      if (this.get(R.TDH + registers) !== this.get(R.TDT + registers)) this.transmit(queue);
    });
  }

  private sendFrame(frame: Frame): void {
    this.count(R.GPTC);
    this.count(R.TPT);
    this.count(R.GOTCL, frame.length);
    this.count(R.TOTL, frame.length);
    this.cable.send(frame);
  }

  // ---- receiving

  /** The guest may pass on what it gets: all checksums are made. */
  readonly abilities = NO_OFFLOAD;

  protected get descriptorStyle(): DescriptorStyle {
    return 'legacy';
  }
  /** Bytes of the buffers of a descriptor. */
  protected get buffers(): readonly number[] {
    const rctl = this.get(R.RCTL);
    const shift = (rctl >> 16) & 3;
    // With the extension, the sizes but the first are 16 times as much.
    return [(2048 >> shift) * (rctl & R.RCTL_BSEX && shift > 0 ? 16 : 1)];
  }

  /** The rings of queues as the registers say; none after one was written. */
  private readonly receiving = new Map<number, ReceiveRing>();

  private receiveRing(queue: number): ReceiveRing | null {
    const known = this.receiving.get(queue);
    if (known) return known;
    const { descriptorStyle: style, buffers } = this;
    const place = this.ring(R.RDBAL + queue * R.QUEUE_BYTES, descriptorBytes(style));
    if (!place) return null;
    const ring = { ...place, style, buffers, frameBytes: buffers.reduce((sum, bytes) => sum + bytes, 0) };
    this.receiving.set(queue, ring);
    return ring;
  }

  /** The queue that a frame goes to, and the hash that says so. */
  protected scale(_frame: Frame): Scaled {
    return UNSCALED;
  }

  private makeRoom(): void {
    if (!this.full) return;
    this.full = false;
    this.cable.room();
  }

  protected readonly registerReader = (register: number): number => this.get(register);

  receive(frame: Frame): boolean {
    const rctl = this.get(R.RCTL);
    if (!(rctl & R.RCTL_EN) || !this.cable.connected || !this.isMaster) return true;
    if (frame.length > (rctl & R.RCTL_LPE ? MOST_LONG_FRAME : MOST_SHORT_FRAME)) return true;
    const head = frame.head(18);
    if (!wants(head, this.registerReader)) return true;
    const scaled = this.scale(frame);
    const ring = this.receiveRing(scaled.queue);
    if (!ring) return true;
    const tag =
      head.length >= 18 && this.get(R.CTRL) & R.CTRL_VME && isTagged(head)
        ? (head[14]! << 8) | head[15]!
        : null;
    const parts = (tag === null ? frame : frame.untagged()).parts;
    const bytes = Math.max(LEAST_BYTES, frame.length - (tag === null ? 0 : TAG_BYTES));
    const total = bytes + (rctl & R.RCTL_SECRC ? 0 : CRC_BYTES);
    const wanted = Math.ceil(total / ring.frameBytes);
    const registers = scaled.queue * R.QUEUE_BYTES;
    const first = this.get(R.RDH + registers);
    const free = (this.get(R.RDT + registers) - first + ring.count) % ring.count;
    if (free < wanted || first >= ring.count) {
      this.full = true;
      return false;
    }
    const { checked } = frame;
    this.set(R.RDH + registers, store(this.ram, ring, first, { parts, total, checked, tag, scaled }));
    this.count(R.GPRC);
    this.count(R.TPR);
    this.count(R.GORCL, bytes);
    this.count(R.TORL, bytes);
    const threshold = ring.count >> (1 + ((rctl >> 8) & 3));
    this.raise(this.receiveCause(scaled.queue) | (free - wanted <= threshold ? R.RXDMT0 : 0));
    return true;
  }

  override reset(): void {
    super.reset();
    this.resetCard();
  }

  override save(): SavedNic {
    return {
      ...super.save(),
      registers: [...this.registers],
      phy: this.phy.save(),
      transmit: this.transmitters.map((transmitter) => transmitter.save()),
      ioAddress: this.ioAddress,
    };
  }

  override load(state: SavedNic): void {
    super.load(state);
    this.registers.set(state.registers);
    this.receiving.clear();
    this.phy.load(state.phy);
    this.transmitters.forEach((transmitter, queue) => transmitter.load(state.transmit[queue]!));
    this.ioAddress = state.ioAddress;
    // A frame that found no room may wait: it is asked for again.
    this.full = true;
  }
}

/** An EEPROM with an address, other words by place, and the right sum. */
export function eepromWords(mac: Uint8Array, others: Record<number, number>): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  for (let n = 0; n < 3; n++) words[n] = mac[2 * n]! | (mac[2 * n + 1]! << 8);
  for (const [place, word] of Object.entries(others)) words[Number(place)] = word;
  words[EEPROM_WORDS - 1] = EEPROM_SUM - words.reduce((total, word) => total + word, 0);
  return words;
}
