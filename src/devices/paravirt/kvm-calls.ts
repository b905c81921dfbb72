/** Calls of a guest to its hypervisor, as KVM takes them (Linux Documentation/virt/kvm/x86/hypercalls.rst). */
import type { ApicBus } from '../../machine/interrupts/apic-bus.js';

const KICK_CPU = 5n;
const SEND_IPI = 10n;
const SCHED_YIELD = 11n;
/** -KVM_ENOSYS: there is no such call. */
const NO_SUCH_CALL = -1000n;

const MODE_SHIFT = 8n;
const MODE_MASK = 7n;

export interface KvmCallTargets {
  readonly apicBus: ApicBus;
  /** Ends the halt of the CPU with this APIC id, or its next one. */
  kick(apicId: number): void;
  /** The calling CPU would let others run. */
  yield(cpu: number): void;
}

export class KvmCalls {
  constructor(private readonly targets: KvmCallTargets) {}

  call(cpu: number, number: bigint, [a = 0n, b = 0n, c = 0n, d = 0n]: readonly bigint[]): bigint {
    switch (number) {
      case KICK_CPU:
        this.targets.kick(Number(BigInt.asUintN(32, b)));
        return 0n;
      case SEND_IPI:
        return this.sendIpi(BigInt.asUintN(64, a), BigInt.asUintN(64, b), Number(BigInt.asUintN(32, c)), d);
      case SCHED_YIELD:
        this.targets.yield(cpu);
        return 0n;
      default:
        return NO_SUCH_CALL;
    }
  }

  /** Two bitmaps of 64 APIC ids from `first` on, and what to send as the low half of ICR has it. Gives how many it reached. */
  private sendIpi(low: bigint, high: bigint, first: number, icr: bigint): bigint {
    const mode = Number((icr >> MODE_SHIFT) & MODE_MASK);
    const vector = Number(icr & 0xffn);
    let reached = 0n;
    let id = first;
    for (let bits = low | (high << 64n); bits !== 0n; bits >>= 1n, id++) {
      if (!(bits & 1n)) continue;
      const message = { mode, vector, destination: id, logical: false, wide: true, levelTriggered: false };
      if (this.targets.apicBus.deliver(message)) reached++;
    }
    return reached;
  }
}
