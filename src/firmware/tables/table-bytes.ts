/** Grows a little-endian table field by field, in the order in which its specification lists the fields. */
export class TableBytes {
  private bytes = new Uint8Array(256);
  private used = 0;

  get length(): number {
    return this.used;
  }

  u8(...values: number[]): this {
    for (const value of values) this.integer(value, 1);
    return this;
  }

  u16(...values: number[]): this {
    for (const value of values) this.integer(value, 2);
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) this.integer(value, 4);
    return this;
  }

  /** Numbers up to 2^53 are written exactly. */
  u64(...values: number[]): this {
    for (const value of values) {
      this.integer(value % 2 ** 32, 4);
      this.integer(Math.floor(value / 2 ** 32), 4);
    }
    return this;
  }

  /** ASCII text, cut or padded with `pad` to `width` characters (as long as the text is, when not given). */
  text(text: string, width = text.length, pad = ' '): this {
    for (const character of text.slice(0, width).padEnd(width, pad)) this.u8(character.charCodeAt(0));
    return this;
  }

  append(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
    return this;
  }

  zeros(count: number): this {
    this.reserve(count);
    this.used += count;
    return this;
  }

  /** Zeros up to the next multiple of `alignment`. */
  align(alignment: number): this {
    return this.zeros((alignment - (this.used % alignment)) % alignment);
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.used);
  }

  private integer(value: number, size: number): void {
    this.reserve(size);
    for (let i = 0; i < size; i++) this.bytes[this.used++] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }

  private reserve(count: number): void {
    if (this.used + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.used + count));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** The byte that makes the sum of `bytes` zero modulo 256, as all tables of the PC are checked. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
