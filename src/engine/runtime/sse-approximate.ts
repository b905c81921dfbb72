/**
 * RCP and RSQRT. The manual asks for a relative error of at most 1.5 * 2^-12 and leaves the rest to the implementation:
 * here the exact value is rounded to 12 bits behind the point. Neither raises exceptions or obeys MXCSR (SDM vol. 2).
 */
const SIGN: u32 = 0x80000000;
const INFINITY: u32 = 0x7f800000;
const QUIET: u32 = 0x00400000;
const DEFAULT_NAN: u32 = 0xffc00000;
const SMALLEST_NORMAL: u32 = 0x00800000;
const DROPPED_BITS: u32 = 11;

function roundTo12Bits(x: f64): u32 {
  const half: u32 = 1 << (DROPPED_BITS - 1);
  return (reinterpret<u32>(<f32>x) + half) & ~((1 << DROPPED_BITS) - 1);
}

function reciprocal(bits: u32): u32 {
  const magnitude = bits & ~SIGN;
  const sign = bits & SIGN;
  if (magnitude > INFINITY) return bits | QUIET;
  if (magnitude < SMALLEST_NORMAL) return sign | INFINITY;
  if (magnitude == INFINITY) return sign;
  const result = roundTo12Bits(1.0 / <f64>reinterpret<f32>(magnitude));
  return result < SMALLEST_NORMAL ? sign : sign | result;
}

function reciprocalRoot(bits: u32): u32 {
  const magnitude = bits & ~SIGN;
  if (magnitude > INFINITY) return bits | QUIET;
  if (magnitude < SMALLEST_NORMAL) return (bits & SIGN) | INFINITY;
  if (bits & SIGN) return DEFAULT_NAN;
  if (magnitude == INFINITY) return 0;
  return roundTo12Bits(1.0 / sqrt<f64>(<f64>reinterpret<f32>(magnitude)));
}

export function rcpss(cpu: u32, destination: i64, source: i64): void {
  store<u32>(cpu + <u32>destination, reciprocal(load<u32>(cpu + <u32>source)));
}
export function rcpps(cpu: u32, destination: i64, source: i64): void {
  for (let at: i64 = 0; at < 16; at += 4) rcpss(cpu, destination + at, source + at);
}
export function rsqrtss(cpu: u32, destination: i64, source: i64): void {
  store<u32>(cpu + <u32>destination, reciprocalRoot(load<u32>(cpu + <u32>source)));
}
export function rsqrtps(cpu: u32, destination: i64, source: i64): void {
  for (let at: i64 = 0; at < 16; at += 4) rsqrtss(cpu, destination + at, source + at);
}
