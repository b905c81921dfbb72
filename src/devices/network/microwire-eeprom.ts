/** A serial EEPROM on a Microwire bus (93C46: 64 words of 16 bits), as network cards keep their address in. Only reading. */
export const EEPROM_WORDS = 64;
const COMMAND_BITS = 9;
const ADDRESS_BITS = 6;
const OPCODE_READ = 6;

export class MicrowireEeprom {
  private selected = false;
  private clock = false;
  private shifted = 0;
  private bits = 0;
  /** Bits that go out: of the word that was asked for and those behind it; -1: nothing was asked for. */
  private out = -1;

  constructor(readonly words: Uint16Array) {}

  /** The card's lines to the chip: select, clock, data in. */
  drive(select: boolean, clock: boolean, input: boolean): void {
    const rises = clock && !this.clock;
    const falls = !clock && this.clock;
    this.clock = clock;
    if (!select || !this.selected) {
      this.selected = select;
      this.shifted = this.bits = 0;
      this.out = -1;
      if (!select || !rises) return;
    }
    if (rises && this.out < 0) {
      // What comes before the start bit means nothing.
      if (this.bits === 0 && !input) return;
      this.shifted = (this.shifted << 1) | (input ? 1 : 0);
      this.bits++;
      if (this.bits === COMMAND_BITS && this.shifted >> ADDRESS_BITS === OPCODE_READ)
        this.out = (this.shifted & (EEPROM_WORDS - 1)) * 16 - 1;
      else if (this.bits === COMMAND_BITS) this.shifted = this.bits = 0;
    } else if (falls && this.bits === COMMAND_BITS) this.out++;
  }

  /** The chip's line to the card; high while it has nothing to say. A zero comes before a word. */
  get output(): boolean {
    if (this.bits < COMMAND_BITS) return true;
    if (this.out < 0) return false;
    const word = this.words[(this.out >> 4) & (EEPROM_WORDS - 1)]!;
    return ((word >> (15 - (this.out & 15))) & 1) === 1;
  }

  save(): number[] {
    return [Number(this.selected), Number(this.clock), this.shifted, this.bits, this.out];
  }
  load(state: number[]): void {
    const [selected, clock, shifted, bits, out] = state as [number, number, number, number, number];
    Object.assign(this, { selected: selected === 1, clock: clock === 1, shifted, bits, out });
  }
}
