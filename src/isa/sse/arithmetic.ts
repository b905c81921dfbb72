import type { Instruction } from '../definition.js';
import type { Ops, Vec } from '../ops.js';
import { byteLanes, packed, packedXmm, pair, simd, type Binary } from './packed.js';

const SIGNED_MINIMUM_16 = 0x8000;

/** High halves of the 32-bit products of words. */
function highProduct(sign: 's' | 'u'): Binary {
  return (o, a, b) => {
    const low = o.simd(`i32x4.extmul_low_i16x8_${sign}`, a, b);
    const high = o.simd(`i32x4.extmul_high_i16x8_${sign}`, a, b);
    return o.shuffle(low, high, byteLanes(2, [1, 3, 5, 7, 9, 11, 13, 15]));
  };
}

/** 64-bit products of the even doublewords. */
function evenProduct(sign: 's' | 'u'): Binary {
  const even = byteLanes(4, [0, 2, 0, 2]);
  return (o, a, b) => o.simd(`i64x2.extmul_low_i32x4_${sign}`, o.shuffle(a, a, even), o.shuffle(b, b, even));
}

/** PMULHRSW: WebAssembly saturates the one product that does not fit; here it wraps. */
function roundedHighProduct(o: Ops, a: Vec, b: Vec): Vec {
  const minimum = o.splat(16, SIGNED_MINIMUM_16);
  const wraps = o.simd('v128.and', o.simd('i16x8.eq', a, minimum), o.simd('i16x8.eq', b, minimum));
  return o.simd('v128.xor', o.simd('i16x8.q15mulr_sat_s', a, b), wraps);
}

/** PMADDUBSW: unsigned bytes of a times signed bytes of b, neighbours added with saturation. */
function unsignedBySigned(o: Ops, a: Vec, b: Vec): Vec {
  const even = o.simd(
    'i16x8.mul',
    o.simd('v128.and', a, o.splat(16, 0xff)),
    o.simd('i16x8.shr_s', o.simd('i16x8.shl', b, 8), 8),
  );
  const odd = o.simd('i16x8.mul', o.simd('i16x8.shr_u', a, 8), o.simd('i16x8.shr_s', b, 8));
  return o.simd('i16x8.add_sat_s', even, odd);
}

/** PSADBW: sum of absolute differences of each eight bytes. */
function absoluteDifferences(o: Ops, a: Vec, b: Vec): Vec {
  const difference = o.simd('v128.or', o.simd('i8x16.sub_sat_u', a, b), o.simd('i8x16.sub_sat_u', b, a));
  const sums = o.simd('i32x4.extadd_pairwise_i16x8_u', o.simd('i16x8.extadd_pairwise_i8x16_u', difference));
  const low = o.simd('v128.and', sums, o.splat(64, 0xffffffffn));
  return o.simd('i64x2.add', low, o.simd('i64x2.shr_u', sums, 32));
}

/** PSIGN: a, negated where b is negative, zero where b is zero. */
function sign(shape: 'i8x16' | 'i16x8' | 'i32x4', bits: number): Binary {
  return (o, a, b) => {
    const negative = o.simd(`${shape}.shr_s`, b, bits - 1);
    const signed = o.simd(`${shape}.sub`, o.simd('v128.xor', a, negative), negative);
    return o.simd('v128.and', signed, o.simd(`${shape}.ne`, b, o.splat(64, 0)));
  };
}

/** Horizontal operation on neighbouring lanes of `bytes` of the pair. */
function horizontal(op: string, bytes: 2 | 4): Binary {
  const count = 32 / bytes;
  const even = Array.from({ length: count / 2 }, (_, i) => 2 * i);
  const odd = even.map((lane) => lane + 1);
  return (o, a, b) => {
    const [first, second] = pair(o, a, b);
    return o.simd(
      op,
      o.shuffle(first, second, byteLanes(bytes, even)),
      o.shuffle(first, second, byteLanes(bytes, odd)),
    );
  };
}

const absolute =
  (op: string): Binary =>
  (o, _a, b) =>
    o.simd(op, b);

export const vectorArithmetic: Instruction[] = [
  packed('PADDB', '0F FC', simd('i8x16.add')),
  packed('PADDW', '0F FD', simd('i16x8.add')),
  packed('PADDD', '0F FE', simd('i32x4.add')),
  packed('PADDQ', '0F D4', simd('i64x2.add'), 'SSE2'),
  packed('PADDSB', '0F EC', simd('i8x16.add_sat_s')),
  packed('PADDSW', '0F ED', simd('i16x8.add_sat_s')),
  packed('PADDUSB', '0F DC', simd('i8x16.add_sat_u')),
  packed('PADDUSW', '0F DD', simd('i16x8.add_sat_u')),
  packed('PSUBB', '0F F8', simd('i8x16.sub')),
  packed('PSUBW', '0F F9', simd('i16x8.sub')),
  packed('PSUBD', '0F FA', simd('i32x4.sub')),
  packed('PSUBQ', '0F FB', simd('i64x2.sub'), 'SSE2'),
  packed('PSUBSB', '0F E8', simd('i8x16.sub_sat_s')),
  packed('PSUBSW', '0F E9', simd('i16x8.sub_sat_s')),
  packed('PSUBUSB', '0F D8', simd('i8x16.sub_sat_u')),
  packed('PSUBUSW', '0F D9', simd('i16x8.sub_sat_u')),

  packed('PMULLW', '0F D5', simd('i16x8.mul')),
  packed('PMULHW', '0F E5', highProduct('s')),
  packed('PMULHUW', '0F E4', highProduct('u'), 'SSE'),
  packed('PMADDWD', '0F F5', simd('i32x4.dot_i16x8_s')),
  packed('PMULUDQ', '0F F4', evenProduct('u'), 'SSE2'),
  packed('PMULHRSW', '0F 38 0B', roundedHighProduct, 'SSSE3', 'SSSE3'),
  packed('PMADDUBSW', '0F 38 04', unsignedBySigned, 'SSSE3', 'SSSE3'),
  packedXmm('PMULDQ', '0F 38 28', evenProduct('s'), 'SSE4.1'),
  packedXmm('PMULLD', '0F 38 40', simd('i32x4.mul'), 'SSE4.1'),

  packed('PAVGB', '0F E0', simd('i8x16.avgr_u'), 'SSE'),
  packed('PAVGW', '0F E3', simd('i16x8.avgr_u'), 'SSE'),
  packed('PSADBW', '0F F6', absoluteDifferences, 'SSE'),
  packed('PMINUB', '0F DA', simd('i8x16.min_u'), 'SSE'),
  packed('PMINSW', '0F EA', simd('i16x8.min_s'), 'SSE'),
  packed('PMAXUB', '0F DE', simd('i8x16.max_u'), 'SSE'),
  packed('PMAXSW', '0F EE', simd('i16x8.max_s'), 'SSE'),
  packedXmm('PMINSB', '0F 38 38', simd('i8x16.min_s'), 'SSE4.1'),
  packedXmm('PMINSD', '0F 38 39', simd('i32x4.min_s'), 'SSE4.1'),
  packedXmm('PMINUW', '0F 38 3A', simd('i16x8.min_u'), 'SSE4.1'),
  packedXmm('PMINUD', '0F 38 3B', simd('i32x4.min_u'), 'SSE4.1'),
  packedXmm('PMAXSB', '0F 38 3C', simd('i8x16.max_s'), 'SSE4.1'),
  packedXmm('PMAXSD', '0F 38 3D', simd('i32x4.max_s'), 'SSE4.1'),
  packedXmm('PMAXUW', '0F 38 3E', simd('i16x8.max_u'), 'SSE4.1'),
  packedXmm('PMAXUD', '0F 38 3F', simd('i32x4.max_u'), 'SSE4.1'),

  packed('PABSB', '0F 38 1C', absolute('i8x16.abs'), 'SSSE3', 'SSSE3'),
  packed('PABSW', '0F 38 1D', absolute('i16x8.abs'), 'SSSE3', 'SSSE3'),
  packed('PABSD', '0F 38 1E', absolute('i32x4.abs'), 'SSSE3', 'SSSE3'),
  packed('PSIGNB', '0F 38 08', sign('i8x16', 8), 'SSSE3', 'SSSE3'),
  packed('PSIGNW', '0F 38 09', sign('i16x8', 16), 'SSSE3', 'SSSE3'),
  packed('PSIGND', '0F 38 0A', sign('i32x4', 32), 'SSSE3', 'SSSE3'),
  packed('PHADDW', '0F 38 01', horizontal('i16x8.add', 2), 'SSSE3', 'SSSE3'),
  packed('PHADDD', '0F 38 02', horizontal('i32x4.add', 4), 'SSSE3', 'SSSE3'),
  packed('PHADDSW', '0F 38 03', horizontal('i16x8.add_sat_s', 2), 'SSSE3', 'SSSE3'),
  packed('PHSUBW', '0F 38 05', horizontal('i16x8.sub', 2), 'SSSE3', 'SSSE3'),
  packed('PHSUBD', '0F 38 06', horizontal('i32x4.sub', 4), 'SSSE3', 'SSSE3'),
  packed('PHSUBSW', '0F 38 07', horizontal('i16x8.sub_sat_s', 2), 'SSSE3', 'SSSE3'),
];
