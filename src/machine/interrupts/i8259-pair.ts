import type { Line } from '../line.js';
import type { PortBus, PortDevice } from '../port-bus.js';
import { I8259, type SavedI8259 } from './i8259.js';

const MASTER = 0x20;
const SLAVE = 0xa0;
const ELCR = 0x4d0;
const CASCADE = 2;
/** IRQ 0, 1, 2 and 8, 13 are always edge triggered (82371SB, ELCR1 and ELCR2). */
const MASTER_ELCR_MASK = 0xf8;
const SLAVE_ELCR_MASK = 0xde;

/** The two 8259A of the PC: IRQ 0-7, and IRQ 8-15 by way of IRQ 2. */
export class I8259Pair implements PortDevice {
  private readonly master: I8259;
  private readonly slave: I8259;
  private asserted = false;

  /** `intr`: the master's INT output changed. */
  constructor(private readonly intr: Line) {
    this.master = new I8259(1 << CASCADE, MASTER_ELCR_MASK, (asserted) => this.drive(asserted));
    this.slave = new I8259(0, SLAVE_ELCR_MASK, (asserted) => this.master.setInput(CASCADE, asserted));
  }

  attach(ports: PortBus): void {
    ports.map(MASTER, 2, this);
    ports.map(SLAVE, 2, this);
    ports.map(ELCR, 2, this);
  }

  reset(): void {
    this.slave.reset();
    this.master.reset();
  }

  private drive(asserted: boolean): void {
    if (asserted === this.asserted) return;
    this.asserted = asserted;
    this.intr(asserted);
  }

  /** INT of the master. */
  get interrupt(): boolean {
    return this.asserted;
  }

  /** Drives IRQ `irq` (0-15; 2 is the cascade and cannot be driven). */
  setIrq(irq: number, asserted: boolean): void {
    if (irq >= 8) this.slave.setInput(irq - 8, asserted);
    else if (irq !== CASCADE) this.master.setInput(irq, asserted);
  }

  /** The INTA cycles: the vector for the CPU. */
  acknowledge(): number {
    const irq = this.master.acknowledge();
    if (irq !== CASCADE) return this.master.vectorOf(irq);
    return this.slave.vectorOf(this.slave.acknowledge());
  }

  readPort(port: number): number {
    switch (port) {
      case ELCR:
        return this.master.readElcr();
      case ELCR + 1:
        return this.slave.readElcr();
      default:
        return this.chip(port).read((port & 1) !== 0);
    }
  }

  writePort(port: number, value: number): void {
    if (port === ELCR) this.master.writeElcr(value);
    else if (port === ELCR + 1) this.slave.writeElcr(value);
    else this.chip(port).write((port & 1) !== 0, value);
  }

  private chip(port: number): I8259 {
    return port < SLAVE ? this.master : this.slave;
  }

  save(): { master: SavedI8259; slave: SavedI8259; asserted: boolean } {
    return { master: this.master.save(), slave: this.slave.save(), asserted: this.asserted };
  }

  load(state: ReturnType<I8259Pair['save']>): void {
    this.master.load(state.master);
    this.slave.load(state.slave);
    this.asserted = state.asserted;
  }
}
