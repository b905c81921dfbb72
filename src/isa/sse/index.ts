import type { Instruction } from '../definition.js';
import { vectorArithmetic } from './arithmetic.js';
import { vectorConversions } from './convert.js';
import { vectorFloat } from './float.js';
import { vectorLanes } from './lanes.js';
import { vectorLogic } from './logic.js';
import { mxcsrInstructions, vectorMoves } from './moves.js';
import { vectorShuffles } from './shuffle.js';
import { vectorSpecial } from './special.js';
import { vectorStrings } from './strings.js';

/** MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA in their legacy encodings. */
export const sseInstructions: Instruction[] = [
  ...vectorMoves,
  ...mxcsrInstructions,
  ...vectorArithmetic,
  ...vectorLogic,
  ...vectorShuffles,
  ...vectorLanes,
  ...vectorFloat,
  ...vectorConversions,
  ...vectorStrings,
  ...vectorSpecial,
];
