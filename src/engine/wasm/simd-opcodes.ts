/** WebAssembly's vector instructions that definitions use (core specification, 5.4.9): all integer and deterministic. */
export type SimdType = 'v128' | 'i32' | 'i64';

export interface SimdOpcode {
  /** What follows the byte 0xFD, as an unsigned LEB128. */
  readonly code: number;
  readonly args: readonly SimdType[];
  readonly result: SimdType;
}

type Shape = 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2';

const UNARY: readonly SimdType[] = ['v128'];
const BINARY: readonly SimdType[] = ['v128', 'v128'];
const TERNARY: readonly SimdType[] = ['v128', 'v128', 'v128'];
const SHIFT: readonly SimdType[] = ['v128', 'i32'];

function family(
  shape: Shape | 'v128',
  args: readonly SimdType[],
  codes: Record<string, number>,
): Record<string, SimdOpcode> {
  const entries = Object.entries(codes).map(
    ([name, code]) => [`${shape}.${name}`, { code, args, result: 'v128' }] as const,
  );
  return Object.fromEntries(entries);
}

export const simdOpcodes: Readonly<Record<string, SimdOpcode>> = {
  ...family('v128', BINARY, { and: 78, andnot: 79, or: 80, xor: 81 }),
  ...family('v128', TERNARY, { bitselect: 82 }),

  ...family('i8x16', UNARY, { abs: 96 }),
  ...family('i8x16', BINARY, {
    swizzle: 14, eq: 35, ne: 36, gt_s: 39, narrow_i16x8_s: 101, narrow_i16x8_u: 102,
    add: 110, add_sat_s: 111, add_sat_u: 112, sub: 113, sub_sat_s: 114, sub_sat_u: 115,
    min_s: 118, min_u: 119, max_s: 120, max_u: 121, avgr_u: 123,
  }), // prettier-ignore
  ...family('i8x16', SHIFT, { shr_s: 108 }),

  ...family('i16x8', UNARY, {
    extadd_pairwise_i8x16_u: 125,
    abs: 128,
    extend_low_i8x16_s: 135,
    extend_low_i8x16_u: 137,
  }),
  ...family('i16x8', BINARY, {
    eq: 45, ne: 46, gt_s: 49, q15mulr_sat_s: 130, narrow_i32x4_s: 133, narrow_i32x4_u: 134,
    add: 142, add_sat_s: 143, add_sat_u: 144, sub: 145, sub_sat_s: 146, sub_sat_u: 147, mul: 149,
    min_s: 150, min_u: 151, max_s: 152, max_u: 153, avgr_u: 155,
  }), // prettier-ignore
  ...family('i16x8', SHIFT, { shl: 139, shr_s: 140, shr_u: 141 }),

  ...family('i32x4', UNARY, {
    extadd_pairwise_i16x8_u: 127,
    abs: 160,
    extend_low_i16x8_s: 167,
    extend_low_i16x8_u: 169,
  }),
  ...family('i32x4', BINARY, {
    eq: 55, ne: 56, gt_s: 59, add: 174, sub: 177, mul: 181, min_s: 182, min_u: 183, max_s: 184, max_u: 185,
    dot_i16x8_s: 186, extmul_low_i16x8_s: 188, extmul_high_i16x8_s: 189, extmul_low_i16x8_u: 190, extmul_high_i16x8_u: 191,
  }), // prettier-ignore
  ...family('i32x4', SHIFT, { shl: 171, shr_s: 172, shr_u: 173 }),

  ...family('i64x2', UNARY, { extend_low_i32x4_s: 199, extend_low_i32x4_u: 201 }),
  ...family('i64x2', BINARY, {
    add: 206, sub: 209, eq: 214, ne: 215, gt_s: 217, extmul_low_i32x4_s: 220, extmul_low_i32x4_u: 222,
  }), // prettier-ignore
  ...family('i64x2', SHIFT, { shl: 203, shr_s: 204, shr_u: 205 }),
};
