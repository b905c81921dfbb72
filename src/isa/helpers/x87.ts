import type { Helper } from '../helpers.js';

export const x87Helpers = {} as const satisfies Record<string, Helper>;
