import { pirqOf } from '../machine/interrupts/interrupt-router.js';
import type { PciBus } from '../machine/pci/pci-bus.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import {
  BAR0,
  COMMAND,
  COMMAND_IO,
  COMMAND_MEMORY,
  INTERRUPT_LINE,
  INTERRUPT_PIN,
} from '../machine/pci/pci-registers.js';
import { PCI_IO, PCI_MEMORY, PIRQ_IRQS, type Window } from './tables/board.js';

/** Gives all functions addresses for their BARs and tells them their interrupt line, as a BIOS does. */
export function setUpPci(bus: PciBus): void {
  const io = new WindowAllocator(PCI_IO);
  const memory = new WindowAllocator(PCI_MEMORY);
  for (const [{ slot }, device] of bus.plugged) {
    assignBars(device, io, memory);
    const pin = device.readConfig(INTERRUPT_PIN, 1);
    // A line that is there already is wired otherwise than by PIRQs: the SCI.
    if (pin === 0 || device.readConfig(INTERRUPT_LINE, 1) !== 0) continue;
    device.writeConfig(INTERRUPT_LINE, PIRQ_IRQS[pirqOf(slot, pin - 1)]!, 1);
  }
}

/** BARs of 64 bits get an address below 4 GiB too, where systems of 32 bits reach them. */
function assignBars(device: PciFunction, io: WindowAllocator, memory: WindowAllocator): void {
  let command = device.readConfig(COMMAND, 2);
  for (const [index, { kind, bytes }] of device.barTargets) {
    const address = (kind === 'io' ? io : memory).allocate(bytes);
    if (address === null) continue;
    device.writeConfig(BAR0 + index * 4, address, 4);
    command |= kind === 'io' ? COMMAND_IO : COMMAND_MEMORY;
  }
  device.writeConfig(COMMAND, command, 2);
}

/** Hands out a window from its start, aligned to the size asked for (a power of two). */
class WindowAllocator {
  private next: number;

  constructor(private readonly window: Window) {
    this.next = window.first;
  }

  /** Null when the window is full: the system may find a place by itself. */
  allocate(bytes: number): number | null {
    const address = Math.ceil(this.next / bytes) * bytes;
    if (address + bytes - 1 > this.window.last) return null;
    this.next = address + bytes;
    return address;
  }
}
