import {
  CS, FEATURE_LA57, MODE_LONG, S_CR0, S_CR2, S_CR3, S_CR4, S_EFER, S_FEATURES, S_GDTR, S_IDTR, S_MODE, SEG_ATTR, TR, CPUID_PHYSICAL_BITS,
} from '../layout'; // prettier-ignore
import { ATTR_L, ATTR_P } from './descriptor';
import { cpuidBit, EBX, ECX, EDX } from './cpuid';
import { faulted, GP, raise, raiseWithError, UD } from './fault';
import { tprRead, tprWrite } from './host';
import { load64 } from './memory';
import {
  canonical, CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_FSGSBASE, CR4_LA57, CR4_MCE, CR4_OSFXSR,
  CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PAE, CR4_PCE, CR4_PCIDE, CR4_PGE, CR4_PSE, CR4_PVI, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME, EFER_LMA, EFER_LME,
  segment, updateMode,
} from './mode'; // prettier-ignore
import { plainAddress } from './physical';
import { flushPage, flushTlb } from './tlb';

const CR0_KNOWN: i64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
/** Bits of PAE's page-directory-pointer entries that must be zero (SDM vol. 3, table 4-8). */
const PDPTE_RESERVED: i64 = 0x1e6 | ~((<i64>1 << CPUID_PHYSICAL_BITS) - 1);
/** CR4 bits that change how linear addresses are translated. */
const CR4_PAGING: i64 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57;

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
  if (bad || ((load<i64>(cpu + S_CR4) & CR4_PCIDE) != 0 && (value & CR0_PG) == 0)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  let efer = load<i64>(cpu + S_EFER);
  if (((old ^ value) & CR0_PG) != 0) {
    if ((value & CR0_PG) != 0 && (efer & EFER_LME) != 0) {
      // IA-32e mode needs PAE, code that is not marked 64-bit, and no 16-bit TSS (SDM vol. 3, 9.8.5 and 9.8.5.4)
      const task = load<u32>(segment(cpu, TR) + SEG_ATTR);
      const shortTask = (task & ATTR_P) != 0 && ((task & 0x1f) == 1 || (task & 0x1f) == 3);
      if ((load<i64>(cpu + S_CR4) & CR4_PAE) == 0 || (load<u32>(segment(cpu, CS) + SEG_ATTR) & ATTR_L) != 0 || shortTask) {
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
  if (((old ^ value) & (CR0_PG | CR0_CD | CR0_NW)) != 0 && !goodPdptes(cpu, value, load<i64>(cpu + S_CR4), efer, load<i64>(cpu + S_CR3))) return;
  store<i64>(cpu + S_EFER, efer);
  store<i64>(cpu + S_CR0, value);
  if (((old ^ value) & (CR0_PG | CR0_WP | CR0_PE)) != 0) flushTlb(cpu, false);
  updateMode(cpu);
}

function writeCr3(cpu: u32, value: i64): void {
  let cr3 = value;
  if ((load<i64>(cpu + S_CR4) & CR4_PCIDE) != 0) cr3 &= 0x7fffffffffffffff;
  const efer = load<i64>(cpu + S_EFER);
  if ((efer & EFER_LMA) != 0 && cr3 >>> CPUID_PHYSICAL_BITS != 0) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (!goodPdptes(cpu, load<i64>(cpu + S_CR0), load<i64>(cpu + S_CR4), efer, cr3)) return;
  store<i64>(cpu + S_CR3, cr3);
  // Bit 63 asks to keep the translations of the PCID. There is one set of translations, so they go.
  flushTlb(cpu, true);
}

/** With PAE paging, writes to control registers load the four page-directory-pointer entries: #GP(0) and false if one is not as it must be. */
function goodPdptes(cpu: u32, cr0: i64, cr4: i64, efer: i64, cr3: i64): bool {
  if ((cr0 & CR0_PG) == 0 || (cr4 & CR4_PAE) == 0 || (efer & EFER_LMA) != 0) return true;
  for (let i: i64 = 0; i < 4; i++) {
    const host = plainAddress((cr3 & 0xffffffe0) + 8 * i);
    const entry: i64 = host != 0 ? load<i64>(host) : -1;
    if ((entry & 1) == 0 || (entry & PDPTE_RESERVED) == 0) continue;
    raiseWithError(cpu, GP, 0);
    return false;
  }
  return true;
}

/** CR4 bits of the features that the CPU model has. */
function knownCr4(cpu: u32): i64 {
  let known: i64 = CR4_PCE;
  if (cpuidBit(cpu, 1, EDX, 1)) known |= CR4_VME | CR4_PVI;
  if (cpuidBit(cpu, 1, EDX, 2)) known |= CR4_DE;
  if (cpuidBit(cpu, 1, EDX, 3)) known |= CR4_PSE;
  if (cpuidBit(cpu, 1, EDX, 4)) known |= CR4_TSD;
  if (cpuidBit(cpu, 1, EDX, 6)) known |= CR4_PAE;
  if (cpuidBit(cpu, 1, EDX, 7)) known |= CR4_MCE;
  if (cpuidBit(cpu, 1, EDX, 13)) known |= CR4_PGE;
  if (cpuidBit(cpu, 1, EDX, 24)) known |= CR4_OSFXSR;
  if (cpuidBit(cpu, 1, EDX, 25)) known |= CR4_OSXMMEXCPT;
  if (cpuidBit(cpu, 1, ECX, 17)) known |= CR4_PCIDE;
  if (cpuidBit(cpu, 1, ECX, 26)) known |= CR4_OSXSAVE;
  if (cpuidBit(cpu, 7, EBX, 0)) known |= CR4_FSGSBASE;
  if (cpuidBit(cpu, 7, EBX, 7)) known |= CR4_SMEP;
  if (cpuidBit(cpu, 7, EBX, 20)) known |= CR4_SMAP;
  if (cpuidBit(cpu, 7, ECX, 2)) known |= CR4_UMIP;
  if ((load<u32>(cpu + S_FEATURES) & FEATURE_LA57) != 0) known |= CR4_LA57;
  return known;
}

function writeCr4(cpu: u32, value: i64): void {
  const old = load<i64>(cpu + S_CR4);
  const changed = old ^ value;
  const efer = load<i64>(cpu + S_EFER);
  const long = (efer & EFER_LMA) != 0;
  let bad = (value & ~knownCr4(cpu)) != 0;
  if (long) bad = bad || (value & CR4_PAE) == 0 || (changed & CR4_LA57) != 0;
  if ((changed & value & CR4_PCIDE) != 0) bad = bad || !long || (load<i64>(cpu + S_CR3) & 0xfff) != 0;
  if (bad) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  const reloads = (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) != 0;
  if (reloads && !goodPdptes(cpu, load<i64>(cpu + S_CR0), value, efer, load<i64>(cpu + S_CR3))) return;
  store<i64>(cpu + S_CR4, value);
  if ((changed & CR4_PAGING) != 0) flushTlb(cpu, false);
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

export function lgdt(cpu: u32, limit: i64, base: i64): void {
  loadTableRegister(cpu, S_GDTR, limit, base);
}
export function lidt(cpu: u32, limit: i64, base: i64): void {
  loadTableRegister(cpu, S_IDTR, limit, base);
}
function loadTableRegister(cpu: u32, register: u32, limit: i64, base: i64): void {
  if ((load<u32>(cpu + S_MODE) & MODE_LONG) != 0 && !canonical(cpu, base)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + register, base);
  store<u32>(cpu + register + 8, <u32>limit & 0xffff);
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
  const disabled = <u64>type <= 1 && pcid != 0 && (load<i64>(cpu + S_CR4) & CR4_PCIDE) == 0;
  if (<u64>type > 3 || (pcid & ~0xfff) != 0 || disabled || (type == 0 && !canonical(cpu, linear))) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (type == 0) flushPage(cpu, linear);
  else flushTlb(cpu, type == 1 || type == 3);
}
