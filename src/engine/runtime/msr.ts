import {
  CPUID_PHYSICAL_BITS, FEATURE_LM, FEATURE_NX, FEATURE_SYSCALL, FS, GS, MC_BANKS, S_CR0, S_CSTAR, S_DEBUGCTL, S_EFER, S_FEATURES, S_KERNEL_GS_BASE, S_LSTAR,
  S_MCG_CTL, S_MCG_STATUS, S_MC_BANKS, S_MISC_ENABLE, S_MTRR_DEFTYPE, S_MTRR_FIXED, S_MTRR_VARIABLE, S_PAT, S_SFMASK, S_STAR, S_SYSENTER_CS, S_SYSENTER_EIP,
  S_SYSENTER_ESP, S_TSC_AUX, S_TSC_OFFSET, SEG_BASE,
} from '../layout'; // prettier-ignore
import { cpuidBit, EBX, EDX } from './cpuid';
import { GP, raiseWithError } from './fault';
import { boardMsrRead, boardMsrWrite, now } from './host';
import { canonical, CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, segment, updateMode } from './mode';
import { flushTlb } from './tlb';
import { forgetTime, timeStamp } from './tsc';

// Numbers and names of SDM vol. 4
const IA32_TSC: u32 = 0x10;
const IA32_PLATFORM_ID: u32 = 0x17;
const EBL_CR_POWERON: u32 = 0x2a;
const IA32_TSC_ADJUST: u32 = 0x3b;
const IA32_BIOS_UPDT_TRIG: u32 = 0x79;
const IA32_BIOS_SIGN_ID: u32 = 0x8b;
const FSB_FREQ: u32 = 0xcd;
const IA32_MTRRCAP: u32 = 0xfe;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;
const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const IA32_MCG_CTL: u32 = 0x17b;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const IA32_DEBUGCTL: u32 = 0x1d9;
const IA32_MTRR_PHYSBASE0: u32 = 0x200;
const IA32_PAT: u32 = 0x277;
const IA32_MTRR_DEF_TYPE: u32 = 0x2ff;
const IA32_MC0_CTL: u32 = 0x400;
const IA32_EFER: u32 = 0xc0000080;
const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_CSTAR: u32 = 0xc0000083;
const IA32_FMASK: u32 = 0xc0000084;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_GS_BASE: u32 = 0xc0000101;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const IA32_TSC_AUX: u32 = 0xc0000103;

/** 8 variable ranges, fixed ranges, write combining. */
const MTRRCAP: i64 = 0x508;
/** The banks, and MCG_CTL is there. */
const MCG_CAP: i64 = 0x100 | MC_BANKS;
/** A front-side bus of 100 MHz, in the coding of Core 2 and Atom. */
const FSB_100: i64 = 5;
/** Microcode revision 1, in the upper half. */
const MICROCODE: i64 = 0x100000000;
/** LBR and BTF. */
const DEBUGCTL_WRITABLE: i64 = 3;
const HIGH: i64 = ~((<i64>1 << CPUID_PHYSICAL_BITS) - 1);

/** Fixed-range MTRRs in the order of their state: 64K, two of 16K, eight of 4K. */
function fixedMtrr(index: u32): i32 {
  if (index == 0x250) return 0;
  if (index == 0x258 || index == 0x259) return <i32>(index - 0x258) + 1;
  if (index >= 0x268 && index <= 0x26f) return <i32>(index - 0x268) + 3;
  return -1;
}

function isMtrr(index: u32): bool {
  return index == IA32_MTRRCAP || index == IA32_MTRR_DEF_TYPE || isVariableMtrr(index) || fixedMtrr(index) >= 0;
}

/** Whether the CPU model has what an MSR belongs to. */
function exists(cpu: u32, index: u32): bool {
  const features = load<u32>(cpu + S_FEATURES);
  if (index == IA32_EFER) return (features & (FEATURE_LM | FEATURE_NX | FEATURE_SYSCALL)) != 0;
  if (index == IA32_STAR) return (features & FEATURE_SYSCALL) != 0;
  if (index == IA32_TSC_AUX) return cpuidBit(cpu, 0x80000001, EDX, 27);
  if (index >= 0xc0000080 && index < 0xc0000200) return (features & FEATURE_LM) != 0;
  if (index == IA32_TSC_ADJUST) return cpuidBit(cpu, 7, EBX, 1);
  if (index >= IA32_SYSENTER_CS && index <= IA32_SYSENTER_EIP) return cpuidBit(cpu, 1, EDX, 11);
  if (isMtrr(index)) return cpuidBit(cpu, 1, EDX, 12);
  if (index == IA32_PAT) return cpuidBit(cpu, 1, EDX, 16);
  return true;
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
  if (isVariableMtrr(index)) return cpu + S_MTRR_VARIABLE + 8 * (index - IA32_MTRR_PHYSBASE0);
  if (isBank(index)) return cpu + S_MC_BANKS + 8 * (index - IA32_MC0_CTL);
  if (index == IA32_STAR) return cpu + S_STAR;
  if (index == IA32_LSTAR) return cpu + S_LSTAR;
  if (index == IA32_CSTAR) return cpu + S_CSTAR;
  if (index == IA32_FMASK) return cpu + S_SFMASK;
  if (index == IA32_FS_BASE) return segment(cpu, FS) + SEG_BASE;
  if (index == IA32_GS_BASE) return segment(cpu, GS) + SEG_BASE;
  if (index == IA32_KERNEL_GS_BASE) return cpu + S_KERNEL_GS_BASE;
  if (index == IA32_TSC_AUX) return cpu + S_TSC_AUX;
  const fixed = fixedMtrr(index);
  return fixed < 0 ? 0 : cpu + S_MTRR_FIXED + 8 * <u32>fixed;
}

export function rdmsr(cpu: u32, number: i64): i64 {
  const index = <u32>number;
  if (!exists(cpu, index)) {
    raiseWithError(cpu, GP, 0);
    return 0;
  }
  const at = storage(cpu, index);
  if (at != 0) return load<i64>(at);
  if (index == IA32_EFER) return load<i64>(cpu + S_EFER);
  if (index == IA32_TSC) return timeStamp(cpu);
  if (index == IA32_TSC_ADJUST) return load<i64>(cpu + S_TSC_OFFSET);
  if (index == IA32_MTRRCAP) return MTRRCAP;
  if (index == IA32_MCG_CAP) return MCG_CAP;
  if (index == IA32_PLATFORM_ID || index == EBL_CR_POWERON) return 0;
  if (index == FSB_FREQ) return FSB_100;
  if (index == IA32_BIOS_SIGN_ID) return MICROCODE;
  forgetTime(cpu);
  return boardMsrRead(cpu, index);
}

function isVariableMtrr(index: u32): bool {
  return index >= IA32_MTRR_PHYSBASE0 && index < IA32_MTRR_PHYSBASE0 + 16;
}
function isBank(index: u32): bool {
  return index >= IA32_MC0_CTL && index < IA32_MC0_CTL + 4 * MC_BANKS;
}

/** A memory type of PAT and MTRRs: 0, 1, 4, 5, 6, and 7 (UC-) in PAT. */
function goodType(type: i64, most: i64): bool {
  return <u64>type <= <u64>most && type != 2 && type != 3;
}
function goodTypes(value: i64, most: i64): bool {
  for (let i: i64 = 0; i < 64; i += 8) if (!goodType((value >>> i) & 0xff, most)) return false;
  return true;
}

/** Whether an MSR of `storage` takes a value. */
function accepted(cpu: u32, index: u32, value: i64): bool {
  if (index == IA32_LSTAR || index == IA32_CSTAR || (index >= IA32_FS_BASE && index <= IA32_KERNEL_GS_BASE)) return canonical(cpu, value);
  if (index == IA32_SYSENTER_ESP || index == IA32_SYSENTER_EIP) return canonical(cpu, value);
  if (index == IA32_FMASK || index == IA32_TSC_AUX) return value >>> 32 == 0;
  if (index == IA32_PAT) return goodTypes(value, 7);
  if (fixedMtrr(index) >= 0) return goodTypes(value, 6);
  // type; fixed ranges and all enabled
  if (index == IA32_MTRR_DEF_TYPE) return (value & ~0xcff) == 0 && goodType(value & 0xff, 6);
  if (isVariableMtrr(index)) {
    if ((value & HIGH) != 0) return false;
    return (index & 1) != 0 ? (value & 0x7ff) == 0 : (value & 0xf00) == 0 && goodType(value & 0xff, 6);
  }
  // status, address and misc take only zero
  if (isBank(index)) return ((index - IA32_MC0_CTL) & 3) == 0 || value == 0;
  if (index == IA32_DEBUGCTL) return (value & ~DEBUGCTL_WRITABLE) == 0;
  return true;
}

export function wrmsr(cpu: u32, number: i64, value: i64): void {
  const index = <u32>number;
  if (!exists(cpu, index)) {
    raiseWithError(cpu, GP, 0);
    return;
  }
  if (index == IA32_EFER) {
    writeEfer(cpu, value);
    return;
  }
  if (index == IA32_TSC || index == IA32_TSC_ADJUST) {
    forgetTime(cpu);
    store<i64>(cpu + S_TSC_OFFSET, index == IA32_TSC ? value - i64(now(cpu)) : value);
    boardMsrWrite(cpu, IA32_TSC, value);
    return;
  }
  // A microcode update is looked at and not taken; the bus configuration stays.
  if (index == IA32_BIOS_SIGN_ID || index == IA32_BIOS_UPDT_TRIG || index == EBL_CR_POWERON) return;
  const at = storage(cpu, index);
  if (at == 0) {
    forgetTime(cpu);
    boardMsrWrite(cpu, index, value);
  } else if (accepted(cpu, index, value)) store<i64>(at, value);
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
  // LMA only tells.
  store<i64>(cpu + S_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
  if (((old ^ value) & EFER_NXE) != 0) flushTlb(cpu, false);
  updateMode(cpu);
}
