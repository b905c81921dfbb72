import type { Ops } from '../ops.js';

const FSW_TOP = 0x3800n;
const ALL_VALID = 0;
const ALL_EMPTY = 0xffff;

/**
 * What every MMX instruction does to the x87 state (SDM vol. 3, 13.2): TOP = 0 and all registers valid. To be called
 * when the operands have been read and results stored to memory, since a fault must leave the state as it was.
 */
export function enterMmx(o: Ops): void {
  o.setState('fsw', o.and(o.state('fsw'), ~FSW_TOP));
  o.setState('ftw', ALL_VALID);
}

/** EMMS: all registers empty. */
export function leaveMmx(o: Ops): void {
  o.setState('fsw', o.and(o.state('fsw'), ~FSW_TOP));
  o.setState('ftw', ALL_EMPTY);
}

const CR4_OSFXSR_BIT = 9;

/** What instructions between MMX and XMM registers need besides MMX: CR4.OSFXSR. */
export function requireXmm(o: Ops): void {
  o.raiseIf(o.negate(o.bit(o.state('cr4'), CR4_OSFXSR_BIT)), '#UD');
}

/** Whether the form works on 64-bit MMX registers, told by its first operand. */
export function isMmx(o: Ops): boolean {
  return o.width(0) === 64;
}
