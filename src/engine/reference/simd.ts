/**
 * WebAssembly's vector operations in plain arithmetic, lane by lane: the oracle of the vector instructions.
 * A vector is 16 bytes, little-endian. Only the operations of wasm/simd-opcodes.ts are here.
 */

/** Lanes of `bits` as signed or unsigned numbers. */
function lanes(v: Uint8Array, bits: number, signed: boolean): bigint[] {
  const result: bigint[] = [];
  for (let at = 0; at < 16; at += bits / 8) {
    let value = 0n;
    for (let i = bits / 8 - 1; i >= 0; i--) value = (value << 8n) | BigInt(v[at + i]!);
    result.push(signed ? BigInt.asIntN(bits, value) : value);
  }
  return result;
}

/** The vector of these lanes, each cut to `bits`. */
function fromLanes(values: readonly bigint[], bits: number): Uint8Array {
  const v = new Uint8Array(16);
  values.forEach((value, lane) => {
    for (let i = 0; i < bits / 8; i++) v[(lane * bits) / 8 + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  });
  return v;
}

const clamp = (value: bigint, low: bigint, high: bigint): bigint =>
  value < low ? low : value > high ? high : value;
const saturateS = (value: bigint, bits: number): bigint =>
  clamp(value, -(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n);
const saturateU = (value: bigint, bits: number): bigint => clamp(value, 0n, (1n << BigInt(bits)) - 1n);
const truth = (value: boolean): bigint => (value ? -1n : 0n);

/** Lane operations on two signed (`_u`: unsigned) lanes of `bits`. */
const BINARY: Record<string, (a: bigint, b: bigint, bits: number) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  add_sat_s: (a, b, bits) => saturateS(a + b, bits),
  add_sat_u: (a, b, bits) => saturateU(a + b, bits),
  sub_sat_s: (a, b, bits) => saturateS(a - b, bits),
  sub_sat_u: (a, b, bits) => saturateU(a - b, bits),
  min_s: (a, b) => (a < b ? a : b),
  min_u: (a, b) => (a < b ? a : b),
  max_s: (a, b) => (a > b ? a : b),
  max_u: (a, b) => (a > b ? a : b),
  avgr_u: (a, b) => (a + b + 1n) >> 1n,
  q15mulr_sat_s: (a, b) => saturateS((a * b + 0x4000n) >> 15n, 16),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  gt_s: (a, b) => truth(a > b),
};

/** Lane operations on one signed lane and a count already taken modulo `bits`. */
const SHIFTS: Record<string, (a: bigint, count: bigint) => bigint> = {
  shl: (a, count) => a << count,
  shr_s: (a, count) => a >> count,
  shr_u: (a, count) => a >> count,
};

const BITWISE: Record<string, (a: number, b: number) => number> = {
  and: (a, b) => a & b,
  andnot: (a, b) => a & ~b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

function swizzle(a: Uint8Array, indexes: Uint8Array): Uint8Array {
  return Uint8Array.from(indexes, (index) => (index < 16 ? a[index]! : 0));
}

function bitselect(a: Uint8Array, b: Uint8Array, mask: Uint8Array): Uint8Array {
  return Uint8Array.from(mask, (m, i) => (a[i]! & m) | (b[i]! & ~m));
}

/** Operations that change the width of lanes: `name_iFROMxN_s`. */
function widening(
  operation: string,
  from: number,
  signed: boolean,
  args: readonly Uint8Array[],
): Uint8Array | null {
  const a = lanes(args[0]!, from, signed || operation === 'narrow');
  const half = a.length / 2;
  const to = from * 2;
  switch (operation) {
    case 'extend_low':
      return fromLanes(a.slice(0, half), to);
    case 'extadd_pairwise':
      return fromLanes(
        Array.from({ length: half }, (_, i) => a[2 * i]! + a[2 * i + 1]!),
        to,
      );
  }
  if (args.length < 2) return null;
  const b = lanes(args[1]!, from, signed || operation === 'narrow');
  switch (operation) {
    case 'narrow': {
      const bits = from / 2;
      return fromLanes(
        [...a, ...b].map((value) => (signed ? saturateS(value, bits) : saturateU(value, bits))),
        bits,
      );
    }
    case 'extmul_low':
      return fromLanes(
        a.slice(0, half).map((value, i) => value * b[i]!),
        to,
      );
    case 'extmul_high':
      return fromLanes(
        a.slice(half).map((value, i) => value * b[half + i]!),
        to,
      );
    case 'dot':
      return fromLanes(
        Array.from({ length: half }, (_, i) => a[2 * i]! * b[2 * i]! + a[2 * i + 1]! * b[2 * i + 1]!),
        to,
      );
  }
  return null;
}

/** The value of a vector operation, named as in WebAssembly. Shift counts are numbers, all else is vectors. */
export function evaluateSimd(op: string, args: readonly (Uint8Array | bigint)[]): Uint8Array {
  const [shape = '', operation = ''] = op.split('.');
  const vectors = args.filter((arg) => arg instanceof Uint8Array);
  const [a, b] = vectors;
  if (!a) throw new Error(`${op}: no operand`);
  if (shape === 'v128') {
    if (operation === 'bitselect') return bitselect(a, b!, vectors[2]!);
    const f = BITWISE[operation];
    if (!f) throw new Error(`unknown vector operation ${op}`);
    return a.map((byte, i) => f(byte, b![i]!));
  }
  if (op === 'i8x16.swizzle') return swizzle(a, b!);

  const bits = Number(/^i(\d+)x/.exec(shape)?.[1]);
  const unsigned = operation.endsWith('_u');
  if (operation === 'abs') {
    const absolute = lanes(a, bits, true).map((value) => (value < 0n ? -value : value));
    return fromLanes(absolute, bits);
  }
  const shift = SHIFTS[operation];
  if (shift) {
    const count = BigInt.asUintN(32, args[1] as bigint) % BigInt(bits);
    const shifted = lanes(a, bits, !unsigned).map((value) => shift(value, count));
    return fromLanes(shifted, bits);
  }
  const binary = BINARY[operation];
  if (binary) {
    const right = lanes(b!, bits, !unsigned);
    const values = lanes(a, bits, !unsigned).map((value, i) => binary(value, right[i]!, bits));
    return fromLanes(values, bits);
  }
  const wide = /^(\w+)_i(\d+)x\d+_[su]$/.exec(operation);
  const result = wide && widening(wide[1]!, Number(wide[2]), !unsigned, vectors);
  if (!result) throw new Error(`unknown vector operation ${op}`);
  return result;
}
