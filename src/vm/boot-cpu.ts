import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';
import type { RuntimeExports } from '../engine/runtime-module.js';
import { REGISTER_NAMES, SEGMENT_NAMES, type BootState } from '../firmware/boot/boot-state.js';

const ALL_FLAGS = 0x3fffff;

/** Puts the bootstrap processor into the state in which a kernel is entered. */
export function enterKernel(
  memory: WebAssembly.Memory,
  processor: Processor,
  runtime: RuntimeExports,
  state: BootState,
): void {
  const view = new DataView(memory.buffer);
  const { pointer } = processor;
  const put = (offset: number, value: bigint): void =>
    view.setBigUint64(pointer + offset, BigInt.asUintN(64, value), true);
  REGISTER_NAMES.forEach((name, i) => put(L.S_GPR + 8 * i, state.registers[name]));
  SEGMENT_NAMES.forEach((name, i) => {
    const { selector, attr, base, limit } = state.segments[name];
    const at = L.S_SEG + L.SEG_BYTES * i;
    view.setUint32(pointer + at + L.SEG_SELECTOR, selector, true);
    view.setUint32(pointer + at + L.SEG_ATTR, attr, true);
    put(at + L.SEG_BASE, base);
    put(at + L.SEG_LIMIT, BigInt(limit));
  });
  for (const [at, table] of [
    [L.S_GDTR, state.gdtr],
    [L.S_IDTR, state.idtr],
  ] as const) {
    put(at, table.base);
    view.setUint32(pointer + at + 8, table.limit, true);
  }
  put(L.S_CR0, state.cr0);
  put(L.S_CR3, state.cr3);
  put(L.S_CR4, state.cr4);
  put(L.S_EFER, state.efer);
  put(L.S_RIP, state.rip);
  view.setUint32(pointer + L.S_CPL, 0, true);
  runtime.setEflags(pointer, Number(state.rflags), ALL_FLAGS);
  runtime.updateMode(pointer);
  runtime.flushTlb(pointer, false);
}
