import type { Signature, WasmType } from './wasm/module.js';

/** Runtime functions that only the bindings call, beside the helpers of definitions. */
export const bindingImports: Record<string, Signature> = {
  load8: { params: ['i32', 'i64'], results: ['i64'] },
  load16: { params: ['i32', 'i64'], results: ['i64'] },
  load32: { params: ['i32', 'i64'], results: ['i64'] },
  load64: { params: ['i32', 'i64'], results: ['i64'] },
  store8: { params: ['i32', 'i64', 'i64'], results: [] },
  store16: { params: ['i32', 'i64', 'i64'], results: [] },
  store32: { params: ['i32', 'i64', 'i64'], results: [] },
  store64: { params: ['i32', 'i64', 'i64'], results: [] },
  loadSlot: { params: ['i32', 'i32', 'i64'], results: [] },
  storeSlot: { params: ['i32', 'i32', 'i64'], results: [] },
  probeWrite: { params: ['i32', 'i64', 'i32'], results: [] },
  lockedPlace: { params: ['i32', 'i64', 'i32'], results: ['i32'] },
  noticeLocked: { params: ['i32', 'i32', 'i32'], results: [] },
  effectiveAddress: { params: ['i32', 'i32', 'i32', 'i32'], results: ['i64'] },
  effectiveAddressBeyond: { params: ['i32', 'i32', 'i64', 'i32', 'i32'], results: ['i64'] },
  segmentLinear: { params: ['i32', 'i32', 'i64', 'i32', 'i32'], results: ['i64'] },
  settleFlags: { params: ['i32'], results: [] },
  bindSite: { params: ['i32', 'i32', 'i64'], results: ['i32'] },
  hasNeighbour: { params: ['i32', 'i32', 'i64'], results: ['i32'] },
  findPlace: { params: ['i32', 'i64', 'i32', 'i32'], results: ['i32'] },
  oddFloats: { params: ['i32', 'i32', 'i32'], results: ['i32'] },
  moveWhole: { params: ['i32', 'i64', 'i64', 'i64', 'i64'], results: ['i32'] },
  fillWhole: { params: ['i32', 'i64', 'i64', 'i64', 'i64'], results: ['i32'] },
  repeatAgain: { params: ['i32', 'i32'], results: [] },
};

/**
 * Translated code: CPU, entry number, instruction pointer of the page's first byte, budget, slots of the stack that calls use; gives the
 * instruction pointer to go on at (or REGION_LEFT) and the rest of the budget.
 */
export const REGION: Signature = { params: ['i32', 'i32', 'i64', 'i64', 'i32'], results: ['i64', 'i64'] };
/** What a region gives for an instruction pointer if the interpreter is to go on at S_RIP: no address of any mode. */
export const REGION_LEFT = -0x8000000000000000n;
/** Handlers outside the interpreter's loop, and its export `instruction`: CPU, record. */
export const HANDLER: Signature = { params: ['i32', 'i32'], results: ['i32'] };
/** The interpreter's export `call`: CPU, target, where it returns to, budget, slots used, call site or 0; gives what a region gives. */
export const CALL: Signature = {
  params: ['i32', 'i64', 'i64', 'i64', 'i32', 'i32'],
  results: ['i64', 'i64'],
};

/**
 * Guest calls in translated code nest as long as their callers' frames have less than this, in slots of 8 bytes; deeper ones go back to
 * the interpreter's loop first. The least stack is that of a worker in Chromium, 500 KiB.
 */
export const MOST_SLOTS = 40_000;
/** What a frame has at least. */
export const FRAME_SLOTS = 16;

export function helperSignature(args: number, result: boolean): Signature {
  return {
    params: ['i32', ...Array.from({ length: args }, () => 'i64' as WasmType)],
    results: result ? ['i64'] : [],
  };
}
