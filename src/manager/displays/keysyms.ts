import { keyFor } from '../../devices/input/typed-keys.js';

/** X11 key symbols of keys without characters (X11/keysymdef.h), as KeyboardEvent codes. */
const NAMED: Record<number, string> = {
  0xff08: 'Backspace',
  0xff09: 'Tab',
  0xff0d: 'Enter',
  0xff13: 'Pause',
  0xff14: 'ScrollLock',
  0xff15: 'PrintScreen',
  0xff1b: 'Escape',
  0xff50: 'Home',
  0xff51: 'ArrowLeft',
  0xff52: 'ArrowUp',
  0xff53: 'ArrowRight',
  0xff54: 'ArrowDown',
  0xff55: 'PageUp',
  0xff56: 'PageDown',
  0xff57: 'End',
  0xff61: 'PrintScreen',
  0xff63: 'Insert',
  0xff67: 'ContextMenu',
  0xff7f: 'NumLock',
  0xff8d: 'NumpadEnter',
  0xff95: 'Numpad7',
  0xff96: 'Numpad4',
  0xff97: 'Numpad8',
  0xff98: 'Numpad6',
  0xff99: 'Numpad2',
  0xff9a: 'Numpad9',
  0xff9b: 'Numpad3',
  0xff9c: 'Numpad1',
  0xff9d: 'Numpad5',
  0xff9e: 'Numpad0',
  0xff9f: 'NumpadDecimal',
  0xffaa: 'NumpadMultiply',
  0xffab: 'NumpadAdd',
  0xffad: 'NumpadSubtract',
  0xffae: 'NumpadDecimal',
  0xffaf: 'NumpadDivide',
  0xffe1: 'ShiftLeft',
  0xffe2: 'ShiftRight',
  0xffe3: 'ControlLeft',
  0xffe4: 'ControlRight',
  0xffe5: 'CapsLock',
  0xffe7: 'MetaLeft',
  0xffe8: 'MetaRight',
  0xffe9: 'AltLeft',
  0xffea: 'AltRight',
  0xffeb: 'MetaLeft',
  0xffec: 'MetaRight',
  0xfe03: 'AltRight',
  0xffff: 'Delete',
};
const F1 = 0xffbe;
const KEYPAD_0 = 0xffb0;

/** The key that has a symbol on it, with or without shift, on an American keyboard; null: none has. */
export function keyOfSymbol(symbol: number): string | null {
  if (symbol in NAMED) return NAMED[symbol]!;
  if (symbol >= F1 && symbol < F1 + 12) return `F${symbol - F1 + 1}`;
  if (symbol >= KEYPAD_0 && symbol < KEYPAD_0 + 10) return `Numpad${symbol - KEYPAD_0}`;
  return symbol >= 0x20 && symbol < 0x7f ? (keyFor(String.fromCharCode(symbol))?.code ?? null) : null;
}
