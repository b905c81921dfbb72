const MAGIC = 0x1badb002;
/** The addresses in the header hold, not those of an ELF file. */
const ADDRESSES = 0x10000;
const HEADER_BYTES = 32;
const LOAD_ADDRESS = 0x100000;

/** A multiboot 1 kernel that is nothing but its header and code, loaded at 1 MiB and entered behind the header. */
export function multibootKernel(code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + code.length);
  const view = new DataView(bytes.buffer);
  const words = [
    MAGIC,
    ADDRESSES,
    -(MAGIC + ADDRESSES),
    LOAD_ADDRESS,
    LOAD_ADDRESS,
    0,
    0,
    LOAD_ADDRESS + HEADER_BYTES,
  ];
  words.forEach((word, i) => view.setUint32(4 * i, word >>> 0, true));
  bytes.set(code, HEADER_BYTES);
  return bytes;
}
