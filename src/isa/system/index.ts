import type { Instruction } from '../definition.js';
import { control } from './control.js';
import { extendedState } from './extended-state.js';
import { processor } from './processor.js';
import { segments } from './segments.js';

export const systemInstructions: Instruction[] = [...segments, ...control, ...processor, ...extendedState];
