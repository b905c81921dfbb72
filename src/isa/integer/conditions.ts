import type { Instruction } from '../definition.js';
import type { ConditionCode } from '../ops.js';

/** Names of the conditions by their encoding (SDM vol. 1, appendix B). */
const CONDITIONS = 'O NO B AE E NE BE A S NS P NP L GE LE G'.split(' ');

export const hexByte = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** Instructions that are there once for each condition; `make` gets the condition's name and its code. */
export function forConditions(make: (condition: string, cc: ConditionCode) => Instruction): Instruction[] {
  return CONDITIONS.map((condition, cc) => make(condition, cc as ConditionCode));
}
