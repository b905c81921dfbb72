import { instruction, type Instruction } from '../definition.js';
import type { Bits, Int, IntLike, Ops, Vec } from '../ops.js';
import { enterMmx } from './state.js';

const IOTA_LOW = 0x0706050403020100n;
const IOTA_HIGH = 0x0f0e0d0c0b0a0908n;

/** Lane `index` of `bits`, where the index is only known when the instruction runs; zero-extended. */
function laneAt(o: Ops, bits: Bits, v: Vec, index: Int): Int {
  const first = o.mul(index, bits / 8);
  const lanes = o.simd('i8x16.add', o.vec(IOTA_LOW, IOTA_HIGH), o.splat(8, first));
  return o.lane(bits, o.simd('i8x16.swizzle', v, lanes), 0);
}

const LANE_NUMBERS: Record<Bits, [shape: string, low: bigint, high: bigint]> = {
  8: ['i8x16', IOTA_LOW, IOTA_HIGH],
  16: ['i16x8', 0x0003000200010000n, 0x0007000600050004n],
  32: ['i32x4', 0x0000000100000000n, 0x0000000300000002n],
  64: ['i64x2', 0n, 1n],
};

/** `v` with lane `index` taken from `values`. */
function replaceLane(o: Ops, bits: Bits, v: Vec, index: IntLike, values: Vec): Vec {
  const [shape, low, high] = LANE_NUMBERS[bits];
  const here = o.simd(`${shape}.eq`, o.vec(low, high), o.splat(bits, index));
  return o.simd('v128.bitselect', values, v, here);
}

/** 1 << n in lane n. */
const LANE_BITS: Record<16 | 32 | 64, [low: bigint, high: bigint]> = {
  16: [0x0008000400020001n, 0x0080004000200010n],
  32: [0x0000000200000001n, 0x0000000800000004n],
  64: [1n, 2n],
};

/** All ones in the lanes of `bits` whose bit of `mask` is set. */
function maskLanes(o: Ops, bits: 16 | 32 | 64, mask: Int): Vec {
  const [shape] = LANE_NUMBERS[bits];
  const chosen = o.simd('v128.and', o.splat(bits, mask), o.vec(...LANE_BITS[bits]));
  return o.simd(`${shape}.ne`, chosen, o.splat(64, 0));
}

/** PEXTR and EXTRACTPS: operand 0 gets a lane of operand 1. */
function extract(name: string, encodings: string[], bits: Bits): Instruction {
  return instruction(name, encodings, (o) => {
    const fromMmx = o.width(1) === 64;
    const last = (fromMmx ? 64 : 128) / bits - 1;
    const value = laneAt(o, bits, o.readVec(1), o.and(o.read(2), last));
    if (fromMmx) enterMmx(o);
    o.write(0, value);
  });
}

/** PINSR: a lane of operand 0 gets operand 1. */
function insert(name: string, encodings: string[], bits: Bits): Instruction {
  return instruction(name, encodings, (o) => {
    const mmx = o.width(0) === 64;
    const last = (mmx ? 64 : 128) / bits - 1;
    const values = o.splat(bits, o.read(1));
    const result = replaceLane(o, bits, o.readVec(0), o.and(o.read(2), last), values);
    if (mmx) enterMmx(o);
    o.writeVec(0, result);
  });
}

/** INSERTPS: imm[7:6] source lane (a memory operand is one float), imm[5:4] destination lane, imm[3:0] lanes to clear. */
const insertps = instruction('INSERTPS', ['66 0F 3A 21 /r Vx,Wd,Ib; sse cpuid=SSE4.1'], (o) => {
  const source = o.readVec(1);
  const immediate = o.read(2);
  const value = o.isMemory(1) ? o.lane(32, source, 0) : laneAt(o, 32, source, o.and(o.shr(immediate, 6), 3));
  const lane = o.and(o.shr(immediate, 4), 3);
  const inserted = replaceLane(o, 32, o.readVec(0), lane, o.splat(32, value));
  o.writeVec(0, o.simd('v128.andnot', inserted, maskLanes(o, 32, immediate)));
});

/** Blends by the bits of an immediate. */
function blend(name: string, opcode: string, bits: 16 | 32 | 64): Instruction {
  return instruction(name, `66 ${opcode} /r Vx,Wx,Ib; sse cpuid=SSE4.1`, (o) => {
    const source = o.readVec(1);
    o.writeVec(0, o.simd('v128.bitselect', source, o.readVec(0), maskLanes(o, bits, o.read(2))));
  });
}

/** Blends by the sign bits of the lanes of XMM0. */
function blendVariable(name: string, opcode: string, bits: Bits): Instruction {
  const shiftSign = `${LANE_NUMBERS[bits][0]}.shr_s`;
  return instruction(name, `66 ${opcode} /r Vx,Wx; sse cpuid=SSE4.1`, (o) => {
    const source = o.readVec(1);
    const mask = o.simd(shiftSign, o.xmm(0), bits - 1);
    o.writeVec(0, o.simd('v128.bitselect', source, o.readVec(0), mask));
  });
}

/** Sign bits of all lanes of operand 1. */
function moveMask(name: string, encodings: string[], bits: Bits): Instruction {
  return instruction(name, encodings, (o) => {
    const fromMmx = o.width(1) === 64;
    const mask = o.bitmask(bits, o.readVec(1));
    if (fromMmx) enterMmx(o);
    o.write(0, mask);
  });
}

/** PMOVSX, PMOVZX: lanes of `from` bits widened step by step to `to` bits. */
function extend(
  name: string,
  opcode: string,
  sign: 's' | 'u',
  from: 8 | 16 | 32,
  to: 16 | 32 | 64,
): Instruction {
  const width = { 2: 'q', 4: 'd', 8: 'w' }[to / from];
  return instruction(name, `66 ${opcode} /r Vx,W${width}; sse cpuid=SSE4.1`, (o) => {
    let v = o.readVec(1);
    for (let bits: 8 | 16 | 32 | 64 = from; bits < to; bits = (bits * 2) as 16 | 32 | 64) {
      const narrow = LANE_NUMBERS[bits][0];
      const wide = LANE_NUMBERS[(bits * 2) as Bits][0];
      v = o.simd(`${wide}.extend_low_${narrow}_${sign}`, v);
    }
    o.writeVec(0, v);
  });
}

export const vectorLanes: Instruction[] = [
  extract(
    'PEXTRB',
    ['66 0F 3A 14 /r Rd,Vx,Ib; sse cpuid=SSE4.1', '66 0F 3A 14 /r Mb,Vx,Ib; sse cpuid=SSE4.1'],
    8,
  ),
  extract(
    'PEXTRW',
    [
      'NP 0F C5 /r Gd,Nq,Ib; mmx cpuid=SSE',
      '66 0F C5 /r Gd,Ux,Ib; sse cpuid=SSE2',
      '66 0F 3A 15 /r Rd,Vx,Ib; sse cpuid=SSE4.1',
      '66 0F 3A 15 /r Mw,Vx,Ib; sse cpuid=SSE4.1',
    ],
    16,
  ),
  extract('PEXTRD', ['66 0F 3A 16 /r Ed,Vx,Ib; sse w0 cpuid=SSE4.1'], 32),
  extract('PEXTRQ', ['66 0F 3A 16 /r Eq,Vx,Ib; sse w1 cpuid=SSE4.1'], 64),
  extract('EXTRACTPS', ['66 0F 3A 17 /r Ed,Vx,Ib; sse cpuid=SSE4.1'], 32),
  insert(
    'PINSRB',
    ['66 0F 3A 20 /r Vx,Rd,Ib; sse cpuid=SSE4.1', '66 0F 3A 20 /r Vx,Mb,Ib; sse cpuid=SSE4.1'],
    8,
  ),
  insert(
    'PINSRW',
    [
      'NP 0F C4 /r Pq,Rd,Ib; mmx cpuid=SSE',
      'NP 0F C4 /r Pq,Mw,Ib; mmx cpuid=SSE',
      '66 0F C4 /r Vx,Rd,Ib; sse cpuid=SSE2',
      '66 0F C4 /r Vx,Mw,Ib; sse cpuid=SSE2',
    ],
    16,
  ),
  insert('PINSRD', ['66 0F 3A 22 /r Vx,Ed,Ib; sse w0 cpuid=SSE4.1'], 32),
  insert('PINSRQ', ['66 0F 3A 22 /r Vx,Eq,Ib; sse w1 cpuid=SSE4.1'], 64),
  insertps,

  blend('BLENDPS', '0F 3A 0C', 32),
  blend('BLENDPD', '0F 3A 0D', 64),
  blend('PBLENDW', '0F 3A 0E', 16),
  blendVariable('PBLENDVB', '0F 38 10', 8),
  blendVariable('BLENDVPS', '0F 38 14', 32),
  blendVariable('BLENDVPD', '0F 38 15', 64),

  moveMask('PMOVMSKB', ['NP 0F D7 /r Gd,Nq; mmx cpuid=SSE', '66 0F D7 /r Gd,Ux; sse cpuid=SSE2'], 8),
  moveMask('MOVMSKPS', ['NP 0F 50 /r Gd,Ux; sse cpuid=SSE'], 32),
  moveMask('MOVMSKPD', ['66 0F 50 /r Gd,Ux; sse cpuid=SSE2'], 64),

  extend('PMOVSXBW', '0F 38 20', 's', 8, 16),
  extend('PMOVSXBD', '0F 38 21', 's', 8, 32),
  extend('PMOVSXBQ', '0F 38 22', 's', 8, 64),
  extend('PMOVSXWD', '0F 38 23', 's', 16, 32),
  extend('PMOVSXWQ', '0F 38 24', 's', 16, 64),
  extend('PMOVSXDQ', '0F 38 25', 's', 32, 64),
  extend('PMOVZXBW', '0F 38 30', 'u', 8, 16),
  extend('PMOVZXBD', '0F 38 31', 'u', 8, 32),
  extend('PMOVZXBQ', '0F 38 32', 'u', 8, 64),
  extend('PMOVZXWD', '0F 38 33', 'u', 16, 32),
  extend('PMOVZXWQ', '0F 38 34', 'u', 16, 64),
  extend('PMOVZXDQ', '0F 38 35', 'u', 32, 64),
];
