/** Puts together the little machine code that a ROM of ours has: bytes at fixed places, with names for jumps and calls. */
export class RomCode {
  readonly bytes: Uint8Array;
  private at = 0;
  private readonly labels = new Map<string, number>();
  private readonly fixes: { at: number; label: string; bytes: 1 | 2; absolute: boolean }[] = [];

  constructor(bytes: number, filler = 0) {
    this.bytes = new Uint8Array(bytes).fill(filler);
  }

  /** Goes on at this offset; what is there must not have been reached yet. */
  org(offset: number): this {
    if (offset < this.at)
      throw new RangeError(`the ROM is full: 0x${this.at.toString(16)} is beyond 0x${offset.toString(16)}`);
    this.at = offset;
    return this;
  }

  get here(): number {
    return this.at;
  }

  label(name: string): this {
    this.labels.set(name, this.at);
    return this;
  }

  offsetOf(name: string): number {
    const found = this.labels.get(name);
    if (found === undefined) throw new RangeError(`the ROM has no ${name}`);
    return found;
  }

  put(...bytes: (number | Uint8Array)[]): this {
    for (const part of bytes) {
      const list = typeof part === 'number' ? [part] : part;
      this.bytes.set(list, this.at);
      this.at += list.length;
    }
    return this;
  }

  text(text: string): this {
    return this.put(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  }

  u16(...values: number[]): this {
    return this.put(...values.flatMap((value) => [value & 0xff, (value >> 8) & 0xff]));
  }

  /** An instruction whose last operand is a displacement of one byte, or of two. */
  short(label: string, ...opcode: number[]): this {
    return this.put(...opcode).fix(label, 1, false);
  }
  near(label: string, ...opcode: number[]): this {
    return this.put(...opcode).fix(label, 2, false);
  }
  /** The offset of a label as an operand. */
  offset(label: string, ...opcode: number[]): this {
    return this.put(...opcode).fix(label, 2, true);
  }

  private fix(label: string, bytes: 1 | 2, absolute: boolean): this {
    this.fixes.push({ at: this.at, label, bytes, absolute });
    this.at += bytes;
    return this;
  }

  finish(): Uint8Array {
    const view = new DataView(this.bytes.buffer);
    for (const { at, label, bytes, absolute } of this.fixes) {
      const value = this.offsetOf(label) - (absolute ? 0 : at + bytes);
      if (bytes === 1) {
        if (value < -128 || value > 127) throw new RangeError(`${label} is too far for a short jump`);
        view.setInt8(at, value);
      } else view.setUint16(at, value & 0xffff, true);
    }
    return this.bytes;
  }
}
