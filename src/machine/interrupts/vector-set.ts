const WORDS = 8;

/** A set of vectors 0-255, kept as the eight 32-bit registers in which an APIC shows it (ISR, TMR, IRR). Several threads may change it at once. */
export class VectorSet {
  /** `words`: eight, where the set is kept. */
  constructor(readonly words: Int32Array) {}

  has(vector: number): boolean {
    return (Atomics.load(this.words, vector >> 5) & (1 << (vector & 31))) !== 0;
  }

  set(vector: number, present: boolean): void {
    const bit = 1 << (vector & 31);
    if (present) Atomics.or(this.words, vector >> 5, bit);
    else Atomics.and(this.words, vector >> 5, ~bit);
  }

  clear(): void {
    this.words.fill(0);
  }

  /** The greatest vector; -1 if the set is empty. */
  highest(): number {
    for (let word = WORDS - 1; word >= 0; word--) {
      const bits = Atomics.load(this.words, word);
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return -1;
  }

  save(): number[] {
    return [...new Uint32Array(this.words)];
  }

  load(words: number[]): void {
    this.words.set(words);
  }
}
