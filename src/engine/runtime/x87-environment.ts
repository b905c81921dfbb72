/** FSTENV, FLDENV, FSAVE, FRSTOR: 14 or 28 bytes of environment (SDM vol. 1, 8.1.10), registers behind. */
import { MODE_PROTECTED, S_FCS, S_FCW, S_FDP, S_FDS, S_FIP, S_FOP, S_FPR, S_FSW, S_FTW, S_MMU, S_MODE } from '../layout';
import { faulted } from './fault';
import { topOf } from './fpu';
import { load16, load32, load64, probe, store16, store32, store64 } from './memory';
import { x87Init, x87Summary } from './x87';
import { tagOf } from './xsave';

function isProtected(cpu: u32): bool {
  return (load<u32>(cpu + S_MODE) & MODE_PROTECTED) != 0;
}

/** The tag word with the tags of full registers by what they hold. */
function tagWord(cpu: u32): u32 {
  let tags = load<u32>(cpu + S_FTW);
  for (let i: u32 = 0; i < 8; i++) {
    if (((tags >> (2 * i)) & 3) != 3) tags = (tags & ~(3 << (2 * i))) | (tagOf(cpu, i) << (2 * i));
  }
  return tags;
}

function storeEnvironment(cpu: u32, at: i64, wide: bool): void {
  const fip = load<i64>(cpu + S_FIP);
  const fdp = load<i64>(cpu + S_FDP);
  const fop = <i64>load<u32>(cpu + S_FOP);
  if (wide) {
    store32(cpu, at, <i64>load<u32>(cpu + S_FCW) | 0xffff0000);
    store32(cpu, at + 4, <i64>load<u32>(cpu + S_FSW) | 0xffff0000);
    store32(cpu, at + 8, <i64>tagWord(cpu) | 0xffff0000);
    if (isProtected(cpu)) {
      store32(cpu, at + 12, fip);
      store32(cpu, at + 16, <i64>load<u32>(cpu + S_FCS) | (fop << 16));
      store32(cpu, at + 20, fdp);
      store32(cpu, at + 24, <i64>load<u32>(cpu + S_FDS) | 0xffff0000);
    } else {
      const ip = fip + (<i64>load<u32>(cpu + S_FCS) << 4);
      const dp = fdp + (<i64>load<u32>(cpu + S_FDS) << 4);
      store32(cpu, at + 12, (ip & 0xffff) | 0xffff0000);
      store32(cpu, at + 16, fop | ((ip >>> 16) << 12));
      store32(cpu, at + 20, (dp & 0xffff) | 0xffff0000);
      store32(cpu, at + 24, (dp >>> 16) << 12);
    }
    return;
  }
  store16(cpu, at, <i64>load<u32>(cpu + S_FCW));
  store16(cpu, at + 2, <i64>load<u32>(cpu + S_FSW));
  store16(cpu, at + 4, <i64>tagWord(cpu));
  if (isProtected(cpu)) {
    store16(cpu, at + 6, fip);
    store16(cpu, at + 8, <i64>load<u32>(cpu + S_FCS));
    store16(cpu, at + 10, fdp);
    store16(cpu, at + 12, <i64>load<u32>(cpu + S_FDS));
  } else {
    const ip = fip + (<i64>load<u32>(cpu + S_FCS) << 4);
    const dp = fdp + (<i64>load<u32>(cpu + S_FDS) << 4);
    store16(cpu, at + 6, ip);
    store16(cpu, at + 8, fop | (((ip >>> 16) & 15) << 12));
    store16(cpu, at + 10, dp);
    store16(cpu, at + 12, ((dp >>> 16) & 15) << 12);
  }
}

function loadEnvironment(cpu: u32, at: i64, wide: bool): void {
  const step: i64 = wide ? 4 : 2;
  store<u32>(cpu + S_FCW, (<u32>load16(cpu, at) & 0x1f3f) | 0x40);
  store<u32>(cpu + S_FSW, <u32>load16(cpu, at + step));
  store<u32>(cpu + S_FTW, <u32>load16(cpu, at + 2 * step));
  if (wide && isProtected(cpu)) {
    store<i64>(cpu + S_FIP, load32(cpu, at + 12));
    store<u32>(cpu + S_FCS, <u32>load16(cpu, at + 16));
    store<u32>(cpu + S_FOP, <u32>load16(cpu, at + 18) & 0x7ff);
    store<i64>(cpu + S_FDP, load32(cpu, at + 20));
    store<u32>(cpu + S_FDS, <u32>load16(cpu, at + 24));
  } else if (isProtected(cpu)) {
    store<i64>(cpu + S_FIP, load16(cpu, at + 6));
    store<u32>(cpu + S_FCS, <u32>load16(cpu, at + 8));
    store<i64>(cpu + S_FDP, load16(cpu, at + 10));
    store<u32>(cpu + S_FDS, <u32>load16(cpu, at + 12));
  } else {
    const high = wide ? load32(cpu, at + 16) : load16(cpu, at + 8);
    store<i64>(cpu + S_FIP, load16(cpu, at + 3 * step) | ((high >>> 12) << 16));
    store<u32>(cpu + S_FCS, 0);
    store<u32>(cpu + S_FOP, <u32>high & 0x7ff);
    const dataHigh = wide ? load32(cpu, at + 24) : load16(cpu, at + 12);
    store<i64>(cpu + S_FDP, load16(cpu, at + 5 * step) | ((dataHigh >>> 12) << 16));
    store<u32>(cpu + S_FDS, 0);
  }
  x87Summary(cpu);
}

function environmentBytes(bits: i64): u32 {
  return bits == 16 ? 14 : 28;
}

export function x87StoreEnvironment(cpu: u32, at: i64, bits: i64): void {
  if (!probe(cpu, at, environmentBytes(bits), true, load<u32>(cpu + S_MMU))) return;
  storeEnvironment(cpu, at, bits != 16);
  if (faulted(cpu)) return;
  // all exceptions are masked afterwards
  store<u32>(cpu + S_FCW, load<u32>(cpu + S_FCW) | 0x3f);
  x87Summary(cpu);
}

export function x87LoadEnvironment(cpu: u32, at: i64, bits: i64): void {
  if (probe(cpu, at, environmentBytes(bits), false, load<u32>(cpu + S_MMU))) loadEnvironment(cpu, at, bits != 16);
}

export function x87Save(cpu: u32, at: i64, bits: i64): void {
  const bytes = environmentBytes(bits);
  if (!probe(cpu, at, bytes + 80, true, load<u32>(cpu + S_MMU))) return;
  storeEnvironment(cpu, at, bits != 16);
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + S_FPR + 16 * ((topOf(cpu) + i) & 7);
    const to = at + <i64>(bytes + 10 * i);
    store64(cpu, to, load<i64>(register));
    store16(cpu, to + 8, <i64>load<u16>(register + 8));
  }
  x87Init(cpu);
}

export function x87Restore(cpu: u32, at: i64, bits: i64): void {
  const bytes = environmentBytes(bits);
  if (!probe(cpu, at, bytes + 80, false, load<u32>(cpu + S_MMU))) return;
  loadEnvironment(cpu, at, bits != 16);
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + S_FPR + 16 * ((topOf(cpu) + i) & 7);
    const from = at + <i64>(bytes + 10 * i);
    store<i64>(register, load64(cpu, from));
    store<u16>(register + 8, <u16>load16(cpu, from + 8));
  }
}
