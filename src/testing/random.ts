/** A small seeded generator (xorshift64*), so that a failing case can be made again from its seed. */
export class Random {
  private state: bigint;
  constructor(seed: bigint) {
    this.state = BigInt.asUintN(64, seed * 0x9e3779b97f4a7c15n + 0x1234567n) || 1n;
    for (let i = 0; i < 4; i++) this.u64();
  }
  u64(): bigint {
    let x = this.state;
    x ^= x >> 12n;
    x ^= BigInt.asUintN(64, x << 25n);
    x ^= x >> 27n;
    this.state = x;
    return BigInt.asUintN(64, x * 0x2545f4914f6cdd1dn);
  }
  /** Below n. */
  below(n: number): number {
    return Number((this.u64() >> 11n) % BigInt(n));
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  /** A 64-bit value of the kind on which arithmetic goes wrong: edges, small numbers, single bits, repeated bytes, or any. */
  value(): bigint {
    switch (this.below(8)) {
      case 0:
        return BigInt.asUintN(
          64,
          this.pick([
            0n,
            1n,
            -1n,
            0x7fn,
            0x80n,
            0xffn,
            0x7fffn,
            0x8000n,
            0xffffn,
            0x7fffffffn,
            0x80000000n,
            0xffffffffn,
            0x7fffffffffffffffn,
            0x8000000000000000n,
          ]),
        );
      case 1:
        return BigInt.asUintN(64, BigInt(this.below(64)) - 16n);
      case 2:
        return 1n << BigInt(this.below(64));
      case 3:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) - BigInt(this.below(3)));
      case 4:
        return BigInt(this.below(256)) * 0x0101010101010101n;
      default:
        return this.u64();
    }
  }
}
