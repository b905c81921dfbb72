/** The transceivers of Intel's gigabit controllers (88E1011 and its like; IEEE 802.3, 22.2.4): as linked at 1000 Mb/s, full duplex, as soon as there is a cable. */
const CONTROL = 0;
const STATUS = 1;
const IDENTIFIER = 2;
const PARTNER = 5;
const GIGABIT_STATUS = 10;
const SPECIFIC_STATUS = 17;

const CONTROL_RESET = 0x8000;
const CONTROL_RESTART = 0x0200;
const LINK = 0x0004;
const NEGOTIATED = 0x0020;
const SPECIFIC_LINK = 0x0400;

const AFTER_RESET: readonly (readonly [register: number, value: number])[] = [
  [CONTROL, 0x1140],
  [STATUS, 0x7949],
  [4, 0x0de1],
  [6, 0x0007],
  [9, 0x0e00],
  [15, 0x3000],
  [16, 0x0360],
  [20, 0x0d60],
];
const READ_ONLY = new Set([
  STATUS,
  IDENTIFIER,
  IDENTIFIER + 1,
  PARTNER,
  6,
  GIGABIT_STATUS,
  15,
  SPECIFIC_STATUS,
]);

export class E1000Phy {
  private readonly registers = new Uint16Array(32);

  /** `identifier`: of 32 bits (22.2.4.3.1). */
  constructor(
    private readonly linked: () => boolean,
    private readonly identifier: number,
  ) {
    this.reset();
  }

  reset(): void {
    this.registers.fill(0);
    for (const [register, value] of AFTER_RESET) this.registers[register] = value;
    this.registers[IDENTIFIER] = this.identifier >>> 16;
    this.registers[IDENTIFIER + 1] = this.identifier;
  }

  read(register: number): number {
    const value = this.registers[register]!;
    if (!this.linked()) return register === SPECIFIC_STATUS ? 0x8000 : value;
    switch (register) {
      case STATUS:
        return value | LINK | NEGOTIATED;
      case PARTNER:
        return 0x45e1;
      case GIGABIT_STATUS:
        return 0x7c00;
      case SPECIFIC_STATUS:
        // 1000 Mb/s, full duplex, resolved.
        return 0xa800 | SPECIFIC_LINK;
      default:
        return value;
    }
  }

  /** true: it negotiates anew. */
  write(register: number, value: number): boolean {
    if (READ_ONLY.has(register)) return false;
    if (register !== CONTROL) {
      this.registers[register] = value;
      return false;
    }
    if (value & CONTROL_RESET) this.reset();
    else this.registers[CONTROL] = value & ~CONTROL_RESTART;
    return (value & (CONTROL_RESET | CONTROL_RESTART)) !== 0;
  }

  save(): number[] {
    return [...this.registers];
  }
  load(state: number[]): void {
    this.registers.set(state);
  }
}
