/**
 * The characters of text modes, code page 437, drawn for Vivarium: 8 dots wide and 16 lines high. Letters are drawn line by line;
 * accented ones, frames and blocks are put together; the fonts of 14 and of 8 lines are made from that of 16.
 */
import { CODE_PAGE_437 } from '../../machine/code-page-437.js';

/** Lines of a character from line 2 on, a byte each in hex, bit 7 at the left. Capitals stand on line 11. */
const DRAWN: Record<string, string> = {
  '!': '183c3c3c1818001818',
  '"': '66666624',
  '#': '006c6cfe6c6c6cfe6c6c',
  $: '107cd6d0d07c1616d67c10',
  '%': '0062e66c0c1830366c66c6',
  '&': '386c6c3876dcccccdc76',
  "'": '18181830',
  '(': '0c18303030303030180c',
  ')': '30180c0c0c0c0c0c1830',
  '*': '000000663cff3c66',
  '+': '0000001818187e181818',
  ',': '0000000000000018181830',
  '-': '0000000000fe',
  '.': '00000000000000001818',
  '/': '0002060c0c18183060c080',
  '0': '386cc6c6d6d6c6c66c38',
  '1': '1838781818181818187e',
  '2': '7cc6060c183060c0c6fe',
  '3': '7cc606063c060606c67c',
  '4': '0c1c3c6cccfe0c0c0c1e',
  '5': 'fec0c0c0fc060606c67c',
  '6': '3860c0c0fcc6c6c6c67c',
  '7': 'fec606060c1830303030',
  '8': '7cc6c6c67cc6c6c6c67c',
  '9': '7cc6c6c67e0606060c78',
  ':': '00001818000000001818',
  ';': '0000181800000018181830',
  '<': '00060c18306030180c06',
  '=': '000000007e00007e',
  '>': '006030180c060c183060',
  '?': '7cc6c60c181818001818',
  '@': '007cc6c6dedededcc07c',
  A: '10386cc6c6fec6c6c6c6',
  B: 'fc6666667c66666666fc',
  C: '3c66c2c0c0c0c0c2663c',
  D: 'f86c6666666666666cf8',
  E: 'fe66626878686062 66fe',
  F: 'fe6662687868606060f0',
  G: '3c66c2c0c0dec6c6663a',
  H: 'c6c6c6c6fec6c6c6c6c6',
  I: '3c18181818181818183c',
  J: '1e0c0c0c0c0ccccccc78',
  K: 'e6666c6c78786c6666e6',
  L: 'f06060606060606266fe',
  M: 'c6eefefed6c6c6c6c6c6',
  N: 'c6e6f6fedecec6c6c6c6',
  O: '7cc6c6c6c6c6c6c6c67c',
  P: 'fc6666667c60606060f0',
  Q: '7cc6c6c6c6c6c6d6de7c0c0e',
  R: 'fc6666667c6c666666e6',
  S: '7cc6c660380c06c6c67c',
  T: '7e7e5a1818181818183c',
  U: 'c6c6c6c6c6c6c6c6c67c',
  V: 'c6c6c6c6c6c6c66c3810',
  W: 'c6c6c6c6c6d6d6feee6c',
  X: 'c6c66c6c38386c6cc6c6',
  Y: '666666663c181818183c',
  Z: 'fec6860c183060c2c6fe',
  '[': '3c30303030303030303c',
  '\\': '0080c06030301818 0c0602',
  ']': '3c0c0c0c0c0c0c0c0c3c',
  _: '000000000000000000000000ff',
  a: '000000780c7ccccccc76',
  b: 'e06060786c666666667c',
  c: '0000007cc6c0c0c0c67c',
  d: '1c0c0c3c6ccccccccc76',
  e: '0000007cc6fec0c0c67c',
  f: '386c6460f060606060f0',
  g: '00000076cccccccccc7c0ccc78',
  h: 'e060606c7666666666e6',
  i: '1818003818181818183c',
  j: '06060 00e06060606060666663c',
  k: 'e06060666c78786c66e6',
  l: '3818181818181818183c',
  m: '000000ecfed6d6d6d6c6',
  n: '000000dc666666666666',
  o: '0000007cc6c6c6c6c67c',
  p: '000000dc66666666667c6060f0',
  q: '00000076cccccccccc7c0c0c1e',
  r: '000000dc7666606060f0',
  s: '0000007cc660380cc67c',
  t: '103030fc30303030361c',
  u: '000000cccccccccccc76',
  v: '000000c6c6c6c66c3810',
  w: '000000c6c6d6d6d6fe6c',
  x: '000000c66c3838386cc6',
  y: '000000c6c6c6c6c6c67e060cf8',
  z: '000000fecc183060c6fe',
  '{': '0e18181870181818180e',
  '|': '18181818181818181818',
  '}': '701818180e1818181870',
  '~': '76dc',
  '`': '30180c',
  '^': '10386cc6',
  // Codes 1-31 and 127
  '☺': '007e81a58181bd998181 7e',
  '☻': '007effdbffffc3e7ffff7e',
  '♥': '0000006cfefefefe7c3810',
  '♦': '0000000010387cfe7c3810',
  '♣': '000018 3c3ce7e7e718183c',
  '♠': '0000183c7effff7e18183c',
  '•': '00000000183c3c18',
  '◘': 'ffffffffe7c3c3e7ffffffffff',
  '○': '0000003c664242663c',
  '◙': 'ffffffc399bdbd99c3ffffffff',
  '♂': '001e0e1a3278cccccccc78',
  '♀': '003c666666663c187e1818',
  '♪': '003f333f30303030 70f0e0',
  '♫': '007f637f636363 6367e7e6c0',
  '☼': '00001818db3ce73cdb1818',
  '►': '0080c0e0f8fef8e0c080',
  '◄': '0002060e3efe3e0e0602',
  '↕': '00183c7e1818187e3c18',
  '‼': '00666666666666006666',
  '¶': '007fdbdbdb7b1b1b1b1b1b',
  '§': '7cc660386cc6c66c380cc67c',
  '▬': '0000000000000000fefefe',
  '↨': '00183c7e1818187e3c187e',
  '↑': '00183c7e18181818181818',
  '↓': '001818181818181 87e3c18',
  '→': '00000000180cfe0c18',
  '←': '000000003060fe6030',
  '∟': '0000000000c0c0c0fe',
  '↔': '00000000286cfe6c28',
  '▲': '0000001038387c7cfefe',
  '▼': '000000fefe7c7c383810',
  '⌂': '0000000010386cc6c6c6fe',
  // 145 to 175 that are no accented letters
  æ: '0000006e3b1b7ed8dc77',
  Æ: '3e6cccccfeccccccccce',
  '¢': '1818 7cc6c0c0c0c67c1818',
  '£': '386c6460f06060 6060e6fc',
  '¥': '6666663c187e187e1818',
  '₧': 'f8ccccf8c4ccdeccccc6',
  ƒ: '0e1b1818187e18181818d870',
  ª: '3c6c6c3e007e',
  º: '386c6c38007c',
  '¿': '00303000303060c0c6c67c',
  '⌐': '00000000fec0c0c0',
  '¬': '00000000fe060606',
  '½': '60e0626c183060dc860c183e',
  '¼': '60e0626c183066ce9a3e0606',
  '¡': '00181800181 83c3c3c18',
  '«': '00000036 6cd86c36',
  '»': '000000d86c366cd8',
  // 224 to 254
  α: '00000076dcd8d8d8dc76',
  ß: '78ccccccd8ccc6c6c6cc',
  Γ: 'fec6c6c0c0c0c0c0c0c0',
  π: '0000fe6c6c6c6c6c6c6c',
  Σ: 'fec6603018183060c6fe',
  σ: '0000007ed8d8d8d8d870',
  µ: '000000666666666 6667c60c0',
  τ: '0000 0076dc1818181818',
  Φ: '7e183c66666666663c187e',
  Θ: '386cc6c6fec6c6c66c38',
  Ω: '386cc6c6c66c6c6c6cee',
  δ: '1e30180c3e66666666 663c',
  '∞': '0000007edbdbdb7e',
  φ: '0000 03067edbdbf37e60c0',
  ε: '1c306060 7c606060301c',
  '∩': '007cc6c6c6c6c6c6c6c6',
  '≡': '0000fe0000fe0000fe',
  '±': '000018187e18180000ff',
  '≥': '0030180c060c1830007e',
  '≤': '000c18306030180c007e',
  '⌠': '0e1b1b1818181818181818 1818',
  '⌡': '1818181818181818d8d8d870',
  '÷': '00001818007e001818',
  '≈': '00000076dc0076dc',
  '°': '386c6c38',
  '∙': '000000000000 1818',
  '·': '000000000000 0018',
  '√': '0f0c0c0c0c0cec6c6c3c1c',
  ⁿ: 'd86c6c6c6c6c',
  '²': '70d83060c8f8',
  '■': '0000007c7c7c7c7c7c7c',
};

/** Accents above a letter, from the line above it up. */
const ACCENTS: Record<string, number[]> = {
  '\u0301': [0x18, 0x0c],
  '\u0300': [0x18, 0x30],
  '\u0302': [0x6c, 0x38],
  '\u0308': [0x6c, 0x6c],
  '\u0303': [0xdc, 0x76],
  '\u030a': [0x38, 0x6c, 0x38],
};
const CEDILLA = '\u0327';
const CEDILLA_LINES = [0x18, 0x0c, 0x78];

const LINES = 16;
const FIRST_DRAWN = 2;
const SMALL_TOP = 5;

function drawn(character: string): Uint8Array {
  const glyph = new Uint8Array(LINES);
  const lines = DRAWN[character]?.replaceAll(' ', '') ?? '';
  for (let i = 0; i < lines.length / 2; i++)
    glyph[FIRST_DRAWN + i] = parseInt(lines.slice(2 * i, 2 * i + 2), 16);
  return glyph;
}

/** A letter, or one with an accent put on it. */
function letter(character: string): Uint8Array {
  if (character in DRAWN) return drawn(character);
  const [base, accent] = character.normalize('NFD');
  const glyph = drawn(base!);
  if (accent === undefined) return glyph;
  if (accent === CEDILLA) {
    CEDILLA_LINES.forEach((line, i) => (glyph[12 + i] = line));
    return glyph;
  }
  const small = base! !== base!.toUpperCase();
  // The dot of an i gives way.
  if (base === 'i') glyph.fill(0, 0, SMALL_TOP);
  const above = small ? SMALL_TOP - 2 : FIRST_DRAWN - 1;
  ACCENTS[accent]!.forEach((line, i) => {
    if (above - i >= 0) glyph[above - i] = line;
  });
  return glyph;
}

/** For each character from 179 on, what goes left, up, right and down from its middle: 1 a single line, 2 a double one. */
const FRAMES =
  '0101 1101 2101 1202 1002 2001 2202 0202 2002 2200 1200 2100 1001 0110 1110 1011 0111 1010 1111 0121 0212 0220 0022 2220 2022 0222 2020 2222 2120 1210 2021 1012 0210 0120 0021 0012 1212 2121 1100 0011'.split(
    ' ',
  );

function frame(arms: string): Uint8Array {
  const [left, up, right, down] = [...arms].map(Number) as [number, number, number, number];
  const glyph = new Uint8Array(LINES);
  const twice = (a: number, b: number): boolean => a === 2 || b === 2;
  // Columns 3 and 4 hold a single upright line, 2 and 5 a double one; lines 7 a single level one, 6 and 8 a double one.
  const uprights = twice(up, down) ? [2, 5] : [3, 4];
  const levels = twice(left, right) ? [6, 8] : [7];
  const dot = (x: number, y: number): void => void (glyph[y]! |= 0x80 >> x);
  for (const y of levels)
    for (let x = 0; x < 8; x++) {
      const wanted = x < uprights[0]! ? left : x > uprights[1]! ? right : Math.max(left, right);
      if (wanted > 0) dot(x, y);
    }
  for (const x of uprights)
    for (let y = 0; y < LINES; y++) {
      const wanted = y < levels[0]! ? up : y > levels.at(-1)! ? down : Math.max(up, down);
      if (wanted > 0) dot(x, y);
    }
  // Double lines that cross or meet double ones are open in the middle; they end at what they meet.
  if (twice(up, down) && levels.length === 2 && left + right > 0 && up + down > 0)
    for (const y of levels)
      for (let x = uprights[0]! + 1; x < uprights[1]!; x++) {
        const side = y === levels[0] ? up : down;
        if (side > 0) glyph[y]! &= ~(0x80 >> x);
      }
  if (levels.length === 2 && twice(up, down))
    for (const x of uprights) {
      const side = x === uprights[0] ? left : right;
      if (side > 0) glyph[7]! &= ~(0x80 >> x);
    }
  return glyph;
}

/** Blocks and shades: 176-178 and 219-223. */
function block(code: number): Uint8Array {
  const shade: Record<number, [even: number, odd: number]> = {
    176: [0x22, 0x88],
    177: [0x55, 0xaa],
    178: [0xdd, 0x77],
    219: [0xff, 0xff],
    221: [0xf0, 0xf0],
    222: [0x0f, 0x0f],
  };
  return Uint8Array.from({ length: LINES }, (_, y) => {
    if (code === 220) return y >= LINES / 2 ? 0xff : 0;
    if (code === 223) return y < LINES / 2 ? 0xff : 0;
    return shade[code]![y % 2]!;
  });
}

function glyph(code: number): Uint8Array {
  if (code < 176 || code >= 224) return letter(CODE_PAGE_437[code]!);
  if (code < 179 || (code >= 219 && code < 224)) return block(code);
  return frame(FRAMES[code - 179]!);
}

const GLYPHS = Array.from({ length: 256 }, (_, code) => glyph(code));

function font(lines: number, of: (glyph: Uint8Array, line: number) => number): Uint8Array {
  const result = new Uint8Array(256 * lines);
  GLYPHS.forEach((drawing, code) => {
    for (let line = 0; line < lines; line++) result[code * lines + line] = of(drawing, line);
  });
  return result;
}

export const FONT_16 = font(16, (drawing, line) => drawing[line]!);
/** Without the first line and the last. */
export const FONT_14 = font(14, (drawing, line) => drawing[line + 1]!);
/** Lines of the eight that show those of the sixteen, so that letters keep their shape. */
const EIGHTH = [
  [0, 1],
  [2, 3],
  [4, 4],
  [5, 6],
  [7, 7],
  [8, 9],
  [10, 11],
  [12, 14],
] as const;
export const FONT_8 = font(8, (drawing, line) => {
  const [first, last] = EIGHTH[line]!;
  let bits = 0;
  for (let i = first; i <= last; i++) bits |= drawing[i]!;
  return bits;
});
