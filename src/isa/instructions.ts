import type { Instruction } from './definition.js';
import { integerInstructions } from './integer/index.js';
import { sseInstructions } from './sse/index.js';
import { systemInstructions } from './system/index.js';
import { x87Instructions } from './x87/index.js';

/** Every instruction, each defined once. */
export const instructions: readonly Instruction[] = [
  ...integerInstructions,
  ...systemInstructions,
  ...x87Instructions,
  ...sseInstructions,
];
