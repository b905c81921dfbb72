import { instruction, type Instruction } from '../definition.js';
import type { Bits, Int, Ops } from '../ops.js';

const EAX = 0;
const ECX = 1;
const EDX = 2;
/** Immediate bits (SDM vol. 2, 4.1): word elements; most significant index or whole-element mask. */
const IMMEDIATE_WORDS = 0;
const IMMEDIATE_OUTPUT = 6;
/** Bits of the helpers' result. */
const RESULT_ZF = 16;
const RESULT_SF = 17;

/** Compares with lengths of RAX/RDX or EAX/EDX (`bits`), or with implicit ones. */
function compareStrings(o: Ops, lengths: Bits | null): Int {
  const first = o.slot(0);
  const second = o.slot(1);
  if (lengths === null) return o.call('pcmpistr', first, second, o.read(2));
  const length = (register: number): Int => o.sx(lengths, o.reg(lengths, register));
  return o.call('pcmpestr', first, second, o.read(2), length(EAX), length(EDX));
}

function setStringFlags(o: Ops, result: Int): void {
  const never = o.bool(false);
  o.setFlags({
    cf: o.ne(o.zx(16, result), 0),
    zf: o.bit(result, RESULT_ZF),
    sf: o.bit(result, RESULT_SF),
    of: o.bit(result, 0),
    af: never,
    pf: never,
  });
}

/** PCMPxSTRI: ECX = number of the lowest or highest set bit, or the count of elements if there is none. */
const index =
  (lengths: Bits | null) =>
  (o: Ops): void => {
    const result = compareStrings(o, lengths);
    const bits = o.zx(16, result);
    const found = o.select(o.bit(o.read(2), IMMEDIATE_OUTPUT), o.sub(63, o.clz(bits)), o.ctz(bits));
    const none = o.select(o.bit(o.read(2), IMMEDIATE_WORDS), 8, 16);
    o.setReg(32, ECX, o.select(o.eq(bits, 0), none, found));
    setStringFlags(o, result);
  };

/** PCMPxSTRM: XMM0 = the bits, or all ones in each element that has its bit set. */
const mask =
  (lengths: Bits | null) =>
  (o: Ops): void => {
    const result = compareStrings(o, lengths);
    const bits = o.zx(16, result);
    const ownBits = o.splat(64, 0x8040201008040201n);
    const replicated = o.shuffle(
      o.vec(bits, 0),
      o.vec(bits, 0),
      [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
    );
    const bytes = o.simd('i8x16.eq', o.simd('v128.and', replicated, ownBits), ownBits);
    const words = o.simd('i16x8.extend_low_i8x16_s', bytes);
    const useWords = o.bit(o.read(2), IMMEDIATE_WORDS);
    const expand = o.bit(o.read(2), IMMEDIATE_OUTPUT);
    const half = (n: number): Int => o.select(useWords, o.lane(64, words, n), o.lane(64, bytes, n));
    o.setXmm(0, o.vec(o.select(expand, half(0), bits), o.select(expand, half(1), 0)));
    setStringFlags(o, result);
  };

const OPERANDS = '/r Vx,Wx,Ib; sse unaligned cpuid=SSE4.2';

export const vectorStrings: Instruction[] = [
  instruction('PCMPESTRM', `66 0F 3A 60 ${OPERANDS} w0`, mask(32)),
  instruction('PCMPESTRM', `66 0F 3A 60 ${OPERANDS} w1`, mask(64)),
  instruction('PCMPESTRI', `66 0F 3A 61 ${OPERANDS} w0`, index(32)),
  instruction('PCMPESTRI', `66 0F 3A 61 ${OPERANDS} w1`, index(64)),
  instruction('PCMPISTRM', `66 0F 3A 62 ${OPERANDS}`, mask(null)),
  instruction('PCMPISTRI', `66 0F 3A 63 ${OPERANDS}`, index(null)),
];
