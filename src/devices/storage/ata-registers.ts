/** Registers of an ATA device (ATA8-ACS; ATA/ATAPI-7 volume 2 for the ports). */

// Status
export const ERR = 0x01;
export const DRQ = 0x08;
export const DSC = 0x10;
export const DF = 0x20;
export const DRDY = 0x40;
export const BSY = 0x80;

// Error
export const ABRT = 0x04;
export const IDNF = 0x10;
export const UNC = 0x40;

// Device
export const LBA = 0x40;

/** What the host wrote for a command; the address of 28 or 48 bits is one number. */
export interface TaskFile {
  command: number;
  features: number;
  count: number;
  lba: number;
  device: number;
}

/** What a device shows after a reset: a disk, or a packet device. */
export const DISK_SIGNATURE = { count: 1, lba: 0x000001 };
export const PACKET_SIGNATURE = { count: 1, lba: 0xeb1401 };
