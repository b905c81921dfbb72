/** Which local APICs a destination means (Intel SDM volume 3, 11.6.2 and 11.12.10). */

const BROADCAST_8 = 0xff;
const BROADCAST_32 = 0xffffffff;
const DFR_FLAT = 0xf;
const ALL_CLUSTERS = 0xf;

export interface Addressee {
  id: number;
  x2apic: boolean;
  /** Registers LDR and DFR as they read. */
  ldr: number;
  dfr: number;
}

/** `wide`: `destination` has 32 bits, else 8. */
export function isAddressed(to: Addressee, destination: number, logical: boolean, wide: boolean): boolean {
  if (destination === (wide ? BROADCAST_32 : BROADCAST_8)) return true;
  if (!logical) return destination === to.id;
  if (to.x2apic) return matchesX2apicLogical(to.ldr, destination);
  return destination <= BROADCAST_8 && matchesLogical(to, destination);
}

/** LDR of an x2APIC: cluster in the upper half, one bit of 16 in the lower; follows from the id. */
export function x2apicLdr(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}

function matchesX2apicLogical(ldr: number, destination: number): boolean {
  return ldr >>> 16 === destination >>> 16 && (ldr & destination & 0xffff) !== 0;
}

function matchesLogical({ ldr, dfr }: Addressee, destination: number): boolean {
  const logicalId = ldr >>> 24;
  if (dfr >>> 28 === DFR_FLAT) return (logicalId & destination) !== 0;
  const cluster = destination >>> 4;
  if (cluster !== ALL_CLUSTERS && cluster !== logicalId >>> 4) return false;
  return (logicalId & destination & 0xf) !== 0;
}
