import { instruction, type Instruction } from '../definition.js';
import type { Ops } from '../ops.js';

const REP = { none: 0, rep: 1, repne: 2 } as const;
const size = (o: Ops): number => o.bits / 8;
const asize = (o: Ops): number => o.asize / 8;

/** Both encodings of a string instruction; ports have no 64-bit form. */
const encodings = (byte: string, sized: string, extra = ''): string[] => [
  `${byte} ;nosize byte asize rep ${extra}`,
  `${sized} ;asize rep ${extra}`,
];

export const strings: Instruction[] = [
  instruction('MOVS', encodings('A4', 'A5'), (o) =>
    o.repeat('movs', size(o), asize(o), o.segment(0), REP[o.rep]),
  ),
  instruction('CMPS', encodings('A6', 'A7'), (o) =>
    o.repeat('cmps', size(o), asize(o), o.segment(0), REP[o.rep]),
  ),
  instruction('STOS', encodings('AA', 'AB'), (o) => o.repeat('stos', size(o), asize(o), REP[o.rep])),
  instruction('LODS', encodings('AC', 'AD'), (o) =>
    o.repeat('lods', size(o), asize(o), o.segment(0), REP[o.rep]),
  ),
  instruction('SCAS', encodings('AE', 'AF'), (o) => o.repeat('scas', size(o), asize(o), REP[o.rep])),
  instruction('INS', encodings('6C', '6D', 'end'), (o) => o.repeat('ins', portSize(o), asize(o), REP[o.rep])),
  instruction('OUTS', encodings('6E', '6F', 'end'), (o) =>
    o.repeat('outs', portSize(o), asize(o), o.segment(0), REP[o.rep]),
  ),
  instruction('IN', ['E4 AL,Ib ;end', 'E5 eAX,Ib ;end', 'EC AL,DX ;end', 'ED eAX,DX ;end'], (o) => {
    o.write(0, o.call('portIn', o.read(1), o.width(0) / 8));
  }),
  instruction('OUT', ['E6 Ib,AL ;end', 'E7 Ib,eAX ;end', 'EE DX,AL ;end', 'EF DX,eAX ;end'], (o) => {
    o.call('portOut', o.read(0), o.width(1) / 8, o.read(1));
  }),
];

/** Ports are at most 32 bits wide. */
function portSize(o: Ops): number {
  return Math.min(size(o), 4);
}
