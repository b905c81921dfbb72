/** Intel 82371SB (PIIX3) PCI-to-ISA bridge (order number 290550), function 0. */
import { PIRQS } from '../interrupts/interrupt-router.js';
import type { AccessSize } from '../port-bus.js';
import { PciFunction } from './pci-function.js';
import {
  COMMAND,
  COMMAND_IO,
  COMMAND_MASTER,
  COMMAND_MEMORY,
  HEADER_MULTI_FUNCTION,
} from './pci-registers.js';

/** ISA I/O recovery timer, X-bus chip select. */
const IORT = 0x4c;
const XBCS = 0x4e;
/** PIRQ route control A-D. */
export const PIRQRC = 0x60;
export const PIRQRC_DISABLED = 0x80;
const PIRQRC_IRQ = 0x0f;
/** Top of memory. */
const TOM = 0x69;
/** IRQ 0, 1, 2, 8 and 13 cannot be chosen. */
const ROUTABLE = 0b1101_1110_1111_1000;
const ALWAYS_ON = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;

export class Piix3 extends PciFunction {
  /** `route`: a PIRQ (0-3) now drives ISA interrupt `irq`, or none (-1). */
  constructor(private readonly route: (pirq: number, irq: number) => void) {
    super({
      vendor: 0x8086,
      device: 0x7000,
      revision: 0,
      classCode: 0x060100,
      headerType: HEADER_MULTI_FUNCTION,
    });
    this.set16(COMMAND, ALWAYS_ON);
    this.allow(COMMAND, 2, 0);
    this.set8(IORT, 0x4d);
    this.allow(IORT, 1, 0xff);
    this.set16(XBCS, 0x0003);
    this.allow(XBCS, 2, 0x01ff);
    this.set8(TOM, 0x02);
    this.allow(TOM, 1, 0xff);
    for (let pirq = 0; pirq < PIRQS; pirq++) {
      this.set8(PIRQRC + pirq, PIRQRC_DISABLED);
      this.allow(PIRQRC + pirq, 1, PIRQRC_DISABLED | PIRQRC_IRQ);
    }
  }

  protected override configWritten(offset: number, size: AccessSize): void {
    if (offset !== 0 && (offset + size <= PIRQRC || offset >= PIRQRC + PIRQS)) return;
    for (let pirq = 0; pirq < PIRQS; pirq++) this.route(pirq, this.routeOf(pirq));
  }

  private routeOf(pirq: number): number {
    const control = this.get8(PIRQRC + pirq);
    const irq = control & PIRQRC_IRQ;
    return control & PIRQRC_DISABLED || !(ROUTABLE & (1 << irq)) ? -1 : irq;
  }
}
