import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import type { I8254 } from './i8254.js';

/** NMI status and control register of the PIIX3 (NMISC): timer 2 gate, speaker, refresh. */
const PORT_61 = 0x61;
const TIMER2_GATE = 1 << 0;
const WRITABLE = 0x0f;
const REFRESH_TOGGLE = 1 << 4;
const TIMER2_OUTPUT = 1 << 5;

export class Port61 implements PortDevice {
  private control = 0;

  constructor(private readonly pit: I8254) {}

  attach(ports: PortBus): void {
    ports.map(PORT_61, 1, this);
  }

  reset(): void {
    this.writePort(PORT_61, 0);
  }

  readPort(): number {
    return (
      this.control |
      (this.pit.refreshToggle ? REFRESH_TOGGLE : 0) |
      (this.pit.speakerOutput ? TIMER2_OUTPUT : 0)
    );
  }

  writePort(_port: number, value: number): void {
    this.control = value & WRITABLE;
    this.pit.setSpeakerGate((value & TIMER2_GATE) !== 0);
  }

  save(): { version: 1; control: number } {
    return { version: 1, control: this.control };
  }

  load(state: ReturnType<Port61['save']>): void {
    checkVersion('port 0x61', state, 1);
    this.control = state.control;
  }
}
