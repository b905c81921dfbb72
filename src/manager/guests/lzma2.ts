/** LZMA2 as in .xz files: chunks of LZMA or of plain bytes over one dictionary (LZMA specification, I. Pavlov, 2015). */

const PROBABILITY_HALF = 1024;
const PROBABILITY_BITS = 11;
const MOVE_BITS = 5;
const TOP = 0x1000000;

const STATES = 12;
const FIRST_MATCH_STATE = 7;
const POSITION_STATES = 16;
const MIN_MATCH = 2;
const LENGTH_STATES = 4;
const FIRST_POSITION_MODEL = 4;
const END_POSITION_MODEL = 14;
const FULL_DISTANCES = 128;
const ALIGN_BITS = 4;
const LITERAL_PROBABILITIES = 0x300;

// Chunk kinds: the control byte
const END = 0;
const PLAIN_RESET_DICTIONARY = 1;
const PLAIN = 2;
const LZMA = 0x80;
const LARGEST_CHUNK = 2 * 1024 * 1024;

type Probabilities = Uint16Array;

function probabilities(count: number): Probabilities {
  return new Uint16Array(count).fill(PROBABILITY_HALF);
}

/** Probabilities of match lengths: 2-9, 10-17 (by position), 18-273. */
class LengthModel {
  readonly choice = probabilities(2);
  readonly low = probabilities(POSITION_STATES << 3);
  readonly middle = probabilities(POSITION_STATES << 3);
  readonly high = probabilities(256);
}

/** All adaptive probabilities of LZMA; made anew at a state reset. */
class Model {
  readonly isMatch = probabilities(STATES * POSITION_STATES);
  readonly isRepeat = probabilities(STATES);
  readonly isRepeat0 = probabilities(STATES);
  readonly isRepeat1 = probabilities(STATES);
  readonly isRepeat2 = probabilities(STATES);
  readonly isRepeat0Long = probabilities(STATES * POSITION_STATES);
  readonly slots = probabilities(LENGTH_STATES << 6);
  readonly distances = probabilities(1 + FULL_DISTANCES - END_POSITION_MODEL);
  readonly align = probabilities(1 << ALIGN_BITS);
  readonly matchLength = new LengthModel();
  readonly repeatLength = new LengthModel();
  readonly literals: Probabilities;

  constructor(literalBits: number) {
    this.literals = probabilities(LITERAL_PROBABILITIES << literalBits);
  }
}

export class Lzma2Decoder {
  private readonly window: Uint8Array;
  private filled = 0;
  /** Bytes of the dictionary that may be referred to. */
  private valid = 0;

  private model = new Model(0);
  private lc = 0;
  private lp = 0;
  private pb = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;
  private produced = 0;

  private range = 0;
  private code = 0;

  constructor(
    private readonly input: Uint8Array,
    /** Offset in the input of the next byte to read; behind the end mark when all is done. */
    public position: number,
    private readonly dictionaryBytes: number,
  ) {
    this.window = new Uint8Array(dictionaryBytes + LARGEST_CHUNK + LARGEST_CHUNK);
  }

  /** Unpacks the next chunk: a view that is valid until the next call; null at the end. */
  next(): Uint8Array | null {
    const control = this.byte();
    if (control === END) return null;
    if (control > PLAIN && control < LZMA) throw new Error('xz data is broken: unknown chunk');
    const resets = control >= LZMA ? (control >> 5) & 3 : 0;
    if (control === PLAIN_RESET_DICTIONARY || resets === 3) this.valid = 0;
    let size = (this.byte() << 8) | this.byte();
    if (control >= LZMA) size |= (control & 0x1f) << 16;
    size++;
    this.makeRoom(size);
    const start = this.filled;
    if (control >= LZMA) this.lzmaChunk(resets, size);
    else this.plainChunk(size);
    return this.window.subarray(start, this.filled);
  }

  private makeRoom(size: number): void {
    if (this.filled + size <= this.window.length) return;
    const kept = Math.min(this.filled, this.dictionaryBytes);
    this.window.copyWithin(0, this.filled - kept, this.filled);
    this.filled = kept;
    this.valid = Math.min(this.valid, kept);
  }

  private plainChunk(size: number): void {
    if (this.position + size > this.input.length) throw new Error('xz file is cut short');
    this.window.set(this.input.subarray(this.position, this.position + size), this.filled);
    this.position += size;
    this.filled += size;
    this.valid += size;
    this.produced += size;
  }

  private lzmaChunk(resets: number, size: number): void {
    const packed = ((this.byte() << 8) | this.byte()) + 1;
    if (resets >= 2) {
      const properties = this.byte();
      this.lc = properties % 9;
      this.lp = Math.floor(properties / 9) % 5;
      this.pb = Math.floor(properties / 45);
      if (this.pb > 4 || this.lc + this.lp > 4) throw new Error('xz data is broken: LZMA properties');
    }
    if (resets >= 1) {
      this.model = new Model(this.lc + this.lp);
      this.state = this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
      this.produced = 0;
    }
    const end = this.position + packed;
    this.byte();
    this.range = 0xffffffff;
    this.code = 0;
    for (let i = 0; i < 4; i++) this.code = ((this.code << 8) | this.byte()) >>> 0;
    this.decode(this.filled + size);
    // The range coder may leave its last byte unread.
    if (this.position > end) throw new Error('xz data is broken: chunk runs over its end');
    this.position = end;
  }

  private decode(end: number): void {
    const { window, model } = this;
    const positionMask = (1 << this.pb) - 1;
    while (this.filled < end) {
      const positionState = this.produced & positionMask;
      if (this.bit(model.isMatch, (this.state << 4) + positionState) === 0) {
        this.literal();
        continue;
      }
      const length = this.match(positionState);
      const distance = this.rep0 + 1;
      if (distance > this.valid || this.filled + length > end)
        throw new Error('xz data is broken: match out of bounds');
      for (let i = 0; i < length; i++, this.filled++) window[this.filled] = window[this.filled - distance]!;
      this.valid += length;
      this.produced += length;
    }
  }

  private literal(): void {
    const { window, model, state } = this;
    const before = this.valid > 0 ? window[this.filled - 1]! : 0;
    const context = ((this.produced & ((1 << this.lp) - 1)) << this.lc) + (before >> (8 - this.lc));
    const base = context * LITERAL_PROBABILITIES;
    let symbol = 1;
    if (state >= FIRST_MATCH_STATE) {
      if (this.rep0 + 1 > this.valid) throw new Error('xz data is broken: match out of bounds');
      let matched = window[this.filled - this.rep0 - 1]!;
      while (symbol < 0x100) {
        const matchBit = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.bit(model.literals, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== matchBit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.bit(model.literals, base + symbol);
    window[this.filled++] = symbol;
    this.valid++;
    this.produced++;
    if (state < 4) this.state = 0;
    else this.state = state < 10 ? state - 3 : state - 6;
  }

  /** Reads a match, leaving its distance less one in rep0, and returns its length. */
  private match(positionState: number): number {
    const { model, state } = this;
    const late = state >= FIRST_MATCH_STATE;
    if (this.bit(model.isRepeat, state) === 0) {
      this.rep3 = this.rep2;
      this.rep2 = this.rep1;
      this.rep1 = this.rep0;
      this.state = late ? 10 : 7;
      const length = this.length(model.matchLength, positionState);
      this.rep0 = this.distance(length);
      return length;
    }
    if (this.bit(model.isRepeat0, state) === 0) {
      if (this.bit(model.isRepeat0Long, (state << 4) + positionState) === 0) {
        this.state = late ? 11 : 9;
        return 1;
      }
    } else {
      let distance = this.rep1;
      if (this.bit(model.isRepeat1, state) !== 0) {
        distance = this.rep2;
        if (this.bit(model.isRepeat2, state) !== 0) {
          distance = this.rep3;
          this.rep3 = this.rep2;
        }
        this.rep2 = this.rep1;
      }
      this.rep1 = this.rep0;
      this.rep0 = distance;
    }
    this.state = late ? 11 : 8;
    return this.length(model.repeatLength, positionState);
  }

  private length(model: LengthModel, positionState: number): number {
    if (this.bit(model.choice, 0) === 0) return MIN_MATCH + this.tree(model.low, positionState << 3, 3);
    if (this.bit(model.choice, 1) === 0)
      return MIN_MATCH + 8 + this.tree(model.middle, positionState << 3, 3);
    return MIN_MATCH + 16 + this.tree(model.high, 0, 8);
  }

  private distance(length: number): number {
    const { model } = this;
    const lengthState = Math.min(length - MIN_MATCH, LENGTH_STATES - 1);
    const slot = this.tree(model.slots, lengthState << 6, 6);
    if (slot < FIRST_POSITION_MODEL) return slot;
    const directBits = (slot >> 1) - 1;
    const distance = (2 | (slot & 1)) * 2 ** directBits;
    if (slot < END_POSITION_MODEL)
      return distance + this.reverseTree(model.distances, distance - slot, directBits);
    const high = this.direct(directBits - ALIGN_BITS) * (1 << ALIGN_BITS);
    return distance + high + this.reverseTree(model.align, 0, ALIGN_BITS);
  }

  private tree(model: Probabilities, base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.bit(model, base + symbol);
    return symbol - (1 << bits);
  }

  private reverseTree(model: Probabilities, base: number, bits: number): number {
    let symbol = 1;
    let result = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(model, base + symbol);
      symbol = (symbol << 1) | bit;
      result |= bit << i;
    }
    return result;
  }

  private direct(bits: number): number {
    let result = 0;
    for (let i = 0; i < bits; i++) {
      this.range >>>= 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit) this.code -= this.range;
      result = result * 2 + bit;
      this.normalize();
    }
    return result;
  }

  private bit(model: Probabilities, index: number): number {
    const probability = model[index]!;
    const bound = (this.range >>> PROBABILITY_BITS) * probability;
    let bit = 0;
    if (this.code < bound) {
      this.range = bound;
      model[index] = probability + (((1 << PROBABILITY_BITS) - probability) >> MOVE_BITS);
    } else {
      this.range -= bound;
      this.code -= bound;
      model[index] = probability - (probability >> MOVE_BITS);
      bit = 1;
    }
    this.normalize();
    return bit;
  }

  private normalize(): void {
    if (this.range >= TOP) return;
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | this.byte()) >>> 0;
  }

  private byte(): number {
    if (this.position >= this.input.length) throw new Error('xz file is cut short');
    return this.input[this.position++]!;
  }
}
