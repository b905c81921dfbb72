/** Lanes of the formats in memory, and when native arithmetic does for SSE. */
import { S_MXCSR, S_TEMP } from '../layout';

/** Where results are gathered until it is known that the instruction does not fault. */
export const S_RESULT: u32 = S_TEMP + 80;

// @ts-ignore: decorator
@inline
export function loadBits<F>(address: u32): u64 {
  return sizeof<F>() == 8 ? load<u64>(address) : <u64>load<u32>(address);
}

// @ts-ignore: decorator
@inline
export function storeBits<F>(address: u32, bits: u64): void {
  if (sizeof<F>() == 8) store<u64>(address, bits);
  else store<u32>(address, <u32>bits);
}

const MXCSR_CONTROL: u32 = 0xffe0;
const MXCSR_PLAIN: u32 = 0x1fa0;

/**
 * All exceptions masked, rounding to nearest, neither DAZ nor FTZ, and PE already set: an operation whose operands and
 * result are zeros or normal numbers then is what the host does, and leaves MXCSR as it is.
 */
// @ts-ignore: decorator
@inline
export function plain(cpu: u32): bool {
  return (load<u32>(cpu + S_MXCSR) & MXCSR_CONTROL) == MXCSR_PLAIN;
}

/** Smallest normal number. */
// @ts-ignore: decorator
@inline
export function smallest<F>(): F {
  return sizeof<F>() == 8 ? <F>2.2250738585072014e-308 : <F>1.1754943508222875e-38;
}

/** Zero, normal or infinite: neither NaN nor denormal. */
// @ts-ignore: decorator
@inline
export function ordinary<F>(x: F): bool {
  return abs<F>(x) >= smallest<F>() || x == <F>0;
}

/** Normal, and not the smallest (which rounding may have reached from below). */
// @ts-ignore: decorator
@inline
export function clearlyNormal<F>(x: F): bool {
  return abs<F>(x) > smallest<F>() && abs<F>(x) < <F>Infinity;
}

// ---- the same for all lanes of a vector
// @ts-ignore: decorator
@inline
function smallestLanes<F>(): v128 {
  return sizeof<F>() == 8 ? f64x2.splat(2.2250738585072014e-308) : f32x4.splat(1.1754943508222875e-38);
}
// @ts-ignore: decorator
@inline
export function zeroLanes<F>(x: v128): v128 {
  return v128.eq<F>(x, i64x2.splat(0));
}
// @ts-ignore: decorator
@inline
export function ordinaryLanes<F>(x: v128): v128 {
  return v128.or(v128.ge<F>(v128.abs<F>(x), smallestLanes<F>()), zeroLanes<F>(x));
}
// @ts-ignore: decorator
@inline
export function finiteLanes<F>(x: v128): v128 {
  return v128.lt<F>(v128.abs<F>(x), v128.splat<F>(<F>Infinity));
}
// @ts-ignore: decorator
@inline
export function clearlyNormalLanes<F>(x: v128): v128 {
  return v128.and(v128.gt<F>(v128.abs<F>(x), smallestLanes<F>()), finiteLanes<F>(x));
}
/** Whether the mask of a comparison is true in all lanes. */
// @ts-ignore: decorator
@inline
export function everywhere(mask: v128): bool {
  return v128.all_true<i32>(mask);
}
