import {
  CS, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, MODE_VM86, S_CR4, S_EFLAGS, S_GPR, S_MODE, S_RIP, SEG_BASE, SEG_LIMIT, SEG_SELECTOR,
  TR,
} from '../layout'; // prettier-ignore
import { setRealSegment } from './descriptor';
import { deliverOnce } from './exception';
import { BP, DB, faulted, GP, OF, raiseWithError } from './fault';
import { getEflags } from './flags';
import { loadAs } from './memory';
import { CR4_VME, segment, updateMode } from './mode';
import { push } from './stack';

const RSP: u32 = S_GPR + 32;

/** `checked`: the gate's DPL must allow it, and error codes come without EXT. A fault on the way is one of the instruction itself. */
function throughIdt(cpu: u32, vector: u32, next: i64, checked: bool): void {
  const rip = load<i64>(cpu + S_RIP);
  store<i64>(cpu + S_RIP, next);
  deliverOnce(cpu, vector, checked, false, 0);
  if (faulted(cpu)) store<i64>(cpu + S_RIP, rip);
}

/** INT n; in virtual-8086 mode by IOPL or the redirection map of VME (SDM vol. 3, 20.3.3). */
export function interruptSoftware(cpu: u32, number: i64, next: i64): void {
  const vector = <u32>number & 0xff;
  if ((load<u32>(cpu + S_MODE) & MODE_VM86) != 0) {
    const iopl = (load<u32>(cpu + S_EFLAGS) & EFLAGS_IOPL) >> 12;
    const redirect = (load<i64>(cpu + S_CR4) & CR4_VME) != 0 && redirected(cpu, vector);
    if (faulted(cpu)) return;
    if (redirect) {
      virtualInterrupt(cpu, vector, next, iopl);
      return;
    }
    if (iopl < 3) {
      raiseWithError(cpu, GP, 0);
      return;
    }
  }
  throughIdt(cpu, vector, next, true);
}

export function int3(cpu: u32, next: i64): void {
  throughIdt(cpu, BP, next, true);
}
export function into(cpu: u32, next: i64): void {
  throughIdt(cpu, OF, next, true);
}
/** INT1: as a debug trap of the processor, without a check of the gate's DPL. */
export function int1(cpu: u32, next: i64): void {
  throughIdt(cpu, DB, next, false);
}

/** Whether the map below the TSS's I/O bitmap sends the vector to the 8086 program's own handler: bit clear. */
function redirected(cpu: u32, vector: u32): bool {
  const register = segment(cpu, TR);
  const base = load<i64>(register + SEG_BASE);
  const map = loadAs(cpu, base + 102, 2, true) & 0xffff;
  if (faulted(cpu)) return false;
  const at = map - 32 + <i64>(vector >> 3);
  if (at < 0 || at > load<i64>(register + SEG_LIMIT)) return false;
  const bits = loadAs(cpu, base + at, 1, true);
  return !faulted(cpu) && ((<u32>bits >> (vector & 7)) & 1) == 0;
}

/** Through the 8086 program's interrupt table at linear address 0. */
function virtualInterrupt(cpu: u32, vector: u32, next: i64, iopl: u32): void {
  const entry = loadAs(cpu, <i64>(vector * 4), 4, false);
  if (faulted(cpu)) return;
  let flags = getEflags(cpu);
  if (iopl < 3) {
    // the program sees IOPL 3 and its virtual IF
    flags = (flags & ~EFLAGS_IF) | EFLAGS_IOPL | ((flags & EFLAGS_VIF) != 0 ? EFLAGS_IF : 0);
  }
  const before = load<i64>(cpu + RSP);
  push(cpu, 16, <i64>flags);
  if (!faulted(cpu)) push(cpu, 16, <i64>load<u32>(segment(cpu, CS) + SEG_SELECTOR));
  if (!faulted(cpu)) push(cpu, 16, next);
  if (faulted(cpu)) {
    store<i64>(cpu + RSP, before);
    return;
  }
  const cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | (iopl < 3 ? EFLAGS_VIF : EFLAGS_IF);
  store<u32>(cpu + S_EFLAGS, load<u32>(cpu + S_EFLAGS) & ~cleared);
  setRealSegment(cpu, CS, <u32>(entry >>> 16) & 0xffff);
  store<i64>(cpu + S_RIP, entry & 0xffff);
  updateMode(cpu);
}
