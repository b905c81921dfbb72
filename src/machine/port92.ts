import type { Line } from './line.js';
import type { PortDevice } from './port-bus.js';
import { checkVersion } from './state.js';

// PS/2 system control port A
export const PORT_92 = 0x92;
const FAST_INIT = 1;
const FAST_A20 = 2;

/** System control port A: fast A20 and fast CPU reset. */
export class Port92 implements PortDevice {
  private value = 0;

  constructor(
    private readonly a20: Line,
    private readonly resetCpu: () => void,
  ) {}

  reset(): void {
    this.writePort(PORT_92, 0);
  }

  readPort(): number {
    return this.value;
  }

  writePort(_port: number, value: number): void {
    const rising = value & ~this.value;
    this.value = value & (FAST_A20 | FAST_INIT);
    this.a20((value & FAST_A20) !== 0);
    if (rising & FAST_INIT) this.resetCpu();
  }

  save(): { version: 1; value: number } {
    return { version: 1, value: this.value };
  }

  load(state: ReturnType<Port92['save']>): void {
    checkVersion('port 0x92', state, 1);
    this.value = state.value;
  }
}
