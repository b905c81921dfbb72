/**
 * KVM's paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst): a page that tells how to get
 * nanoseconds from the TSC. As the TSC is the clock plus a constant, it is written once and stays true.
 */
import type { GuestRam } from '../../machine/guest-ram.js';
import { checkVersion } from '../../machine/state.js';

export const MSR_KVM_WALL_CLOCK = 0x11;
export const MSR_KVM_SYSTEM_TIME = 0x12;
export const MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00;
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01;

const ENABLE = 1n;

// struct pvclock_vcpu_time_info
const TIME_BYTES = 32;
const TIME_TSC = 8;
const TIME_NS = 16;
const TIME_MULTIPLIER = 24;
const TIME_SHIFT = 28;
const TIME_FLAGS = 29;
const FLAG_TSC_STABLE = 1;
/** ns = ((tsc << 1) * 2^31) >> 32: the TSC has 1 GHz. */
const MULTIPLIER = 0x80000000;
const SHIFT = 1;

// struct pvclock_wall_clock
const WALL_BYTES = 12;
const WALL_SECONDS = 4;
const WALL_NANOSECONDS = 8;

/** Even: nobody is writing. */
const VERSION = 2;

export interface SavedKvmClock {
  version: 1;
  /** Decimal digits: the wall clock MSR, and the system time MSR of each CPU. */
  wall: string;
  system: string[];
}

export class KvmClock {
  private wall = 0n;
  private readonly system: bigint[];

  /** `wallClockMs`: milliseconds since 1970, UTC, at power-on. `tscOffset`: TSC minus clock of a CPU. */
  constructor(
    private readonly ram: GuestRam,
    private readonly wallClockMs: number,
    cpus: number,
    private readonly tscOffset: (cpu: number) => bigint,
  ) {
    this.system = new Array<bigint>(cpus).fill(0n);
  }

  reset(): void {
    this.wall = 0n;
    this.system.fill(0n);
  }

  /** undefined: the MSR is not one of these. */
  readMsr(cpu: number, index: number): bigint | undefined {
    switch (index) {
      case MSR_KVM_WALL_CLOCK:
      case MSR_KVM_WALL_CLOCK_NEW:
        return this.wall;
      case MSR_KVM_SYSTEM_TIME:
      case MSR_KVM_SYSTEM_TIME_NEW:
        return this.system[cpu];
      default:
        return undefined;
    }
  }

  /** False: the MSR is not one of these. */
  writeMsr(cpu: number, index: number, value: bigint): boolean {
    switch (index) {
      case MSR_KVM_WALL_CLOCK:
      case MSR_KVM_WALL_CLOCK_NEW:
        this.wall = value;
        this.writeWallClock();
        return true;
      case MSR_KVM_SYSTEM_TIME:
      case MSR_KVM_SYSTEM_TIME_NEW:
        this.system[cpu] = value;
        this.writeSystemTime(cpu);
        return true;
      default:
        return false;
    }
  }

  /** The CPU's TSC offset changed. */
  tscChanged(cpu: number): void {
    this.writeSystemTime(cpu);
  }

  /** Wall clock time at power-on. */
  private writeWallClock(): void {
    const address = Number(this.wall);
    if (!this.ram.contains(address, WALL_BYTES)) return;
    const seconds = Math.floor(this.wallClockMs / 1000);
    this.ram.writeU32(address, VERSION - 1);
    this.ram.writeU32(address + WALL_SECONDS, seconds >>> 0);
    this.ram.writeU32(address + WALL_NANOSECONDS, Math.floor((this.wallClockMs - seconds * 1000) * 1e6));
    this.ram.writeU32(address, VERSION);
  }

  private writeSystemTime(cpu: number): void {
    const value = this.system[cpu]!;
    const address = Number(value & ~ENABLE);
    if (!(value & ENABLE) || !this.ram.contains(address, TIME_BYTES)) return;
    const version = this.ram.readU32(address);
    const writing = ((version | 1) + 2) >>> 0;
    const page = new DataView(new ArrayBuffer(TIME_BYTES));
    page.setUint32(0, writing, true);
    // From power-on, which no CPU's counter is before: threads of the host may count a little apart.
    page.setBigUint64(TIME_TSC, BigInt.asUintN(64, this.tscOffset(cpu)), true);
    page.setBigUint64(TIME_NS, 0n, true);
    page.setUint32(TIME_MULTIPLIER, MULTIPLIER, true);
    page.setInt8(TIME_SHIFT, SHIFT);
    page.setUint8(TIME_FLAGS, FLAG_TSC_STABLE);
    this.ram.write(address, new Uint8Array(page.buffer));
    this.ram.writeU32(address, writing + 1);
  }

  save(): SavedKvmClock {
    return { version: 1, wall: String(this.wall), system: this.system.map(String) };
  }

  load(state: SavedKvmClock): void {
    checkVersion('kvmclock', state, 1);
    this.wall = BigInt(state.wall);
    state.system.forEach((value, cpu) => (this.system[cpu] = BigInt(value)));
  }
}
