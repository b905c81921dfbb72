export interface FloppyShape {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** Kinds of floppies with sectors of 512 bytes: 160, 180, 320, 360, 720 KB, 1.2, 1.44, 1.68 and 2.88 MB. */
const SHAPES: readonly FloppyShape[] = (
  [
    [40, 1, 8],
    [40, 1, 9],
    [40, 2, 8],
    [40, 2, 9],
    [80, 2, 9],
    [80, 2, 15],
    [80, 2, 18],
    [80, 2, 21],
    [80, 2, 36],
  ] as const
).map(([cylinders, heads, sectors]) => ({ cylinders, heads, sectors }));

/** The smallest kind that so many sectors fit on; the largest where they fit on none. */
export function floppyShape(sectors: number): FloppyShape {
  return SHAPES.find((shape) => shape.cylinders * shape.heads * shape.sectors >= sectors) ?? SHAPES.at(-1)!;
}
