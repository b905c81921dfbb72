import type { Instruction } from '../definition.js';
import { arithmetic } from './arithmetic.js';
import { bitInstructions } from './bits.js';
import { controlFlow } from './control.js';
import { dataMovement, flagInstructions } from './data.js';
import { decimal } from './decimal.js';
import { exchange } from './exchange.js';
import { hints } from './hints.js';
import { shifts } from './shifts.js';
import { stack } from './stack.js';
import { strings } from './strings.js';

export const integerInstructions: Instruction[] = [
  ...arithmetic,
  ...decimal,
  ...shifts,
  ...bitInstructions,
  ...dataMovement,
  ...flagInstructions,
  ...exchange,
  ...controlFlow,
  ...stack,
  ...strings,
  ...hints,
];
