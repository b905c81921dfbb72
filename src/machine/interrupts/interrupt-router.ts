import { SharedLine, type Line } from '../line.js';
import type { IoApic } from './io-apic.js';
import type { I8259Pair } from './i8259-pair.js';

export const ISA_IRQS = 16;
/** PIRQA# to PIRQD#, which all PCI interrupt pins are wired to. */
export const PIRQS = 4;
/** Where they enter the I/O APIC. */
export const FIRST_PIRQ_GSI = 16;
/** Inputs of the I/O APIC that nothing else uses: for the HPET. */
export const FREE_GSIS: readonly number[] = [20, 21, 22, 23];

const CASCADE = 2;
/** The 8254 enters the I/O APIC at input 2. */
const TIMER_GSI = 2;

/** Which PIRQ (0-3) the pin (0 is INTA#) of a slot of bus 0 is wired to. */
export function pirqOf(slot: number, pin: number): number {
  return (slot + pin + 3) & 3;
}

/** Wires interrupt lines to the 8259 pair and the I/O APIC. Several devices may share a line. */
export class InterruptRouter {
  private readonly isa: SharedLine[];
  private readonly pirq: SharedLine[];
  private readonly free: SharedLine[];
  /** ISA interrupt that each PIRQ drives at the 8259 pair; -1 for none. */
  private readonly routes = new Array<number>(PIRQS).fill(-1);

  constructor(
    private readonly pic: I8259Pair,
    private readonly ioApic: IoApic,
  ) {
    this.isa = Array.from(
      { length: ISA_IRQS },
      (_, irq) => new SharedLine((asserted) => this.isaChanged(irq, asserted)),
    );
    this.pirq = Array.from(
      { length: PIRQS },
      (_, pirq) => new SharedLine((asserted) => this.pirqChanged(pirq, asserted)),
    );
    this.free = FREE_GSIS.map((gsi) => new SharedLine((asserted) => ioApic.setPin(gsi, asserted)));
  }

  /** A new output on ISA interrupt `irq`. */
  isaLine(irq: number): Line {
    return this.isa[irq]!.input();
  }

  /** A new output on the wire of pin `pin` (0 is INTA#) of a PCI slot. */
  pciLine(slot: number, pin: number): Line {
    return this.pirq[pirqOf(slot, pin)]!.input();
  }

  /** A new output on an input of the I/O APIC that is in FREE_GSIS. */
  gsiLine(gsi: number): Line {
    return this.free[FREE_GSIS.indexOf(gsi)]!.input();
  }

  private isaChanged(irq: number, asserted: boolean): void {
    this.updatePic(irq);
    if (irq !== CASCADE) this.ioApic.setPin(irq === 0 ? TIMER_GSI : irq, asserted);
  }

  private pirqChanged(pirq: number, asserted: boolean): void {
    this.ioApic.setPin(FIRST_PIRQ_GSI + pirq, asserted);
    this.updatePic(this.routes[pirq]!);
  }

  /** PIRQRC of the PIIX3: `irq` -1 disconnects the line from the 8259 pair. */
  route(pirq: number, irq: number): void {
    const before = this.routes[pirq]!;
    this.routes[pirq] = irq;
    this.updatePic(before);
    this.updatePic(irq);
  }

  private updatePic(irq: number): void {
    if (irq < 0) return;
    const byPirq = this.routes.some((route, pirq) => route === irq && this.pirq[pirq]!.level);
    this.pic.setIrq(irq, byPirq || this.isa[irq]!.level);
  }

  save(): { isa: boolean[][]; pirq: boolean[][]; free: boolean[][]; routes: number[] } {
    const levels = (lines: SharedLine[]): boolean[][] => lines.map((line) => line.save());
    return {
      isa: levels(this.isa),
      pirq: levels(this.pirq),
      free: levels(this.free),
      routes: [...this.routes],
    };
  }

  load(state: ReturnType<InterruptRouter['save']>): void {
    this.isa.forEach((line, index) => line.load(state.isa[index]!));
    this.pirq.forEach((line, index) => line.load(state.pirq[index]!));
    this.free.forEach((line, index) => line.load(state.free[index]!));
    state.routes.forEach((irq, pirq) => (this.routes[pirq] = irq));
  }
}
