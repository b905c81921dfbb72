/** CMPxx, COMISx, UCOMISx, ROUNDxx. */
import { beginFloat, endFloat } from './sse-exceptions';
import { loadBits, ordinary, S_RESULT, storeBits } from './sse-lanes';
import { EQUAL, LESS, roundingControl, softCompare, softRoundToIntegral, UNORDERED } from './softfloat';

/** Predicates (SDM vol. 2, CMPPS): bit 2 negates; LT and LE signal quiet NaNs too. */
const EQ: u32 = 0;
const LT: u32 = 1;
const LE: u32 = 2;

function isQuiet(predicate: u32): bool {
  const kind = predicate & 3;
  return kind != LT && kind != LE;
}

function holds(predicate: u32, order: u32): bool {
  const kind = predicate & 3;
  let truth = order == UNORDERED;
  if (kind == EQ) truth = order == EQUAL;
  else if (kind == LT) truth = order == LESS;
  else if (kind == LE) truth = order == LESS || order == EQUAL;
  return truth != ((predicate & 4) != 0);
}

/** Order of two numbers, none of which is a NaN or denormal. */
// @ts-ignore: decorator
@inline
function nativeOrder<F>(x: F, y: F): u32 {
  return x < y ? LESS : x == y ? EQUAL : 2;
}

function compare<F>(cpu: u32, a: u32, b: u32, predicate: u32, lanes: u32): void {
  const result = cpu + S_RESULT;
  const bytes = lanes * sizeof<F>();
  beginFloat(cpu);
  for (let at: u32 = 0; at < bytes; at += sizeof<F>()) {
    const x = load<F>(a + at);
    const y = load<F>(b + at);
    const order =
      ordinary<F>(x) && ordinary<F>(y)
        ? nativeOrder<F>(x, y)
        : softCompare<F>(cpu, loadBits<F>(a + at), loadBits<F>(b + at), isQuiet(predicate));
    storeBits<F>(result + at, holds(predicate, order) ? <u64>-1 : 0);
  }
  if (endFloat(cpu)) memory.copy(a, result, bytes);
}

export function cmpps(cpu: u32, destination: i64, source: i64, predicate: i64): void {
  compare<f32>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>predicate & 7, 4);
}
export function cmppd(cpu: u32, destination: i64, source: i64, predicate: i64): void {
  compare<f64>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>predicate & 7, 2);
}
export function cmpss(cpu: u32, destination: i64, source: i64, predicate: i64): void {
  compare<f32>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>predicate & 7, 1);
}
export function cmpsd(cpu: u32, destination: i64, source: i64, predicate: i64): void {
  compare<f64>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>predicate & 7, 1);
}

const CF: i64 = 1;
const PF: i64 = 4;
const ZF: i64 = 0x40;

function flagsOf<F>(cpu: u32, a: i64, b: i64, quiet: bool): i64 {
  const first = cpu + <u32>a;
  const second = cpu + <u32>b;
  const x = load<F>(first);
  const y = load<F>(second);
  let order: u32;
  if (ordinary<F>(x) && ordinary<F>(y)) order = nativeOrder<F>(x, y);
  else {
    beginFloat(cpu);
    order = softCompare<F>(cpu, loadBits<F>(first), loadBits<F>(second), quiet);
    if (!endFloat(cpu)) return 0;
  }
  if (order == UNORDERED) return ZF | PF | CF;
  return order == LESS ? CF : order == EQUAL ? ZF : 0;
}

export function comiss(cpu: u32, a: i64, b: i64): i64 {
  return flagsOf<f32>(cpu, a, b, false);
}
export function comisd(cpu: u32, a: i64, b: i64): i64 {
  return flagsOf<f64>(cpu, a, b, false);
}
export function ucomiss(cpu: u32, a: i64, b: i64): i64 {
  return flagsOf<f32>(cpu, a, b, true);
}
export function ucomisd(cpu: u32, a: i64, b: i64): i64 {
  return flagsOf<f64>(cpu, a, b, true);
}

/** ROUNDxx immediate: rounding control, MXCSR's instead, no precision exception. */
const ROUND_BY_MXCSR: u32 = 4;
const ROUND_EXACT: u32 = 8;

function round<F>(cpu: u32, destination: u32, source: u32, immediate: u32, lanes: u32): void {
  const result = cpu + S_RESULT;
  const bytes = lanes * sizeof<F>();
  const control = immediate & ROUND_BY_MXCSR ? roundingControl(cpu) : immediate & 3;
  const exact = (immediate & ROUND_EXACT) != 0;
  beginFloat(cpu);
  for (let at: u32 = 0; at < bytes; at += sizeof<F>())
    storeBits<F>(result + at, softRoundToIntegral<F>(cpu, loadBits<F>(source + at), control, exact));
  if (endFloat(cpu)) memory.copy(destination, result, bytes);
}

export function roundps(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  round<f32>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate, 4);
}
export function roundpd(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  round<f64>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate, 2);
}
export function roundss(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  round<f32>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate, 1);
}
export function roundsd(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  round<f64>(cpu, cpu + <u32>destination, cpu + <u32>source, <u32>immediate, 1);
}
