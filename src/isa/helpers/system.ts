import type { Helper } from '../helpers.js';

const fallible = (args: number): Helper => ({ args, result: true, faults: true });
const action = (args: number): Helper => ({ args, result: false, faults: true });

export const systemHelpers = {
  /** (segment): its selector; #UD for a number that is none */
  segmentSelector: fallible(1),
  /** (segment, selector) */
  loadSegment: action(2),
  lldt: action(1),
  ltr: action(1),
  /** (limit, base) */
  lgdt: action(2),
  lidt: action(2),
  /** (number, value) */
  writeCr: action(2),
  readCr: fallible(1),
  writeDr: action(2),
  readDr: fallible(1),
  clts: action(0),
  lmsw: action(1),
  rdmsr: fallible(1),
  wrmsr: action(2),
  cpuid: action(0),
  rdtsc: fallible(0),
  rdpmc: fallible(0),
  /** (linear) */
  invlpg: action(1),
  /** (type, linear address of the descriptor) */
  invpcid: action(2),
  /** (selector): the rights or the limit, -1 if not accessible */
  lar: fallible(1),
  lsl: fallible(1),
  verr: fallible(1),
  verw: fallible(1),
  /** (bits): the image that PUSHF pushes */
  pushf: fallible(1),
  popf: action(2),
  cli: action(0),
  sti: action(0),
  hlt: action(0),
  pause: { args: 0, result: false, faults: false },
  /** What VMCALL asks of the hypervisor, in registers. */
  hypercall: action(0),
  monitor: action(0),
  mwait: action(0),
  swapgs: action(0),
  xgetbv: fallible(0),
  xsetbv: action(2),
  clac: action(0),
  stac: action(0),
  fsgsbaseCheck: action(0),
  umipCheck: action(0),
  /** (1 for the XSAVE family) */
  stateCheck: action(1),
  /** (linear, 1 for the 64-bit format) */
  fxsave: action(2),
  fxrstor: action(2),
  /** (linear, 64-bit format, mask, kind: 0 XSAVE, 1 XSAVEOPT, 2 XSAVEC) */
  xsave: action(4),
  xrstor: action(3),
  /** 0 x87, 1 MMX, 2 SSE, 3 x87 that does not wait for pending exceptions */
  fpuCheck: action(1),
  waitCheck: action(0),
} as const satisfies Record<string, Helper>;

const transfer = (args: number): Helper => ({ args, result: false, faults: true });

/** Helpers that set RIP themselves; the binder adds the address of the next instruction as last argument (counted in args). */
export const transferHelpers = {
  /** (selector, offset, bits, next) */
  farJump: transfer(4),
  farCall: transfer(4),
  /** (bits, bytes to drop, next) */
  farReturn: transfer(3),
  iret: transfer(2),
  interruptSoftware: transfer(2),
  int3: transfer(1),
  int1: transfer(1),
  into: transfer(1),
  syscall: transfer(1),
  sysret: transfer(2),
  sysenter: transfer(1),
  sysexit: transfer(2),
} as const satisfies Record<string, Helper>;
