import { instruction, type Instruction } from '../definition.js';
import type { HelperName } from '../helpers.js';
import type { Bits } from '../ops.js';
import { enterMmx, requireXmm } from './state.js';

/** Conversion within vector registers, done by a helper on slots. */
function vector(helper: HelperName, encoding: string): Instruction {
  return instruction(helper.toUpperCase(), encoding, (o) => {
    o.call(helper, o.slot(0), o.slot(1));
  });
}

type PairHelper = 'cvtps2pi' | 'cvttps2pi' | 'cvtpd2pi' | 'cvttpd2pi';

/** Two floats to two doublewords in an MMX register. The x87 state changes even if #XM follows, as processors do. */
function toMmx(helper: PairHelper, encoding: string): Instruction {
  return instruction(helper.toUpperCase(), encoding, (o) => {
    requireXmm(o);
    const source = o.slot(1);
    enterMmx(o);
    o.writeVec(0, o.vec(o.call(helper, source), 0));
  });
}

/** Two doubles to two doublewords in the low half of an XMM register. */
function toLowHalf(name: string, helper: PairHelper, encoding: string): Instruction {
  return instruction(name, encoding, (o) => {
    o.writeVec(0, o.vec(o.call(helper, o.slot(1)), 0));
  });
}

function toGeneral(
  helper: 'cvtss2si' | 'cvttss2si' | 'cvtsd2si' | 'cvttsd2si',
  encoding: string,
): Instruction {
  return instruction(helper.toUpperCase(), encoding, (o) => {
    o.write(0, o.call(helper, o.slot(1), o.bits));
  });
}

function fromGeneral(helper: 'cvtsi2ss' | 'cvtsi2sd', encoding: string): Instruction {
  return instruction(helper.toUpperCase(), encoding, (o) => {
    o.call(helper, o.slot(0), o.sx(o.width(1) as Bits, o.read(1)));
  });
}

/**
 * Two doublewords of an MMX register or memory. From memory the x87 state stays as it is: SDM vol. 2 says so of CVTPI2PD,
 * and processors treat CVTPI2PS alike.
 */
function fromPair(
  helper: 'cvtpi2ps' | 'cvtdq2pd',
  name: string,
  prefix: 'NP' | '66',
  cpuid: string,
): Instruction[] {
  return [
    instruction(name, `${prefix} 0F 2A /r Vx,Nq; mmx cpuid=${cpuid}`, (o) => {
      requireXmm(o);
      const source = o.slot(1);
      enterMmx(o);
      o.call(helper, o.slot(0), source);
    }),
    instruction(name, `${prefix} 0F 2A /r Vx,Mq; sse cpuid=${cpuid}`, (o) => {
      o.call(helper, o.slot(0), o.slot(1));
    }),
  ];
}

export const vectorConversions: Instruction[] = [
  vector('cvtps2pd', 'NP 0F 5A /r Vx,Wq; sse cpuid=SSE2'),
  vector('cvtpd2ps', '66 0F 5A /r Vx,Wx; sse cpuid=SSE2'),
  vector('cvtss2sd', 'F3 0F 5A /r Vx,Wd; sse cpuid=SSE2'),
  vector('cvtsd2ss', 'F2 0F 5A /r Vx,Wq; sse cpuid=SSE2'),
  vector('cvtdq2ps', 'NP 0F 5B /r Vx,Wx; sse cpuid=SSE2'),
  vector('cvtps2dq', '66 0F 5B /r Vx,Wx; sse cpuid=SSE2'),
  vector('cvttps2dq', 'F3 0F 5B /r Vx,Wx; sse cpuid=SSE2'),
  vector('cvtdq2pd', 'F3 0F E6 /r Vx,Wq; sse cpuid=SSE2'),
  toLowHalf('CVTPD2DQ', 'cvtpd2pi', 'F2 0F E6 /r Vx,Wx; sse cpuid=SSE2'),
  toLowHalf('CVTTPD2DQ', 'cvttpd2pi', '66 0F E6 /r Vx,Wx; sse cpuid=SSE2'),

  ...fromPair('cvtpi2ps', 'CVTPI2PS', 'NP', 'SSE'),
  ...fromPair('cvtdq2pd', 'CVTPI2PD', '66', 'SSE2'),
  toMmx('cvtps2pi', 'NP 0F 2D /r Pq,Wq; mmx cpuid=SSE'),
  toMmx('cvttps2pi', 'NP 0F 2C /r Pq,Wq; mmx cpuid=SSE'),
  toMmx('cvtpd2pi', '66 0F 2D /r Pq,Wx; mmx cpuid=SSE2'),
  toMmx('cvttpd2pi', '66 0F 2C /r Pq,Wx; mmx cpuid=SSE2'),

  fromGeneral('cvtsi2ss', 'F3 0F 2A /r Vx,Ey; sse cpuid=SSE'),
  fromGeneral('cvtsi2sd', 'F2 0F 2A /r Vx,Ey; sse cpuid=SSE2'),
  toGeneral('cvtss2si', 'F3 0F 2D /r Gy,Wd; sse cpuid=SSE'),
  toGeneral('cvttss2si', 'F3 0F 2C /r Gy,Wd; sse cpuid=SSE'),
  toGeneral('cvtsd2si', 'F2 0F 2D /r Gy,Wq; sse cpuid=SSE2'),
  toGeneral('cvttsd2si', 'F2 0F 2C /r Gy,Wq; sse cpuid=SSE2'),
];
