const encoded = new Map<number, readonly number[]>();

/** An unsigned number below 2^32 in LEB128. Do not change the array: it is kept. */
export function unsignedBytes(value: number): readonly number[] {
  let bytes = encoded.get(value);
  if (!bytes) encoded.set(value, (bytes = [...new Bytes().unsigned(value).view()]));
  return bytes;
}

/** A growing byte string with WebAssembly's number encodings (core specification, 5.2). */
export class Bytes {
  private data: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(expected = 64) {
    this.data = new Uint8Array(expected);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const bigger = new Uint8Array(Math.max(this.data.length * 2, this.length + count));
    bigger.set(this.data);
    this.data = bigger;
  }

  u8(value: number): this {
    this.reserve(1);
    this.data[this.length++] = value;
    return this;
  }

  raw(bytes: ArrayLike<number>): this {
    const { length } = bytes;
    this.reserve(length);
    const { data } = this;
    // Most are short; `set` has a cost of its own.
    if (length > 16) data.set(bytes, this.length);
    else for (let i = 0; i < length; i++) data[this.length + i] = bytes[i]!;
    this.length += length;
    return this;
  }

  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.u8(rest);
  }

  signed(value: number): this {
    let rest = value | 0;
    for (;;) {
      const byte = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  signed64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    if (rest >= -0x40000000n && rest < 0x40000000n) return this.signed(Number(rest));
    for (;;) {
      const byte = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && !(byte & 0x40)) || (rest === -1n && byte & 0x40)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.unsigned(bytes.length).raw(bytes);
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }
}

/** The instructions of a function, and which way its branches mostly go. */
export class FunctionBody extends Bytes {
  readonly hints: { readonly at: number; readonly likely: boolean }[] = [];

  /** Of the `if` or `br_if` that comes next: its condition is mostly true (`likely`), or mostly not; null: nobody knows. */
  hint(likely: boolean | null): this {
    if (likely !== null) this.hints.push({ at: this.length, likely });
    return this;
  }
}
