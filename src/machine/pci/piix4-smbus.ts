/** SMBus host controller of the Intel 82371AB (PIIX4; order number 290562, 7.3). No device is on the bus: nobody acknowledges. */
import type { PortDevice } from '../port-bus.js';
import { checkVersion } from '../state.js';

export const SMBUS_PORTS = 16;

// Offsets from SMBBA
const SMBHSTSTS = 0x00;
const SMBHSTCNT = 0x02;
const SMBHSTCMD = 0x03;
const SMBHSTADD = 0x04;
const SMBHSTDAT0 = 0x05;
const SMBHSTDAT1 = 0x06;

// SMBHSTSTS
const DEV_ERR = 1 << 2;
const FAILED = 1 << 4;

// SMBHSTCNT
const INTEREN = 1 << 0;
const KILL = 1 << 1;
const PROTOCOL = 7 << 2;
const START = 1 << 6;

/** Registers that only keep what is written. */
const PLAIN: readonly number[] = [SMBHSTCMD, SMBHSTADD, SMBHSTDAT0, SMBHSTDAT1];

export class Piix4Smbus implements PortDevice {
  private readonly registers = new Uint8Array(SMBUS_PORTS);

  /** `base`: where software placed the registers. */
  constructor(private readonly base: () => number) {}

  reset(): void {
    this.registers.fill(0);
  }

  readPort(port: number): number {
    return this.registers[port - this.base()]!;
  }

  writePort(port: number, value: number): void {
    const offset = port - this.base();
    if (offset === SMBHSTSTS) this.registers[SMBHSTSTS]! &= ~value;
    else if (offset === SMBHSTCNT) this.control(value);
    else if (PLAIN.includes(offset)) this.registers[offset] = value;
  }

  private control(value: number): void {
    this.registers[SMBHSTCNT] = value & (INTEREN | KILL | PROTOCOL);
    if (value & KILL) this.registers[SMBHSTSTS]! |= FAILED;
    else if (value & START) this.registers[SMBHSTSTS]! |= DEV_ERR;
  }

  save(): { version: 1; registers: number[] } {
    return { version: 1, registers: [...this.registers] };
  }

  load(state: ReturnType<Piix4Smbus['save']>): void {
    checkVersion('the SMBus controller', state, 1);
    this.registers.set(state.registers);
  }
}
