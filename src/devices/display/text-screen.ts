/** What is written on a screen in a text mode. */
import { CODE_PAGE_437 } from '../../machine/code-page-437.js';
import { cursor, geometry } from './crtc.js';
import type { Vga } from './vga.js';

export interface TextScreen {
  columns: number;
  rows: number;
  /** Row by row: code and attribute of each cell. */
  cells: { character: string; attribute: number }[][];
  /** Column and row; null: off, or not on the screen. */
  cursor: { column: number; row: number } | null;
}

/** null: the screen shows a picture. */
export function textScreen(vga: Vga): TextScreen | null {
  if (vga.dispi.enabled || vga.graphics[6]! & 1 || !vga.shows) return null;
  const { columns, lines, rowLines, start, pitch } = geometry(vga);
  const rows = Math.floor(lines / rowLines);
  const { bytes } = vga.memory;
  const cells = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const at = (start + row * pitch + column * 4) & 0x3ffff;
      return { character: CODE_PAGE_437[bytes[at]!]!, attribute: bytes[at + 1]! };
    }),
  );
  const beam = cursor(vga);
  const place = beam === null || pitch === 0 ? -1 : (beam.at - start) / pitch;
  const row = Math.floor(place);
  const column = beam ? (beam.at - start - row * pitch) / 4 : -1;
  const visible = place >= 0 && row < rows && column < columns;
  return { columns, rows, cells, cursor: visible ? { column, row } : null };
}

/** The lines of a text screen without blanks at their ends; null: the screen shows a picture. */
export function screenLines(vga: Vga): string[] | null {
  const screen = textScreen(vga);
  return (
    screen?.cells.map((row) =>
      row
        .map(({ character }) => character)
        .join('')
        .trimEnd(),
    ) ?? null
  );
}
