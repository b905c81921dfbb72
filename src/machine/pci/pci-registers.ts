/** Configuration space of a PCI function (PCI Local Bus Specification 3.0, chapter 6). */
export const VENDOR_ID = 0x00;
export const DEVICE_ID = 0x02;
export const COMMAND = 0x04;
export const STATUS = 0x06;
export const REVISION_ID = 0x08;
/** Programming interface, subclass, base class. */
export const CLASS_CODE = 0x09;
export const HEADER_TYPE = 0x0e;
export const BAR0 = 0x10;
export const SUBSYSTEM_VENDOR_ID = 0x2c;
export const SUBSYSTEM_ID = 0x2e;
export const CAPABILITIES_POINTER = 0x34;
export const INTERRUPT_LINE = 0x3c;
export const INTERRUPT_PIN = 0x3d;
/** What the standard header leaves to the device, capabilities included. */
export const DEVICE_SPECIFIC = 0x40;

export const COMMAND_IO = 1 << 0;
export const COMMAND_MEMORY = 1 << 1;
export const COMMAND_MASTER = 1 << 2;
export const COMMAND_INTERRUPT_DISABLE = 1 << 10;
export const COMMAND_WRITABLE = 0x0547;

export const STATUS_INTERRUPT = 1 << 3;
export const STATUS_CAPABILITIES = 1 << 4;

export const HEADER_MULTI_FUNCTION = 0x80;

// Base address registers
export const BAR_IO = 1;
export const BAR_64 = 4;
export const BAR_PREFETCHABLE = 8;

// Capability ids
export const CAPABILITY_VENDOR = 0x09;
export const CAPABILITY_MSIX = 0x11;
