/** INT 9 and INT 16h: keys become codes in the buffer at 40:1E (IBM PS/2 and PC BIOS interface technical reference, "INT 16H"). */
import type { GuestRam } from '../../machine/guest-ram.js';
import * as B from './bda.js';
import type { Frame } from './frame.js';

// 40:17
const RIGHT_SHIFT = 0x01;
const LEFT_SHIFT = 0x02;
const CTRL = 0x04;
const ALT = 0x08;
const NUM_LOCK = 0x20;
const LOCKS: Record<number, number> = { 0x46: 0x10, 0x45: NUM_LOCK, 0x3a: 0x40 };
const CAPS_LOCK = 0x40;
const INSERT = 0x80;
// 40:96
const E0_LAST = 0x02;
const E1_LAST = 0x01;
const RIGHT_CTRL = 0x04;
const RIGHT_ALT = 0x08;
const ENHANCED = 0x10;

const RELEASED = 0x80;
const INSERT_KEY = 0x52;
const DELETE_KEY = 0x53;
const ENTER_KEY = 0x1c;
const SLASH_KEY = 0x35;

/** Keys with characters: scan code of the first of a row, and what the row gives, plain and with shift. */
const ROWS: readonly [first: number, plain: string, shifted: string][] = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [0x39, ' ', ' '],
  [0x56, '\\', '|'],
];
/** With Ctrl, other than letters: scan code to character. */
const CONTROL: Record<number, number> = {
  0x03: 0x00,
  0x07: 0x1e,
  0x0c: 0x1f,
  0x1a: 0x1b,
  0x1b: 0x1d,
  0x2b: 0x1c,
  0x39: 0x20,
};
/** Escape, Backspace, Tab, Enter: plain, shift, ctrl, alt. */
const NAMED: Record<number, readonly [number, number, number, number]> = {
  0x01: [0x011b, 0x011b, 0x011b, 0x0100],
  0x0e: [0x0e08, 0x0e08, 0x0e7f, 0x0e00],
  0x0f: [0x0f09, 0x0f00, 0x9400, 0xa500],
  0x1c: [0x1c0d, 0x1c0d, 0x1c0a, 0x1c00],
};
/** The keypad from 7 to the point: digits with NumLock, and codes with Ctrl. */
const KEYPAD_FIRST = 0x47;
const KEYPAD = '789-456+1230.';
const KEYPAD_CTRL = [0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93];

export class Keyboard {
  constructor(private readonly ram: GuestRam) {}

  private byte(at: number): number {
    return this.ram.readU8(at);
  }
  private setByte(at: number, value: number): void {
    this.ram.writeU8(at, value & 0xff);
  }

  reset(): void {
    const { ram } = this;
    for (const at of [B.KEY_HEAD, B.KEY_TAIL, B.KEY_BUFFER_FIRST]) ram.writeU16(at, B.KEY_BUFFER - 0x400);
    ram.writeU16(B.KEY_BUFFER_LAST, B.KEY_BUFFER_END - 0x400);
    this.setByte(B.KEYBOARD_FLAGS_3, ENHANCED);
  }

  /** INT 9: a scan code of set 1 came. */
  scanCode(code: number): void {
    if (code === 0xe0 || code === 0xe1) {
      this.setByte(B.KEYBOARD_FLAGS_3, this.byte(B.KEYBOARD_FLAGS_3) | (code === 0xe0 ? E0_LAST : E1_LAST));
      return;
    }
    const flags3 = this.byte(B.KEYBOARD_FLAGS_3);
    const extended = (flags3 & E0_LAST) !== 0;
    // Pause is E1 1D 45.
    if (flags3 & E1_LAST) {
      if ((code & 0x7f) === 0x45) this.setByte(B.KEYBOARD_FLAGS_3, flags3 & ~E1_LAST);
      return;
    }
    this.setByte(B.KEYBOARD_FLAGS_3, flags3 & ~E0_LAST);
    const key = code & 0x7f;
    const pressed = (code & RELEASED) === 0;
    if (this.modifier(key, pressed, extended) || !pressed) return;
    const word = this.codeOf(key, extended);
    if (word !== 0) this.put(word);
  }

  /** Shift, Ctrl, Alt and the locks; true: the key is one of them. */
  private modifier(key: number, pressed: boolean, extended: boolean): boolean {
    const set = (at: number, bit: number, on: boolean): void =>
      this.setByte(at, on ? this.byte(at) | bit : this.byte(at) & ~bit);
    // E0 2A and E0 36 surround the keys beside the keypad.
    if (key === 0x2a || key === 0x36) {
      if (!extended) set(B.SHIFT_FLAGS, key === 0x2a ? LEFT_SHIFT : RIGHT_SHIFT, pressed);
      return true;
    }
    if (key === 0x1d || key === 0x38) {
      const ctrl = key === 0x1d;
      if (extended) set(B.KEYBOARD_FLAGS_3, ctrl ? RIGHT_CTRL : RIGHT_ALT, pressed);
      else set(B.SHIFT_FLAGS_2, ctrl ? 0x01 : 0x02, pressed);
      set(B.SHIFT_FLAGS, ctrl ? CTRL : ALT, pressed);
      return true;
    }
    const lock = LOCKS[key];
    if (lock !== undefined && !extended) {
      if (pressed) this.setByte(B.SHIFT_FLAGS, this.byte(B.SHIFT_FLAGS) ^ lock);
      return true;
    }
    if (key === INSERT_KEY && pressed && extended)
      this.setByte(B.SHIFT_FLAGS, this.byte(B.SHIFT_FLAGS) ^ INSERT);
    return false;
  }

  /** Scan code and character; 0: none. */
  private codeOf(key: number, extended: boolean): number {
    const flags = this.byte(B.SHIFT_FLAGS);
    const shift = (flags & (LEFT_SHIFT | RIGHT_SHIFT)) !== 0;
    const state = flags & ALT ? 3 : flags & CTRL ? 2 : shift ? 1 : 0;
    if (extended && (key === ENTER_KEY || key === SLASH_KEY)) {
      const alt = key === ENTER_KEY ? 0xa600 : 0xa400;
      return [
        0xe000 | (key === ENTER_KEY ? 0x0d : 0x2f),
        0xe000 | (key === ENTER_KEY ? 0x0d : 0x2f),
        key === ENTER_KEY ? 0xe00a : 0x9500,
        alt,
      ][state]!;
    }
    if (key in NAMED) return NAMED[key]![state]!;
    if (key >= 0x3b && key <= 0x44) return [key, key + 0x19, key + 0x23, key + 0x2d][state]! << 8;
    if (key === 0x57 || key === 0x58) return (0x85 + (key - 0x57) + 2 * state) << 8;
    if (key >= KEYPAD_FIRST && key <= DELETE_KEY) return this.keypad(key, extended, state, flags);
    if (key === 0x37) return [0x372a, 0x372a, 0x9600, 0x3700][state]!;
    return this.character(key, state, shift, (flags & CAPS_LOCK) !== 0);
  }

  private keypad(key: number, extended: boolean, state: number, flags: number): number {
    const index = key - KEYPAD_FIRST;
    const sign = KEYPAD[index]!;
    if (state === 3) return extended ? (key + 0x50) << 8 : sign === '-' ? 0x4a00 : sign === '+' ? 0x4e00 : 0;
    if (state === 2) return (KEYPAD_CTRL[index]! << 8) | (extended ? 0xe0 : 0);
    if (extended) return (key << 8) | 0xe0;
    if (sign === '-' || sign === '+') return (key << 8) | sign.charCodeAt(0);
    const digits = ((flags & NUM_LOCK) !== 0) !== (state === 1);
    return (key << 8) | (digits ? sign.charCodeAt(0) : 0);
  }

  private character(key: number, state: number, shift: boolean, caps: boolean): number {
    const row = ROWS.find(([first, plain]) => key >= first && key < first + plain.length);
    if (!row) return 0;
    const [first, plain, shifted] = row;
    const low = plain[key - first]!;
    const letter = low >= 'a' && low <= 'z';
    if (state === 3) {
      if (key >= 0x02 && key <= 0x0d) return (key + 0x76) << 8;
      return low === ' ' ? 0x3920 : key << 8;
    }
    if (state === 2) {
      if (letter) return (key << 8) | (low.charCodeAt(0) & 0x1f);
      const control = CONTROL[key];
      return control === undefined ? 0 : (key << 8) | control;
    }
    const upper = letter ? shift !== caps : shift;
    return (key << 8) | (upper ? shifted[key - first]! : low).charCodeAt(0);
  }

  private next(at: number): number {
    const next = at + 2;
    return next >= this.ram.readU16(B.KEY_BUFFER_LAST) ? this.ram.readU16(B.KEY_BUFFER_FIRST) : next;
  }

  /** false: the buffer is full. */
  put(word: number): boolean {
    const { ram } = this;
    const tail = ram.readU16(B.KEY_TAIL);
    const after = this.next(tail);
    if (after === ram.readU16(B.KEY_HEAD)) return false;
    ram.writeU16(0x400 + tail, word);
    ram.writeU16(B.KEY_TAIL, after);
    return true;
  }

  /** The first code in the buffer; 0: it is empty. */
  peek(): number {
    const head = this.ram.readU16(B.KEY_HEAD);
    return head === this.ram.readU16(B.KEY_TAIL) ? 0 : this.ram.readU16(0x400 + head);
  }
  take(): number {
    const word = this.peek();
    if (word !== 0) this.ram.writeU16(B.KEY_HEAD, this.next(this.ram.readU16(B.KEY_HEAD)));
    return word;
  }

  /** What programs that know only the first keyboard get: no E0, and none of the newer codes; 0: nothing. */
  private plain(word: number): number {
    if (word >> 8 === 0xe0) return ((word & 0xff) === 0x2f ? SLASH_KEY << 8 : ENTER_KEY << 8) | (word & 0xff);
    if (word >> 8 > 0x84) return 0;
    return (word & 0xff) === 0xe0 ? word & 0xff00 : word;
  }

  /** INT 16h; true: it shall be asked again when a key may have come. */
  call(frame: Frame): boolean {
    switch (frame.ah) {
      case 0x00:
      case 0x10: {
        for (let word = this.take(); word !== 0; word = this.take()) {
          const code = frame.ah === 0x10 ? word : this.plain(word);
          if (code === 0) continue;
          frame.ax = code;
          return false;
        }
        return true;
      }
      case 0x01:
      case 0x11: {
        const extended = frame.ah === 0x11;
        // What cannot be told stays in nobody's way.
        while (!extended && this.peek() !== 0 && this.plain(this.peek()) === 0) this.take();
        const word = this.peek();
        frame.zero = word === 0;
        if (word !== 0) frame.ax = extended ? word : this.plain(word);
        return false;
      }
      case 0x02:
        frame.al = this.byte(B.SHIFT_FLAGS);
        return false;
      case 0x12:
        frame.al = this.byte(B.SHIFT_FLAGS);
        frame.ah = (this.byte(B.SHIFT_FLAGS_2) & 0x73) | (this.byte(B.KEYBOARD_FLAGS_3) & 0x0c);
        return false;
      case 0x05:
        frame.al = this.put(frame.cx) ? 0 : 1;
        return false;
      case 0x09:
        // Functions 10h-12h and 5 are there.
        frame.al = 0x30;
        return false;
      default:
        return false;
    }
  }
}
