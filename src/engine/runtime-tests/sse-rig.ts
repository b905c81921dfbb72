import * as L from '../layout.js';
import { Rig } from './rig.js';

/** XMM registers that the tests use as destination and source. */
export const DESTINATION = 1;
export const SOURCE = 2;
export const slotOf = (register: number): bigint => BigInt(L.S_XMM + L.XMM_BYTES * register);

const CR4_OSXMMEXCPT = 0x400n;
const MASK64 = (1n << 64n) - 1n;

/** The runtime's SSE helpers on two registers. */
export class SseRig {
  private readonly rig = new Rig();

  constructor() {
    this.rig.setup({ cr4: CR4_OSXMMEXCPT });
  }

  set mxcsr(value: number) {
    this.rig.setU32(this.rig.cpu + L.S_MXCSR, value);
  }
  get mxcsr(): number {
    return this.rig.u32(this.rig.cpu + L.S_MXCSR);
  }

  setCr4(value: bigint): void {
    this.rig.setU64(this.rig.cpu + L.S_CR4, value);
  }

  xmm(register: number): bigint {
    const at = this.rig.cpu + Number(slotOf(register));
    return this.rig.u64(at) | (this.rig.u64(at + 8) << 64n);
  }
  setXmm(register: number, value: bigint): void {
    const at = this.rig.cpu + Number(slotOf(register));
    this.rig.setU64(at, value & MASK64);
    this.rig.setU64(at + 8, value >> 64n);
  }

  /** Calls a helper; result of one that has a result, as unsigned 64 bits. */
  call(name: string, ...args: bigint[]): bigint {
    return BigInt.asUintN(64, (this.rig.call(name, ...args) as bigint | undefined) ?? 0n);
  }
  /** Calls a helper of a destination and a source slot. */
  onSlots(name: string, ...more: bigint[]): void {
    this.call(name, slotOf(DESTINATION), slotOf(SOURCE), ...more);
  }

  /** Vector of the fault that was raised, which is taken away; null if none. */
  fault(): number | null {
    return this.rig.fault()?.vector ?? null;
  }
}
