import type { Helper } from '../helpers.js';

export const systemHelpers = {} as const satisfies Record<string, Helper>;

/** Helpers that set RIP themselves; the binder adds the address of the next instruction as last argument (counted in args). */
export const transferHelpers = {} as const satisfies Record<string, Helper>;
