import {
  FS, GS, MC_BANKS, MODE_LMA, S_CR0, S_CSTAR, S_DEBUGCTL, S_EFER, S_FEATURES, S_KERNEL_GS_BASE, S_LSTAR, S_MCG_CTL, S_MCG_STATUS, S_MC_BANKS, S_MISC_ENABLE, S_MODE,
  S_MTRR_DEFTYPE, S_MTRR_FIXED, S_MTRR_VARIABLE, S_PAT, S_SFMASK, S_STAR, S_SYSENTER_CS, S_SYSENTER_EIP, S_SYSENTER_ESP, S_TSC_AUX, S_TSC_OFFSET, S_XSS,
  SEG_BASE, FEATURE_LM, FEATURE_NX, FEATURE_SYSCALL,
} from '../layout'; // prettier-ignore
import { GP, raiseWithError } from './fault';
import { boardMsrRead, boardMsrWrite, now } from './host';
import { CR0_PG, segment, updateMode } from './mode';
import { flushTlb } from './tlb';

// Numbers and names of SDM vol. 4
const IA32_TSC: u32 = 0x10;
const IA32_PLATFORM_ID: u32 = 0x17;
const IA32_TSC_ADJUST: u32 = 0x3b;
const IA32_BIOS_SIGN_ID: u32 = 0x8b;
const IA32_MTRRCAP: u32 = 0xfe;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;
const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const IA32_MCG_CTL: u32 = 0x17b;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const IA32_DEBUGCTL: u32 = 0x1d9;
const MTRR_PHYSBASE0: u32 = 0x200;
const IA32_PAT: u32 = 0x277;
const IA32_MTRR_DEF_TYPE: u32 = 0x2ff;
const IA32_MC0_CTL: u32 = 0x400;
const IA32_XSS: u32 = 0xda0;
const IA32_EFER: u32 = 0xc0000080;
const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_CSTAR: u32 = 0xc0000083;
const IA32_FMASK: u32 = 0xc0000084;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_GS_BASE: u32 = 0xc0000101;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const IA32_TSC_AUX: u32 = 0xc0000103;

const EFER_SCE: i64 = 1;
const EFER_LME: i64 = 0x100;
const EFER_LMA: i64 = 0x400;
const EFER_NXE: i64 = 0x800;

/** AMD's configuration registers that systems look at for this family; they read as zero and keep nothing (BIOS and kernel developer's guides). */
function isAmdConfiguration(index: u32): bool {
  return (
    index == 0xc0010010 || // SYSCFG
    index == 0xc0010015 || // HWCR
    index == 0xc001001f || // NB_CFG
    index == 0xc0010055 || // Interrupt pending message
    index == 0xc0011020 || // LS_CFG
    index == 0xc0011022 || // DC_CFG
    index == 0xc0011023 || // BU_CFG
    index == 0xc0011029 // DE_CFG
  );
}

/** Fixed-range MTRRs in the order of their state: 64K, two of 16K, eight of 4K. */
function fixedMtrr(index: u32): i32 {
  if (index == 0x250) return 0;
  if (index == 0x258 || index == 0x259) return <i32>(index - 0x258) + 1;
  if (index >= 0x268 && index <= 0x26f) return <i32>(index - 0x268) + 3;
  return -1;
}

/** Where an MSR that is plain storage lies in the CPU block; 0 if it is not such a one. */
function storage(cpu: u32, index: u32): u32 {
  if (index == IA32_SYSENTER_CS) return cpu + S_SYSENTER_CS;
  if (index == IA32_SYSENTER_ESP) return cpu + S_SYSENTER_ESP;
  if (index == IA32_SYSENTER_EIP) return cpu + S_SYSENTER_EIP;
  if (index == IA32_MCG_STATUS) return cpu + S_MCG_STATUS;
  if (index == IA32_MCG_CTL) return cpu + S_MCG_CTL;
  if (index == IA32_MISC_ENABLE) return cpu + S_MISC_ENABLE;
  if (index == IA32_DEBUGCTL) return cpu + S_DEBUGCTL;
  if (index == IA32_PAT) return cpu + S_PAT;
  if (index == IA32_MTRR_DEF_TYPE) return cpu + S_MTRR_DEFTYPE;
  if (index >= MTRR_PHYSBASE0 && index < MTRR_PHYSBASE0 + 16) return cpu + S_MTRR_VARIABLE + 8 * (index - MTRR_PHYSBASE0);
  if (index >= IA32_MC0_CTL && index < IA32_MC0_CTL + 4 * MC_BANKS) return cpu + S_MC_BANKS + 8 * (index - IA32_MC0_CTL);
  if (index == IA32_STAR) return cpu + S_STAR;
  if (index == IA32_LSTAR) return cpu + S_LSTAR;
  if (index == IA32_CSTAR) return cpu + S_CSTAR;
  if (index == IA32_FMASK) return cpu + S_SFMASK;
  if (index == IA32_FS_BASE) return segment(cpu, FS) + SEG_BASE;
  if (index == IA32_GS_BASE) return segment(cpu, GS) + SEG_BASE;
  if (index == IA32_KERNEL_GS_BASE) return cpu + S_KERNEL_GS_BASE;
  if (index == IA32_TSC_AUX) return cpu + S_TSC_AUX;
  if (index == IA32_XSS) return cpu + S_XSS;
  const fixed = fixedMtrr(index);
  return fixed < 0 ? 0 : cpu + S_MTRR_FIXED + 8 * <u32>fixed;
}

export function rdmsr(cpu: u32, number: i64): i64 {
  const index = <u32>number;
  const at = storage(cpu, index);
  if (at != 0) return load<i64>(at);
  if (index == IA32_EFER) return load<i64>(cpu + S_EFER);
  if (index == IA32_TSC) return now(cpu) + load<i64>(cpu + S_TSC_OFFSET);
  if (index == IA32_TSC_ADJUST) return load<i64>(cpu + S_TSC_OFFSET);
  // 8 variable ranges, fixed ranges, write combining
  if (index == IA32_MTRRCAP) return 0x508;
  // banks, and MCG_CTL is there
  if (index == IA32_MCG_CAP) return 0x100 | MC_BANKS;
  if (index == IA32_PLATFORM_ID) return 0;
  if (index == IA32_BIOS_SIGN_ID) return 0x100000000;
  if (isAmdConfiguration(index)) return 0;
  return boardMsrRead(cpu, index);
}

function canonical(value: i64): bool {
  return (value << 16) >> 16 == value;
}

/** Memory types that PAT and MTRRs take: 0, 1, 4, 5, 6, and 7 (UC-) in PAT. */
function goodTypes(value: i64, most: i64): bool {
  for (let i: i64 = 0; i < 64; i += 8) {
    const type = (value >>> i) & 0xff;
    if (type > most || type == 2 || type == 3) return false;
  }
  return true;
}

export function wrmsr(cpu: u32, number: i64, value: i64): void {
  const index = <u32>number;
  if (index == IA32_EFER) {
    writeEfer(cpu, value);
    return;
  }
  if (index == IA32_TSC) {
    store<i64>(cpu + S_TSC_OFFSET, value - now(cpu));
    boardMsrWrite(cpu, IA32_TSC, value);
    return;
  }
  if (index == IA32_TSC_ADJUST) {
    store<i64>(cpu + S_TSC_OFFSET, value);
    boardMsrWrite(cpu, IA32_TSC, value);
    return;
  }
  // a microcode update is looked at and not taken
  if (index == IA32_BIOS_SIGN_ID || index == 0x79 || isAmdConfiguration(index)) return;
  const at = storage(cpu, index);
  if (at == 0) {
    boardMsrWrite(cpu, index, value);
    return;
  }
  let good = true;
  if (index == IA32_LSTAR || index == IA32_CSTAR || index == IA32_FS_BASE || index == IA32_GS_BASE || index == IA32_KERNEL_GS_BASE) good = canonical(value);
  else if (index == IA32_SYSENTER_ESP || index == IA32_SYSENTER_EIP) good = canonical(value);
  else if (index == IA32_PAT) good = goodTypes(value, 7);
  else if (fixedMtrr(index) >= 0) good = goodTypes(value, 6);
  else if (index == IA32_TSC_AUX) good = value >>> 32 == 0;
  else if (index == IA32_XSS) good = value == 0;
  else if (index >= IA32_MC0_CTL && index < IA32_MC0_CTL + 4 * MC_BANKS) {
    // status, address and misc take only zero
    good = ((index - IA32_MC0_CTL) & 3) == 0 || value == 0;
  }
  if (good) store<i64>(at, value);
  else raiseWithError(cpu, GP, 0);
}

function writeEfer(cpu: u32, value: i64): void {
  const features = load<u32>(cpu + S_FEATURES);
  let known: i64 = EFER_LMA;
  if ((features & FEATURE_SYSCALL) != 0) known |= EFER_SCE;
  if ((features & FEATURE_LM) != 0) known |= EFER_LME;
  if ((features & FEATURE_NX) != 0) known |= EFER_NXE;
  const old = load<i64>(cpu + S_EFER);
  const lmeChanges = ((old ^ value) & EFER_LME) != 0;
  if ((value & ~known) != 0 || (lmeChanges && (load<i64>(cpu + S_CR0) & CR0_PG) != 0)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  store<i64>(cpu + S_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
  if (((old ^ value) & EFER_NXE) != 0) flushTlb(cpu, false);
  updateMode(cpu);
}
