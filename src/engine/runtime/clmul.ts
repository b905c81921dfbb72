/** PCLMULQDQ: product of two polynomials over GF(2). */
export function pclmulqdq(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  const to = cpu + <u32>destination;
  const a = load<u64>(to + (immediate & 1 ? 8 : 0));
  const b = load<u64>(cpu + <u32>source + (immediate & 16 ? 8 : 0));
  let low: u64 = 0;
  let high: u64 = 0;
  for (let bit: u64 = 0; bit < 64; bit++)
    if ((b >> bit) & 1) {
      low ^= a << bit;
      if (bit) high ^= a >> (64 - bit);
    }
  store<u64>(to, low);
  store<u64>(to + 8, high);
}
