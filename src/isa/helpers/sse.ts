import type { Helper } from '../helpers.js';

export const sseHelpers = {} as const satisfies Record<string, Helper>;
