/** What becomes of the exceptions of an SSE instruction (SDM vol. 1, 11.5). */
import { S_CR4, S_MXCSR } from '../layout';
import { raise, UD, XM } from './fault';
import { DE, IE, S_EXCEPTIONS, ZE } from './softfloat';

const CR4_OSXMMEXCPT: u32 = 0x400;
const MASKS_SHIFT: u32 = 7;
const ALL_FLAGS: u32 = 0x3f;
/** Found before the computation; if one is unmasked nothing is computed. */
const PRE_COMPUTATION: u32 = IE | DE | ZE;

export function beginFloat(cpu: u32): void {
  store<u32>(cpu + S_EXCEPTIONS, 0);
}

/** Sets the MXCSR flags. False if the instruction faults (done here) and must not write its result. */
export function endFloat(cpu: u32): bool {
  const mxcsr = load<u32>(cpu + S_MXCSR);
  let found = load<u32>(cpu + S_EXCEPTIONS);
  const unmasked = found & ~(mxcsr >> MASKS_SHIFT) & ALL_FLAGS;
  if (unmasked & PRE_COMPUTATION) found &= PRE_COMPUTATION;
  store<u32>(cpu + S_MXCSR, mxcsr | found);
  if (unmasked == 0) return true;
  raise(cpu, load<u32>(cpu + S_CR4) & CR4_OSXMMEXCPT ? XM : UD);
  return false;
}
