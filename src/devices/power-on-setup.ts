import { pirqOf } from '../machine/interrupts/interrupt-router.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import { PAM0, PAM_COUNT } from '../machine/pci/i440fx.js';
import { PIRQRC } from '../machine/pci/piix3.js';
import {
  BAR0,
  COMMAND,
  COMMAND_IO,
  COMMAND_MASTER,
  COMMAND_MEMORY,
  INTERRUPT_LINE,
  INTERRUPT_PIN,
} from '../machine/pci/pci-registers.js';
import type { PcBoard } from './pc-board.js';

/** ISA interrupts of PIRQA-PIRQD at the 8259 pair. */
const PIRQ_IRQS: readonly number[] = [10, 10, 11, 11];
const HOST_BRIDGE_SLOT = 0;
const PIIX_SLOT = 1;
const PAM0_READ_WRITE = 0x30;
const PAM_READ_WRITE = 0x33;
const ELCR1 = 0x4d0;
const ELCR2 = 0x4d1;
/** IRQ 9 (SCI), 10 and 11 are level triggered. */
const ELCR2_LEVELS = 0x0e;

const MASTER = 0x20;
const SLAVE = 0xa0;
const ICW1 = 0x11;
const ICW4 = 0x01;
const MASTER_VECTOR = 0x08;
const SLAVE_VECTOR = 0x70;
const MASTER_CASCADE = 0x04;
const SLAVE_ID = 0x02;
const ALL_BUT_CASCADE = 0xfb;
const ALL = 0xff;

/** First addresses for BARs: inside the windows that the ACPI tables name. */
const MEMORY_BARS = 0xe0000000;
const IO_BARS = 0xc000;

// CMOS bytes that tell the size of memory
const CMOS_FLOPPIES = 0x10;
const FLOPPY_144 = 4;
const CMOS_EQUIPMENT = 0x14;
const CMOS_BASE_KIB = 0x15;
const CMOS_EXTENDED_KIB = 0x17;
const CMOS_EXTENDED_KIB_ACTUAL = 0x30;
const CMOS_ABOVE_16M = 0x34;
const CMOS_ABOVE_4G = 0x5b;
/** As on QEMU: CPUs but one. */
const CMOS_CPUS = 0x5f;
const CMOS_CHECKSUM = 0x2e;
const CHECKSUMMED = { first: 0x10, last: 0x2d };
/** Coprocessor, PS/2 mouse. */
const EQUIPMENT = 0x06;
const BASE_KIB = 640;

/** Leaves the board as a BIOS does when it hands over to an operating system: for boots where none runs, after reset. */
export function setUpAsBios(board: PcBoard): void {
  setUpInterrupts(board);
  setUpPci(board);
  setUpCmos(board);
  board.localApics[0]!.enableVirtualWire();
}

function setUpInterrupts({ ports }: PcBoard): void {
  const chips = [
    { port: MASTER, vector: MASTER_VECTOR, cascade: MASTER_CASCADE, mask: ALL_BUT_CASCADE },
    { port: SLAVE, vector: SLAVE_VECTOR, cascade: SLAVE_ID, mask: ALL },
  ];
  for (const { port, vector, cascade, mask } of chips) {
    ports.write(port, ICW1, 1);
    for (const value of [vector, cascade, ICW4, mask]) ports.write(port + 1, value, 1);
  }
  ports.write(ELCR1, 0, 1);
  ports.write(ELCR2, ELCR2_LEVELS, 1);
}

function setUpPci({ pci }: PcBoard): void {
  let memory = MEMORY_BARS;
  let io = IO_BARS;
  for (const [{ slot, function: number }, device] of pci.plugged) {
    if (slot === HOST_BRIDGE_SLOT) {
      // All shadow RAM can be read and written.
      device.writeConfig(PAM0, PAM0_READ_WRITE, 1);
      for (let n = 1; n < PAM_COUNT; n++) device.writeConfig(PAM0 + n, PAM_READ_WRITE, 1);
    }
    if (slot === PIIX_SLOT && number === 0) {
      PIRQ_IRQS.forEach((irq, pirq) => device.writeConfig(PIRQRC + pirq, irq, 1));
    }
    const pin = device.readConfig(INTERRUPT_PIN, 1);
    // Functions of the PIIX have their own interrupts.
    if (pin !== 0 && slot !== PIIX_SLOT) {
      device.writeConfig(INTERRUPT_LINE, PIRQ_IRQS[pirqOf(slot, pin - 1)]!, 1);
    }
    for (const [index, { kind, bytes }] of device.barTargets) {
      const base = alignUp(kind === 'io' ? io : memory, bytes);
      if (kind === 'io') io = base + bytes;
      else memory = base + bytes;
      device.writeConfig(BAR0 + index * 4, base, 4);
    }
    if (device.barTargets.length > 0) enable(device);
  }
}

function enable(device: PciFunction): void {
  const command = device.readConfig(COMMAND, 2);
  device.writeConfig(COMMAND, command | COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER, 2);
}

function alignUp(address: number, bytes: number): number {
  return Math.ceil(address / bytes) * bytes;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the battery-backed memory says of the machine, for firmware that looks there. */
export function setUpCmos({ rtc, ram, localApics, floppies }: PcBoard): void {
  const write = (register: number, value: number, bytes: number): void => {
    for (let index = 0; index < bytes; index++) rtc.write(register + index, (value >>> (8 * index)) & 0xff);
  };
  const extendedKib = Math.min(0xffff, Math.max(0, ram.lowBytes - MIB) / KIB);
  const drives = floppies.length;
  write(CMOS_EQUIPMENT, EQUIPMENT | (drives > 0 ? 1 | ((drives - 1) << 6) : 0), 1);
  write(CMOS_FLOPPIES, (drives > 0 ? FLOPPY_144 << 4 : 0) | (drives > 1 ? FLOPPY_144 : 0), 1);
  write(CMOS_BASE_KIB, BASE_KIB, 2);
  write(CMOS_EXTENDED_KIB, extendedKib, 2);
  write(CMOS_EXTENDED_KIB_ACTUAL, extendedKib, 2);
  write(CMOS_ABOVE_16M, Math.min(0xffff, Math.max(0, ram.lowBytes - 16 * MIB) / (64 * KIB)), 2);
  write(CMOS_CPUS, localApics.length - 1, 1);
  write(CMOS_ABOVE_4G, Math.floor(ram.highBytes / (64 * KIB)), 3);
  let sum = 0;
  for (let register = CHECKSUMMED.first; register <= CHECKSUMMED.last; register++) sum += rtc.read(register);
  // High byte first.
  rtc.write(CMOS_CHECKSUM, (sum >> 8) & 0xff);
  rtc.write(CMOS_CHECKSUM + 1, sum & 0xff);
}
