import type { StateField } from '../isa/ops.js';
import * as L from './layout.js';

const selector = (segment: number): number => L.S_SEG + L.SEG_BYTES * segment + L.SEG_SELECTOR;
const base = (segment: number): number => L.S_SEG + L.SEG_BYTES * segment + L.SEG_BASE;

/** Where the state that definitions name directly lies in a CPU block, and its size in bytes. */
export const stateFields: Record<StateField, { offset: number; bytes: 4 | 8 }> = {
  fcw: { offset: L.S_FCW, bytes: 4 },
  fsw: { offset: L.S_FSW, bytes: 4 },
  ftw: { offset: L.S_FTW, bytes: 4 },
  fop: { offset: L.S_FOP, bytes: 4 },
  fip: { offset: L.S_FIP, bytes: 8 },
  fdp: { offset: L.S_FDP, bytes: 8 },
  mxcsr: { offset: L.S_MXCSR, bytes: 4 },
  cr0: { offset: L.S_CR0, bytes: 8 },
  cr2: { offset: L.S_CR2, bytes: 8 },
  cr3: { offset: L.S_CR3, bytes: 8 },
  cr4: { offset: L.S_CR4, bytes: 8 },
  eflags: { offset: L.S_EFLAGS, bytes: 4 },
  fsBase: { offset: base(L.FS), bytes: 8 },
  gsBase: { offset: base(L.GS), bytes: 8 },
  kernelGsBase: { offset: L.S_KERNEL_GS_BASE, bytes: 8 },
  tscAux: { offset: L.S_TSC_AUX, bytes: 8 },
  cpl: { offset: L.S_CPL, bytes: 4 },
  esSelector: { offset: selector(L.ES), bytes: 4 },
  csSelector: { offset: selector(L.CS), bytes: 4 },
  ssSelector: { offset: selector(L.SS), bytes: 4 },
  dsSelector: { offset: selector(L.DS), bytes: 4 },
  fsSelector: { offset: selector(L.FS), bytes: 4 },
  gsSelector: { offset: selector(L.GS), bytes: 4 },
  ldtrSelector: { offset: selector(L.LDTR), bytes: 4 },
  trSelector: { offset: selector(L.TR), bytes: 4 },
  gdtrBase: { offset: L.S_GDTR, bytes: 8 },
  gdtrLimit: { offset: L.S_GDTR + 8, bytes: 4 },
  idtrBase: { offset: L.S_IDTR, bytes: 8 },
  idtrLimit: { offset: L.S_IDTR + 8, bytes: 4 },
};
