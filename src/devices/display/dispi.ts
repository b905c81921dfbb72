/** The display interface of Bochs (VBE DISPI): modes of any size with a linear frame buffer. Ports 1CE (index) and 1CF (data). */
const ID = 0;
const X_RESOLUTION = 1;
const Y_RESOLUTION = 2;
const BITS = 3;
const ENABLE = 4;
const BANK = 5;
const VIRTUAL_WIDTH = 6;
const VIRTUAL_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const MEMORY_64K = 10;
const REGISTERS = 11;

const NEWEST_ID = 0xb0c5;
const OLDEST_ID = 0xb0c0;
const ENABLED = 0x01;
const GET_CAPABILITIES = 0x02;
const WIDE_DAC = 0x20;
const LINEAR = 0x40;
const KEEP_MEMORY = 0x80;

export const MOST_WIDTH = 5120;
export const MOST_HEIGHT = 2880;
const MOST_BITS = 32;
const DEPTHS = [4, 8, 15, 16, 24, 32];

/** A mode that the guest has set. */
export interface DispiMode {
  width: number;
  height: number;
  bits: number;
  /** Bytes from a row to the next, and of the first pixel shown. */
  pitch: number;
  start: number;
}

export class Dispi {
  private readonly registers = new Uint16Array(REGISTERS);
  private index = 0;

  constructor(
    private readonly memoryBytes: number,
    /** Told whenever something other than the index changed. */
    private readonly changed: (clear: boolean) => void,
  ) {
    this.reset();
  }

  reset(): void {
    this.registers.fill(0);
    this.registers[ID] = NEWEST_ID;
    this.index = 0;
  }

  get enabled(): boolean {
    return (this.registers[ENABLE]! & ENABLED) !== 0;
  }
  get wideDac(): boolean {
    return (this.registers[ENABLE]! & WIDE_DAC) !== 0;
  }
  /** The bank at A0000; null: the mode is not set. */
  get bank(): number | null {
    return this.enabled ? this.registers[BANK]! : null;
  }

  readIndex(): number {
    return this.index;
  }
  writeIndex(value: number): void {
    this.index = value;
  }

  read(index = this.index): number {
    if (index === MEMORY_64K) return this.memoryBytes >> 16;
    if (this.registers[ENABLE]! & GET_CAPABILITIES) {
      if (index === X_RESOLUTION) return MOST_WIDTH;
      if (index === Y_RESOLUTION) return MOST_HEIGHT;
      if (index === BITS) return MOST_BITS;
    }
    return this.registers[index] ?? 0;
  }

  write(value: number, index = this.index): void {
    const { registers } = this;
    switch (index) {
      case ID:
        if (value >= OLDEST_ID && value <= NEWEST_ID) registers[ID] = value;
        return;
      case X_RESOLUTION:
        if (value <= MOST_WIDTH) registers[X_RESOLUTION] = value & ~7;
        return;
      case Y_RESOLUTION:
        if (value <= MOST_HEIGHT) registers[Y_RESOLUTION] = value;
        return;
      case BITS:
        if (value === 0 || DEPTHS.includes(value)) registers[BITS] = value || 8;
        return;
      case ENABLE:
        return this.enable(value);
      case BANK:
        if (value < this.memoryBytes >> 16) registers[BANK] = value;
        break;
      case VIRTUAL_WIDTH:
        this.setVirtualWidth(value);
        break;
      case X_OFFSET:
      case Y_OFFSET:
        registers[index] = value;
    }
    this.changed(false);
  }

  private enable(value: number): void {
    const { registers } = this;
    const was = this.enabled;
    registers[ENABLE] = value & (ENABLED | GET_CAPABILITIES | WIDE_DAC | LINEAR | KEEP_MEMORY);
    const on = this.enabled && !was;
    if (on) {
      registers[X_OFFSET] = registers[Y_OFFSET] = registers[BANK] = 0;
      this.setVirtualWidth(registers[X_RESOLUTION]!);
    }
    this.changed(on && !(value & KEEP_MEMORY));
  }

  private setVirtualWidth(pixels: number): void {
    const { registers } = this;
    const width = Math.max(pixels, registers[X_RESOLUTION]!);
    const height = Math.floor(this.memoryBytes / Math.max(1, this.rowBytes(width)));
    if (height < registers[Y_RESOLUTION]!) return;
    registers[VIRTUAL_WIDTH] = width;
    registers[VIRTUAL_HEIGHT] = Math.min(height, 0xffff);
  }

  private rowBytes(pixels: number): number {
    const bits = this.registers[BITS]!;
    // Four planes of one bit share their bytes' addresses.
    return bits === 4 ? pixels / 2 : pixels * ((bits + 7) >> 3);
  }

  /** The mode that is set; null: none, or one whose picture does not lie in the memory. */
  get mode(): DispiMode | null {
    const { registers } = this;
    if (!this.enabled) return null;
    const [width, height, bits] = [registers[X_RESOLUTION]!, registers[Y_RESOLUTION]!, registers[BITS]!];
    const pitch = this.rowBytes(registers[VIRTUAL_WIDTH]!);
    const start = registers[Y_OFFSET]! * pitch + this.rowBytes(registers[X_OFFSET]!);
    if (width === 0 || height === 0 || start + pitch * height > this.memoryBytes) return null;
    return { width, height, bits, pitch, start };
  }

  save(): object {
    return { registers: [...this.registers], index: this.index };
  }
  load(state: object): void {
    const { registers, index } = state as { registers: number[]; index: number };
    this.registers.set(registers);
    this.index = index;
  }
}
