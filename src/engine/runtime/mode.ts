import {
  AS_SUPERVISOR, AS_SUPERVISOR_SMAP, AS_USER, CS, DS, EFLAGS_AC, EFLAGS_VM, ES, FS, GS, MODE_ALIGNMENT_CHECK, MODE_CPL3, MODE_CS32, MODE_FLAT, MODE_FPU_CHECK, MODE_LMA, MODE_LONG, MODE_PROTECTED, MODE_SS32, MODE_VM86, S_CPL, S_CR0,
  S_CR4, S_DR, S_EFER, S_EFLAGS, S_GLOBAL_KEY, S_JUMP_KEY, S_JUMP_SEGMENT_BASE, S_JUMP_SEGMENT_LIMIT, S_MMU, S_MODE, S_OPEN_SEGMENTS, S_SEG, S_TLB, S_TLB_NONE, S_TLB_READ, S_TLB_WRITE, S_WATCH, SEG_ATTR, SEG_BASE, SEG_BYTES,
  SEG_LIMIT, SEG_NULL, SS, TLB_BYTES,
} from '../layout'; // prettier-ignore
import { newGeneration } from './tlb';

// Control registers and EFER (SDM vol. 3, 2.2.1 and 2.5)
export const CR0_PE: i64 = 1;
export const CR0_MP: i64 = 2;
export const CR0_EM: i64 = 4;
export const CR0_TS: i64 = 8;
export const CR0_ET: i64 = 0x10;
export const CR0_NE: i64 = 0x20;
export const CR0_WP: i64 = 0x10000;
export const CR0_AM: i64 = 0x40000;
export const CR0_NW: i64 = 0x20000000;
export const CR0_CD: i64 = 0x40000000;
export const CR0_PG: i64 = 0x80000000;
export const CR4_VME: i64 = 1;
export const CR4_PVI: i64 = 2;
export const CR4_TSD: i64 = 4;
export const CR4_DE: i64 = 8;
export const CR4_PSE: i64 = 0x10;
export const CR4_PAE: i64 = 0x20;
export const CR4_MCE: i64 = 0x40;
export const CR4_PGE: i64 = 0x80;
export const CR4_PCE: i64 = 0x100;
export const CR4_OSFXSR: i64 = 0x200;
export const CR4_OSXMMEXCPT: i64 = 0x400;
export const CR4_UMIP: i64 = 0x800;
export const CR4_LA57: i64 = 0x1000;
export const CR4_FSGSBASE: i64 = 0x10000;
export const CR4_PCIDE: i64 = 0x20000;
export const CR4_OSXSAVE: i64 = 0x40000;
export const CR4_SMEP: i64 = 0x100000;
export const CR4_SMAP: i64 = 0x200000;
export const EFER_SCE: i64 = 1;
export const EFER_LME: i64 = 0x100;
export const EFER_LMA: i64 = 0x400;
export const EFER_NXE: i64 = 0x800;

/** The bits of EFLAGS that exist, without bit 1, which is always set. */
export const EFLAGS_ALL: u32 = 0x3f7fd5;

/** Whether an address is canonical, whatever the mode: 48 bits, or 57 with CR4.LA57. */
export function canonical(cpu: u32, address: i64): bool {
  const up: i64 = (load<i64>(cpu + S_CR4) & CR4_LA57) != 0 ? 7 : 16;
  return (address << up) >> up == address;
}

export function segment(cpu: u32, n: u32): u32 {
  return cpu + S_SEG + n * SEG_BYTES;
}

/** A writable, expand-up data segment of the whole 4 GiB. */
function isFlatData(cpu: u32, n: u32): bool {
  return isOpenData(cpu, n) && load<i64>(segment(cpu, n) + SEG_BASE) == 0;
}

/** Writable, not expand-down, with all of 4 GiB. */
function isOpenData(cpu: u32, n: u32): bool {
  const register = segment(cpu, n);
  if ((load<u32>(register + SEG_ATTR) & (SEG_NULL | 0x9e)) != 0x92) return false;
  return load<i64>(register + SEG_LIMIT) == 0xffffffff;
}

/** Computes what decoded code and the TLB assume of the mode, after any change of CR0, CR4, EFER, CPL, AC, VM or a segment register. */
export function updateMode(cpu: u32): void {
  const cr0 = load<i64>(cpu + S_CR0);
  const cr4 = load<i64>(cpu + S_CR4);
  const flags = load<u32>(cpu + S_EFLAGS);
  const cpl = load<u32>(cpu + S_CPL);
  const code = load<u32>(segment(cpu, CS) + SEG_ATTR);
  let mode: u32 = cpl == 3 ? MODE_CPL3 : 0;
  const virtual8086 = (flags & EFLAGS_VM) != 0;
  if ((cr0 & CR0_PE) != 0) mode |= virtual8086 ? MODE_VM86 : MODE_PROTECTED;
  const active = (load<i64>(cpu + S_EFER) & EFER_LMA) != 0;
  if (active) mode |= MODE_LMA;
  if (active && (code & 0x2000) != 0) mode |= MODE_LONG;
  else {
    if ((code & 0x4000) != 0) mode |= MODE_CS32;
    if ((load<u32>(segment(cpu, SS) + SEG_ATTR) & 0x4000) != 0) mode |= MODE_SS32;
    const base = load<i64>(segment(cpu, CS) + SEG_BASE);
    const limit = load<i64>(segment(cpu, CS) + SEG_LIMIT);
    if (base != load<i64>(cpu + S_JUMP_SEGMENT_BASE) || limit != load<i64>(cpu + S_JUMP_SEGMENT_LIMIT)) {
      store<i64>(cpu + S_JUMP_SEGMENT_BASE, base);
      store<i64>(cpu + S_JUMP_SEGMENT_LIMIT, limit);
      newGeneration(cpu);
    }
    const codeFlat = base == 0 && limit == 0xffffffff;
    if ((mode & MODE_PROTECTED) != 0 && codeFlat && isFlatData(cpu, DS) && isFlatData(cpu, ES) && isFlatData(cpu, SS)) mode |= MODE_FLAT;
    store<u32>(cpu + S_OPEN_SEGMENTS, (isOpenData(cpu, FS) ? 1 << FS : 0) | (isOpenData(cpu, GS) ? 1 << GS : 0));
  }
  const checked = cpl == 3 && (flags & EFLAGS_AC) != 0 && (cr0 & CR0_AM) != 0;
  if (checked) mode |= MODE_ALIGNMENT_CHECK;
  if ((cr0 & (CR0_EM | CR0_TS)) != 0 || (cr4 & CR4_OSFXSR) == 0) mode |= MODE_FPU_CHECK;
  store<u32>(cpu + S_MODE, mode);
  store<u32>(cpu + S_JUMP_KEY, (load<u32>(cpu + S_JUMP_KEY) & ~0xfff) | mode);
  store<u32>(cpu + S_GLOBAL_KEY, (load<u32>(cpu + S_GLOBAL_KEY) & ~0xfff) | mode);

  let mmu: u32 = AS_USER;
  if (cpl != 3) mmu = (cr4 & CR4_SMAP) != 0 && (flags & EFLAGS_AC) == 0 ? AS_SUPERVISOR_SMAP : AS_SUPERVISOR;
  store<u32>(cpu + S_MMU, mmu);
  const read = cpu + S_TLB + mmu * 2 * TLB_BYTES;
  store<u32>(cpu + S_TLB_READ, checked ? cpu + S_TLB_NONE : read);
  store<u32>(cpu + S_TLB_WRITE, checked ? cpu + S_TLB_NONE : read + TLB_BYTES);
  // data breakpoints: enabled ones that are not for execution
  const dr7 = <u32>load<i64>(cpu + S_DR + 56);
  let watch: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) if (((dr7 >> (2 * i)) & 3) != 0 && ((dr7 >> (16 + 4 * i)) & 3) != 0) watch = 1;
  store<u32>(cpu + S_WATCH, watch);
}
