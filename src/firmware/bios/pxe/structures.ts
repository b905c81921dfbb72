/** What programs started from the network find PXE by (Preboot Execution Environment 2.1, 3.1), below the extended BIOS data area. */
import { EBDA } from '../../boot/memory-map.js';

/** 4 KiB of base memory: the structures, and behind them what programs get pointers to. */
export const PXE_KIB = 4;
export const PXE_BASE = EBDA - PXE_KIB * 1024;
export const PXE_SEGMENT = PXE_BASE >> 4;
const STRUCTURES_BYTES = 0x400;
const PXE_AT = 0x10;
const PXENV_AT = 0x80;
export const DATA_SEGMENT = (PXE_BASE + STRUCTURES_BYTES) >> 4;
export const DATA_BYTES = EBDA - DATA_SEGMENT * 16;

export const PXE_OFFSET = PXE_AT;
export const PXENV_OFFSET = PXENV_AT;

const PXE_BYTES = 0x58;
const PXENV_BYTES = 0x2c;
const VERSION = 0x0201;
const SEGMENTS = 7;
/** Stack, UNDI data, code, code to write; base code the same. */
const UNDI_DATA = 1;
const UNDI_CODE = 2;

interface FarPointer {
  readonly segment: number;
  readonly offset: number;
}

/** The structures as they lie at PXE_BASE; `entry`: for !PXE's calls (operands on the stack), `oldEntry`: for PXENV+'s. */
export function pxeStructures(entry: FarPointer, oldEntry: FarPointer): Uint8Array {
  const bytes = new Uint8Array(STRUCTURES_BYTES);
  const view = new DataView(bytes.buffer);
  const far = (at: number, { segment, offset }: FarPointer): void => {
    view.setUint16(at, offset, true);
    view.setUint16(at + 2, segment, true);
  };
  bytes.set(ascii('!PXE'), PXE_AT);
  bytes[PXE_AT + 4] = PXE_BYTES;
  far(PXE_AT + 0x10, entry);
  bytes[PXE_AT + 0x1d] = SEGMENTS;
  const descriptor = (n: number, segment: number, length: number): void => {
    const at = PXE_AT + 0x20 + 8 * n;
    view.setUint16(at, segment, true);
    view.setUint32(at + 2, segment * 16, true);
    view.setUint16(at + 6, length, true);
  };
  descriptor(UNDI_DATA, DATA_SEGMENT, DATA_BYTES);
  descriptor(UNDI_CODE, PXE_SEGMENT, STRUCTURES_BYTES);
  setSum(bytes, PXE_AT, PXE_BYTES, 5);

  bytes.set(ascii('PXENV+'), PXENV_AT);
  view.setUint16(PXENV_AT + 6, VERSION, true);
  bytes[PXENV_AT + 8] = PXENV_BYTES;
  far(PXENV_AT + 0x0a, oldEntry);
  const words = [DATA_SEGMENT, DATA_BYTES, PXE_SEGMENT, STRUCTURES_BYTES];
  words.forEach((word, n) => view.setUint16(PXENV_AT + 0x20 + 2 * n, word, true));
  far(PXENV_AT + 0x28, { segment: PXE_SEGMENT, offset: PXE_AT });
  setSum(bytes, PXENV_AT, PXENV_BYTES, 9);
  return bytes;
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Makes all bytes of a structure add up to 0. */
function setSum(bytes: Uint8Array, at: number, length: number, sumAt: number): void {
  const sum = bytes.subarray(at, at + length).reduce((total, byte) => total + byte, 0);
  bytes[at + sumAt] = -sum & 0xff;
}
