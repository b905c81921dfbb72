import type { PortDevice } from '../port-bus.js';
import { checkVersion } from '../state.js';

/** Reset control register (82371SB data sheet, RC), also the reset register that the ACPI tables name. */
export const RESET_CONTROL = 0xcf9;
/** Reset CPU: a reset happens when this goes from 0 to 1. */
const RCPU = 1 << 2;
/** System reset: hard rather than CPU only. */
const SRST = 1 << 1;

export class ResetControl implements PortDevice {
  private value = 0;

  constructor(
    private readonly resetMachine: () => void,
    private readonly resetCpu: () => void,
  ) {}

  reset(): void {
    this.value = 0;
  }

  readPort(): number {
    return this.value;
  }

  writePort(_port: number, value: number): void {
    const rising = value & ~this.value & RCPU;
    this.value = value & (RCPU | SRST);
    if (!rising) return;
    if (value & SRST) this.resetMachine();
    else this.resetCpu();
  }

  save(): { version: 1; value: number } {
    return { version: 1, value: this.value };
  }

  load(state: ReturnType<ResetControl['save']>): void {
    checkVersion('the reset control register', state, 1);
    this.value = state.value;
  }
}
