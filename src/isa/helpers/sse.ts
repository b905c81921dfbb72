import type { Helper } from '../helpers.js';

/** (destination slot, source slot): floating point, may raise #XM (or #UD without CR4.OSXMMEXCPT). */
const FLOAT = { args: 2, result: false, faults: true } as const;
/** The same with an immediate. */
const FLOAT_IMMEDIATE = { args: 3, result: false, faults: true } as const;
/** (slot, slot) or (slot, bits) to an integer or flags. */
const FLOAT_RESULT = { args: 2, result: true, faults: true } as const;
/** (slot) to 64 bits of two integers. */
const FLOAT_PAIR = { args: 1, result: true, faults: true } as const;
/** (destination slot, source slot), never faults. */
const PLAIN = { args: 2, result: false, faults: false } as const;
const PLAIN_IMMEDIATE = { args: 3, result: false, faults: false } as const;

export const sseHelpers = {
  addps: FLOAT, addpd: FLOAT, addss: FLOAT, addsd: FLOAT,
  subps: FLOAT, subpd: FLOAT, subss: FLOAT, subsd: FLOAT,
  mulps: FLOAT, mulpd: FLOAT, mulss: FLOAT, mulsd: FLOAT,
  divps: FLOAT, divpd: FLOAT, divss: FLOAT, divsd: FLOAT,
  minps: FLOAT, minpd: FLOAT, minss: FLOAT, minsd: FLOAT,
  maxps: FLOAT, maxpd: FLOAT, maxss: FLOAT, maxsd: FLOAT,
  sqrtps: FLOAT, sqrtpd: FLOAT, sqrtss: FLOAT, sqrtsd: FLOAT,
  rcpps: PLAIN, rcpss: PLAIN, rsqrtps: PLAIN, rsqrtss: PLAIN,
  haddps: FLOAT, haddpd: FLOAT, hsubps: FLOAT, hsubpd: FLOAT, addsubps: FLOAT, addsubpd: FLOAT,
  dpps: FLOAT_IMMEDIATE, dppd: FLOAT_IMMEDIATE,
  cmpps: FLOAT_IMMEDIATE, cmppd: FLOAT_IMMEDIATE, cmpss: FLOAT_IMMEDIATE, cmpsd: FLOAT_IMMEDIATE,
  roundps: FLOAT_IMMEDIATE, roundpd: FLOAT_IMMEDIATE, roundss: FLOAT_IMMEDIATE, roundsd: FLOAT_IMMEDIATE,
  /** Result: CF in bit 0, PF in bit 2, ZF in bit 6. */
  comiss: FLOAT_RESULT, comisd: FLOAT_RESULT, ucomiss: FLOAT_RESULT, ucomisd: FLOAT_RESULT,

  cvtdq2ps: FLOAT, cvtdq2pd: PLAIN, cvtpi2ps: FLOAT,
  cvtps2pd: FLOAT, cvtpd2ps: FLOAT, cvtss2sd: FLOAT, cvtsd2ss: FLOAT,
  cvtps2dq: FLOAT, cvttps2dq: FLOAT,
  cvtps2pi: FLOAT_PAIR, cvttps2pi: FLOAT_PAIR, cvtpd2pi: FLOAT_PAIR, cvttpd2pi: FLOAT_PAIR,
  /** (source slot, 32 or 64). */
  cvtss2si: FLOAT_RESULT, cvttss2si: FLOAT_RESULT, cvtsd2si: FLOAT_RESULT, cvttsd2si: FLOAT_RESULT,
  /** (destination slot, signed 64-bit value). */
  cvtsi2ss: FLOAT, cvtsi2sd: FLOAT,

  mpsadbw: PLAIN_IMMEDIATE,
  /** (source slot): minimum in bits 0-15, its index in bits 16-18. */
  phminposuw: { args: 1, result: true, faults: false },
  /** (slot, slot, immediate, length of the first, of the second): result in bits 0-15, ZF in bit 16, SF in bit 17. */
  pcmpestr: { args: 5, result: true, faults: false },
  /** (slot, slot, immediate): the same with lengths from the strings' ends. */
  pcmpistr: { args: 3, result: true, faults: false },
  /** (segment, offset, offset mask, slot of bytes, slot of mask, number of bytes). */
  maskmov: { args: 6, result: false, faults: true },

  aesenc: PLAIN, aesenclast: PLAIN, aesdec: PLAIN, aesdeclast: PLAIN, aesimc: PLAIN, aeskeygenassist: PLAIN_IMMEDIATE,
  pclmulqdq: PLAIN_IMMEDIATE,
  sha1rnds4: PLAIN_IMMEDIATE, sha1nexte: PLAIN, sha1msg1: PLAIN, sha1msg2: PLAIN,
  sha256rnds2: PLAIN, sha256msg1: PLAIN, sha256msg2: PLAIN,
} as const satisfies Record<string, Helper>; // prettier-ignore
