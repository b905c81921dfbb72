/** The modes of a VGA: what its registers hold in each (IBM VGA technical reference, "Mode values"). */

export interface VideoMode {
  number: number;
  kind: 'text' | 'cga' | 'planar' | 'mono' | 'linear';
  columns: number;
  rows: number;
  /** Lines of a character, and bytes of a page. */
  fontLines: 8 | 14 | 16;
  pageBytes: number;
  pages: number;
  /** Segment of its memory. */
  segment: 0xa000 | 0xb000 | 0xb800;
  /** Pixels, of graphics modes. */
  width: number;
  height: number;
  misc: number;
  /** Registers 0-4, 0-18h, 0-14h and 0-8. */
  sequencer: number[];
  crtc: number[];
  attribute: number[];
  graphics: number[];
  palette: 'text' | 'cga' | 'ega' | 'vga' | 'mono';
}

const bytes = (text: string): number[] => text.split(' ').map((byte) => parseInt(byte, 16));

const ATTRIBUTE_COLORS = bytes('00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f');
const ATTRIBUTE_LOW = bytes('00 01 02 03 04 05 06 07 10 11 12 13 14 15 16 17');
const ATTRIBUTE_CGA = bytes('00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17');
const ATTRIBUTE_TWO = bytes('00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17');
const ATTRIBUTE_MONO = bytes('00 08 08 08 08 08 08 08 10 18 18 18 18 18 18 18');
const ATTRIBUTE_WHITE = bytes('00 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f');
const ATTRIBUTE_LINEAR = bytes('00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f');

const CRTC_40 = bytes('2d 27 28 90 2b a0 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 14 1f 96 b9 a3 ff');
const CRTC_80 = bytes('5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff');
const CRTC_MONO = bytes('5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 0f 96 b9 a3 ff');
const CRTC_CGA = bytes('2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff');
const CRTC_CGA_2 = bytes('5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff');
const CRTC_320 = bytes('2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff');
const CRTC_640 = bytes('5f 4f 50 82 54 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 e3 ff');
const CRTC_350 = bytes('5f 4f 50 82 54 80 bf 1f 00 40 00 00 00 00 00 00 83 85 5d 28 0f 63 ba e3 ff');
const CRTC_480 = bytes('5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff');
const CRTC_256 = bytes('5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff');

type Defaults = Pick<VideoMode, 'number' | 'kind' | 'columns' | 'misc' | 'crtc'> & Partial<VideoMode>;

function text(number: number, columns: number, mono = false): VideoMode {
  return mode({
    number,
    kind: 'text',
    columns,
    rows: 25,
    fontLines: 16,
    pageBytes: columns === 40 ? 0x800 : 0x1000,
    pages: 8,
    segment: mono ? 0xb000 : 0xb800,
    misc: mono ? 0x66 : 0x67,
    sequencer: [3, columns === 40 ? 8 : 0, 3, 0, 2],
    crtc: mono ? CRTC_MONO : columns === 40 ? CRTC_40 : CRTC_80,
    attribute: [...(mono ? ATTRIBUTE_MONO : ATTRIBUTE_COLORS), mono ? 0x0e : 0x0c, 0, 0x0f, 8, 0],
    graphics: [0, 0, 0, 0, 0, 0x10, mono ? 0x0a : 0x0e, 0, 0xff],
    palette: mono ? 'mono' : 'text',
  });
}

function mode(given: Defaults): VideoMode {
  return {
    rows: 25,
    fontLines: 8,
    pageBytes: 0,
    pages: 1,
    segment: 0xa000,
    width: given.columns * 8,
    height: (given.rows ?? 25) * (given.fontLines ?? 8),
    sequencer: [3, 1, 0x0f, 0, 6],
    attribute: [...ATTRIBUTE_LOW, 1, 0, 0x0f, 0, 0],
    graphics: [0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff],
    palette: 'cga',
    ...given,
  };
}

export const VIDEO_MODES: readonly VideoMode[] = [
  text(0, 40),
  text(1, 40),
  text(2, 80),
  text(3, 80),
  ...[4, 5].map((number) =>
    mode({
      number,
      kind: 'cga',
      columns: 40,
      misc: 0x63,
      segment: 0xb800,
      pageBytes: 0x4000,
      sequencer: [3, 9, 3, 0, 2],
      crtc: CRTC_CGA,
      attribute: [...ATTRIBUTE_CGA, 1, 0, 3, 0, 0],
      graphics: [0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff],
    }),
  ),
  mode({
    number: 6,
    kind: 'cga',
    columns: 80,
    misc: 0x63,
    segment: 0xb800,
    pageBytes: 0x4000,
    sequencer: [3, 1, 1, 0, 6],
    crtc: CRTC_CGA_2,
    attribute: [...ATTRIBUTE_TWO, 1, 0, 1, 0, 0],
    graphics: [0, 0, 0, 0, 0, 0, 0x0d, 0, 0xff],
  }),
  text(7, 80, true),
  mode({
    number: 0x0d,
    kind: 'planar',
    columns: 40,
    misc: 0x63,
    pageBytes: 0x2000,
    pages: 8,
    sequencer: [3, 9, 0x0f, 0, 6],
    crtc: CRTC_320,
  }),
  mode({
    number: 0x0e,
    kind: 'planar',
    columns: 80,
    misc: 0x63,
    pageBytes: 0x4000,
    pages: 4,
    crtc: CRTC_640,
  }),
  mode({
    number: 0x0f,
    kind: 'planar',
    columns: 80,
    fontLines: 14,
    misc: 0xa2,
    pageBytes: 0x8000,
    pages: 2,
    crtc: CRTC_350,
    attribute: [...bytes('00 08 00 00 18 18 00 00 00 08 00 00 00 18 00 00'), 0x0b, 0, 5, 0, 0],
    graphics: [0, 0, 0, 0, 0, 0, 5, 5, 0xff],
    palette: 'mono',
  }),
  mode({
    number: 0x10,
    kind: 'planar',
    columns: 80,
    fontLines: 14,
    misc: 0xa3,
    pageBytes: 0x8000,
    pages: 2,
    crtc: CRTC_350,
    attribute: [...ATTRIBUTE_COLORS, 1, 0, 0x0f, 0, 0],
    palette: 'ega',
  }),
  mode({
    number: 0x11,
    kind: 'mono',
    columns: 80,
    rows: 30,
    fontLines: 16,
    misc: 0xe3,
    pageBytes: 0xa000,
    crtc: CRTC_480,
    attribute: [...ATTRIBUTE_WHITE, 1, 0, 0x0f, 0, 0],
    palette: 'ega',
  }),
  mode({
    number: 0x12,
    kind: 'planar',
    columns: 80,
    rows: 30,
    fontLines: 16,
    misc: 0xe3,
    pageBytes: 0xa000,
    crtc: CRTC_480,
    attribute: [...ATTRIBUTE_COLORS, 1, 0, 0x0f, 0, 0],
    palette: 'ega',
  }),
  mode({
    number: 0x13,
    kind: 'linear',
    columns: 40,
    misc: 0x63,
    sequencer: [3, 1, 0x0f, 0, 0x0e],
    crtc: CRTC_256,
    attribute: [...ATTRIBUTE_LINEAR, 0x41, 0, 0x0f, 0, 0],
    graphics: [0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff],
    palette: 'vga',
    pageBytes: 0,
  }),
];

/** Red, green and blue, 6 bits each, of the 256 colours of the DAC in a mode. */
export function dacColors(palette: VideoMode['palette']): Uint8Array {
  const colors = new Uint8Array(768);
  const set = (index: number, red: number, green: number, blue: number): void =>
    colors.set([red, green, blue], index * 3);
  if (palette === 'vga') {
    vgaColors(set);
    return colors;
  }
  for (let n = 0; n < 64; n++) {
    if (palette === 'mono') {
      const level = n & 0x10 ? (n & 8 ? 0x3f : 0x15) : n & 8 ? 0x2a : 0;
      set(n, level, level, level);
    } else if (palette === 'cga') {
      const [red, green, blue] = cgaColor((n & 7) | ((n & 0x10) >> 1));
      set(n, red, green, blue);
    } else {
      // Two bits for each: the low three are two thirds, the high three one third.
      const level = (bit: number): number => (n & (1 << bit) ? 0x2a : 0) + (n & (8 << bit) ? 0x15 : 0);
      set(n, level(2), level(1), level(0));
    }
  }
  return colors;
}

/** The sixteen colours of a CGA: brown is a dark yellow. */
function cgaColor(n: number): [number, number, number] {
  const high = n & 8 ? 0x15 : 0;
  const level = (bit: number): number => (n & bit ? 0x2a : 0) + high;
  return n === 6 ? [0x2a, 0x15, 0] : [level(4), level(2), level(1)];
}

/** The 256 colours of mode 13h: sixteen of a CGA, sixteen greys, and a circle of 24 hues in three brightnesses and saturations. */
function vgaColors(set: (index: number, red: number, green: number, blue: number) => void): void {
  for (let n = 0; n < 16; n++) set(n, ...cgaColor(n));
  const greys = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63];
  greys.forEach((grey, n) => set(16 + n, grey, grey, grey));
  const levels = [
    [0, 16, 31, 47, 63],
    [31, 39, 47, 55, 63],
    [45, 49, 54, 58, 63],
    [0, 7, 14, 21, 28],
    [14, 17, 21, 24, 28],
    [20, 22, 24, 26, 28],
    [0, 4, 8, 12, 16],
    [8, 10, 12, 14, 16],
    [11, 12, 13, 15, 16],
  ];
  let index = 32;
  for (const level of levels)
    for (let hue = 0; hue < 24; hue++, index++) {
      // From blue over red and green back to blue, four steps from one corner to the next.
      const corner = Math.floor(hue / 4);
      const step = hue % 4;
      const up = level[step]!;
      const down = level[4 - step]!;
      const [least, most] = [level[0]!, level[4]!];
      const rgb = (
        [
          [up, least, most],
          [most, least, down],
          [most, up, least],
          [down, most, least],
          [least, most, up],
          [least, down, most],
        ] as const
      )[corner]!;
      set(index, ...(rgb as unknown as [number, number, number]));
    }
}
