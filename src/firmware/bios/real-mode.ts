import { REGISTER_NAMES, type BootSegment, type BootState, type RegisterName } from '../boot/boot-state.js';

/** Present, writable data, accessed; and code. */
const DATA = 0x93;
const CODE = 0x9b;
const LDT = 0x82;
const TSS = 0x8b;
const LIMIT = 0xffff;
const CR0_ET = 1n << 4n;
const FIXED_FLAGS = 2n;
const VECTORS_LIMIT = 0x3ff;

/** Real mode at `segment:offset`, stack at 0:`stack`, interrupts off. */
export function realModeState(segment: number, offset: number, stack: number): BootState {
  const part = (selector: number, attr: number): BootSegment => ({
    selector,
    base: BigInt(selector * 16),
    limit: LIMIT,
    attr,
  });
  const data = part(0, DATA);
  const zero = Object.fromEntries(REGISTER_NAMES.map((name) => [name, 0n])) as Record<RegisterName, bigint>;
  return {
    registers: { ...zero, rsp: BigInt(stack) },
    rip: BigInt(offset),
    rflags: FIXED_FLAGS,
    segments: {
      es: data,
      cs: part(segment, CODE),
      ss: data,
      ds: data,
      fs: data,
      gs: data,
      ldtr: part(0, LDT),
      tr: part(0, TSS),
    },
    gdtr: { base: 0n, limit: LIMIT },
    idtr: { base: 0n, limit: VECTORS_LIMIT },
    cr0: CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}
