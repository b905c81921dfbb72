import type { MsiSend } from '../interrupts/apic-bus.js';
import type { Line } from '../line.js';
import type { MmioBus } from '../mmio-bus.js';
import { maskTo, type AccessSize, type PortBus } from '../port-bus.js';
import { checkVersion } from '../state.js';
import { PciBar, type BarTarget } from './pci-bar.js';
import * as P from './pci-registers.js';

const CONFIG_BYTES = 256;
const BARS = 6;
const IO_LIMIT = 0x10000;
const HEADER_MULTI_FUNCTION = 0x80;

/** What the board gives to a function that is plugged in. */
export interface PciConnection {
  ports: PortBus;
  mmio: MmioBus;
  /** The wire of the function's interrupt pin. */
  interrupt: Line;
  sendMessage: MsiSend;
}

export interface PciIdentity {
  vendor: number;
  device: number;
  revision: number;
  /** 24 bits: base class, subclass, programming interface. */
  classCode: number;
  subsystemVendor?: number;
  subsystem?: number;
  headerType?: number;
  /** 1 is INTA#; 0 no interrupt pin. */
  interruptPin?: number;
}

export interface SavedPciFunction {
  version: 1;
  config: number[];
  interrupt: boolean;
}

const CAPABILITY_MSI = 0x05;
/** Behind the capability's id and next pointer: control, an address of 64 bits, data. */
const MSI_BYTES = 12;
const MSI_CONTROL = 2;
const MSI_ADDRESS = 4;
const MSI_DATA = 12;
const MSI_ENABLE = 1;
const MSI_ADDRESS_64 = 0x80;

/** A PCI function: its configuration space, BARs, capabilities and interrupt pin. Devices extend it or own one. */
export class PciFunction {
  protected readonly config = new Uint8Array(CONFIG_BYTES);
  /** Bits that software can set. */
  private readonly writable = new Uint8Array(CONFIG_BYTES);
  private readonly view = new DataView(this.config.buffer);
  private readonly writableView = new DataView(this.writable.buffer);
  private readonly bars: (PciBar | undefined)[] = new Array<PciBar | undefined>(BARS).fill(undefined);
  private afterReset = new Uint8Array(CONFIG_BYTES);
  private capabilitiesEnd = P.DEVICE_SPECIFIC;
  private lastCapability = P.CAPABILITIES_POINTER;
  private connection: PciConnection | undefined;
  private interruptAsserted = false;

  constructor(identity: PciIdentity) {
    this.set16(P.VENDOR_ID, identity.vendor);
    this.set16(P.DEVICE_ID, identity.device);
    this.config[P.REVISION_ID] = identity.revision;
    this.set8(P.CLASS_CODE, identity.classCode & 0xff);
    this.set16(P.CLASS_CODE + 1, identity.classCode >> 8);
    this.set8(P.HEADER_TYPE, identity.headerType ?? 0);
    this.set16(P.SUBSYSTEM_VENDOR_ID, identity.subsystemVendor ?? 0);
    this.set16(P.SUBSYSTEM_ID, identity.subsystem ?? 0);
    this.set8(P.INTERRUPT_PIN, identity.interruptPin ?? 0);
    this.allow(P.COMMAND, 2, P.COMMAND_WRITABLE);
    this.allow(P.INTERRUPT_LINE, 1, 0xff);
  }

  /** Whether other functions may be in its slot. To be said before it is plugged in, as all that a reset brings back. */
  get isMultiFunction(): boolean {
    return (this.config[P.HEADER_TYPE]! & HEADER_MULTI_FUNCTION) !== 0;
  }
  allowOthers(): void {
    this.config[P.HEADER_TYPE]! |= HEADER_MULTI_FUNCTION;
  }

  protected get8(offset: number): number {
    return this.config[offset]!;
  }
  protected get16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  protected get32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  protected set8(offset: number, value: number): void {
    this.config[offset] = value;
  }
  protected set16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }
  protected set32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  /** Lets software set the bits of `mask` in a register of `size` bytes. */
  protected allow(offset: number, size: AccessSize, mask: number): void {
    if (size === 1) this.writable[offset] = mask;
    else if (size === 2) this.writableView.setUint16(offset, mask, true);
    else this.writableView.setUint32(offset, mask, true);
  }

  /** Adds base address register `index` (0-5). */
  protected addBar(index: number, target: BarTarget): void {
    const bar = new PciBar(target);
    this.bars[index] = bar;
    const offset = P.BAR0 + index * 4;
    this.set32(offset, bar.typeBits);
    const flags = target.kind === 'io' ? 3 : 0xf;
    this.allow(offset, 4, (~(target.bytes - 1) & ~flags) >>> 0);
    if (bar.registers === 2) this.allow(offset + 4, 4, 0xffffffff);
  }

  /** The BARs that exist, for firmware that assigns addresses: index and what they show. */
  get barTargets(): [index: number, target: BarTarget][] {
    return this.bars.flatMap((bar, index): [number, BarTarget][] => (bar ? [[index, bar.target]] : []));
  }

  /** Adds a capability; `body` is what follows its id and next pointer. Gives its offset. */
  protected addCapability(id: number, body: Uint8Array): number {
    const offset = this.capabilitiesEnd;
    this.set8(this.lastCapability, offset);
    this.set8(offset, id);
    this.config.set(body, offset + 2);
    this.lastCapability = offset + 1;
    this.capabilitiesEnd = (offset + 2 + body.length + 3) & ~3;
    this.set16(P.STATUS, this.get16(P.STATUS) | P.STATUS_CAPABILITIES);
    return offset;
  }

  /** Where its capability of message signalled interrupts is; 0: it has none. */
  private msi = 0;

  /** Lets software have one message instead of the interrupt pin (PCI 3.0, 6.8.1). */
  protected addMsi(): void {
    const body = new Uint8Array(MSI_BYTES);
    body[0] = MSI_ADDRESS_64;
    this.msi = this.addCapability(CAPABILITY_MSI, body);
    this.allow(this.msi + MSI_CONTROL, 2, MSI_ENABLE);
    this.allow(this.msi + MSI_ADDRESS, 4, 0xfffffffc);
    this.allow(this.msi + MSI_ADDRESS + 4, 4, 0xffffffff);
    this.allow(this.msi + MSI_DATA, 2, 0xffff);
  }

  private get msiEnabled(): boolean {
    return this.msi !== 0 && (this.get16(this.msi + MSI_CONTROL) & MSI_ENABLE) !== 0;
  }

  /** Sends the message, where software wants one. A pin that becomes asserted does so by itself. */
  protected signal(): void {
    if (!this.msiEnabled) return;
    const address = this.view.getBigUint64(this.msi + MSI_ADDRESS, true);
    this.sendMessage(address, this.get16(this.msi + MSI_DATA));
  }

  /** To be called once, by the PCI bus. What configuration space holds now is what a reset brings back. */
  connect(connection: PciConnection): void {
    this.connection = connection;
    this.afterReset = this.config.slice();
  }

  /** Sends a message signalled interrupt, if the function may be a bus master. */
  protected readonly sendMessage: MsiSend = (address, data) => {
    if (this.isMaster) this.connection?.sendMessage(address, data);
  };

  /** Whether software lets the function read and write memory. */
  get isMaster(): boolean {
    return (this.get16(P.COMMAND) & P.COMMAND_MASTER) !== 0;
  }

  /** Drives the interrupt pin. */
  protected setInterrupt(asserted: boolean): void {
    const rises = asserted && !this.interruptAsserted;
    this.interruptAsserted = asserted;
    if (rises) this.signal();
    this.updateInterrupt();
  }

  private updateInterrupt(): void {
    const status = this.get16(P.STATUS) & ~P.STATUS_INTERRUPT;
    this.set16(P.STATUS, status | (this.interruptAsserted ? P.STATUS_INTERRUPT : 0));
    const disabled = (this.get16(P.COMMAND) & P.COMMAND_INTERRUPT_DISABLE) !== 0;
    this.connection?.interrupt(this.interruptAsserted && !disabled && !this.msiEnabled);
  }

  readConfig(offset: number, size: AccessSize): number {
    let value = 0;
    for (let index = 0; index < size; index++) value |= this.config[offset + index]! << (index * 8);
    return maskTo(value, size);
  }

  writeConfig(offset: number, value: number, size: AccessSize): void {
    for (let index = 0; index < size; index++) {
      const mask = this.writable[offset + index]!;
      const byte = (value >>> (index * 8)) & 0xff;
      this.config[offset + index] = (this.config[offset + index]! & ~mask) | (byte & mask);
    }
    if (offset < P.CAPABILITIES_POINTER) {
      this.placeBars();
      this.updateInterrupt();
    }
    if (this.msi !== 0 && offset < this.msi + 2 + MSI_BYTES && offset + size > this.msi)
      this.updateInterrupt();
    this.configWritten(offset, size);
  }

  /** Software wrote to configuration space; the new value is there already. */
  protected configWritten(_offset: number, _size: AccessSize): void {}

  private placeBars(): void {
    if (!this.connection) return;
    const { ports, mmio } = this.connection;
    this.bars.forEach((bar, index) => bar?.place(this.barBase(bar, index), ports, mmio));
  }

  /** Where a BAR is decoded; -1 for nowhere. A base of 0 means "not assigned". */
  private barBase(bar: PciBar, index: number): number {
    const { kind, bytes } = bar.target;
    const enable = kind === 'io' ? P.COMMAND_IO : P.COMMAND_MEMORY;
    if (!(this.get16(P.COMMAND) & enable)) return -1;
    const offset = P.BAR0 + index * 4;
    const flags = kind === 'io' ? 3 : 0xf;
    const base = (this.get32(offset) & ~flags) >>> 0;
    if (kind === 'io') return base === 0 || base + bytes > IO_LIMIT ? -1 : base;
    const high = bar.registers === 2 ? this.get32(offset + 4) : 0;
    // Physical addresses have 52 bits at most.
    return (base === 0 && high === 0) || high >= 0x100000 ? -1 : high * 2 ** 32 + base;
  }

  /** It was taken out for good, after a reset. */
  removed(): void {}

  reset(): void {
    this.config.set(this.afterReset);
    this.interruptAsserted = false;
    this.updateInterrupt();
    this.placeBars();
    this.configWritten(0, 4);
  }

  save(): SavedPciFunction {
    return { version: 1, config: [...this.config], interrupt: this.interruptAsserted };
  }

  load(state: SavedPciFunction): void {
    checkVersion('a PCI function', state, 1);
    this.config.set(state.config);
    this.interruptAsserted = state.interrupt;
    this.placeBars();
  }
}
