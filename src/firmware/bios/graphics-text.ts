import type { MmioBus } from '../../machine/mmio-bus.js';
import type { VideoMode } from './video-modes.js';
import type { VideoRegisters } from './video-registers.js';

const A0000 = 0xa0000;
const B8000 = 0xb8000;
const XOR = 0x80;
const FUNCTION_XOR = 0x18;

/** Pixels and characters in the graphics modes of a VGA. */
export class GraphicsText {
  constructor(
    private readonly mmio: MmioBus,
    private readonly registers: VideoRegisters,
    private readonly mode: VideoMode,
  ) {}

  private rowBytes(): number {
    return this.mode.kind === 'linear' ? this.mode.width : this.mode.width / (this.mode.number < 6 ? 4 : 8);
  }

  /** Address of the byte that has a pixel. */
  private at(x: number, y: number, page: number): number {
    const { kind, number, pageBytes } = this.mode;
    if (kind === 'linear') return A0000 + y * this.mode.width + x;
    if (kind === 'cga') return B8000 + (y & 1) * 0x2000 + (y >> 1) * 80 + (x >> (number === 6 ? 3 : 2));
    return A0000 + page * pageBytes + y * this.rowBytes() + (x >> 3);
  }

  pixel(x: number, y: number, color: number, page: number): void {
    const { mode, mmio, registers } = this;
    if (x < 0 || x >= mode.width || y < 0 || y >= mode.height) return;
    const at = this.at(x, y, page);
    if (mode.kind === 'linear') return mmio.write(at, color, 1);
    if (mode.kind === 'cga') {
      const bits = mode.number === 6 ? 1 : 2;
      const shift = 8 - bits - ((x * bits) % 8);
      const mask = ((1 << bits) - 1) << shift;
      const old = mmio.read(at, 1);
      const value = (color << shift) & mask;
      return mmio.write(at, color & XOR ? old ^ value : (old & ~mask) | value, 1);
    }
    this.bits(at, 0x80 >> (x & 7), color & 0xf, (color & XOR) !== 0);
    registers.graphics(8, 0xff);
  }

  readPixel(x: number, y: number, page: number): number {
    const { mode, mmio, registers } = this;
    if (x < 0 || x >= mode.width || y < 0 || y >= mode.height) return 0;
    const at = this.at(x, y, page);
    if (mode.kind === 'linear') return mmio.read(at, 1);
    if (mode.kind === 'cga') {
      const bits = mode.number === 6 ? 1 : 2;
      return (mmio.read(at, 1) >> (8 - bits - ((x * bits) % 8))) & ((1 << bits) - 1);
    }
    let color = 0;
    for (let plane = 0; plane < 4; plane++) {
      registers.graphics(4, plane);
      if (mmio.read(at, 1) & (0x80 >> (x & 7))) color |= 1 << plane;
    }
    registers.graphics(4, 0);
    return color;
  }

  /** The bits of a byte on all planes, by write mode 2. */
  private bits(at: number, mask: number, color: number, xor: boolean): void {
    const { mmio, registers } = this;
    registers.graphics(5, 2);
    registers.graphics(3, xor ? FUNCTION_XOR : 0);
    registers.graphics(8, mask);
    mmio.read(at, 1);
    mmio.write(at, color, 1);
    registers.graphics(3, 0);
    registers.graphics(5, 0);
  }

  /** `lines`: of the character, a byte each. In 256 colours the background is black. */
  character(column: number, row: number, lines: Uint8Array, color: number, page: number): void {
    const planar = this.mode.kind === 'planar' || this.mode.kind === 'mono';
    lines.forEach((bits, line) => {
      const y = row * lines.length + line;
      if (planar) {
        const at = this.at(column * 8, y, page);
        if (!(color & XOR)) this.bits(at, ~bits & 0xff, 0, false);
        this.bits(at, bits, color & 0xf, (color & XOR) !== 0);
        return;
      }
      for (let x = 0; x < 8; x++) {
        const on = (bits & (0x80 >> x)) !== 0;
        if (on) this.pixel(column * 8 + x, y, color, page);
        else if (!(color & XOR) || this.mode.kind === 'linear') this.pixel(column * 8 + x, y, 0, page);
      }
    });
    if (planar) this.registers.graphics(8, 0xff);
  }

  /** Moves what is in rows of characters `top` to `bottom` up so many rows (down, if negative), and fills the others. */
  scroll(
    area: { top: number; left: number; bottom: number; right: number },
    rows: number,
    fontLines: number,
    color: number,
    page: number,
  ): void {
    const { mmio, registers, mode } = this;
    const planar = mode.kind === 'planar' || mode.kind === 'mono';
    const perCharacter = mode.kind === 'linear' ? 8 : mode.kind === 'cga' && mode.number < 6 ? 2 : 1;
    const first = area.top * fontLines;
    const last = (area.bottom + 1) * fontLines - 1;
    const shift = rows * fontLines;
    const whole = rows === 0 || Math.abs(shift) > last - first;
    const width = (area.right - area.left + 1) * perCharacter;
    const lineAt = (y: number): number => this.at(area.left * 8, y, page);
    const fill = (y: number): void => {
      for (let i = 0; i < width; i++)
        if (planar) this.bits(lineAt(y) + i, 0xff, color & 0xf, false);
        else mmio.write(lineAt(y) + i, mode.kind === 'cga' ? 0 : color, 1);
    };
    const lines = Array.from({ length: last - first + 1 }, (_, n) => (shift < 0 ? last - n : first + n));
    for (const y of lines) {
      const from = y + shift;
      if (whole || from < first || from > last) {
        fill(y);
        continue;
      }
      if (planar) registers.graphics(5, 1);
      for (let i = 0; i < width; i++) mmio.write(lineAt(y) + i, mmio.read(lineAt(from) + i, 1), 1);
      if (planar) registers.graphics(5, 0);
    }
    if (planar) registers.graphics(8, 0xff);
  }
}
