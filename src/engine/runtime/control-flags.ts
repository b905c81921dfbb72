import {
  EFLAGS_AC, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, MODE_VM86, S_CPL, S_CR0, S_CR4, S_EFLAGS, S_MODE, S_SHADOW_NEXT,
} from '../layout'; // prettier-ignore
import { GP, raiseWithError } from './fault';
import { getEflags, setEflags } from './flags';
import { CR0_PE, CR4_PVI, CR4_VME, updateMode } from './mode';

/** What PUSHF pushes; in virtual-8086 mode below IOPL 3 the program sees its virtual IF (SDM vol. 2, PUSHF). */
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

/** What POPF may always change: CF PF AF ZF SF TF DF OF NT; AC and ID with 32 bits. VM, VIF and VIP stay, RF is cleared. */
const POPF_16: u32 = 0x4dd5;
const POPF_32: u32 = 0x244dd5;

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
      if (!vme || (flags & EFLAGS_TF) != 0 || ((flags & EFLAGS_IF) != 0 && (current & EFLAGS_VIP) != 0)) {
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
