import { instruction, type Instruction } from '../definition.js';
import type { Bits, Ops, Vec } from '../ops.js';
import { packed, packedXmm, simd, type Binary } from './packed.js';
import { enterMmx, isMmx } from './state.js';

/** PANDN: the first operand is complemented. */
const andNot: Binary = (o, a, b) => o.simd('v128.andnot', b, a);

/** Bitwise operations on packed floats are those on integers. */
function bitwise(name: string, opcode: string, operation: Binary): Instruction[] {
  const effect = (o: Ops): void => {
    const b = o.readVec(1);
    o.writeVec(0, operation(o, o.readVec(0), b));
  };
  return [
    instruction(`${name}PS`, `NP ${opcode} /r Vx,Wx; sse cpuid=SSE`, effect),
    instruction(`${name}PD`, `66 ${opcode} /r Vx,Wx; sse cpuid=SSE2`, effect),
  ];
}

/** All ones where c, else zeros, in both halves. */
function maskOf(o: Ops, c: ReturnType<Ops['ltu']>): Vec {
  return o.splat(64, o.sub(0, o.toInt(c)));
}

type Direction = 'shl' | 'shr_s' | 'shr_u';
const SHAPES: Partial<Record<Bits, string>> = { 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' };

/**
 * Shift of lanes by the immediate or by the low 64 bits of the second operand: counts over the width shift everything
 * out, where WebAssembly would take them modulo the width.
 */
function shift(name: string, opcode: string, group: string, direction: Direction, bits: Bits): Instruction {
  const op = `${SHAPES[bits]}.${direction}`;
  return instruction(
    name,
    [
      `NP ${opcode} /r Pq,Qq; mmx cpuid=MMX`,
      `66 ${opcode} /r Vx,Wx; sse cpuid=SSE2`,
      `NP ${group} Nq,Ib; mmx cpuid=MMX`,
      `66 ${group} Ux,Ib; sse cpuid=SSE2`,
    ],
    (o) => {
      const count = o.width(1) === 8 ? o.read(1) : o.lane(64, o.readVec(1), 0);
      const fits = o.ltu(count, bits);
      const value = o.readVec(0);
      const result =
        direction === 'shr_s'
          ? o.simd(op, value, o.select(fits, count, bits - 1))
          : o.simd('v128.and', o.simd(op, value, count), maskOf(o, fits));
      if (isMmx(o)) enterMmx(o);
      o.writeVec(0, result);
    },
  );
}

const IOTA_LOW = 0x0706050403020100n;
const IOTA_HIGH = 0x0f0e0d0c0b0a0908n;

/** PSRLDQ, PSLLDQ: whole-register shift by bytes; lane numbers over 15 give zero. */
function byteShift(name: string, digit: number, op: 'i8x16.add_sat_u' | 'i8x16.sub'): Instruction {
  return instruction(name, `66 0F 73 /${digit} Ux,Ib; sse cpuid=SSE2`, (o) => {
    const count = o.splat(8, o.select(o.ltu(o.read(1), 16), o.read(1), 16));
    const lanes = o.simd(op, o.vec(IOTA_LOW, IOTA_HIGH), count);
    o.writeVec(0, o.simd('i8x16.swizzle', o.readVec(0), lanes));
  });
}

const ptest = instruction('PTEST', '66 0F 38 17 /r Vx,Wx; sse cpuid=SSE4.1', (o) => {
  const source = o.readVec(1);
  const destination = o.readVec(0);
  const isZero = (v: Vec): ReturnType<Ops['eq']> => o.eq(o.or(o.lane(64, v, 0), o.lane(64, v, 1)), 0);
  const never = o.bool(false);
  o.setFlags({
    zf: isZero(o.simd('v128.and', source, destination)),
    cf: isZero(o.simd('v128.andnot', source, destination)),
    of: never,
    sf: never,
    af: never,
    pf: never,
  });
});

export const vectorLogic: Instruction[] = [
  packed('PAND', '0F DB', simd('v128.and')),
  packed('PANDN', '0F DF', andNot),
  packed('POR', '0F EB', simd('v128.or')),
  packed('PXOR', '0F EF', simd('v128.xor')),
  ...bitwise('AND', '0F 54', simd('v128.and')),
  ...bitwise('ANDN', '0F 55', andNot),
  ...bitwise('OR', '0F 56', simd('v128.or')),
  ...bitwise('XOR', '0F 57', simd('v128.xor')),

  packed('PCMPEQB', '0F 74', simd('i8x16.eq')),
  packed('PCMPEQW', '0F 75', simd('i16x8.eq')),
  packed('PCMPEQD', '0F 76', simd('i32x4.eq')),
  packed('PCMPGTB', '0F 64', simd('i8x16.gt_s')),
  packed('PCMPGTW', '0F 65', simd('i16x8.gt_s')),
  packed('PCMPGTD', '0F 66', simd('i32x4.gt_s')),
  packedXmm('PCMPEQQ', '0F 38 29', simd('i64x2.eq'), 'SSE4.1'),
  packedXmm('PCMPGTQ', '0F 38 37', simd('i64x2.gt_s'), 'SSE4.2'),
  ptest,

  shift('PSLLW', '0F F1', '0F 71 /6', 'shl', 16),
  shift('PSLLD', '0F F2', '0F 72 /6', 'shl', 32),
  shift('PSLLQ', '0F F3', '0F 73 /6', 'shl', 64),
  shift('PSRLW', '0F D1', '0F 71 /2', 'shr_u', 16),
  shift('PSRLD', '0F D2', '0F 72 /2', 'shr_u', 32),
  shift('PSRLQ', '0F D3', '0F 73 /2', 'shr_u', 64),
  shift('PSRAW', '0F E1', '0F 71 /4', 'shr_s', 16),
  shift('PSRAD', '0F E2', '0F 72 /4', 'shr_s', 32),
  byteShift('PSRLDQ', 3, 'i8x16.add_sat_u'),
  byteShift('PSLLDQ', 7, 'i8x16.sub'),
];
