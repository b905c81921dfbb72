import type { PortBus } from '../../machine/port-bus.js';

const INDEX = 0x70;
const DATA = 0x71;

/** Registers of the real-time clock. */
export class Cmos {
  constructor(private readonly ports: PortBus) {}
  read(register: number): number {
    this.ports.write(INDEX, register, 1);
    return this.ports.read(DATA, 1);
  }
  write(register: number, value: number): void {
    this.ports.write(INDEX, register, 1);
    this.ports.write(DATA, value & 0xff, 1);
  }
}
