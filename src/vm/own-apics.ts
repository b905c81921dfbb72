import type { BoardAccess } from '../engine/cpu.js';
import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';
import { FIRST_VECTOR, FIXED } from '../machine/interrupts/apic-bus.js';
import { APIC_REGISTERS_WORDS, ApicRegisters } from '../machine/interrupts/apic-registers.js';
import * as R from '../machine/interrupts/local-apic-registers.js';

/** The registers of a CPU's local APIC, in the shared memory. */
export function apicWords(memory: WebAssembly.Memory, cpu: number): Int32Array {
  return new Int32Array(memory.buffer, L.CPU_BASE + cpu * L.CPU_BYTES + L.S_APIC, APIC_REGISTERS_WORDS);
}

/**
 * What a thread beside the machine's own does with the local APICs by itself, as it is needed often: ends of interrupts, task
 * priority, interrupts from CPU to CPU. Whatever else there is to it, the machine's thread does.
 */
export class OwnApics {
  private readonly apics: readonly ApicRegisters[];

  constructor(
    memory: WebAssembly.Memory,
    cpus: number,
    private readonly processors: () => readonly Processor[],
  ) {
    this.apics = Array.from({ length: cpus }, (_, cpu) => new ApicRegisters(apicWords(memory, cpu)));
  }

  /** `board`, as far as this thread need not ask it; `posted`: for what it need not wait for. */
  over(board: BoardAccess, posted: Pick<BoardAccess, 'mmioWrite' | 'msrWrite'>): BoardAccess {
    const { apics } = this;
    return {
      ...board,
      mmioRead: (cpu, physical, size) =>
        (size === 4 && this.readPage(cpu, physical)) || board.mmioRead(cpu, physical, size),
      mmioWrite: (cpu, physical, size, value) => {
        const apic = apics[cpu]!;
        if (size !== 4 || !apic.decodes(physical)) return board.mmioWrite(cpu, physical, size, value);
        const register = (physical & 0xfff) / 16;
        if (register === R.INITIAL_COUNT) return posted.mmioWrite(cpu, physical, size, value);
        if (register === R.ICR_HIGH) apic.icrHigh = value & 0xff000000;
        else if (!this.write(cpu, register, value)) board.mmioWrite(cpu, physical, size, value);
      },
      msrWrite: (cpu, index, value) => {
        if (index === R.IA32_TSC_DEADLINE) return posted.msrWrite(cpu, index, value);
        return this.writeMsr(cpu, index, BigInt.asUintN(64, value)) || board.msrWrite(cpu, index, value);
      },
      tprRead: (cpu) => apics[cpu]!.tpr >> 4,
      tprWrite: (cpu, value) => void this.write(cpu, R.TPR, (value & 0xf) << 4),
      hasInterrupt: (cpu) => apics[cpu]!.hasInterrupt(),
      take: (cpu) => {
        const apic = apics[cpu]!;
        if (apic.external || !apic.enabled) return board.take!(cpu);
        const vector = apic.hasInterrupt() ? apic.acknowledge() : -1;
        this.changed(cpu);
        return vector;
      },
    };
  }

  private changed(cpu: number): void {
    this.processors()[cpu]!.interruptChanged();
  }

  /** What systems read of their page before they send an interrupt; 0: to be asked for. */
  private readPage(cpu: number, physical: number): number {
    const apic = this.apics[cpu]!;
    if (!apic.decodes(physical)) return 0;
    switch ((physical & 0xfff) / 16) {
      case R.ICR_LOW:
        return apic.icrLow;
      case R.TPR:
        return apic.tpr;
      default:
        return 0;
    }
  }

  private writeMsr(cpu: number, index: number, value: bigint): boolean {
    const apic = this.apics[cpu]!;
    if (!apic.enabled || !apic.x2apic) return false;
    const register = index - R.X2APIC_FIRST;
    const low = Number(value & 0xffffffffn);
    switch (register) {
      case R.EOI:
        return value === 0n && this.write(cpu, register, 0);
      case R.TPR:
        return value <= 0xffn && this.write(cpu, register, low);
      case R.ICR_LOW:
        if ((low & ~R.ICR_WRITABLE) !== 0) return false;
        apic.icrHigh = Number(value >> 32n);
        return this.write(cpu, register, low);
      default:
        return false;
    }
  }

  /** False: the machine's thread has to do it. */
  private write(cpu: number, register: number, value: number): boolean {
    const apic = this.apics[cpu]!;
    switch (register) {
      case R.EOI:
        return this.endOfInterrupt(cpu, apic);
      case R.TPR:
        apic.tpr = value;
        this.changed(cpu);
        return true;
      case R.ICR_LOW:
        apic.icrLow = value & R.ICR_WRITABLE;
        return this.send(cpu, apic);
      default:
        return false;
    }
  }

  /** The I/O APIC hears of the end of a level-triggered one. */
  private endOfInterrupt(cpu: number, { isr, tmr }: ApicRegisters): boolean {
    const vector = isr.highest();
    if (vector < 0) return true;
    if (tmr.has(vector)) return false;
    isr.set(vector, false);
    this.changed(cpu);
    return true;
  }

  private send(cpu: number, from: ApicRegisters): boolean {
    const message = from.command();
    const { mode, vector } = message;
    if (mode !== FIXED || vector < FIRST_VECTOR) return false;
    const shorthand = from.icrLow >> R.ICR_SHORTHAND_SHIFT;
    this.apics.forEach((to, index) => {
      if (shorthand === R.TO_DESTINATION ? !to.matches(message) : !isMeant(shorthand, index === cpu)) return;
      if (to.request(vector, false)) this.changed(index);
    });
    return true;
  }
}

/** Whether a shorthand means a CPU, or with `self` the sender. */
function isMeant(shorthand: number, self: boolean): boolean {
  return shorthand === R.TO_ALL || (shorthand === R.TO_SELF) === self;
}
