/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), of all bytes but the four at `skip`, which count as zeros. */
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});
export function crc32c(bytes, skip) {
  let crc = 0xffffffff;
  for (let n = 0; n < bytes.length; n++) {
    const byte = n >= skip && n < skip + 4 ? 0 : bytes[n];
    crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff];
  }
  return ~crc >>> 0;
}
