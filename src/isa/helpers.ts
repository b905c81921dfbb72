import { integerHelpers } from './helpers/integer.js';
import { sseHelpers } from './helpers/sse.js';
import { systemHelpers, transferHelpers } from './helpers/system.js';
import { x87Helpers } from './helpers/x87.js';

/**
 * Functions of the runtime that definitions call: what is long, 64-bit and branchy. Each is exported by the runtime under
 * the same name, with the CPU pointer (u32) as first parameter and `args` further i64 parameters.
 */
export interface Helper {
  /** i64 parameters after the CPU pointer. */
  readonly args: number;
  /** Returns an i64. */
  readonly result: boolean;
  /** May raise a fault (S_FAULT): the binder tests for it after the call. */
  readonly faults: boolean;
}

export const helpers = { ...integerHelpers, ...systemHelpers, ...x87Helpers, ...sseHelpers } as const;
export { transferHelpers };
export type HelperName = keyof typeof helpers;
export type TransferName = keyof typeof transferHelpers;
