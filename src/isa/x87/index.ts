import type { Instruction } from '../definition.js';
import { x87Arithmetic } from './arithmetic.js';
import { x87Control } from './control.js';
import { x87Transfers } from './transfer.js';

export const x87Instructions: Instruction[] = [...x87Arithmetic, ...x87Transfers, ...x87Control];
