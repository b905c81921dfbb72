import type { Helper } from '../helpers.js';

export const integerHelpers = {} as const satisfies Record<string, Helper>;
