/** The CRC of Ethernet (IEEE 802.3, 3.2.9) of an address, of which cards take some bits to filter groups. */
const POLYNOMIAL = 0x04c11db7;

/** Most significant bit first, not inverted at the end. */
export function addressCrc(address: Uint8Array): number {
  let crc = 0xffffffff;
  for (let n = 0; n < 6; n++) {
    let byte = address[n]!;
    for (let bit = 0; bit < 8; bit++) {
      const carry = ((crc >>> 31) ^ (byte & 1)) === 1;
      crc = crc << 1;
      byte >>= 1;
      if (carry) crc ^= POLYNOMIAL;
    }
  }
  return crc >>> 0;
}
