import type { PortBus, PortDevice } from '../../machine/port-bus.js';

/** The debug port of Bochs and QEMU: bytes written go to the host; reads give 0xE9, so that a guest can tell it is there. */
export const DEBUG_CONSOLE_PORT = 0xe9;

export class DebugConsole implements PortDevice {
  constructor(private readonly output: (byte: number) => void) {}

  attach(ports: PortBus): void {
    ports.map(DEBUG_CONSOLE_PORT, 1, this);
  }

  readPort(): number {
    return DEBUG_CONSOLE_PORT;
  }

  writePort(_port: number, value: number): void {
    this.output(value);
  }
}
