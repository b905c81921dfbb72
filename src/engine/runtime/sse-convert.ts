/** CVTxx2xx (SDM vol. 2). */
import { S_MXCSR } from '../layout';
import { beginFloat, endFloat } from './sse-exceptions';
import { clearlyNormal, everywhere, loadBits, ordinary, plain, S_RESULT, storeBits } from './sse-lanes';
import {
  NEAREST, PE, roundingControl, softFromInteger, softNarrow, softToInteger, softWiden, TRUNCATE,
} from './softfloat'; // prettier-ignore

const PM: u32 = 0x1000;

// ---- to integers
/** Lanes of F to doublewords, at `result`. */
function toDoublewords<F>(cpu: u32, source: u32, control: u32, lanes: u32, result: u32): void {
  for (let lane: u32 = 0; lane < lanes; lane++)
    store<u32>(result + 4 * lane, <u32>softToInteger<F>(cpu, loadBits<F>(source + lane * sizeof<F>()), control, 32));
}

function singlesToDoublewords(cpu: u32, destination: i64, source: i64, control: u32): void {
  const from = cpu + <u32>source;
  if (plain(cpu)) {
    const x = v128.load(from);
    if (everywhere(f32x4.lt(f32x4.abs(x), f32x4.splat(2147483648.0)))) {
      v128.store(cpu + <u32>destination, i32x4.trunc_sat_f32x4_s(control == TRUNCATE ? x : f32x4.nearest(x)));
      return;
    }
  }
  beginFloat(cpu);
  toDoublewords<f32>(cpu, from, control, 4, cpu + S_RESULT);
  if (endFloat(cpu)) memory.copy(cpu + <u32>destination, cpu + S_RESULT, 16);
}

export function cvtps2dq(cpu: u32, destination: i64, source: i64): void {
  singlesToDoublewords(cpu, destination, source, roundingControl(cpu));
}
export function cvttps2dq(cpu: u32, destination: i64, source: i64): void {
  singlesToDoublewords(cpu, destination, source, TRUNCATE);
}

/** Two lanes to two doublewords. */
function pair<F>(cpu: u32, source: i64, control: u32): i64 {
  beginFloat(cpu);
  toDoublewords<F>(cpu, cpu + <u32>source, control, 2, cpu + S_RESULT);
  return endFloat(cpu) ? load<i64>(cpu + S_RESULT) : 0;
}

export function cvtps2pi(cpu: u32, source: i64): i64 {
  return pair<f32>(cpu, source, roundingControl(cpu));
}
export function cvttps2pi(cpu: u32, source: i64): i64 {
  return pair<f32>(cpu, source, TRUNCATE);
}
export function cvtpd2pi(cpu: u32, source: i64): i64 {
  return pair<f64>(cpu, source, roundingControl(cpu));
}
export function cvttpd2pi(cpu: u32, source: i64): i64 {
  return pair<f64>(cpu, source, TRUNCATE);
}

/** One lane to a general register of `bits`. */
// @ts-ignore: decorator
@inline
function toGeneral<F>(cpu: u32, source: i64, bits: i64, truncate: bool): i64 {
  const from = cpu + <u32>source;
  const x = load<F>(from);
  const limit: F = bits == 32 ? <F>2147483648.0 : <F>9223372036854775808.0;
  if (abs<F>(x) < limit && (truncate || roundingControl(cpu) == NEAREST)) {
    const whole = truncate ? trunc<F>(x) : nearest<F>(x);
    const unflagged = (load<u32>(cpu + S_MXCSR) & (PE | PM)) == (PE | PM);
    if (whole == x || (unflagged && whole < limit)) return <i64>whole;
  }
  beginFloat(cpu);
  const result = softToInteger<F>(cpu, loadBits<F>(from), truncate ? TRUNCATE : roundingControl(cpu), <u32>bits);
  return endFloat(cpu) ? <i64>result : 0;
}

export function cvtss2si(cpu: u32, source: i64, bits: i64): i64 {
  return toGeneral<f32>(cpu, source, bits, false);
}
export function cvttss2si(cpu: u32, source: i64, bits: i64): i64 {
  return toGeneral<f32>(cpu, source, bits, true);
}
export function cvtsd2si(cpu: u32, source: i64, bits: i64): i64 {
  return toGeneral<f64>(cpu, source, bits, false);
}
export function cvttsd2si(cpu: u32, source: i64, bits: i64): i64 {
  return toGeneral<f64>(cpu, source, bits, true);
}

// ---- from integers
// @ts-ignore: decorator
@inline
function fromGeneral<F>(cpu: u32, destination: i64, value: i64): void {
  const to = cpu + <u32>destination;
  const exactBits: i64 = sizeof<F>() == 8 ? 53 : 24;
  const isExact = <u64>(value + (<i64>1 << exactBits)) <= <u64>2 << exactBits;
  if (isExact || plain(cpu)) {
    store<F>(to, <F>value);
    return;
  }
  beginFloat(cpu);
  const result = softFromInteger<F>(cpu, value);
  if (endFloat(cpu)) storeBits<F>(to, result);
}

export function cvtsi2ss(cpu: u32, destination: i64, value: i64): void {
  fromGeneral<f32>(cpu, destination, value);
}
export function cvtsi2sd(cpu: u32, destination: i64, value: i64): void {
  fromGeneral<f64>(cpu, destination, value);
}

function doublewordsToSingles(cpu: u32, destination: u32, source: u32, lanes: u32): void {
  beginFloat(cpu);
  for (let lane: u32 = 0; lane < lanes; lane++)
    store<u32>(cpu + S_RESULT + 4 * lane, <u32>softFromInteger<f32>(cpu, <i64>load<i32>(source + 4 * lane)));
  if (endFloat(cpu)) memory.copy(destination, cpu + S_RESULT, 4 * lanes);
}

export function cvtdq2ps(cpu: u32, destination: i64, source: i64): void {
  const to = cpu + <u32>destination;
  const from = cpu + <u32>source;
  if (plain(cpu)) v128.store(to, f32x4.convert_i32x4_s(v128.load(from)));
  else doublewordsToSingles(cpu, to, from, 4);
}
/** Keeps the high half of the destination. */
export function cvtpi2ps(cpu: u32, destination: i64, source: i64): void {
  doublewordsToSingles(cpu, cpu + <u32>destination, cpu + <u32>source, 2);
}
/** Always exact. */
export function cvtdq2pd(cpu: u32, destination: i64, source: i64): void {
  v128.store(cpu + <u32>destination, f64x2.convert_low_i32x4_s(v128.load64_zero(cpu + <u32>source)));
}

// ---- between the formats
export function cvtss2sd(cpu: u32, destination: i64, source: i64): void {
  const to = cpu + <u32>destination;
  const from = cpu + <u32>source;
  const x = load<f32>(from);
  if (ordinary<f32>(x)) {
    store<f64>(to, <f64>x);
    return;
  }
  beginFloat(cpu);
  const result = softWiden(cpu, loadBits<f32>(from));
  if (endFloat(cpu)) store<u64>(to, result);
}

export function cvtps2pd(cpu: u32, destination: i64, source: i64): void {
  const from = cpu + <u32>source;
  beginFloat(cpu);
  store<u64>(cpu + S_RESULT, softWiden(cpu, loadBits<f32>(from)));
  store<u64>(cpu + S_RESULT + 8, softWiden(cpu, loadBits<f32>(from + 4)));
  if (endFloat(cpu)) memory.copy(cpu + <u32>destination, cpu + S_RESULT, 16);
}

export function cvtsd2ss(cpu: u32, destination: i64, source: i64): void {
  const to = cpu + <u32>destination;
  const from = cpu + <u32>source;
  if (plain(cpu)) {
    const x = load<f64>(from);
    const r = <f32>x;
    if (clearlyNormal<f32>(r) || x == 0) {
      store<f32>(to, r);
      return;
    }
  }
  beginFloat(cpu);
  const result = softNarrow(cpu, load<u64>(from));
  if (endFloat(cpu)) store<u32>(to, <u32>result);
}

/** The high half of the destination becomes zero. */
export function cvtpd2ps(cpu: u32, destination: i64, source: i64): void {
  const from = cpu + <u32>source;
  beginFloat(cpu);
  const low = softNarrow(cpu, load<u64>(from));
  const high = softNarrow(cpu, load<u64>(from + 8));
  if (!endFloat(cpu)) return;
  store<u64>(cpu + <u32>destination, low | (high << 32));
  store<u64>(cpu + <u32>destination + 8, 0);
}
