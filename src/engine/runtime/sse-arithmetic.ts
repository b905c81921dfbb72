/**
 * ADD, SUB, MUL, DIV, MIN, MAX and SQRT, packed and scalar (SDM vol. 2). Native arithmetic where its result and flags are
 * those of the manual without more ado, else softfloat.ts.
 */
import { beginFloat, endFloat } from './sse-exceptions';
import {
  clearlyNormal, clearlyNormalLanes, everywhere, finiteLanes, loadBits, ordinary, ordinaryLanes, plain, S_RESULT, storeBits,
  zeroLanes,
} from './sse-lanes'; // prettier-ignore
import { softAdd, softDivide, softMinMax, softMultiply, softSquareRoot } from './softfloat';

const ADD: i32 = 0;
const SUB: i32 = 1;
const MUL: i32 = 2;
const DIV: i32 = 3;
const MIN: i32 = 4;
const MAX: i32 = 5;
/** Its one operand is the source. */
const SQRT: i32 = 6;

function soft<F>(cpu: u32, op: i32, a: u64, b: u64): u64 {
  switch (op) {
    case ADD:
      return softAdd<F>(cpu, a, b, false);
    case SUB:
      return softAdd<F>(cpu, a, b, true);
    case MUL:
      return softMultiply<F>(cpu, a, b);
    case DIV:
      return softDivide<F>(cpu, a, b);
    case SQRT:
      return softSquareRoot<F>(cpu, b);
    default:
      return softMinMax<F>(cpu, a, b, op == MAX);
  }
}

/** `lanes` results into the destination, or a fault. */
function softLanes<F>(cpu: u32, op: i32, a: u32, b: u32, lanes: u32): void {
  const result = cpu + S_RESULT;
  const bytes = lanes * sizeof<F>();
  beginFloat(cpu);
  for (let at: u32 = 0; at < bytes; at += sizeof<F>())
    storeBits<F>(result + at, soft<F>(cpu, op, loadBits<F>(a + at), loadBits<F>(b + at)));
  if (endFloat(cpu)) memory.copy(a, result, bytes);
}

// @ts-ignore: decorator
@inline
function native<F>(op: i32, x: F, y: F): F {
  if (op == ADD) return <F>(x + y);
  if (op == SUB) return <F>(x - y);
  if (op == MUL) return <F>(x * y);
  if (op == DIV) return <F>(x / y);
  if (op == MIN) return x < y ? x : y;
  if (op == MAX) return x > y ? x : y;
  return sqrt<F>(y);
}

/** Whether neither an exception nor a special rule can be at work in r = native(op, x, y). MIN and MAX of such operands do not even depend on MXCSR. */
// @ts-ignore: decorator
@inline
function safe<F>(op: i32, x: F, y: F, r: F): bool {
  if (op == SQRT) return ordinary<F>(y) && r < <F>Infinity;
  if (!ordinary<F>(x) || !ordinary<F>(y)) return false;
  if (op == MIN || op == MAX) return true;
  if (op == ADD || op == SUB) return ordinary<F>(r) && abs<F>(r) < <F>Infinity;
  if (clearlyNormal<F>(r)) return true;
  return r == <F>0 && (x == <F>0 || (op == MUL && y == <F>0));
}

// @ts-ignore: decorator
@inline
function scalar<F>(cpu: u32, op: i32, destination: i64, source: i64): void {
  const a = cpu + <u32>destination;
  const b = cpu + <u32>source;
  if (op == MIN || op == MAX || plain(cpu)) {
    const x = load<F>(a);
    const y = load<F>(b);
    const r = native<F>(op, x, y);
    if (safe<F>(op, x, y, r)) {
      store<F>(a, r);
      return;
    }
  }
  softLanes<F>(cpu, op, a, b, 1);
}

/**
 * Not zero if the register at this offset from the CPU is neither zero, normal nor infinite: in bits above the lowest 16. `kind`: its
 * lowest scalar as f32 (0) or f64 (1), all lanes as f32 (2) or f64 (3).
 */
export function oddFloats(cpu: u32, register: u32, kind: u32): u32 {
  const at = cpu + register;
  let is: bool;
  if (kind == 0) is = ordinary<f32>(load<f32>(at));
  else if (kind == 1) is = ordinary<f64>(load<f64>(at));
  else if (kind == 2) is = everywhere(ordinaryLanes<f32>(v128.load(at)));
  else is = everywhere(ordinaryLanes<f64>(v128.load(at)));
  return is ? 0 : 1 << 31;
}

// @ts-ignore: decorator
@inline
function nativeLanes<F>(op: i32, x: v128, y: v128): v128 {
  if (op == ADD) return v128.add<F>(x, y);
  if (op == SUB) return v128.sub<F>(x, y);
  if (op == MUL) return v128.mul<F>(x, y);
  if (op == DIV) return v128.div<F>(x, y);
  if (op == MIN) return v128.bitselect(x, y, v128.lt<F>(x, y));
  if (op == MAX) return v128.bitselect(x, y, v128.gt<F>(x, y));
  return v128.sqrt<F>(y);
}

// @ts-ignore: decorator
@inline
function safeLanes<F>(op: i32, x: v128, y: v128, r: v128): bool {
  if (op == SQRT) return everywhere(v128.and(ordinaryLanes<F>(y), finiteLanes<F>(r)));
  const operands = v128.and(ordinaryLanes<F>(x), ordinaryLanes<F>(y));
  if (op == MIN || op == MAX) return everywhere(operands);
  if (op == ADD || op == SUB) return everywhere(v128.and(operands, v128.and(ordinaryLanes<F>(r), finiteLanes<F>(r))));
  const zero = op == MUL ? v128.or(zeroLanes<F>(x), zeroLanes<F>(y)) : zeroLanes<F>(x);
  const result = v128.or(clearlyNormalLanes<F>(r), v128.and(zeroLanes<F>(r), zero));
  return everywhere(v128.and(operands, result));
}

// @ts-ignore: decorator
@inline
function packed<F>(cpu: u32, op: i32, destination: i64, source: i64): void {
  packedAt<F>(cpu, op, cpu + <u32>destination, cpu + <u32>source);
}

// @ts-ignore: decorator
@inline
function packedAt<F>(cpu: u32, op: i32, a: u32, b: u32): void {
  if (op == MIN || op == MAX || plain(cpu)) {
    const x = v128.load(a);
    const y = v128.load(b);
    const r = nativeLanes<F>(op, x, y);
    if (safeLanes<F>(op, x, y, r)) {
      v128.store(a, r);
      return;
    }
  }
  softLanes<F>(cpu, op, a, b, 16 / sizeof<F>());
}

export function addps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, ADD, destination, source);
}
export function addpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, ADD, destination, source);
}
export function addss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, ADD, destination, source);
}
export function addsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, ADD, destination, source);
}
export function subps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, SUB, destination, source);
}
export function subpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, SUB, destination, source);
}
export function subss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, SUB, destination, source);
}
export function subsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, SUB, destination, source);
}
export function mulps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, MUL, destination, source);
}
export function mulpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, MUL, destination, source);
}
export function mulss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, MUL, destination, source);
}
export function mulsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, MUL, destination, source);
}
export function divps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, DIV, destination, source);
}
export function divpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, DIV, destination, source);
}
export function divss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, DIV, destination, source);
}
export function divsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, DIV, destination, source);
}
export function minps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, MIN, destination, source);
}
export function minpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, MIN, destination, source);
}
export function minss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, MIN, destination, source);
}
export function minsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, MIN, destination, source);
}
export function maxps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, MAX, destination, source);
}
export function maxpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, MAX, destination, source);
}
export function maxss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, MAX, destination, source);
}
export function maxsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, MAX, destination, source);
}
export function sqrtps(cpu: u32, destination: i64, source: i64): void {
  packed<f32>(cpu, SQRT, destination, source);
}
export function sqrtpd(cpu: u32, destination: i64, source: i64): void {
  packed<f64>(cpu, SQRT, destination, source);
}
export function sqrtss(cpu: u32, destination: i64, source: i64): void {
  scalar<f32>(cpu, SQRT, destination, source);
}
export function sqrtsd(cpu: u32, destination: i64, source: i64): void {
  scalar<f64>(cpu, SQRT, destination, source);
}
