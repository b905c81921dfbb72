/** The palette DAC of a VGA: 256 colours of 6 bits each component, or 8 where the VBE extension says so. Ports 3C6-3C9. */
const PIXEL_MASK = 0x3c6;
const READ_INDEX = 0x3c7;
const WRITE_INDEX = 0x3c8;
const DATA = 0x3c9;

export class Dac {
  /** Red, green and blue of each colour, as written. */
  readonly components = new Uint8Array(256 * 3);
  mask = 0xff;
  private index = 0;
  private component = 0;
  private reading = false;
  /** 8 bits for a component rather than 6. */
  wide = false;

  read(port: number): number {
    switch (port) {
      case PIXEL_MASK:
        return this.mask;
      case READ_INDEX:
        return this.reading ? 3 : 0;
      case WRITE_INDEX:
        return this.index;
      default: {
        const value = this.components[this.index * 3 + this.component]!;
        this.step();
        return value;
      }
    }
  }

  write(port: number, value: number): void {
    if (port === PIXEL_MASK) this.mask = value;
    else if (port === DATA) {
      this.components[this.index * 3 + this.component] = this.wide ? value : value & 0x3f;
      this.step();
    } else {
      this.index = value;
      this.component = 0;
      this.reading = port === READ_INDEX;
    }
  }

  private step(): void {
    if (++this.component < 3) return;
    this.component = 0;
    this.index = (this.index + 1) & 0xff;
  }

  /** A colour as a pixel: 0xAABBGGRR, opaque. */
  pixel(index: number): number {
    const at = (index & this.mask) * 3;
    const level = (n: number): number => {
      const value = this.components[at + n]!;
      return this.wide ? value : (value << 2) | (value >> 4);
    };
    return ((0xff << 24) | (level(2) << 16) | (level(1) << 8) | level(0)) >>> 0;
  }

  save(): object {
    const { mask, index, component, reading, wide } = this;
    return { components: [...this.components], mask, index, component, reading, wide };
  }

  load(state: object): void {
    const { components, ...rest } = state as { components: number[] };
    this.components.set(components);
    Object.assign(this, rest);
  }
}
