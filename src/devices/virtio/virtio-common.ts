/** The common configuration of a virtio device (virtio 1.2, 4.1.4.3): features, status and queues. */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { AccessSize } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import {
  NO_VECTOR,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
} from './constants.js';
import type { VirtioDevice } from './virtio-device.js';
import { LEGACY_ALIGNMENT, RingError, Virtqueue, type SavedVirtqueue } from './virtqueue.js';

const DEVICE_FEATURE_SELECT = 0x00;
const DEVICE_FEATURE = 0x04;
const DRIVER_FEATURE_SELECT = 0x08;
const DRIVER_FEATURE = 0x0c;
export const CONFIG_MSIX_VECTOR = 0x10;
const NUM_QUEUES = 0x12;
const DEVICE_STATUS = 0x14;
const CONFIG_GENERATION = 0x15;
export const QUEUE_SELECT = 0x16;
export const QUEUE_SIZE = 0x18;
export const QUEUE_MSIX_VECTOR = 0x1a;
const QUEUE_ENABLE = 0x1c;
const QUEUE_NOTIFY_OFF = 0x1e;
const QUEUE_DESC = 0x20;
const QUEUE_DRIVER = 0x28;
const QUEUE_DEVICE = 0x30;
export const COMMON_CONFIG_BYTES = 0x38;

const HIGH_HALF = 4;
const FOUR_GIB = 2 ** 32;
const FEATURE_WORDS = 2;

export interface VirtioInterrupts {
  /** Buffers of a queue were used; `vector` is its MSI-X vector or NO_VECTOR. */
  queue(vector: number): void;
  config(vector: number): void;
  /** How many MSI-X vectors there are. */
  readonly vectors: number;
  /** The driver reset the device. */
  cleared(): void;
}

export interface SavedVirtioCommon {
  version: 1;
  deviceSelect: number;
  driverSelect: number;
  driverFeatures: number[];
  configVector: number;
  status: number;
  queueSelect: number;
  queueVectors: number[];
  queues: SavedVirtqueue[];
}

export class VirtioCommon implements MmioDevice {
  private readonly offered = new Uint32Array(FEATURE_WORDS);
  private readonly accepted = new Uint32Array(FEATURE_WORDS);
  private deviceSelect = 0;
  private driverSelect = 0;
  private configVector = NO_VECTOR;
  private status = 0;
  private queueSelect = 0;
  private readonly queues: Virtqueue[];
  private readonly queueVectors: number[];

  constructor(
    private readonly device: VirtioDevice,
    ram: GuestRam,
    private readonly interrupts: VirtioInterrupts,
  ) {
    for (const bit of [...device.features, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX, VIRTIO_F_VERSION_1]) {
      this.offered[bit >> 5]! |= 1 << (bit & 31);
    }
    this.queues = device.queueSizes.map((size) => new Virtqueue(ram, size));
    this.queueVectors = this.queues.map(() => NO_VECTOR);
  }

  /** A feature that device and driver agreed on. */
  negotiated(bit: number): boolean {
    return (this.accepted[bit >> 5]! & (1 << (bit & 31))) !== 0;
  }

  reset(): void {
    this.accepted.fill(0);
    this.deviceSelect = this.driverSelect = this.queueSelect = this.status = 0;
    this.configVector = NO_VECTOR;
    this.queueVectors.fill(NO_VECTOR);
    for (const queue of this.queues) queue.reset();
    this.device.reset();
    this.interrupts.cleared();
  }

  /** Old drivers use their queues before they say that they are ready (3.1.1). */
  private get isReady(): boolean {
    return (this.status & STATUS_DRIVER_OK) !== 0 || !this.negotiated(VIRTIO_F_VERSION_1);
  }

  /** The driver notified queue `index`, or the device has something for it. */
  service(index: number): void {
    const queue = this.queues[index];
    if (!queue?.enabled || !this.isReady || this.status & STATUS_NEEDS_RESET) return;
    this.guard(() => this.device.queueNotified(index, queue));
    if (queue.takeInterrupt()) this.interrupts.queue(this.queueVectors[index]!);
  }

  /** The device's configuration changed. */
  configChanged(): void {
    if (this.status & STATUS_DRIVER_OK) this.interrupts.config(this.configVector);
  }

  /** A broken ring stops the device until the driver resets it (2.1.2). */
  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
      this.status |= STATUS_NEEDS_RESET;
      if (this.status & STATUS_DRIVER_OK) this.interrupts.config(this.configVector);
    }
  }

  mmioRead(offset: number, size: AccessSize): number {
    const at = fieldAt(offset, size);
    if (!at) return 0;
    return this.read(at.field) >>> ((offset - at.field) * 8);
  }

  private read(field: number): number {
    const queue = this.queues[this.queueSelect];
    switch (field) {
      case DEVICE_FEATURE_SELECT:
        return this.deviceSelect;
      case DEVICE_FEATURE:
        return this.offered[this.deviceSelect] ?? 0;
      case DRIVER_FEATURE_SELECT:
        return this.driverSelect;
      case DRIVER_FEATURE:
        return this.accepted[this.driverSelect] ?? 0;
      case CONFIG_MSIX_VECTOR:
        return this.configVector;
      case NUM_QUEUES:
        return this.queues.length;
      case DEVICE_STATUS:
        return this.status;
      case CONFIG_GENERATION:
        return 0;
      case QUEUE_SELECT:
        return this.queueSelect;
      case QUEUE_SIZE:
        return queue?.size ?? 0;
      case QUEUE_MSIX_VECTOR:
        return this.queueVectors[this.queueSelect] ?? NO_VECTOR;
      case QUEUE_ENABLE:
        return queue?.enabled ? 1 : 0;
      case QUEUE_NOTIFY_OFF:
        return queue ? this.queueSelect : 0;
    }
    if (!queue) return 0;
    const address =
      field < QUEUE_DRIVER ? queue.descriptors : field < QUEUE_DEVICE ? queue.available : queue.used;
    return field & HIGH_HALF ? Math.floor(address / FOUR_GIB) : address % FOUR_GIB;
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    const at = fieldAt(offset, size);
    // A field is written whole.
    if (at && at.field === offset && at.bytes === size) this.write(at.field, value);
  }

  private write(field: number, value: number): void {
    switch (field) {
      case DEVICE_FEATURE_SELECT:
        this.deviceSelect = value;
        return;
      case DRIVER_FEATURE_SELECT:
        this.driverSelect = value;
        return;
      case DRIVER_FEATURE:
        if (this.driverSelect < FEATURE_WORDS && !(this.status & STATUS_FEATURES_OK)) {
          this.accepted[this.driverSelect] = value;
        }
        return;
      case CONFIG_MSIX_VECTOR:
        this.configVector = this.usableVector(value);
        return;
      case DEVICE_STATUS:
        return this.writeStatus(value);
      case QUEUE_SELECT:
        this.queueSelect = value;
        return;
    }
    const queue = this.queues[this.queueSelect];
    if (queue) this.writeQueue(queue, field, value);
  }

  private writeQueue(queue: Virtqueue, field: number, value: number): void {
    if (field === QUEUE_MSIX_VECTOR) {
      this.queueVectors[this.queueSelect] = this.usableVector(value);
      return;
    }
    // The rest of an enabled queue cannot be changed (4.1.4.3.2).
    if (queue.enabled) return;
    if (field === QUEUE_SIZE) queue.size = value;
    else if (field === QUEUE_ENABLE) {
      if (value === 1) this.guard(() => this.enable(queue));
    } else if (field >= QUEUE_DEVICE) queue.used = withHalf(queue.used, field, value);
    else if (field >= QUEUE_DRIVER) queue.available = withHalf(queue.available, field, value);
    else if (field >= QUEUE_DESC) queue.descriptors = withHalf(queue.descriptors, field, value);
  }

  private enable(queue: Virtqueue): void {
    queue.indirect = this.negotiated(VIRTIO_F_INDIRECT_DESC);
    queue.eventIndex = this.negotiated(VIRTIO_F_EVENT_IDX);
    queue.enable();
  }

  // ---- what old drivers see (4.1.4.10): a register for each field, rings by the number of their page

  get legacyFeatures(): number {
    return this.offered[0]!;
  }
  get acceptedLegacyFeatures(): number {
    return this.accepted[0]!;
  }
  set acceptedLegacyFeatures(bits: number) {
    this.accepted[0] = bits & this.offered[0]!;
    this.accepted[1] = 0;
  }
  get legacyStatus(): number {
    return this.status;
  }
  set legacyStatus(value: number) {
    if (value === 0) this.reset();
    else this.status = value | (this.status & STATUS_NEEDS_RESET);
  }
  get queuePage(): number {
    const queue = this.queues[this.queueSelect];
    return queue?.enabled ? queue.descriptors / LEGACY_ALIGNMENT : 0;
  }
  set queuePage(page: number) {
    const queue = this.queues[this.queueSelect];
    if (!queue) return;
    queue.reset();
    if (page === 0) return;
    queue.placeWhole(page * LEGACY_ALIGNMENT);
    this.guard(() => this.enable(queue));
  }

  private usableVector(vector: number): number {
    return vector < this.interrupts.vectors ? vector : NO_VECTOR;
  }

  private writeStatus(value: number): void {
    if (value === 0) return this.reset();
    let status = value & ~STATUS_NEEDS_RESET;
    // FEATURES_OK stays clear when the driver wants what is not offered, or is not of version 1.
    const subset = this.accepted.every((bits, word) => (bits & ~this.offered[word]!) === 0);
    if (!subset || !this.negotiated(VIRTIO_F_VERSION_1)) status &= ~STATUS_FEATURES_OK;
    this.status = status | (this.status & STATUS_NEEDS_RESET);
  }

  save(): SavedVirtioCommon {
    const { deviceSelect, driverSelect, configVector, status, queueSelect } = this;
    return {
      version: 1,
      deviceSelect,
      driverSelect,
      driverFeatures: [...this.accepted],
      configVector,
      status,
      queueSelect,
      queueVectors: [...this.queueVectors],
      queues: this.queues.map((queue) => queue.save()),
    };
  }

  load(state: SavedVirtioCommon): void {
    checkVersion('a virtio device', state, 1);
    const { deviceSelect, driverSelect, configVector, status, queueSelect } = state;
    Object.assign(this, { deviceSelect, driverSelect, configVector, status, queueSelect });
    this.accepted.set(state.driverFeatures);
    state.queueVectors.forEach((vector, index) => (this.queueVectors[index] = vector));
    this.queues.forEach((queue, index) => queue.load(state.queues[index]!));
  }
}

const FIELDS: readonly [field: number, bytes: AccessSize][] = [
  [DEVICE_FEATURE_SELECT, 4],
  [DEVICE_FEATURE, 4],
  [DRIVER_FEATURE_SELECT, 4],
  [DRIVER_FEATURE, 4],
  [CONFIG_MSIX_VECTOR, 2],
  [NUM_QUEUES, 2],
  [DEVICE_STATUS, 1],
  [CONFIG_GENERATION, 1],
  [QUEUE_SELECT, 2],
  [QUEUE_SIZE, 2],
  [QUEUE_MSIX_VECTOR, 2],
  [QUEUE_ENABLE, 2],
  [QUEUE_NOTIFY_OFF, 2],
  [QUEUE_DESC, 4],
  [QUEUE_DESC + HIGH_HALF, 4],
  [QUEUE_DRIVER, 4],
  [QUEUE_DRIVER + HIGH_HALF, 4],
  [QUEUE_DEVICE, 4],
  [QUEUE_DEVICE + HIGH_HALF, 4],
];

/** The field that holds all of an access; undefined if none does. */
function fieldAt(offset: number, size: number): { field: number; bytes: AccessSize } | undefined {
  const found = FIELDS.find(([field, bytes]) => offset >= field && offset + size <= field + bytes);
  return found && { field: found[0], bytes: found[1] };
}

function withHalf(address: number, field: number, value: number): number {
  if (field & HIGH_HALF) return value * FOUR_GIB + (address % FOUR_GIB);
  return Math.floor(address / FOUR_GIB) * FOUR_GIB + value;
}
