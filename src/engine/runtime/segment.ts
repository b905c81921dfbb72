import {
  LDTR, MODE_LMA, MODE_LONG, MODE_PROTECTED, S_CPL, S_MODE, S_SHADOW_NEXT, SEG_ATTR, SEG_NULL, SEG_SELECTOR, SS, TR,
} from '../layout'; // prettier-ignore
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_P, ATTR_READABLE, ATTR_S, attributesOfDescriptor, baseOf, descriptorAddress, dplOf, limitOf, markAccessed, readDescriptor,
  setFromDescriptor, setNull, setRealSegment, setSegment, stackDescriptor,
} from './descriptor'; // prettier-ignore
import { faulted, GP, NP, raise, raiseWithError, UD } from './fault';
import { loadAs, storeAs } from './memory';
import { canonical, segment, updateMode } from './mode';

/** MOV to a segment register, POP, LDS and kin (SDM vol. 2, MOV). */
export function loadSegment(cpu: u32, number: i64, value: i64): void {
  const n = <u32>number;
  const selector = <u32>value & 0xffff;
  const mode = load<u32>(cpu + S_MODE);
  if ((mode & MODE_PROTECTED) == 0) {
    setRealSegment(cpu, n, selector);
    if (n == SS) store<u32>(cpu + S_SHADOW_NEXT, 2);
    updateMode(cpu);
    return;
  }
  const error = selector & 0xfffc;
  if (n == SS) {
    const cpl = load<u32>(cpu + S_CPL);
    if (error == 0 && (mode & MODE_LONG) != 0 && cpl != 3 && (selector & 3) == cpl) {
      setNull(cpu, SS, selector);
      store<u32>(segment(cpu, SS) + SEG_ATTR, SEG_NULL | (cpl << 5));
    } else {
      const descriptor = stackDescriptor(cpu, selector, cpl, GP);
      if (faulted(cpu)) return;
      markAccessed(cpu, selector, descriptor);
      if (faulted(cpu)) return;
      setFromDescriptor(cpu, SS, selector, descriptor);
    }
    store<u32>(cpu + S_SHADOW_NEXT, 2);
    updateMode(cpu);
    return;
  }
  if (error == 0) {
    setNull(cpu, n, selector);
    updateMode(cpu);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  const isCode = (attributes & ATTR_CODE) != 0;
  let bad = (attributes & ATTR_S) == 0 || (isCode && (attributes & ATTR_READABLE) == 0);
  if (!isCode || (attributes & ATTR_CONFORMING) == 0) {
    const dpl = dplOf(attributes);
    bad = bad || (selector & 3) > dpl || load<u32>(cpu + S_CPL) > dpl;
  }
  if (bad) {
    raiseWithError(cpu, GP, error);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, error);
    return;
  }
  markAccessed(cpu, selector, descriptor);
  if (faulted(cpu)) return;
  setFromDescriptor(cpu, n, selector, descriptor);
  updateMode(cpu);
}

export function segmentSelector(cpu: u32, number: i64): i64 {
  if (<u64>number > 5) {
    raise(cpu, UD);
    return 0;
  }
  return <i64>load<u32>(segment(cpu, <u32>number) + SEG_SELECTOR);
}

/** Base of a 16-byte system descriptor in IA-32e mode: the upper half lies behind the usual 8 bytes. */
function systemBase(cpu: u32, selector: u32, descriptor: i64): i64 {
  if ((load<u32>(cpu + S_MODE) & MODE_LMA) == 0) return baseOf(descriptor);
  const at = descriptorAddress(cpu, selector, 16);
  if (at == -1) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return 0;
  }
  const upper = loadAs(cpu, at + 8, 8, true);
  if (faulted(cpu)) return 0;
  const base = baseOf(descriptor) | (upper << 32);
  // The type field of the upper half must be zero.
  if ((upper & 0x1f0000000000) != 0 || !canonical(cpu, base)) raiseWithError(cpu, GP, selector & 0xfffc);
  return base;
}

export function lldt(cpu: u32, value: i64): void {
  const selector = <u32>value & 0xffff;
  if ((selector & 0xfffc) == 0) {
    setNull(cpu, LDTR, selector);
    return;
  }
  if ((selector & 4) != 0) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  if ((attributes & 0x1f) != 2) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, selector & 0xfffc);
    return;
  }
  const base = systemBase(cpu, selector, descriptor);
  if (faulted(cpu)) return;
  setSegment(cpu, LDTR, selector, attributes, base, limitOf(descriptor));
}

export function ltr(cpu: u32, value: i64): void {
  const selector = <u32>value & 0xffff;
  if ((selector & 0xfffc) == 0 || (selector & 4) != 0) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP);
  if (faulted(cpu)) return;
  const attributes = attributesOfDescriptor(descriptor);
  const type = attributes & 0x1f;
  if (type != 9 && (type != 1 || (load<u32>(cpu + S_MODE) & MODE_LMA) != 0)) {
    raiseWithError(cpu, GP, selector & 0xfffc);
    return;
  }
  if ((attributes & ATTR_P) == 0) {
    raiseWithError(cpu, NP, selector & 0xfffc);
    return;
  }
  const base = systemBase(cpu, selector, descriptor);
  if (faulted(cpu)) return;
  // the descriptor is marked busy
  const at = descriptorAddress(cpu, selector, 8);
  storeAs(cpu, at + 5, 1, (descriptor >>> 40) | 2, true);
  if (faulted(cpu)) return;
  setSegment(cpu, TR, selector, attributes | 2, base, limitOf(descriptor));
}
