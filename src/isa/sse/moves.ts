import { instruction, type Instruction } from '../definition.js';
import type { Ops } from '../ops.js';
import { byteLanes } from './packed.js';
import { enterMmx, leaveMmx, requireXmm } from './state.js';

/** Copies operand 1, as wide as it is, to operand 0. */
const copy = (o: Ops): void => o.writeVec(0, o.readVec(1));

/** Copies 64 bits between MMX registers and what else holds 64 bits or fewer; a store that faults leaves the x87 state. */
function copyMmx(o: Ops): void {
  const value = o.readVec(1);
  if (!o.isMemory(0)) enterMmx(o);
  o.writeVec(0, value);
  if (o.isMemory(0)) enterMmx(o);
}

/** MOVDQ2Q, MOVQ2DQ. */
function copyBetween(o: Ops): void {
  requireXmm(o);
  copyMmx(o);
}

/** Loads, and stores with the next opcode form, of a whole register. */
function wholeMove(name: string, load: string, store: string, attributes: string): Instruction {
  return instruction(name, [`${load} /r Vx,Wx; ${attributes}`, `${store} /r Wx,Vx; ${attributes}`], copy);
}

function nonTemporal(name: string, encoding: string): Instruction {
  return instruction(name, encoding, copy);
}

/** MOVSS, MOVSD: a load clears the rest of the register, a move between registers keeps it. */
function scalarMove(
  name: string,
  prefix: 'F3' | 'F2',
  width: 'd' | 'q',
  bits: 32 | 64,
  cpuid: string,
): Instruction {
  return instruction(
    name,
    [
      `${prefix} 0F 10 /r Vx,W${width}; sse cpuid=${cpuid}`,
      `${prefix} 0F 11 /r W${width},Vx; sse cpuid=${cpuid}`,
    ],
    (o) => {
      const source = o.readVec(1);
      const merges = !o.isMemory(0) && !o.isMemory(1);
      o.writeVec(0, merges ? o.withLane(bits, o.readVec(0), 0, o.lane(bits, source, 0)) : source);
    },
  );
}

/** MOVLPS, MOVHPS and the like: one half of a register to and from memory. */
function halfMove(name: string, prefix: 'NP' | '66', load: string, store: string, half: 0 | 1): Instruction {
  const attributes = prefix === 'NP' ? 'sse cpuid=SSE' : 'sse cpuid=SSE2';
  return instruction(
    name,
    [`${prefix} ${load} /r Vx,Mq; ${attributes}`, `${prefix} ${store} /r Mq,Vx; ${attributes}`],
    (o) => {
      if (o.isMemory(0)) {
        o.write(0, o.lane(64, o.readVec(1), half));
        return;
      }
      const value = o.read(1);
      o.writeVec(0, o.withLane(64, o.readVec(0), half, value));
    },
  );
}

/** MOVHLPS, MOVLHPS: `quadwords` of the pair (destination, source). */
function halfToHalf(name: string, opcode: string, quadwords: [number, number]): Instruction {
  return instruction(name, `NP ${opcode} /r Vx,Ux; sse cpuid=SSE`, (o) => {
    o.writeVec(0, o.shuffle(o.readVec(0), o.readVec(1), byteLanes(8, quadwords)));
  });
}

/** MOVD, MOVQ from a general register or memory: the rest of the register is cleared. */
function fromGeneral(o: Ops): void {
  const value = o.read(1);
  if (o.width(0) === 64) enterMmx(o);
  o.writeVec(0, o.vec(value, 0));
}

/** MOVD, MOVQ to a general register or memory. */
function toGeneral(o: Ops): void {
  o.write(0, o.lane(o.width(0) === 64 ? 64 : 32, o.readVec(1), 0));
}
function toGeneralFromMmx(o: Ops): void {
  toGeneral(o);
  enterMmx(o);
}

/** The low 64 bits, the rest of a destination register cleared. */
const copyLow = (o: Ops): void => o.writeVec(0, o.vec(o.lane(64, o.readVec(1), 0), 0));

/** MASKMOVQ, MASKMOVDQU: bytes of operand 1 chosen by operand 2's sign bits, to DS:rDI. */
function maskedMove(name: string, encoding: string, bytes: 8 | 16): Instruction {
  return instruction(name, encoding, (o) => {
    const offsetMask = { 16: 0xffffn, 32: 0xffffffffn, 64: 0xffffffffffffffffn }[o.asize];
    o.call('maskmov', o.segment(0), o.and(o.reg(64, 7), offsetMask), offsetMask, o.slot(1), o.slot(2), bytes);
    if (bytes === 8) enterMmx(o);
  });
}

export const vectorMoves: Instruction[] = [
  wholeMove('MOVUPS', 'NP 0F 10', 'NP 0F 11', 'sse unaligned cpuid=SSE'),
  wholeMove('MOVUPD', '66 0F 10', '66 0F 11', 'sse unaligned cpuid=SSE2'),
  wholeMove('MOVAPS', 'NP 0F 28', 'NP 0F 29', 'sse cpuid=SSE'),
  wholeMove('MOVAPD', '66 0F 28', '66 0F 29', 'sse cpuid=SSE2'),
  wholeMove('MOVDQA', '66 0F 6F', '66 0F 7F', 'sse cpuid=SSE2'),
  wholeMove('MOVDQU', 'F3 0F 6F', 'F3 0F 7F', 'sse unaligned cpuid=SSE2'),
  instruction('LDDQU', 'F2 0F F0 /r Vx,Mx; sse unaligned cpuid=SSE3', copy),

  nonTemporal('MOVNTPS', 'NP 0F 2B /r Mx,Vx; sse cpuid=SSE'),
  nonTemporal('MOVNTPD', '66 0F 2B /r Mx,Vx; sse cpuid=SSE2'),
  nonTemporal('MOVNTDQ', '66 0F E7 /r Mx,Vx; sse cpuid=SSE2'),
  nonTemporal('MOVNTDQA', '66 0F 38 2A /r Vx,Mx; sse cpuid=SSE4.1'),
  instruction('MOVNTQ', 'NP 0F E7 /r Mq,Pq; mmx cpuid=SSE', copyMmx),

  scalarMove('MOVSS', 'F3', 'd', 32, 'SSE'),
  scalarMove('MOVSD', 'F2', 'q', 64, 'SSE2'),
  halfMove('MOVLPS', 'NP', '0F 12', '0F 13', 0),
  halfMove('MOVLPD', '66', '0F 12', '0F 13', 0),
  halfMove('MOVHPS', 'NP', '0F 16', '0F 17', 1),
  halfMove('MOVHPD', '66', '0F 16', '0F 17', 1),
  halfToHalf('MOVHLPS', '0F 12', [3, 1]),
  halfToHalf('MOVLHPS', '0F 16', [0, 2]),

  instruction(
    'MOVD',
    ['NP 0F 6E /r Pq,Ed; mmx w0 cpuid=MMX', '66 0F 6E /r Vx,Ed; sse w0 cpuid=SSE2'],
    fromGeneral,
  ),
  instruction('MOVD', '66 0F 7E /r Ed,Vx; sse w0 cpuid=SSE2', toGeneral),
  instruction('MOVD', 'NP 0F 7E /r Ed,Pq; mmx w0 cpuid=MMX', toGeneralFromMmx),
  instruction(
    'MOVQ',
    ['NP 0F 6E /r Pq,Eq; mmx w1 cpuid=MMX', '66 0F 6E /r Vx,Eq; sse w1 cpuid=SSE2'],
    fromGeneral,
  ),
  instruction('MOVQ', '66 0F 7E /r Eq,Vx; sse w1 cpuid=SSE2', toGeneral),
  instruction('MOVQ', 'NP 0F 7E /r Eq,Pq; mmx w1 cpuid=MMX', toGeneralFromMmx),
  instruction('MOVQ', ['NP 0F 6F /r Pq,Qq; mmx cpuid=MMX', 'NP 0F 7F /r Qq,Pq; mmx cpuid=MMX'], copyMmx),
  instruction('MOVQ', ['F3 0F 7E /r Vx,Wq; sse cpuid=SSE2', '66 0F D6 /r Wq,Vx; sse cpuid=SSE2'], copyLow),
  instruction('MOVDQ2Q', 'F2 0F D6 /r Pq,Ux; mmx cpuid=SSE2', copyBetween),
  instruction('MOVQ2DQ', 'F3 0F D6 /r Vx,Nq; mmx cpuid=SSE2', copyBetween),

  maskedMove('MASKMOVQ', 'NP 0F F7 /r Yq,Pq,Nq; mmx asize cpuid=SSE', 8),
  maskedMove('MASKMOVDQU', '66 0F F7 /r Yx,Vx,Ux; sse asize cpuid=SSE2', 16),
  instruction('EMMS', 'NP 0F 77; mmx cpuid=MMX', leaveMmx),
];

/** MXCSR bits that exist (MXCSR_MASK): exception flags, DAZ, masks, rounding control, FTZ. */
const MXCSR_MASK = 0xffff;

export const mxcsrInstructions: Instruction[] = [
  instruction('LDMXCSR', 'NP 0F AE /2 Md; sse cpuid=SSE', (o) => {
    const value = o.read(0);
    o.raiseIf(o.ne(o.and(value, o.not(MXCSR_MASK)), 0), '#GP', 0);
    o.setState('mxcsr', value);
  }),
  instruction('STMXCSR', 'NP 0F AE /3 Md; sse cpuid=SSE', (o) => o.write(0, o.state('mxcsr'))),
];
