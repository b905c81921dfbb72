import { MODE_LMA, S_CPL, S_MODE } from '../layout';
import { ATTR_CODE, ATTR_CONFORMING, ATTR_READABLE, ATTR_S, ATTR_WRITABLE, attributesOfDescriptor, descriptorAddress, dplOf, limitOf } from './descriptor';
import { faulted } from './fault';
import { loadAs } from './memory';

/** Whether a selector can be examined by LAR, LSL, VERR, VERW; gives the descriptor, or 0. */
function examine(cpu: u32, selector: u32): i64 {
  if ((selector & 0xfffc) == 0) return 0;
  const at = descriptorAddress(cpu, selector, 8);
  if (at == -1) return 0;
  const descriptor = loadAs(cpu, at, 8, true);
  if (faulted(cpu)) return 0;
  const attributes = attributesOfDescriptor(descriptor);
  const conforming = (attributes & (ATTR_S | ATTR_CODE | ATTR_CONFORMING)) == (ATTR_S | ATTR_CODE | ATTR_CONFORMING);
  const dpl = dplOf(attributes);
  if (!conforming && (load<u32>(cpu + S_CPL) > dpl || (selector & 3) > dpl)) return 0;
  return descriptor;
}

/** System descriptor types (bits set by type) that LAR and LSL know. */
function knownSystemType(cpu: u32, attributes: u32, limit: bool): bool {
  if ((attributes & ATTR_S) != 0) return true;
  const long = (load<u32>(cpu + S_MODE) & MODE_LMA) != 0;
  const known: u32 = limit ? (long ? 0x0a04 : 0x0a0e) : long ? 0x1a04 : 0x1a3e;
  return ((known >> (attributes & 15)) & 1) != 0;
}

export function lar(cpu: u32, selector: i64): i64 {
  const descriptor = examine(cpu, <u32>selector);
  if (descriptor == 0 || !knownSystemType(cpu, attributesOfDescriptor(descriptor), false)) return -1;
  return (descriptor >>> 32) & 0xffff00;
}

export function lsl(cpu: u32, selector: i64): i64 {
  const descriptor = examine(cpu, <u32>selector);
  if (descriptor == 0 || !knownSystemType(cpu, attributesOfDescriptor(descriptor), true)) return -1;
  return limitOf(descriptor);
}

export function verr(cpu: u32, selector: i64): i64 {
  const attributes = attributesOfDescriptor(examine(cpu, <u32>selector));
  if ((attributes & ATTR_S) == 0) return 0;
  return (attributes & ATTR_CODE) == 0 || (attributes & ATTR_READABLE) != 0 ? 1 : 0;
}

export function verw(cpu: u32, selector: i64): i64 {
  const attributes = attributesOfDescriptor(examine(cpu, <u32>selector));
  return (attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) == (ATTR_S | ATTR_WRITABLE) ? 1 : 0;
}
