const WORDS = 8;

/** A set of vectors 0-255, kept as the eight 32-bit registers in which an APIC shows it (ISR, TMR, IRR). */
export class VectorSet {
  readonly words = new Uint32Array(WORDS);

  has(vector: number): boolean {
    return (this.words[vector >> 5]! & (1 << (vector & 31))) !== 0;
  }

  set(vector: number, present: boolean): void {
    const bit = 1 << (vector & 31);
    if (present) this.words[vector >> 5]! |= bit;
    else this.words[vector >> 5]! &= ~bit;
  }

  clear(): void {
    this.words.fill(0);
  }

  /** The greatest vector; -1 if the set is empty. */
  highest(): number {
    for (let word = WORDS - 1; word >= 0; word--) {
      const bits = this.words[word]!;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return -1;
  }

  save(): number[] {
    return [...this.words];
  }

  load(words: number[]): void {
    this.words.set(words);
  }
}
