import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';
import type { RuntimeExports } from '../engine/runtime-module.js';
import { FOUR_GIB, LOW_RAM_END } from '../machine/memory-map.js';
import { REGISTER_NAMES, SEGMENT_NAMES, type BootState } from '../firmware/boot/boot-state.js';

const ALL_FLAGS = 0x3fffff;

// Memory types of MTRRs (Intel SDM 3A, table 12-8)
const UNCACHEABLE = 0x00n;
const WRITE_PROTECTED = 0x05n;
const WRITE_BACK = 0x06n;
const MTRR_ENABLED = 0xc00n;
const MTRR_VALID = 0x800n;
const PHYSICAL_MASK = (1n << BigInt(L.CPUID_PHYSICAL_BITS)) - 1n;
/** Fixed ranges by their first address: 64K from 0, 16K from 80000h and A0000h, 4K each eighth of C0000h-FFFFFh. */
const FIXED_TYPES = [WRITE_BACK, WRITE_BACK, UNCACHEABLE, ...Array<bigint>(8).fill(WRITE_PROTECTED)];
const EACH_BYTE = 0x0101010101010101n;

/** Memory types as a BIOS sets them on every processor: all is cached but the hole for devices below 4 GiB. */
export function setMemoryTypes(memory: WebAssembly.Memory, { pointer }: Processor): void {
  const view = new DataView(memory.buffer);
  const put = (offset: number, value: bigint): void => view.setBigUint64(pointer + offset, value, true);
  put(L.S_MTRR_DEFTYPE, MTRR_ENABLED | WRITE_BACK);
  FIXED_TYPES.forEach((type, i) => put(L.S_MTRR_FIXED + 8 * i, type * EACH_BYTE));
  const hole = BigInt(LOW_RAM_END);
  put(L.S_MTRR_VARIABLE, hole | UNCACHEABLE);
  put(L.S_MTRR_VARIABLE + 8, (PHYSICAL_MASK & ~(BigInt(FOUR_GIB) - hole - 1n)) | MTRR_VALID);
}

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
