/** What tests of the board and its devices share. */
import { ManualClock } from './clock.js';
import { EventQueue } from './events.js';
import type { InterruptRouter } from './interrupts/interrupt-router.js';
import type { CpuLines } from './interrupts/local-apic.js';
import { MmioBus } from './mmio-bus.js';
import { PciBus } from './pci/pci-bus.js';
import { PortBus } from './port-bus.js';

/** Buses whose devices' interrupts lead nowhere. */
export function quietBuses(): { ports: PortBus; mmio: MmioBus; pci: PciBus } {
  const [ports, mmio] = [new PortBus(), new MmioBus()];
  const lines = { pciLine: () => () => {}, isaLine: () => () => {} } as unknown as InterruptRouter;
  return { ports, mmio, pci: new PciBus(ports, mmio, lines, () => {}) };
}

/** A clock that stands still until `advance`, with an event queue. */
export class TestTime {
  readonly clock = new ManualClock();
  readonly events = new EventQueue(this.clock);

  /** Lets `ns` nanoseconds pass, running each event at its moment. */
  advance(ns: number): void {
    const end = this.clock.time + ns;
    for (let next = this.events.next(); next !== undefined && next <= end; next = this.events.next()) {
      this.clock.time = Math.max(this.clock.time, next);
      this.events.runDue();
    }
    this.clock.time = end;
  }
}

/** A CPU that only notes what it is told. */
export class TestCpu implements CpuLines {
  readonly log: string[] = [];
  offset = 0n;

  interruptChanged(): void {}
  nmi(): void {
    this.log.push('nmi');
  }
  init(): void {
    this.log.push('init');
  }
  startup(vector: number): void {
    this.log.push(`startup ${vector}`);
  }
  kick(): void {
    this.log.push('kick');
  }
  yield(): void {}
  readonly general = new Uint32Array(16);
  register(n: number): number {
    return this.general[n]!;
  }
  setRegister(n: number, value: number): void {
    this.general[n] = value;
  }
  stealTime(): void {}
  smi(): void {
    this.log.push('smi');
  }
  tscOffset(): bigint {
    return this.offset;
  }
}

/** A line that counts how often it was asserted. */
export class TestLine {
  level = false;
  rises = 0;
  readonly line = (asserted: boolean): void => {
    if (asserted && !this.level) this.rises++;
    this.level = asserted;
  };
}
