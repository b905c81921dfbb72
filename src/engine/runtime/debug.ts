import { CS, MODE_LONG, S_CR4, S_DR, S_MODE, S_RIP, S_WATCH, SEG_BASE } from '../layout';
import { deliverInterrupt, EXCEPTION } from './exception';
import { DB, GP, raise, raiseWithError, UD } from './fault';
import { CR4_DE, segment, updateMode } from './mode';
import { flushTlb } from './tlb';

// Debug registers (SDM vol. 3, 17.2)
const DR6: u32 = S_DR + 48;
const DR7: u32 = S_DR + 56;
const DR6_HITS: i64 = 15;
const DR6_BD: i64 = 0x2000;
/** Bits that software may set; the others read as ones (4 to 11, 16 to 31) or zeros. */
const DR6_WRITABLE: i64 = 0xe00f;
const DR6_ONES: i64 = 0xffff0ff0;
const DR7_GD: i64 = 0x2000;
const DR7_WRITABLE: i64 = 0xffff23ff;
const DR7_ONES: i64 = 0x400;

/** Number of the register that is meant, or -1 with a fault: DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; general detect raises #DB. */
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
  if ((load<i64>(cpu + DR7) & DR7_GD) != 0) {
    store<i64>(cpu + DR6, load<i64>(cpu + DR6) | DR6_BD);
    store<i64>(cpu + DR7, load<i64>(cpu + DR7) & ~DR7_GD);
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
  if (n == 6) kept = (value & DR6_WRITABLE) | DR6_ONES;
  if (n == 7) kept = (value & DR7_WRITABLE) | DR7_ONES;
  store<i64>(cpu + S_DR + 8 * <u32>n, kept);
  const watched = load<u32>(cpu + S_WATCH);
  updateMode(cpu);
  // Pages with data breakpoints must leave the fast path, and may come back to it.
  if ((watched | load<u32>(cpu + S_WATCH)) != 0) flushTlb(cpu, false);
}

function note(cpu: u32, bits: u32): void {
  store<i64>(cpu + DR6, (load<i64>(cpu + DR6) & ~DR6_HITS) | <i64>bits);
  store<i64>(cpu + DR7, load<i64>(cpu + DR7) & ~DR7_GD);
}

/** Notes `bits` in DR6 and delivers #DB as a trap, behind the instruction that did it. */
export function debugTrap(cpu: u32, bits: u32): void {
  note(cpu, bits);
  deliverInterrupt(cpu, DB, EXCEPTION, 0, 0);
}

/** The same before the instruction at S_RIP, for its breakpoint. The image of RF is clear as in a trap (SDM vol. 3, 17.3.1.1). */
export function debugFault(cpu: u32, bits: u32): void {
  debugTrap(cpu, bits);
}

/** Whether DR7 enables a breakpoint on instructions. */
export function codeBreakpointsArmed(cpu: u32): u32 {
  const dr7 = <u32>load<i64>(cpu + DR7);
  for (let i: u32 = 0; i < 4; i++) if (((dr7 >> (2 * i)) & 3) != 0 && ((dr7 >> (16 + 4 * i)) & 3) == 0) return 1;
  return 0;
}

/** DR6 bits of the instruction breakpoints at S_RIP. */
export function codeBreakpoint(cpu: u32): u32 {
  const dr7 = <u32>load<i64>(cpu + DR7);
  let linear = load<i64>(cpu + S_RIP);
  if ((load<u32>(cpu + S_MODE) & MODE_LONG) == 0) linear = (linear + load<i64>(segment(cpu, CS) + SEG_BASE)) & 0xffffffff;
  let hits: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (((dr7 >> (2 * i)) & 3) == 0 || ((dr7 >> (16 + 4 * i)) & 3) != 0) continue;
    if (load<i64>(cpu + S_DR + 8 * i) == linear) hits |= 1 << i;
  }
  return hits;
}
