/** A virtio device on PCI, transitional: for modern drivers and for old ones (virtio 1.2, 4.1). */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import { MSIX_BAR_BYTES, MsiX } from '../../machine/pci/msix.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import { CAPABILITY_MSIX, CAPABILITY_VENDOR } from '../../machine/pci/pci-registers.js';
import { maskTo, type AccessSize } from '../../machine/port-bus.js';
import { ISR_CONFIG, ISR_QUEUE, TRANSITIONAL_IDS, VIRTIO_VENDOR } from './constants.js';
import { legacyPorts, LEGACY_BYTES } from './virtio-legacy.js';
import { COMMON_CONFIG_BYTES, VirtioCommon, type SavedVirtioCommon } from './virtio-common.js';
import type { VirtioDevice } from './virtio-device.js';

const LEGACY_BAR = 0;
const MSIX_BAR = 1;
const STRUCTURES_BAR = 4;
const STRUCTURES_BYTES = 0x4000;

/** The structures in their BAR, a page each. */
const COMMON = 0x0000;
const ISR = 0x1000;
const DEVICE = 0x2000;
const NOTIFY = 0x3000;
const STRUCTURE_BYTES = 0x1000;
const NOTIFY_OFF_MULTIPLIER = 4;

// Capabilities (4.1.4)
const CAP_COMMON = 1;
const CAP_NOTIFY = 2;
const CAP_ISR = 3;
const CAP_DEVICE = 4;
const CAP_PCI = 5;
const CAP_BYTES = 16;
const CAP_BAR = 4;
const CAP_OFFSET = 8;
const CAP_LENGTH = 12;
const CAP_PCI_DATA = 16;

export interface SavedVirtioPci extends SavedPciFunction {
  isr: number;
  common: SavedVirtioCommon;
  msix: ReturnType<MsiX['save']>;
  device: object;
}

export class VirtioPci extends PciFunction implements MmioDevice {
  private readonly common: VirtioCommon;
  private readonly msix: MsiX;
  private readonly msixCapability: number;
  private readonly windowCapability: number;
  private isr = 0;

  constructor(
    private readonly device: VirtioDevice,
    ram: GuestRam,
  ) {
    super({
      vendor: VIRTIO_VENDOR,
      device: TRANSITIONAL_IDS[device.type]!,
      revision: 0,
      classCode: device.classCode,
      subsystemVendor: VIRTIO_VENDOR,
      subsystem: device.type,
      interruptPin: 1,
    });
    device.wake = (index) => this.service(index);
    this.msix = new MsiX(device.queueSizes.length + 1, this.sendMessage);
    this.common = new VirtioCommon(device, ram, {
      vectors: this.msix.count,
      queue: (vector) => this.interrupt(ISR_QUEUE, vector),
      config: (vector) => this.interrupt(ISR_CONFIG, vector),
      cleared: () => this.setIsr(0),
    });
    device.negotiated = (bit) => this.common.negotiated(bit);
    device.configChanged = () => this.common.configChanged();
    const ports = legacyPorts({
      common: this.common,
      msix: this.msix,
      device,
      notify: (index) => this.service(index),
      takeIsr: () => this.takeIsr(),
    });
    this.addBar(LEGACY_BAR, { kind: 'io', bytes: LEGACY_BYTES, device: ports, width: 4 });
    this.addBar(MSIX_BAR, { kind: 'memory', bits: 32, bytes: MSIX_BAR_BYTES, device: this.msix });
    this.addBar(STRUCTURES_BAR, {
      kind: 'memory',
      bits: 64,
      prefetchable: true,
      bytes: STRUCTURES_BYTES,
      device: this,
    });
    this.msixCapability = this.addCapability(CAPABILITY_MSIX, this.msix.capability(MSIX_BAR));
    this.allow(this.msixCapability + 2, 2, 0xc000);
    this.addStructure(CAP_COMMON, COMMON, COMMON_CONFIG_BYTES);
    this.addStructure(CAP_ISR, ISR, 1);
    if (device.config.length > 0) this.addStructure(CAP_DEVICE, DEVICE, device.config.length);
    const notifyBytes = device.queueSizes.length * NOTIFY_OFF_MULTIPLIER;
    this.addStructure(CAP_NOTIFY, NOTIFY, notifyBytes, NOTIFY_OFF_MULTIPLIER);
    this.windowCapability = this.addStructure(CAP_PCI, 0, 0, 0);
    this.allow(this.windowCapability + CAP_BAR, 1, 0xff);
    this.allow(this.windowCapability + CAP_OFFSET, 4, 0xffffffff);
    this.allow(this.windowCapability + CAP_LENGTH, 4, 0xffffffff);
  }

  /** A capability that says where a structure is; some have a word more behind it. */
  private addStructure(type: number, offset: number, length: number, extra?: number): number {
    const bytes = CAP_BYTES + (extra === undefined ? 0 : 4);
    const body = new DataView(new ArrayBuffer(bytes - 2));
    body.setUint8(0, bytes);
    body.setUint8(1, type);
    body.setUint8(2, type === CAP_PCI ? 0 : STRUCTURES_BAR);
    body.setUint32(CAP_OFFSET - 2, offset, true);
    body.setUint32(CAP_LENGTH - 2, length, true);
    if (extra !== undefined) body.setUint32(CAP_BYTES - 2, extra, true);
    return this.addCapability(CAPABILITY_VENDOR, new Uint8Array(body.buffer));
  }

  private interrupt(cause: number, vector: number): void {
    if (this.msix.enabled) this.msix.notify(vector);
    else this.setIsr(this.isr | cause);
  }

  private setIsr(isr: number): void {
    this.isr = isr;
    this.setInterrupt(isr !== 0);
  }

  /** Reading it clears it. */
  private takeIsr(): number {
    const { isr } = this;
    this.setIsr(0);
    return isr;
  }

  /** The device has something for queue `index`. */
  service(index: number): void {
    if (this.isMaster) this.common.service(index);
  }

  // ---- the structures

  mmioRead(offset: number, size: AccessSize): number {
    const within = offset % STRUCTURE_BYTES;
    switch (offset - within) {
      case COMMON:
        return this.common.mmioRead(within, size);
      case ISR:
        return within === 0 ? this.takeIsr() : 0;
      case DEVICE: {
        const { config } = this.device;
        let value = 0;
        for (let index = 0; index < size; index++) value |= (config[within + index] ?? 0) << (index * 8);
        return maskTo(value, size);
      }
      default:
        return 0;
    }
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    const within = offset % STRUCTURE_BYTES;
    switch (offset - within) {
      case COMMON:
        return this.common.mmioWrite(within, value, size);
      case DEVICE:
        return this.device.configWritten?.(within, value, size);
      case NOTIFY:
        return this.service(Math.floor(within / NOTIFY_OFF_MULTIPLIER));
    }
  }

  // ---- configuration space

  /** The access that the window capability describes (4.1.4.9); undefined if it is none that can be made. */
  private windowAccess(): { offset: number; size: AccessSize } | undefined {
    const offset = this.get32(this.windowCapability + CAP_OFFSET);
    const size = this.get32(this.windowCapability + CAP_LENGTH);
    const fits = size === 1 || size === 2 || size === 4;
    if (this.get8(this.windowCapability + CAP_BAR) !== STRUCTURES_BAR || !fits) return undefined;
    return offset % size === 0 && offset + size <= STRUCTURES_BYTES ? { offset, size } : undefined;
  }

  private inWindow(offset: number): boolean {
    const data = this.windowCapability + CAP_PCI_DATA;
    return offset >= data && offset < data + 4;
  }

  override readConfig(offset: number, size: AccessSize): number {
    const access = this.inWindow(offset) ? this.windowAccess() : undefined;
    if (access) this.set32(this.windowCapability + CAP_PCI_DATA, this.mmioRead(access.offset, access.size));
    return super.readConfig(offset, size);
  }

  override writeConfig(offset: number, value: number, size: AccessSize): void {
    const access = this.inWindow(offset) ? this.windowAccess() : undefined;
    if (access) this.mmioWrite(access.offset, maskTo(value, access.size), access.size);
    else super.writeConfig(offset, value, size);
  }

  protected override configWritten(): void {
    const control = this.get16(this.msixCapability + 2);
    this.msix.configure(control);
  }

  override reset(): void {
    this.msix.reset();
    this.common.reset();
    super.reset();
  }

  override save(): SavedVirtioPci {
    return {
      ...super.save(),
      isr: this.isr,
      common: this.common.save(),
      msix: this.msix.save(),
      device: this.device.save(),
    };
  }

  override load(state: SavedVirtioPci): void {
    super.load(state);
    this.isr = state.isr;
    this.common.load(state.common);
    this.msix.load(state.msix);
    this.device.load(state.device);
  }
}
