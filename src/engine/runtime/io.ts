import { EFLAGS_IOPL, EFLAGS_VM, MODE_PROTECTED, S_CPL, S_EFLAGS, S_MODE, S_SEG, SEG_ATTR, SEG_BASE, SEG_BYTES, SEG_LIMIT, TR } from '../layout';
import { faulted, GP, raiseWithError } from './fault';
import { portRead, portWrite } from './host';
import { loadAs } from './memory';
import { forgetTime } from './tsc';

/** Whether the current code may use the ports: CPL against IOPL, else the I/O permission bitmap of the TSS (SDM vol. 1, 18.5). */
function permitted(cpu: u32, port: u32, size: u32): bool {
  const flags = load<u32>(cpu + S_EFLAGS);
  const virtual8086 = (flags & EFLAGS_VM) != 0;
  if ((load<u32>(cpu + S_MODE) & MODE_PROTECTED) == 0 && !virtual8086) return true;
  if (!virtual8086 && load<u32>(cpu + S_CPL) <= (flags & EFLAGS_IOPL) >> 12) return true;
  const register = cpu + S_SEG + TR * SEG_BYTES;
  const type = load<u32>(register + SEG_ATTR) & 0xf;
  const limit = load<i64>(register + SEG_LIMIT);
  // only a 32-bit (or 64-bit) TSS has a bitmap
  if ((type & 8) == 0 || limit < 103) return false;
  const base = load<i64>(register + SEG_BASE);
  const map = loadAs(cpu, base + 102, 2, true) & 0xffff;
  if (faulted(cpu)) return false;
  const at = map + <i64>(port >> 3);
  if (at + 1 > limit) return false;
  const bits = <u32>loadAs(cpu, base + at, 2, true);
  if (faulted(cpu)) return false;
  return ((bits >> (port & 7)) & ((1 << size) - 1)) == 0;
}

function check(cpu: u32, port: u32, size: u32): bool {
  if (permitted(cpu, port, size)) return true;
  if (!faulted(cpu)) raiseWithError(cpu, GP, 0);
  return false;
}

/** IN: `size` bytes from a port. */
export function portIn(cpu: u32, port: i64, size: i64): i64 {
  const number = <u32>port & 0xffff;
  if (!check(cpu, number, <u32>size)) return 0;
  forgetTime(cpu);
  const value = <i64>portRead(cpu, number, <u32>size) & 0xffffffff;
  return size == 4 ? value : value & ((<i64>1 << (size * 8)) - 1);
}

export function portOut(cpu: u32, port: i64, size: i64, value: i64): void {
  const number = <u32>port & 0xffff;
  if (!check(cpu, number, <u32>size)) return;
  forgetTime(cpu);
  portWrite(cpu, number, <u32>size, size == 4 ? <u32>value : <u32>value & ((1 << (<u32>size * 8)) - 1));
}
