import type { PciBus } from '../machine/pci/pci-bus.js';
import { PIRQRC } from '../machine/pci/piix3.js';
import type { PortBus } from '../machine/port-bus.js';
import { setUpPci } from './pci-setup.js';
import { PIRQ_IRQS } from './tables/board.js';

/** What of the board a BIOS sets up before it starts a system. */
export interface Board {
  pci: PciBus;
  ports: PortBus;
  /** Local APIC of the bootstrap processor. */
  bootstrapApic: { enableVirtualWire(): void };
}

const ISA_BRIDGE_SLOT = 1;

/** PIIX3 edge/level control of interrupts 8-15. */
const ELCR2 = 0x4d1;
/** The SCI (9) and what PIRQA-PIRQD drive (10, 11) are level-triggered. */
const LEVEL = (1 << (9 - 8)) | (1 << (10 - 8)) | (1 << (11 - 8));

/** Leaves the chips as kernels expect to find them after a BIOS ran. To be called after each reset of the board. */
export function setUpBoard({ pci, ports, bootstrapApic }: Board): void {
  const bridge = pci.plugged.find(([place]) => place.slot === ISA_BRIDGE_SLOT && place.function === 0)?.[1];
  PIRQ_IRQS.forEach((irq, pirq) => bridge?.writeConfig(PIRQRC + pirq, irq, 1));
  ports.write(ELCR2, LEVEL, 1);
  setUpPci(pci);
  bootstrapApic.enableVirtualWire();
}
