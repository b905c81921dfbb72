/** The capture file format of libpcap (draft-ietf-opsawg-pcap-04), with nanoseconds. */
const MAGIC = 0xa1b23c4d;
const LINK_ETHERNET = 1;
const SNAP_BYTES = 262144;

export function pcapHeader(): Uint8Array {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, MAGIC, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, SNAP_BYTES, true);
  header.setUint32(20, LINK_ETHERNET, true);
  return new Uint8Array(header.buffer);
}

/** A frame that was seen at this moment, in milliseconds since 1970. */
export function pcapRecord(frame: Uint8Array, milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16 + frame.length);
  const view = new DataView(bytes.buffer);
  const seconds = Math.floor(milliseconds / 1000);
  view.setUint32(0, seconds, true);
  view.setUint32(4, Math.floor((milliseconds - seconds * 1000) * 1e6), true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, frame.length, true);
  bytes.set(frame, 16);
  return bytes;
}
