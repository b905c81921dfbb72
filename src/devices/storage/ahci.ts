/** AHCI controller, as in Intel's ICH9 (8086:2922; Serial ATA AHCI 1.3.1). */
import type { Drive } from '../../machine/drive.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import { AhciPort, SLOTS } from './ahci-port.js';

const REGISTERS_BAR = 5;
const REGISTERS_BYTES = 0x1000;
export const AHCI_PORTS = 30;
const CAP = 0x00;
const GHC = 0x04;
const IS = 0x08;
const PI = 0x0c;
const VS = 0x10;
const PORTS_AT = 0x100;
const PORT_BYTES = 0x80;

/** 64-bit addresses, NCQ, command list override, AHCI only, 3 Gb/s. */
const CAPABILITIES = 0x80000000 | (1 << 30) | (1 << 24) | (2 << 20) | (1 << 18);
const GHC_RESET = 1;
const GHC_INTERRUPTS = 2;
const GHC_AHCI = 0x80000000;
const VERSION = 0x00010300;

export class Ahci extends PciFunction implements MmioDevice {
  private readonly ports: readonly AhciPort[];
  private control = GHC_AHCI;
  /** Ports that a message was sent for. */
  private signalled = 0;

  constructor(drives: readonly Drive[], ram: GuestRam) {
    super({
      vendor: 0x8086,
      device: 0x2922,
      revision: 2,
      classCode: 0x010601,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      interruptPin: 1,
    });
    this.ports = drives.map((drive) => new AhciPort(ram, drive, () => this.update()));
    this.addMsi();
    this.addBar(REGISTERS_BAR, { kind: 'memory', bits: 32, bytes: REGISTERS_BYTES, device: this });
  }

  /** A bit for each port that asks for an interrupt. */
  private get pending(): number {
    return this.ports.reduce((bits, port, n) => (port.interrupting ? bits | (1 << n) : bits), 0) >>> 0;
  }

  private update(): void {
    // Ports are made before there is a controller to tell.
    if (!this.ports) return;
    const pending = this.control & GHC_INTERRUPTS ? this.pending : 0;
    const more = pending & ~this.signalled;
    // The first one raises the pin, which sends a message; each other sends one too.
    if (more !== 0 && this.signalled !== 0) this.signal();
    this.signalled = pending;
    this.setInterrupt(pending !== 0);
  }

  mmioRead(offset: number): number {
    const register = offset & ~3;
    const value = register >= PORTS_AT ? this.readPort(register) : this.readGlobal(register);
    return value >>> (8 * (offset & 3));
  }

  private readPort(register: number): number {
    const port = this.ports[Math.floor((register - PORTS_AT) / PORT_BYTES)];
    return port?.read((register - PORTS_AT) % PORT_BYTES) ?? 0;
  }

  private readGlobal(register: number): number {
    switch (register) {
      case CAP:
        return (CAPABILITIES | ((SLOTS - 1) << 8) | (this.ports.length - 1)) >>> 0;
      case GHC:
        return this.control >>> 0;
      case IS:
        return this.pending;
      case PI:
        return 2 ** this.ports.length - 1;
      case VS:
        return VERSION;
      default:
        return 0;
    }
  }

  mmioWrite(offset: number, value: number, size: number): void {
    if (size !== 4 || offset & 3) return;
    if (offset >= PORTS_AT) {
      const port = this.ports[Math.floor((offset - PORTS_AT) / PORT_BYTES)];
      return port?.write((offset - PORTS_AT) % PORT_BYTES, value >>> 0);
    }
    // Whoever has dealt with some ports, but not all, is told again.
    if (offset === IS && this.signalled !== 0) this.signal();
    if (offset !== GHC) return;
    if (value & GHC_RESET) return this.resetPorts();
    this.control = GHC_AHCI | (value & GHC_INTERRUPTS);
    this.update();
  }

  private resetPorts(): void {
    this.control = GHC_AHCI;
    for (const port of this.ports) port.reset();
    this.update();
  }

  override reset(): void {
    super.reset();
    this.resetPorts();
  }

  override save(): SavedPciFunction {
    return {
      ...super.save(),
      control: this.control,
      ports: this.ports.map((port) => port.save()),
    } as SavedPciFunction;
  }
  override load(state: SavedPciFunction): void {
    super.load(state);
    const { control, ports } = state as SavedPciFunction & { control: number; ports: object[] };
    this.control = control;
    ports.forEach((saved, n) => this.ports[n]!.load(saved));
    this.update();
  }
}
