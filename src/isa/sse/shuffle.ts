import { instruction, type Instruction } from '../definition.js';
import type { Int, Ops, Vec } from '../ops.js';
import { byteLanes, packed, packedXmm, pair, type Binary } from './packed.js';
import { enterMmx, isMmx } from './state.js';

const IOTA_LOW = 0x0706050403020100n;
const IOTA_HIGH = 0x0f0e0d0c0b0a0908n;

/** Lanes of both operands in turn, from the low or the high half; `bytes` a lane. */
function interleave(bytes: number, half: 'low' | 'high'): Binary {
  return (o, a, b) => {
    const count = (isMmx(o) ? 4 : 8) / bytes;
    const first = half === 'low' ? 0 : count;
    const lanes = Array.from({ length: 8 / bytes }, (_, i) => [
      first + (i % count),
      16 / bytes + first + (i % count),
    ]);
    return o.shuffle(a, b, byteLanes(bytes, lanes.flat()));
  };
}

/** The low-half unpacks of MMX read 32 bits of memory only. */
function unpackLow(name: string, opcode: string, bytes: number): Instruction {
  const operation = interleave(bytes, 'low');
  return instruction(
    name,
    [`NP ${opcode} /r Pq,Qd; mmx cpuid=MMX`, `66 ${opcode} /r Vx,Wx; sse cpuid=SSE2`],
    (o) => {
      const b = o.readVec(1);
      const result = operation(o, o.readVec(0), b);
      if (isMmx(o)) enterMmx(o);
      o.writeVec(0, result);
    },
  );
}

function unpackFloat(
  name: string,
  prefix: 'NP' | '66',
  opcode: string,
  bytes: number,
  half: 'low' | 'high',
): Instruction {
  const operation = interleave(bytes, half);
  const cpuid = prefix === 'NP' ? 'SSE' : 'SSE2';
  return instruction(name, `${prefix} ${opcode} /r Vx,Wx; sse cpuid=${cpuid}`, (o) => {
    const b = o.readVec(1);
    o.writeVec(0, operation(o, o.readVec(0), b));
  });
}

/** Narrowing of the lanes of both operands, saturated. */
function pack(op: string): Binary {
  return (o, a, b) => o.simd(op, ...pair(o, a, b));
}

/** PSHUFB: bit 7 of a lane number gives zero; otherwise only the low bits count. */
function shuffleBytes(o: Ops, a: Vec, b: Vec): Vec {
  const used = isMmx(o) ? 0x87 : 0x8f;
  return o.simd('i8x16.swizzle', a, o.simd('v128.and', b, o.splat(8, used)));
}

/** Byte numbers of two doublewords chosen by imm[1:0] and imm[3:2] (of the bits given). */
function doublewordLanes(o: Ops, selector: Int): Int {
  const spread = o.or(o.and(selector, 3), o.shl(o.and(selector, 0xc), 30));
  return o.add(o.mul(spread, 0x04040404), 0x0302010003020100n);
}

/** Byte numbers of four words chosen by the four fields of an immediate. */
function wordLanes(o: Ops, selector: Int): Int {
  const field = (n: number): Int => o.shl(o.and(selector, 3 << (2 * n)), 14 * n);
  const spread = o.or(o.or(field(0), field(1)), o.or(field(2), field(3)));
  return o.add(o.mul(spread, 0x0202), 0x0100010001000100n);
}

const swizzle = (o: Ops, v: Vec, low: Int | bigint, high: Int | bigint): Vec =>
  o.simd('i8x16.swizzle', v, o.vec(low, high));

const pshufd = instruction('PSHUFD', '66 0F 70 /r Vx,Wx,Ib; sse cpuid=SSE2', (o) => {
  const selector = o.read(2);
  o.writeVec(
    0,
    swizzle(o, o.readVec(1), doublewordLanes(o, selector), doublewordLanes(o, o.shr(selector, 4))),
  );
});
const pshuflw = instruction('PSHUFLW', 'F2 0F 70 /r Vx,Wx,Ib; sse cpuid=SSE2', (o) => {
  o.writeVec(0, swizzle(o, o.readVec(1), wordLanes(o, o.read(2)), IOTA_HIGH));
});
const pshufhw = instruction('PSHUFHW', 'F3 0F 70 /r Vx,Wx,Ib; sse cpuid=SSE2', (o) => {
  o.writeVec(0, swizzle(o, o.readVec(1), IOTA_LOW, o.add(wordLanes(o, o.read(2)), 0x0808080808080808n)));
});
const pshufw = instruction('PSHUFW', 'NP 0F 70 /r Pq,Qq,Ib; mmx cpuid=SSE', (o) => {
  const result = swizzle(o, o.readVec(1), wordLanes(o, o.read(2)), 0n);
  enterMmx(o);
  o.writeVec(0, result);
});

const shufps = instruction('SHUFPS', 'NP 0F C6 /r Vx,Wx,Ib; sse cpuid=SSE', (o) => {
  const source = o.readVec(1);
  const selector = o.read(2);
  const low = swizzle(o, o.readVec(0), doublewordLanes(o, selector), 0n);
  const high = swizzle(o, source, doublewordLanes(o, o.shr(selector, 4)), 0n);
  o.writeVec(0, o.shuffle(low, high, byteLanes(8, [0, 2])));
});
const shufpd = instruction('SHUFPD', '66 0F C6 /r Vx,Wx,Ib; sse cpuid=SSE2', (o) => {
  const source = o.readVec(1);
  const destination = o.readVec(0);
  const half = (v: Vec, n: number): Int => o.select(o.bit(o.read(2), n), o.lane(64, v, 1), o.lane(64, v, 0));
  o.writeVec(0, o.vec(half(destination, 0), half(source, 1)));
});

/** PALIGNR: the operands side by side, shifted right by bytes. */
const palignr = instruction(
  'PALIGNR',
  ['NP 0F 3A 0F /r Pq,Qq,Ib; mmx cpuid=SSSE3', '66 0F 3A 0F /r Vx,Wx,Ib; sse cpuid=SSSE3'],
  (o) => {
    const source = o.readVec(1);
    const destination = o.readVec(0);
    const lanes = o.simd('i8x16.add_sat_u', o.vec(IOTA_LOW, IOTA_HIGH), o.splat(8, o.read(2)));
    if (isMmx(o)) {
      const [both] = pair(o, source, destination);
      enterMmx(o);
      o.writeVec(0, o.simd('i8x16.swizzle', both, lanes));
      return;
    }
    const fromDestination = o.simd('i8x16.swizzle', destination, o.simd('i8x16.sub', lanes, o.splat(8, 16)));
    o.writeVec(0, o.simd('v128.or', o.simd('i8x16.swizzle', source, lanes), fromDestination));
  },
);

/** Copies of single lanes (SSE3): `lanes` of `bytes` each. */
function duplicate(name: string, encoding: string, bytes: number, lanes: readonly number[]): Instruction {
  return instruction(name, encoding, (o) => {
    const source = o.readVec(1);
    o.writeVec(0, o.shuffle(source, source, byteLanes(bytes, lanes)));
  });
}

export const vectorShuffles: Instruction[] = [
  unpackLow('PUNPCKLBW', '0F 60', 1),
  unpackLow('PUNPCKLWD', '0F 61', 2),
  unpackLow('PUNPCKLDQ', '0F 62', 4),
  packed('PUNPCKHBW', '0F 68', interleave(1, 'high')),
  packed('PUNPCKHWD', '0F 69', interleave(2, 'high')),
  packed('PUNPCKHDQ', '0F 6A', interleave(4, 'high')),
  packedXmm('PUNPCKLQDQ', '0F 6C', interleave(8, 'low'), 'SSE2'),
  packedXmm('PUNPCKHQDQ', '0F 6D', interleave(8, 'high'), 'SSE2'),
  unpackFloat('UNPCKLPS', 'NP', '0F 14', 4, 'low'),
  unpackFloat('UNPCKLPD', '66', '0F 14', 8, 'low'),
  unpackFloat('UNPCKHPS', 'NP', '0F 15', 4, 'high'),
  unpackFloat('UNPCKHPD', '66', '0F 15', 8, 'high'),

  packed('PACKSSWB', '0F 63', pack('i8x16.narrow_i16x8_s')),
  packed('PACKUSWB', '0F 67', pack('i8x16.narrow_i16x8_u')),
  packed('PACKSSDW', '0F 6B', pack('i16x8.narrow_i32x4_s')),
  packedXmm('PACKUSDW', '0F 38 2B', pack('i16x8.narrow_i32x4_u'), 'SSE4.1'),

  packed('PSHUFB', '0F 38 00', shuffleBytes, 'SSSE3', 'SSSE3'),
  pshufd,
  pshuflw,
  pshufhw,
  pshufw,
  shufps,
  shufpd,
  palignr,
  duplicate('MOVSLDUP', 'F3 0F 12 /r Vx,Wx; sse cpuid=SSE3', 4, [0, 0, 2, 2]),
  duplicate('MOVSHDUP', 'F3 0F 16 /r Vx,Wx; sse cpuid=SSE3', 4, [1, 1, 3, 3]),
  duplicate('MOVDDUP', 'F2 0F 12 /r Vx,Wq; sse cpuid=SSE3', 8, [0, 0]),
];
