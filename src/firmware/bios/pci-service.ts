/** INT 1Ah, AH = B1h: the PCI BIOS (PCI BIOS Specification 2.1). */
import type { Frame } from './frame.js';
import type { PciConfig } from './pci-config.js';

const SUCCESSFUL = 0x00;
const NOT_SUPPORTED = 0x81;
const BAD_VENDOR = 0x83;
const NOT_FOUND = 0x86;
const BAD_REGISTER = 0x87;
const SIGNATURE = 0x20494350;
const VERSION = 0x0210;
const MECHANISM_1 = 0x01;

export function pciService(frame: Frame, pci: PciConfig): void {
  const status = serve(frame, pci);
  frame.ah = status;
  frame.carry = status !== SUCCESSFUL;
}

function serve(frame: Frame, pci: PciConfig): number {
  switch (frame.al) {
    case 0x01:
      frame.edx = SIGNATURE;
      frame.bx = VERSION;
      frame.cl = 0;
      frame.al = MECHANISM_1;
      return SUCCESSFUL;
    case 0x02: {
      if (frame.dx === 0xffff) return BAD_VENDOR;
      const wanted = ((frame.cx << 16) | frame.dx) >>> 0;
      return found(
        frame,
        pci.find(frame.si, (identity) => identity === wanted),
      );
    }
    case 0x03: {
      const wanted = frame.ecx & 0xffffff;
      return found(
        frame,
        pci.find(frame.si, (_, classCode) => classCode === wanted),
      );
    }
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x0b:
    case 0x0c:
    case 0x0d:
      return access(frame, pci);
    default:
      return NOT_SUPPORTED;
  }
}

function found(frame: Frame, place: number): number {
  if (place < 0) return NOT_FOUND;
  frame.bx = place;
  return SUCCESSFUL;
}

function access(frame: Frame, pci: PciConfig): number {
  const size = ([1, 2, 4] as const)[(frame.al - 0x08) % 3]!;
  const register = frame.di;
  if (register > 0xff || register % size !== 0) return BAD_REGISTER;
  if (frame.al < 0x0b) {
    const value = pci.read(frame.bx, register, size);
    if (size === 1) frame.cl = value;
    else if (size === 2) frame.cx = value;
    else frame.ecx = value;
  } else pci.write(frame.bx, register, size === 1 ? frame.cl : size === 2 ? frame.cx : frame.ecx, size);
  return SUCCESSFUL;
}
