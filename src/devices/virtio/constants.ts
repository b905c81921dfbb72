/** Constants of virtio 1.2 (OASIS, virtio-v1.2-cs01). */

// Feature bits (chapter 6)
export const VIRTIO_F_INDIRECT_DESC = 28;
export const VIRTIO_F_EVENT_IDX = 29;
export const VIRTIO_F_VERSION_1 = 32;

// Device status (2.1)
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;

// Split virtqueue (2.7)
export const DESC_BYTES = 16;
export const DESC_F_NEXT = 1;
export const DESC_F_WRITE = 2;
export const DESC_F_INDIRECT = 4;
export const AVAIL_F_NO_INTERRUPT = 1;
/** Offset of the ring in the available and used rings. */
export const RING_OFFSET = 4;
export const AVAIL_ENTRY_BYTES = 2;
export const USED_ENTRY_BYTES = 8;

// PCI transport (4.1)
export const VIRTIO_VENDOR = 0x1af4;
/** Devices that old drivers know, too, have numbers of their own, and revision 0 (4.1.2.1). */
export const TRANSITIONAL_IDS: Readonly<Record<number, number>> = {
  1: 0x1000,
  2: 0x1001,
  4: 0x1005,
  8: 0x1004,
};
export const NO_VECTOR = 0xffff;
export const ISR_QUEUE = 1;
export const ISR_CONFIG = 2;

// Device types (chapter 5)
export const TYPE_NETWORK = 1;
export const TYPE_BLOCK = 2;
export const TYPE_ENTROPY = 4;
export const TYPE_SCSI = 8;
