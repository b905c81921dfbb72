/** The registers of virtio devices as they were before version 1.0, behind an I/O BAR (virtio 1.2, 4.1.4.10). */
import type { MsiX } from '../../machine/pci/msix.js';
import type { PortBarDevice } from '../../machine/pci/pci-bar.js';
import { maskTo } from '../../machine/port-bus.js';
import {
  CONFIG_MSIX_VECTOR,
  QUEUE_MSIX_VECTOR,
  QUEUE_SELECT,
  QUEUE_SIZE,
  type VirtioCommon,
} from './virtio-common.js';
import type { VirtioDevice } from './virtio-device.js';

export const LEGACY_BYTES = 128;

const DEVICE_FEATURES = 0x00;
const DRIVER_FEATURES = 0x04;
const QUEUE_ADDRESS = 0x08;
const SIZE = 0x0c;
const SELECT = 0x0e;
const NOTIFY = 0x10;
const STATUS = 0x12;
const ISR = 0x13;
/** Only there while MSI-X is enabled; what follows moves. */
const CONFIG_VECTOR = 0x14;
const QUEUE_VECTOR = 0x16;
const VECTORS_BYTES = 4;

export interface LegacyParts {
  readonly common: VirtioCommon;
  readonly msix: MsiX;
  readonly device: VirtioDevice;
  notify(index: number): void;
  takeIsr(): number;
}

export function legacyPorts({ common, msix, device, notify, takeIsr }: LegacyParts): PortBarDevice {
  const configAt = (): number => CONFIG_VECTOR + (msix.enabled ? VECTORS_BYTES : 0);
  return {
    readOffset(offset, size) {
      const config = configAt();
      if (offset >= config) {
        let value = 0;
        for (let n = 0; n < size; n++) value |= (device.config[offset - config + n] ?? 0) << (8 * n);
        return maskTo(value, size);
      }
      switch (offset) {
        case DEVICE_FEATURES:
          return maskTo(common.legacyFeatures, size);
        case DRIVER_FEATURES:
          return maskTo(common.acceptedLegacyFeatures, size);
        case QUEUE_ADDRESS:
          return maskTo(common.queuePage, size);
        case SIZE:
          return common.mmioRead(QUEUE_SIZE, 2);
        case SELECT:
          return common.mmioRead(QUEUE_SELECT, 2);
        case STATUS:
          return common.legacyStatus;
        case ISR:
          return takeIsr();
        case CONFIG_VECTOR:
          return common.mmioRead(CONFIG_MSIX_VECTOR, 2);
        case QUEUE_VECTOR:
          return common.mmioRead(QUEUE_MSIX_VECTOR, 2);
        default:
          return 0;
      }
    },
    writeOffset(offset, value, size) {
      const config = configAt();
      if (offset >= config) return device.configWritten?.(offset - config, value, size);
      switch (offset) {
        case DRIVER_FEATURES:
          common.acceptedLegacyFeatures = value >>> 0;
          return;
        case QUEUE_ADDRESS:
          common.queuePage = value >>> 0;
          return;
        case SELECT:
          return common.mmioWrite(QUEUE_SELECT, value & 0xffff, 2);
        case NOTIFY:
          return notify(value & 0xffff);
        case STATUS:
          common.legacyStatus = value & 0xff;
          return;
        case CONFIG_VECTOR:
          return common.mmioWrite(CONFIG_MSIX_VECTOR, value & 0xffff, 2);
        case QUEUE_VECTOR:
          return common.mmioWrite(QUEUE_MSIX_VECTOR, value & 0xffff, 2);
      }
    },
  };
}
