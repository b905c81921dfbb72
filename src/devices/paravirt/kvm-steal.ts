/** KVM's steal time (Linux Documentation/virt/kvm/x86/msr.rst): where a CPU is told of the time that it could not run. */
import type { GuestRam } from '../../machine/guest-ram.js';
import { checkVersion } from '../../machine/state.js';

export const MSR_KVM_STEAL_TIME = 0x4b564d03;
/** struct kvm_steal_time */
const BYTES = 64;
const ENABLE = 1n;
const RESERVED = 0x3en;

export interface SavedKvmSteal {
  version: 1;
  /** Decimal digits: the MSR of each CPU. */
  areas: string[];
}

export class KvmSteal {
  private readonly areas: bigint[];

  /** `place`: the structure of a CPU is at this physical address now; null: it has none. */
  constructor(
    private readonly ram: GuestRam,
    cpus: number,
    private readonly place: (cpu: number, physical: number | null) => void,
  ) {
    this.areas = new Array<bigint>(cpus).fill(0n);
  }

  reset(): void {
    this.areas.forEach((_, cpu) => this.set(cpu, 0n));
  }

  private set(cpu: number, value: bigint): void {
    this.areas[cpu] = value;
    const address = Number(value & ~ENABLE);
    this.place(cpu, value & ENABLE && this.ram.contains(address, BYTES) ? address : null);
  }

  /** undefined: the MSR is another. */
  readMsr(cpu: number, index: number): bigint | undefined {
    return index === MSR_KVM_STEAL_TIME ? this.areas[cpu] : undefined;
  }

  /** False: the MSR is another, or does not take the value. */
  writeMsr(cpu: number, index: number, value: bigint): boolean {
    if (index !== MSR_KVM_STEAL_TIME || value & RESERVED) return false;
    this.set(cpu, value);
    return true;
  }

  save(): SavedKvmSteal {
    return { version: 1, areas: this.areas.map(String) };
  }

  load(state: SavedKvmSteal): void {
    checkVersion('steal time', state, 1);
    state.areas.forEach((value, cpu) => this.set(cpu, BigInt(value)));
  }
}
