import { instruction, type Instruction } from '../definition.js';
import type { HelperName } from '../helpers.js';

/** An instruction whose work is a helper on the slots of its two operands, and its immediate if it has one. */
function bySlots(helper: HelperName, encoding: string): Instruction {
  const immediate = encoding.includes(',Ib');
  return instruction(helper.toUpperCase(), encoding, (o) => {
    if (immediate) o.call(helper, o.slot(0), o.slot(1), o.read(2));
    else o.call(helper, o.slot(0), o.slot(1));
  });
}

/**
 * AES, carry-less multiplication, SHA, and the two odd ones of SSE4.1. SHA's memory operands need no alignment, as on
 * AMD's processors; the SDM (exceptions type 4) would have them aligned.
 */
export const vectorSpecial: Instruction[] = [
  bySlots('aesenc', '66 0F 38 DC /r Vx,Wx; sse cpuid=AES'),
  bySlots('aesenclast', '66 0F 38 DD /r Vx,Wx; sse cpuid=AES'),
  bySlots('aesdec', '66 0F 38 DE /r Vx,Wx; sse cpuid=AES'),
  bySlots('aesdeclast', '66 0F 38 DF /r Vx,Wx; sse cpuid=AES'),
  bySlots('aesimc', '66 0F 38 DB /r Vx,Wx; sse cpuid=AES'),
  bySlots('aeskeygenassist', '66 0F 3A DF /r Vx,Wx,Ib; sse cpuid=AES'),
  bySlots('pclmulqdq', '66 0F 3A 44 /r Vx,Wx,Ib; sse cpuid=PCLMULQDQ'),

  bySlots('sha1nexte', 'NP 0F 38 C8 /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha1msg1', 'NP 0F 38 C9 /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha1msg2', 'NP 0F 38 CA /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha256rnds2', 'NP 0F 38 CB /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha256msg1', 'NP 0F 38 CC /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha256msg2', 'NP 0F 38 CD /r Vx,Wx; sse unaligned cpuid=SHA'),
  bySlots('sha1rnds4', 'NP 0F 3A CC /r Vx,Wx,Ib; sse unaligned cpuid=SHA'),

  bySlots('mpsadbw', '66 0F 3A 42 /r Vx,Wx,Ib; sse cpuid=SSE4.1'),
  instruction('PHMINPOSUW', '66 0F 38 41 /r Vx,Wx; sse cpuid=SSE4.1', (o) => {
    o.writeVec(0, o.vec(o.call('phminposuw', o.slot(1)), 0));
  }),
];
