/** The same bytes, without the Buffer that they came in: its `slice` copies nothing, where that of other arrays does. */
export function plainBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
