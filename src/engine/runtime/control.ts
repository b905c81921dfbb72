import {
  EFLAGS_AC, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_RF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, GS, MODE_LMA, MODE_LONG, MODE_VM86, PENDING_STEP, RUN_HALTED, S_CPL,
  S_CR0, S_CR2, S_CR3, S_CR4, S_DR, S_EFER, S_EFLAGS, S_FEATURES, S_GDTR, S_IDTR, S_KERNEL_GS_BASE, S_MODE, S_PENDING, S_RUN, S_SHADOW_NEXT, S_TSC_OFFSET,
  S_XCR0, SEG_BASE, FEATURE_LA57, CS, SEG_ATTR,
} from '../layout'; // prettier-ignore
import { DB, faulted, GP, raise, raiseWithError, UD } from './fault';
import { debugFault } from './exception';
import { getEflags, setEflags } from './flags';
import { now, tprRead, tprWrite } from './host';
import { loadAs, load64 } from './memory';
import { CR0_AM, CR0_EM, CR0_MP, CR0_NE, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_OSFXSR, EFER_LMA, segment, updateMode } from './mode';
import { flushPage, flushTlb } from './tlb';

const CR0_ET: i64 = 0x10;
const CR0_NW: i64 = 0x20000000;
const CR0_CD: i64 = 0x40000000;
const CR0_KNOWN: i64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;

const CR4_VME: i64 = 1;
const CR4_PVI: i64 = 2;
const CR4_TSD: i64 = 4;
const CR4_DE: i64 = 8;
const CR4_PSE: i64 = 0x10;
const CR4_PAE: i64 = 0x20;
const CR4_MCE: i64 = 0x40;
const CR4_PGE: i64 = 0x80;
const CR4_PCE: i64 = 0x100;
const CR4_OSXMMEXCPT: i64 = 0x400;
const CR4_UMIP: i64 = 0x800;
const CR4_LA57: i64 = 0x1000;
const CR4_FSGSBASE: i64 = 0x10000;
const CR4_PCIDE: i64 = 0x20000;
const CR4_OSXSAVE: i64 = 0x40000;
const CR4_SMEP: i64 = 0x100000;
const CR4_SMAP: i64 = 0x200000;
const CR4_KNOWN: i64 =
  CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP |
  CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP; // prettier-ignore
const EFER_LME: i64 = 0x100;

export function readCr(cpu: u32, number: i64): i64 {
  if (number == 0) return load<i64>(cpu + S_CR0);
  if (number == 2) return load<i64>(cpu + S_CR2);
  if (number == 3) return load<i64>(cpu + S_CR3);
  if (number == 4) return load<i64>(cpu + S_CR4);
  if (number == 8 && (load<u32>(cpu + S_MODE) & MODE_LONG) != 0) return <i64>tprRead(cpu);
  raise(cpu, UD);
  return 0;
}

export function writeCr(cpu: u32, number: i64, value: i64): void {
  if (number == 0) writeCr0(cpu, value);
  else if (number == 2) store<i64>(cpu + S_CR2, value);
  else if (number == 3) writeCr3(cpu, value);
  else if (number == 4) writeCr4(cpu, value);
  else if (number == 8 && (load<u32>(cpu + S_MODE) & MODE_LONG) != 0) {
    if ((value & ~15) != 0) raiseWithError(cpu, GP, 0);
    else tprWrite(cpu, <u32>value);
  } else raise(cpu, UD);
}

function writeCr0(cpu: u32, written: i64): void {
  if (written >>> 32 != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const value = (written & CR0_KNOWN) | CR0_ET;
  const old = load<i64>(cpu + S_CR0);
  const bad = ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) || ((value & CR0_NW) != 0 && (value & CR0_CD) == 0);
  if (bad || ((load<i64>(cpu + S_CR4) & CR4_PCIDE) != 0 && (value & CR0_PG) == 0 && (load<i64>(cpu + S_EFER) & EFER_LMA) != 0)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  let efer = load<i64>(cpu + S_EFER);
  if (((old ^ value) & CR0_PG) != 0) {
    if ((value & CR0_PG) != 0 && (efer & EFER_LME) != 0) {
      // IA-32e mode needs PAE and code that is not marked 64-bit (SDM vol. 3, 9.8.5)
      if ((load<i64>(cpu + S_CR4) & CR4_PAE) == 0 || (load<u32>(segment(cpu, CS) + SEG_ATTR) & 0x2000) != 0) {
        raiseWithError(cpu, GP, 0);
        return;
      }
      efer |= EFER_LMA;
    } else if ((value & CR0_PG) == 0) {
      if ((load<u32>(cpu + S_MODE) & MODE_LONG) != 0) {
        raiseWithError(cpu, GP, 0);
        return;
      }
      efer &= ~EFER_LMA;
    }
  }
  store<i64>(cpu + S_EFER, efer);
  store<i64>(cpu + S_CR0, value);
  if (((old ^ value) & (CR0_PG | CR0_WP | CR0_PE)) != 0) flushTlb(cpu, false);
  updateMode(cpu);
}

function writeCr3(cpu: u32, value: i64): void {
  let cr3 = value;
  if ((load<i64>(cpu + S_CR4) & CR4_PCIDE) != 0) cr3 &= 0x7fffffffffffffff;
  if ((load<i64>(cpu + S_EFER) & EFER_LMA) != 0 && cr3 >>> 52 != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_CR3, cr3);
  // Bit 63 asks to keep the translations of the PCID. There is one set of translations, so they go.
  flushTlb(cpu, true);
}

function writeCr4(cpu: u32, value: i64): void {
  const old = load<i64>(cpu + S_CR4);
  const changed = old ^ value;
  let known = CR4_KNOWN;
  if ((load<u32>(cpu + S_FEATURES) & FEATURE_LA57) != 0) known |= CR4_LA57;
  const long = (load<i64>(cpu + S_EFER) & EFER_LMA) != 0;
  let bad = (value & ~known) != 0;
  if (long) bad = bad || (value & CR4_PAE) == 0 || (changed & CR4_LA57) != 0;
  if ((changed & value & CR4_PCIDE) != 0) bad = bad || !long || (load<i64>(cpu + S_CR3) & 0xfff) != 0;
  if (bad) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_CR4, value);
  if ((changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57)) != 0) flushTlb(cpu, false);
  updateMode(cpu);
}

export function clts(cpu: u32): void {
  store<i64>(cpu + S_CR0, load<i64>(cpu + S_CR0) & ~CR0_TS);
  updateMode(cpu);
}

/** LMSW sets the low four bits of CR0; it cannot clear PE. */
export function lmsw(cpu: u32, value: i64): void {
  const old = load<i64>(cpu + S_CR0);
  writeCr0(cpu, (old & ~14) | (value & 15) | (old & CR0_PE));
}

// ---- debug registers (SDM vol. 3, 17.2)
const DR7_GD: i64 = 0x2000;

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; general detect raises #DB. */
function debugNumber(cpu: u32, number: i64): i64 {
  let n = number;
  if (n == 4 || n == 5) {
    if ((load<i64>(cpu + S_CR4) & CR4_DE) != 0) {
      raise(cpu, UD);
      return -1;
    }
    n += 2;
  }
  if (n > 7) {
    raise(cpu, UD);
    return -1;
  }
  if ((load<i64>(cpu + S_DR + 56) & DR7_GD) != 0) {
    store<i64>(cpu + S_DR + 48, load<i64>(cpu + S_DR + 48) | 0x2000);
    store<i64>(cpu + S_DR + 56, load<i64>(cpu + S_DR + 56) & ~DR7_GD);
    raise(cpu, DB);
    return -1;
  }
  return n;
}

export function readDr(cpu: u32, number: i64): i64 {
  const n = debugNumber(cpu, number);
  return n < 0 ? 0 : load<i64>(cpu + S_DR + 8 * <u32>n);
}

export function writeDr(cpu: u32, number: i64, value: i64): void {
  const n = debugNumber(cpu, number);
  if (n < 0) return;
  if (n >= 6 && value >>> 32 != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  let kept = value;
  if (n == 6) kept = (value & 0xe00f) | 0xffff0ff0;
  if (n == 7) kept = (value & 0xffff2fff) | 0x400;
  store<i64>(cpu + S_DR + 8 * <u32>n, kept);
  updateMode(cpu);
  // Pages with data breakpoints must leave the fast path.
  flushTlb(cpu, false);
}

// ---- tables
export function lgdt(cpu: u32, limit: i64, base: i64): void {
  if ((base << 16) >> 16 != base && (load<u32>(cpu + S_MODE) & MODE_LONG) != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_GDTR, base);
  store<u32>(cpu + S_GDTR + 8, <u32>limit);
}
export function lidt(cpu: u32, limit: i64, base: i64): void {
  if ((base << 16) >> 16 != base && (load<u32>(cpu + S_MODE) & MODE_LONG) != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_IDTR, base);
  store<u32>(cpu + S_IDTR + 8, <u32>limit);
}

export function invlpg(cpu: u32, linear: i64): void {
  flushPage(cpu, linear);
}

/** INVPCID: types 0 to 3; all but single-address flush everything here. */
export function invpcid(cpu: u32, type: i64, descriptor: i64): void {
  const pcid = load64(cpu, descriptor);
  if (faulted(cpu)) return;
  const linear = load64(cpu, descriptor + 8);
  if (faulted(cpu)) return;
  const needsPcid = <u64>type <= 1;
  const pcidBad = needsPcid && (pcid & ~0xfff) != 0;
  const disabled = needsPcid && (pcid & 0xfff) != 0 && (load<i64>(cpu + S_CR4) & CR4_PCIDE) == 0;
  if (<u64>type > 3 || pcidBad || disabled || (type == 0 && (linear << 16) >> 16 != linear)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (type == 0) flushPage(cpu, linear);
  else flushTlb(cpu, type == 1 || type == 3);
}

// ---- flags

export function pushf(cpu: u32, bits: i64): i64 {
  let flags = getEflags(cpu) & ~(EFLAGS_VM | EFLAGS_RF);
  if ((load<u32>(cpu + S_MODE) & MODE_VM86) != 0 && (flags & EFLAGS_IOPL) != EFLAGS_IOPL) {
    if ((load<i64>(cpu + S_CR4) & CR4_VME) == 0 || bits != 16) {
      raiseWithError(cpu, GP, 0);
      return 0;
    }
    flags = (flags & ~EFLAGS_IF) | EFLAGS_IOPL | ((flags & EFLAGS_VIF) != 0 ? EFLAGS_IF : 0);
  }
  return <i64>flags;
}

/** What POPF may always change: CF PF AF ZF SF TF DF OF NT; AC ID with 32 bits (RF is cleared). */
const POPF_16: u32 = 0x4dd5;
const POPF_32: u32 = 0x254dd5 & ~EFLAGS_RF;

export function popf(cpu: u32, bits: i64, value: i64): void {
  let flags = <u32>value;
  const cpl = load<u32>(cpu + S_CPL);
  const current = load<u32>(cpu + S_EFLAGS);
  const iopl = (current & EFLAGS_IOPL) >> 12;
  let mask: u32 = bits == 16 ? POPF_16 : POPF_32;
  if ((load<u32>(cpu + S_MODE) & MODE_VM86) != 0) {
    if (iopl == 3) mask |= EFLAGS_IF;
    else {
      const vme = (load<i64>(cpu + S_CR4) & CR4_VME) != 0 && bits == 16;
      if (!vme || (flags & 0x100) != 0 || ((flags & EFLAGS_IF) != 0 && (current & EFLAGS_VIP) != 0)) {
        raiseWithError(cpu, GP, 0);
        return;
      }
      mask |= EFLAGS_VIF;
      flags = (flags & ~EFLAGS_VIF) | ((flags & EFLAGS_IF) != 0 ? EFLAGS_VIF : 0);
    }
  } else {
    if (cpl <= iopl) mask |= EFLAGS_IF;
    if (cpl == 0) mask |= EFLAGS_IOPL;
    if (bits != 16) {
      // VIF and VIP are cleared by POPFD at level 0 only as far as they may be set there: they stay.
      flags &= ~EFLAGS_RF;
      mask |= EFLAGS_RF;
    }
  }
  setEflags(cpu, flags, mask);
  updateMode(cpu);
}

/** CLI and STI: by IOPL, or on VIF with the virtual-interrupt extensions (SDM vol. 2, STI table). */
export function cli(cpu: u32): void {
  const flags = load<u32>(cpu + S_EFLAGS);
  if (mayChangeIf(cpu, flags)) store<u32>(cpu + S_EFLAGS, flags & ~EFLAGS_IF);
  else if (virtualIf(cpu)) store<u32>(cpu + S_EFLAGS, flags & ~EFLAGS_VIF);
  else raiseWithError(cpu, GP, 0);
}

export function sti(cpu: u32): void {
  const flags = load<u32>(cpu + S_EFLAGS);
  if (mayChangeIf(cpu, flags)) {
    if ((flags & EFLAGS_IF) == 0) store<u32>(cpu + S_SHADOW_NEXT, 1);
    store<u32>(cpu + S_EFLAGS, flags | EFLAGS_IF);
  } else if (virtualIf(cpu) && (flags & EFLAGS_VIP) == 0) store<u32>(cpu + S_EFLAGS, flags | EFLAGS_VIF);
  else raiseWithError(cpu, GP, 0);
}

function mayChangeIf(cpu: u32, flags: u32): bool {
  const iopl = (flags & EFLAGS_IOPL) >> 12;
  if ((load<i64>(cpu + S_CR0) & CR0_PE) == 0) return true;
  return (flags & EFLAGS_VM) != 0 ? iopl == 3 : load<u32>(cpu + S_CPL) <= iopl;
}

function virtualIf(cpu: u32): bool {
  const cr4 = load<i64>(cpu + S_CR4);
  if ((load<u32>(cpu + S_EFLAGS) & EFLAGS_VM) != 0) return (cr4 & CR4_VME) != 0;
  return load<u32>(cpu + S_CPL) == 3 && (cr4 & CR4_PVI) != 0;
}

export function clac(cpu: u32): void {
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~EFLAGS_AC);
  updateMode(cpu);
}
export function stac(cpu: u32): void {
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) | EFLAGS_AC);
  updateMode(cpu);
}

// ---- waiting

export function hlt(cpu: u32): void {
  store<u32>(cpu + S_RUN, RUN_HALTED);
  atomic.or<u32>(cpu + S_PENDING, PENDING_STEP);
}

/** MONITOR arms nothing: MWAIT then waits for an interrupt, or goes on at once if none could come. */
export function monitor(cpu: u32): void {}

export function mwait(cpu: u32): void {
  if ((load<u32>(cpu + S_EFLAGS) & EFLAGS_IF) != 0) hlt(cpu);
}

// ---- the rest

export function swapgs(cpu: u32): void {
  const base = segment(cpu, GS) + SEG_BASE;
  const old = load<i64>(base);
  store<i64>(base, load<i64>(cpu + S_KERNEL_GS_BASE));
  store<i64>(cpu + S_KERNEL_GS_BASE, old);
}

export function rdtsc(cpu: u32): i64 {
  if ((load<i64>(cpu + S_CR4) & CR4_TSD) != 0 && load<u32>(cpu + S_CPL) != 0) {
    raiseWithError(cpu, GP, 0);
    return 0;
  }
  return now(cpu) + load<i64>(cpu + S_TSC_OFFSET);
}

/** There are no performance counters. */
export function rdpmc(cpu: u32): i64 {
  raiseWithError(cpu, GP, 0);
  return 0;
}

export function fsgsbaseCheck(cpu: u32): void {
  if ((load<i64>(cpu + S_CR4) & CR4_FSGSBASE) == 0) raise(cpu, UD);
}

export function umipCheck(cpu: u32): void {
  if ((load<i64>(cpu + S_CR4) & CR4_UMIP) != 0 && load<u32>(cpu + S_CPL) != 0) raiseWithError(cpu, GP, 0);
}

/** x87 and SSE components; bit 0 cannot be cleared. */
const XCR0_SUPPORTED: i64 = 3;

export function xgetbv(cpu: u32): i64 {
  if ((load<i64>(cpu + S_CR4) & CR4_OSXSAVE) == 0) {
    raise(cpu, UD);
    return 0;
  }
  const index = load<u32>(cpu + 8);
  if (index == 0) return load<i64>(cpu + S_XCR0);
  if (index == 1) return load<i64>(cpu + S_XCR0);
  raiseWithError(cpu, GP, 0);
  return 0;
}

export function xsetbv(cpu: u32, index: i64, value: i64): void {
  if ((load<i64>(cpu + S_CR4) & CR4_OSXSAVE) == 0) {
    raise(cpu, UD);
    return;
  }
  if (index != 0 || (value & ~XCR0_SUPPORTED) != 0 || (value & 1) == 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_XCR0, value);
}
