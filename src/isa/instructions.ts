import type { Instruction } from './definition.js';
import { arithmetic } from './integer/arithmetic.js';
import { bitInstructions } from './integer/bits.js';
import { controlFlow, stack } from './integer/control.js';
import { dataMovement } from './integer/data.js';
import { decimal } from './integer/decimal.js';
import { shifts } from './integer/shifts.js';
import { strings } from './integer/strings.js';
import { systemInstructions } from './system/index.js';

/** Every instruction, each defined once. */
export const instructions: readonly Instruction[] = [
  ...arithmetic,
  ...decimal,
  ...shifts,
  ...bitInstructions,
  ...dataMovement,
  ...controlFlow,
  ...stack,
  ...strings,
  ...systemInstructions,
];
