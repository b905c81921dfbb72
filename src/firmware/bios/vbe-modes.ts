/** The modes of the VBE extension: VESA's own numbers (VBE 3.0, table 2), then ours. */
export interface VbeMode {
  number: number;
  width: number;
  height: number;
  bits: 4 | 8 | 15 | 16 | 24 | 32;
}

const SIZES: readonly [width: number, height: number][] = [
  [640, 400],
  [640, 480],
  [800, 600],
  [1024, 768],
  [1280, 1024],
  [1600, 1200],
  [1152, 864],
  [1280, 720],
  [1280, 768],
  [1280, 800],
  [1280, 960],
  [1360, 768],
  [1366, 768],
  [1400, 1050],
  [1440, 900],
  [1600, 900],
  [1680, 1050],
  [1920, 1080],
  [1920, 1200],
  [2048, 1152],
  [2560, 1440],
  [2560, 1600],
  [3840, 2160],
];

const numbered = (number: number, width: number, height: number, bits: VbeMode['bits']): VbeMode => ({
  number,
  width,
  height,
  bits,
});

/** 10Dh to 11Bh: 320x200, 640x480, 800x600, 1024x768 and 1280x1024, in 15, 16 and 24 bits each. */
const DIRECT = (
  [
    [320, 200],
    [640, 480],
    [800, 600],
    [1024, 768],
    [1280, 1024],
  ] as const
).flatMap(([width, height], n) =>
  ([15, 16, 24] as const).map((bits, depth) => numbered(0x10d + 3 * n + depth, width, height, bits)),
);

const OWN = 0x140;
const OWN_DEPTHS = [32, 16, 8] as const;

export const VBE_MODES: readonly VbeMode[] = [
  numbered(0x100, 640, 400, 8),
  numbered(0x101, 640, 480, 8),
  numbered(0x102, 800, 600, 4),
  numbered(0x103, 800, 600, 8),
  numbered(0x104, 1024, 768, 4),
  numbered(0x105, 1024, 768, 8),
  numbered(0x107, 1280, 1024, 8),
  ...DIRECT,
  ...SIZES.flatMap(([width, height], n) =>
    OWN_DEPTHS.map((bits, depth) => numbered(OWN + OWN_DEPTHS.length * n + depth, width, height, bits)),
  ).filter(({ bits, width }) => bits === 32 || width >= 1152),
];
