/** HADD, HSUB, ADDSUB (SSE3) and the dot products DPPS, DPPD (SSE4.1). */
import { beginFloat, endFloat } from './sse-exceptions';
import { loadBits, S_RESULT, storeBits } from './sse-lanes';
import { softAdd, softMultiply } from './softfloat';

/** Neighbours added or subtracted: those of the destination give the low half of the result. */
function horizontal<F>(cpu: u32, subtract: bool, destination: u32, source: u32): void {
  const result = cpu + S_RESULT;
  const pair: u32 = 2 * sizeof<F>();
  beginFloat(cpu);
  for (let at: u32 = 0; at < 16; at += sizeof<F>()) {
    const from = at < 8 ? destination + 2 * at : source + 2 * (at - 8);
    storeBits<F>(result + at, softAdd<F>(cpu, loadBits<F>(from), loadBits<F>(from + pair / 2), subtract));
  }
  if (endFloat(cpu)) memory.copy(destination, result, 16);
}

/** Even lanes subtracted, odd lanes added. */
function alternate<F>(cpu: u32, a: u32, b: u32): void {
  const result = cpu + S_RESULT;
  beginFloat(cpu);
  for (let at: u32 = 0; at < 16; at += sizeof<F>()) {
    const even = (at & sizeof<F>()) == 0;
    storeBits<F>(result + at, softAdd<F>(cpu, loadBits<F>(a + at), loadBits<F>(b + at), even));
  }
  if (endFloat(cpu)) memory.copy(a, result, 16);
}

export function haddps(cpu: u32, destination: i64, source: i64): void {
  horizontal<f32>(cpu, false, cpu + <u32>destination, cpu + <u32>source);
}
export function haddpd(cpu: u32, destination: i64, source: i64): void {
  horizontal<f64>(cpu, false, cpu + <u32>destination, cpu + <u32>source);
}
export function hsubps(cpu: u32, destination: i64, source: i64): void {
  horizontal<f32>(cpu, true, cpu + <u32>destination, cpu + <u32>source);
}
export function hsubpd(cpu: u32, destination: i64, source: i64): void {
  horizontal<f64>(cpu, true, cpu + <u32>destination, cpu + <u32>source);
}
export function addsubps(cpu: u32, destination: i64, source: i64): void {
  alternate<f32>(cpu, cpu + <u32>destination, cpu + <u32>source);
}
export function addsubpd(cpu: u32, destination: i64, source: i64): void {
  alternate<f64>(cpu, cpu + <u32>destination, cpu + <u32>source);
}

/**
 * Immediate bits 4 up choose the products, bits 0 up where the sum goes; the others are +0. The products come first,
 * then (DPPS) neighbours are added, then the two sums: an unmasked exception of one step ends the instruction before the next.
 */
function dotProduct<F>(cpu: u32, destination: u32, source: u32, immediate: u32): void {
  const result = cpu + S_RESULT;
  const lanes: u32 = 16 / sizeof<F>();
  beginFloat(cpu);
  for (let lane: u32 = 0; lane < lanes; lane++) {
    const at = lane * sizeof<F>();
    const used = (immediate >> (4 + lane)) & 1;
    storeBits<F>(
      result + at,
      used ? softMultiply<F>(cpu, loadBits<F>(destination + at), loadBits<F>(source + at)) : 0,
    );
  }
  if (!endFloat(cpu)) return;
  for (let step: u32 = 1; step < lanes; step *= 2) {
    beginFloat(cpu);
    for (let lane: u32 = 0; lane < lanes; lane += 2 * step) {
      const at = result + lane * sizeof<F>();
      storeBits<F>(at, softAdd<F>(cpu, loadBits<F>(at), loadBits<F>(at + step * sizeof<F>()), false));
    }
    if (!endFloat(cpu)) return;
  }
  const sum = loadBits<F>(result);
  for (let lane: u32 = 0; lane < lanes; lane++)
    storeBits<F>(destination + lane * sizeof<F>(), (immediate >> lane) & 1 ? sum : 0);
}

export function dpps(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  dotProduct<f32>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate);
}
export function dppd(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  dotProduct<f64>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate);
}
