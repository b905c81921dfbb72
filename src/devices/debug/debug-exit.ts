import type { PortBus, PortDevice } from '../../machine/port-bus.js';

/** QEMU's isa-debug-exit: a write ends the machine. Four ports wide. */
export const DEBUG_EXIT_PORT = 0xf4;
const PORTS = 4;

export class DebugExit implements PortDevice {
  /** `exit` gets the value that was written. */
  constructor(private readonly exit: (value: number) => void) {}

  attach(ports: PortBus): void {
    ports.map(DEBUG_EXIT_PORT, PORTS, this, 4);
  }

  readPort(): number {
    return 0;
  }

  writePort(_port: number, value: number): void {
    this.exit(value);
  }
}

/** Exit status of the program around the machine for a value written, as QEMU has it. */
export function debugExitStatus(value: number): number {
  return ((value << 1) | 1) & 0xff;
}
