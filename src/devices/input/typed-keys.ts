/** Keys that a person presses to type a text, on an American keyboard; also the keys of a terminal, from their escape sequences. */

/** A key by its KeyboardEvent code, with those to hold meanwhile. */
export interface KeyPress {
  code: string;
  hold: readonly string[];
}

const SHIFT = 'ShiftLeft';
const CONTROL = 'ControlLeft';
const ALT = 'AltLeft';

const SIGNS: Record<string, [code: string, shift: boolean]> = {
  ' ': ['Space', false],
  '\t': ['Tab', false],
  '\r': ['Enter', false],
  '\n': ['Enter', false],
  '\x7f': ['Backspace', false],
  '\b': ['Backspace', false],
  '\x1b': ['Escape', false],
};
const PAIRS: readonly [plain: string, shifted: string, codes: readonly string[]][] = [
  ['1234567890', '!@#$%^&*()', [...'1234567890'].map((digit) => `Digit${digit}`)],
  [
    "-=[]\\;'`,./",
    '_+{}|:"~<>?',
    [
      'Minus',
      'Equal',
      'BracketLeft',
      'BracketRight',
      'Backslash',
      'Semicolon',
      'Quote',
      'Backquote',
      'Comma',
      'Period',
      'Slash',
    ],
  ],
];
for (const [plain, shifted, codes] of PAIRS)
  codes.forEach((code, n) => {
    SIGNS[plain[n]!] = [code, false];
    SIGNS[shifted[n]!] = [code, true];
  });

/** What xterm and the consoles of Linux send for keys without characters, behind ESC. */
const SEQUENCES: Record<string, string> = {
  '[A': 'ArrowUp',
  '[B': 'ArrowDown',
  '[C': 'ArrowRight',
  '[D': 'ArrowLeft',
  OA: 'ArrowUp',
  OB: 'ArrowDown',
  OC: 'ArrowRight',
  OD: 'ArrowLeft',
  '[H': 'Home',
  '[F': 'End',
  '[1~': 'Home',
  '[4~': 'End',
  '[2~': 'Insert',
  '[3~': 'Delete',
  '[5~': 'PageUp',
  '[6~': 'PageDown',
  OP: 'F1',
  OQ: 'F2',
  OR: 'F3',
  OS: 'F4',
  '[[A': 'F1',
  '[[B': 'F2',
  '[[C': 'F3',
  '[[D': 'F4',
  '[[E': 'F5',
  '[15~': 'F5',
  '[17~': 'F6',
  '[18~': 'F7',
  '[19~': 'F8',
  '[20~': 'F9',
  '[21~': 'F10',
  '[23~': 'F11',
  '[24~': 'F12',
};
const LONGEST = 5;

/** The press that types one character; null: no key has it. */
export function keyFor(character: string): KeyPress | null {
  const sign = SIGNS[character];
  if (sign) return { code: sign[0], hold: sign[1] ? [SHIFT] : [] };
  if (/^[a-z]$/i.test(character))
    return { code: `Key${character.toUpperCase()}`, hold: character < 'a' ? [SHIFT] : [] };
  const code = character.charCodeAt(0);
  // Ctrl with a letter.
  if (code >= 1 && code <= 26) return { code: `Key${String.fromCharCode(0x40 + code)}`, hold: [CONTROL] };
  return null;
}

/** What was typed at a terminal; sequences that are no key are left out. */
export function typedKeys(text: string): KeyPress[] {
  const keys: KeyPress[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === '\x1b' && at + 1 < text.length) {
      const length = Array.from({ length: LONGEST }, (_, n) => LONGEST - n).find(
        (count) => text.slice(at + 1, at + 1 + count) in SEQUENCES && at + 1 + count <= text.length,
      );
      if (length !== undefined) {
        keys.push({ code: SEQUENCES[text.slice(at + 1, at + 1 + length)]!, hold: [] });
        at += 1 + length;
        continue;
      }
      // ESC before a character is Alt.
      const key = keyFor(text[at + 1]!);
      if (key && text[at + 1] !== '\x1b') keys.push({ code: key.code, hold: [ALT, ...key.hold] });
      at += 2;
      continue;
    }
    const key = keyFor(text[at]!);
    if (key) keys.push(key);
    at++;
  }
  return keys;
}
