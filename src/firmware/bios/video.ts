/** INT 10h: the screen (IBM PS/2 and PC BIOS interface technical reference, "INT 10H"). */
import * as B from './bda.js';
import { FONT_14, FONT_16, FONT_8 } from './font.js';
import type { Frame } from './frame.js';
import { GraphicsText } from './graphics-text.js';
import type { BiosMachine } from './machine.js';
import { Vbe } from './vbe.js';
import { VIDEO_MODES, type VideoMode } from './video-modes.js';
import { VideoRegisters } from './video-registers.js';
import { VIDEO_SEGMENT, type VideoRom } from './video-rom.js';

const INT_1F = 0x1f * 4;
const INT_43 = 0x43 * 4;
const KEEP_MEMORY = 0x80;
const FONT_PLANE = 0xa0000;
const FONT_LINES_ROOM = 32;
const NO_COLOR = null;
const VGA_COLOR = 8;

const BELL = 7;
const BACKSPACE = 8;
const LINE_FEED = 10;
const RETURN = 13;

export class Video {
  private readonly registers: VideoRegisters;
  private readonly vbe: Vbe;

  constructor(
    private readonly machine: BiosMachine,
    private readonly rom: VideoRom,
  ) {
    this.registers = new VideoRegisters(machine.ports);
    this.vbe = new Vbe(machine, rom, this.registers, (mode, keep) => this.setMode(mode, keep));
  }

  private byte(at: number): number {
    return this.machine.ram.readU8(at);
  }
  private setByte(at: number, value: number): void {
    this.machine.ram.writeU8(at, value & 0xff);
  }
  private word(at: number): number {
    return this.machine.ram.readU16(at);
  }
  private setWord(at: number, value: number): void {
    this.machine.ram.writeU16(at, value & 0xffff);
  }

  private get columns(): number {
    return this.word(B.COLUMNS);
  }
  private get rows(): number {
    return this.byte(B.LAST_ROW) + 1;
  }
  /** The mode that is set; null: one of the VBE extension. */
  private get mode(): VideoMode | null {
    if (this.vbe.mode !== null) return null;
    const number = this.byte(B.VIDEO_MODE) & 0x7f;
    return VIDEO_MODES.find((mode) => mode.number === number) ?? null;
  }

  call(frame: Frame): void {
    switch (frame.ah) {
      case 0x00:
        this.setMode(frame.al & 0x7f, (frame.al & KEEP_MEMORY) !== 0);
        frame.al = (frame.al & 0x7f) > 7 ? 0x20 : (frame.al & 0x7f) === 6 ? 0x3f : 0x30;
        return;
      case 0x01:
        return this.setCursorShape(frame.ch, frame.cl);
      case 0x02:
        return this.setCursor(frame.bh, frame.dl, frame.dh);
      case 0x03:
        frame.dx = this.word(B.CURSORS + 2 * (frame.bh & 7));
        frame.cx = this.word(B.CURSOR_SHAPE);
        return;
      case 0x04:
        frame.ah = 0;
        return;
      case 0x05:
        return this.showPage(frame.al & 7);
      case 0x06:
      case 0x07:
        return this.scroll(
          frame.ah === 0x06 ? frame.al : -frame.al,
          { top: frame.ch, left: frame.cl, bottom: frame.dh, right: frame.dl },
          frame.bh,
          this.byte(B.ACTIVE_PAGE),
        );
      case 0x08:
        frame.ax = this.readCell(frame.bh);
        return;
      case 0x09:
        return this.writeCells(frame.al, frame.bl, frame.bh, frame.cx);
      case 0x0a:
        return this.writeCells(
          frame.al,
          this.mode?.kind === 'text' ? NO_COLOR : frame.bl,
          frame.bh,
          frame.cx,
        );
      case 0x0b:
        return this.setCgaPalette(frame.bh, frame.bl);
      case 0x0c:
        return this.graphics?.pixel(frame.cx, frame.dx, frame.al, frame.bh);
      case 0x0d:
        frame.al = this.graphics?.readPixel(frame.cx, frame.dx, frame.bh) ?? 0;
        return;
      case 0x0e:
        return this.teletype(frame.al, this.byte(B.ACTIVE_PAGE), NO_COLOR, frame.bl);
      case 0x0f:
        frame.al = this.byte(B.VIDEO_MODE) | (this.byte(B.VIDEO_CONTROL) & KEEP_MEMORY);
        frame.ah = this.columns;
        frame.bh = this.byte(B.ACTIVE_PAGE);
        return;
      case 0x10:
        return this.palette(frame);
      case 0x11:
        return this.fonts(frame);
      case 0x12:
        return this.alternate(frame);
      case 0x13:
        return this.writeString(frame);
      case 0x1a:
        if (frame.al === 0) frame.bx = VGA_COLOR;
        if (frame.al <= 1) frame.al = 0x1a;
        return;
      case 0x1b:
        return this.stateInformation(frame);
      case 0x4f:
        return this.vbe.call(frame);
    }
  }

  private get graphics(): GraphicsText | null {
    const { mode } = this;
    return mode && mode.kind !== 'text' ? new GraphicsText(this.machine.mmio, this.registers, mode) : null;
  }

  setMode(number: number, keepMemory: boolean): void {
    const mode = VIDEO_MODES.find((known) => known.number === number);
    if (!mode) return;
    const { registers } = this;
    this.vbe.mode = null;
    registers.load(mode, (this.byte(B.VIDEO_FLAGS) & 0x08) !== 0);
    if (!keepMemory) this.clear(mode);
    this.setByte(B.VIDEO_MODE, number);
    this.setWord(B.EQUIPMENT, (this.word(B.EQUIPMENT) & ~0x30) | (number === 7 ? 0x30 : 0x20));
    this.setWord(B.COLUMNS, mode.columns);
    this.setWord(B.PAGE_BYTES, mode.pageBytes);
    this.setWord(B.PAGE_START, 0);
    this.setWord(B.CRTC_PORT, registers.crtcPort);
    this.setByte(B.LAST_ROW, mode.rows - 1);
    this.setWord(B.FONT_LINES, mode.fontLines);
    this.setByte(B.VIDEO_CONTROL, 0x60 | (keepMemory ? KEEP_MEMORY : 0));
    this.setByte(B.VIDEO_SWITCHES, 0xf9);
    this.setByte(B.VIDEO_FLAGS, this.byte(B.VIDEO_FLAGS) & 0x7f);
    this.setByte(B.DISPLAY_COMBINATION, VGA_COLOR);
    this.setByte(B.ACTIVE_PAGE, 0);
    for (let page = 0; page < 8; page++) this.setWord(B.CURSORS + 2 * page, 0);
    if (mode.kind === 'text') {
      this.loadFont(FONT_16, 16, 0, 256, 0);
      this.setCursorShape(6, 7);
    }
    this.setFontPointer(INT_43, mode.fontLines);
    this.setFarPointer(INT_1F, VIDEO_SEGMENT, this.rom.offset('font8') + 128 * 8);
  }

  private clear(mode: VideoMode): void {
    const { mmio, videoMemory } = this.machine;
    if (mode.kind === 'text') {
      for (let at = 0; at < 0x8000; at += 4) mmio.write(mode.segment * 16 + at, 0x07200720, 4);
      return;
    }
    videoMemory?.fill(0, 0, 0x40000);
  }

  private setFarPointer(at: number, segment: number, offset: number): void {
    this.setWord(at, offset);
    this.setWord(at + 2, segment);
  }
  private setFontPointer(at: number, lines: number): void {
    this.setFarPointer(at, VIDEO_SEGMENT, this.rom.offset(`font${lines}`));
  }

  // ---- cursor and pages

  private setCursorShape(start: number, end: number): void {
    this.setWord(B.CURSOR_SHAPE, (start << 8) | end);
    const lines = this.word(B.FONT_LINES);
    let [first, last] = [start & 0x1f, end & 0x1f];
    // Shapes are given as if characters had eight lines.
    if (lines > 8 && last < 8 && !(start & 0x20) && !(this.byte(B.VIDEO_CONTROL) & 1)) {
      first =
        last === first + 1
          ? Math.floor(((last + 1) * lines) / 8) - 3
          : Math.floor(((first + 1) * lines) / 8) - 1;
      last = Math.floor(((last + 1) * lines) / 8) - 2;
      if (first > last) first = last;
    }
    this.registers.crtc(0x0a, (start & 0x20) | first);
    this.registers.crtc(0x0b, last);
  }

  private setCursor(page: number, column: number, row: number): void {
    this.setWord(B.CURSORS + 2 * (page & 7), (row << 8) | column);
    if ((page & 7) !== this.byte(B.ACTIVE_PAGE)) return;
    const at = this.word(B.PAGE_START) / 2 + row * this.columns + column;
    this.registers.crtc(0x0e, at >> 8);
    this.registers.crtc(0x0f, at);
  }

  private cursor(page: number): { column: number; row: number } {
    const place = this.word(B.CURSORS + 2 * (page & 7));
    return { column: place & 0xff, row: place >> 8 };
  }

  private showPage(page: number): void {
    const start = page * this.word(B.PAGE_BYTES);
    this.setByte(B.ACTIVE_PAGE, page);
    this.setWord(B.PAGE_START, start);
    const at = this.mode?.kind === 'text' ? start / 2 : start;
    this.registers.crtc(0x0c, at >> 8);
    this.registers.crtc(0x0d, at);
    const { column, row } = this.cursor(page);
    this.setCursor(page, column, row);
  }

  // ---- characters

  private cellAt(page: number, column: number, row: number): number {
    const segment = this.mode?.segment ?? 0xb800;
    return segment * 16 + (page & 7) * this.word(B.PAGE_BYTES) + (row * this.columns + column) * 2;
  }

  private readCell(page: number): number {
    const { column, row } = this.cursor(page);
    return this.mode?.kind === 'text' ? this.machine.mmio.read(this.cellAt(page, column, row), 2) : 0;
  }

  private glyph(code: number): Uint8Array {
    const lines = this.word(B.FONT_LINES) & 0xff;
    const pointer = this.word(INT_43 + 2) * 16 + this.word(INT_43);
    return this.machine.ram.read(pointer + code * lines, lines);
  }

  /** `color` null: as it was. */
  private writeCell(page: number, column: number, row: number, code: number, color: number | null): void {
    const { mmio } = this.machine;
    if (this.mode?.kind === 'text') {
      const at = this.cellAt(page, column, row);
      if (color === null) mmio.write(at, code, 1);
      else mmio.write(at, code | (color << 8), 2);
    } else this.graphics?.character(column, row, this.glyph(code), color ?? 7, page);
  }

  private writeCells(code: number, color: number | null, page: number, count: number): void {
    let { column, row } = this.cursor(page);
    for (let n = Math.min(count, this.columns * this.rows); n > 0; n--) {
      this.writeCell(page, column, row, code, color);
      if (++column === this.columns) {
        column = 0;
        if (++row === this.rows) return;
      }
    }
  }

  teletype(code: number, page: number, color: number | null, graphicsColor = 7): void {
    let { column, row } = this.cursor(page);
    const text = this.mode?.kind === 'text';
    switch (code) {
      case BELL:
        return;
      case BACKSPACE:
        if (column > 0) column--;
        break;
      case LINE_FEED:
        row++;
        break;
      case RETURN:
        column = 0;
        break;
      default:
        this.writeCell(page, column, row, code, color ?? (text ? null : graphicsColor));
        if (++column >= this.columns) {
          column = 0;
          row++;
        }
    }
    if (row >= this.rows) {
      row = this.rows - 1;
      const below = text ? this.machine.mmio.read(this.cellAt(page, 0, row) + 1, 1) : 0;
      const area = { top: 0, left: 0, bottom: row, right: this.columns - 1 };
      this.scroll(1, area, below, page);
    }
    this.setCursor(page, column, row);
  }

  private scroll(
    rows: number,
    asked: { top: number; left: number; bottom: number; right: number },
    color: number,
    page: number,
  ): void {
    const area = {
      ...asked,
      bottom: Math.min(asked.bottom, this.rows - 1),
      right: Math.min(asked.right, this.columns - 1),
    };
    if (area.top > area.bottom || area.left > area.right) return;
    if (this.mode?.kind !== 'text') {
      this.graphics?.scroll(area, rows, this.word(B.FONT_LINES) & 0xff, color, page);
      return;
    }
    const { mmio } = this.machine;
    const height = area.bottom - area.top + 1;
    const whole = rows === 0 || Math.abs(rows) >= height;
    for (let n = 0; n < height; n++) {
      const row = rows < 0 ? area.bottom - n : area.top + n;
      const from = row + rows;
      const kept = !whole && from >= area.top && from <= area.bottom;
      for (let column = area.left; column <= area.right; column++) {
        const cell = kept ? mmio.read(this.cellAt(page, column, from), 2) : 0x20 | (color << 8);
        mmio.write(this.cellAt(page, column, row), cell, 2);
      }
    }
  }

  private writeString(frame: Frame): void {
    const { ram } = this.machine;
    const page = frame.bh;
    const before = this.cursor(page);
    const withAttributes = (frame.al & 2) !== 0;
    this.setCursor(page, frame.dl, frame.dh);
    // What would have scrolled away long before the end is left out.
    const skipped = Math.max(0, frame.cx - 2 * this.columns * this.rows);
    let at = frame.es * 16 + frame.bp + skipped * (withAttributes ? 2 : 1);
    for (let n = skipped; n < frame.cx && ram.contains(at, 2); n++) {
      const code = ram.readU8(at++);
      const color = withAttributes ? ram.readU8(at++) : frame.bl;
      this.teletype(code, page, color, color);
    }
    if (!(frame.al & 1)) this.setCursor(page, before.column, before.row);
  }

  // ---- colours

  private setCgaPalette(which: number, value: number): void {
    const { registers } = this;
    if (which === 0) {
      registers.attribute(0x11, value & 0x0f);
      if (this.mode?.kind === 'cga') registers.attribute(0, value & 0x0f);
    } else if (which === 1)
      for (let n = 1; n < 4; n++) {
        const color = (registers.readAttribute(n) & ~1) | (value & 1);
        registers.attribute(n, color);
      }
  }

  private palette(frame: Frame): void {
    const { registers, machine } = this;
    const at = frame.es * 16 + frame.dx;
    switch (frame.al) {
      case 0x00:
        if (frame.bl <= 0x14) registers.attribute(frame.bl, frame.bh);
        return;
      case 0x01:
        return registers.attribute(0x11, frame.bh);
      case 0x02:
        for (let n = 0; n <= 16; n++) registers.attribute(n === 16 ? 0x11 : n, machine.ram.readU8(at + n));
        return;
      case 0x03:
        return registers.attribute(0x10, (registers.readAttribute(0x10) & ~8) | (frame.bl & 1 ? 8 : 0));
      case 0x07:
        frame.bh = registers.readAttribute(frame.bl & 0x1f);
        return;
      case 0x08:
        frame.bh = registers.readAttribute(0x11);
        return;
      case 0x09:
        for (let n = 0; n <= 16; n++)
          machine.ram.writeU8(at + n, registers.readAttribute(n === 16 ? 0x11 : n));
        return;
      case 0x10:
        return registers.color(frame.bx & 0xff, frame.dh, frame.ch, frame.cl);
      case 0x12:
        for (let n = 0; n < frame.cx && n < 256; n++) {
          const [red, green, blue] = machine.ram.read(at + 3 * n, 3);
          registers.color((frame.bx + n) & 0xff, red!, green!, blue!);
        }
        return;
      case 0x13:
        if (frame.bl === 0)
          registers.attribute(0x10, (registers.readAttribute(0x10) & 0x7f) | (frame.bh << 7));
        else registers.attribute(0x14, frame.bh);
        return;
      case 0x15: {
        const [red, green, blue] = registers.readColor(frame.bx & 0xff);
        frame.dh = red;
        frame.cx = (green << 8) | blue;
        return;
      }
      case 0x17:
        for (let n = 0; n < frame.cx && n < 256; n++)
          machine.ram.write(at + 3 * n, Uint8Array.from(registers.readColor((frame.bx + n) & 0xff)));
        return;
      case 0x18:
        registers.pixelMask = frame.bl;
        return;
      case 0x19:
        frame.bl = registers.pixelMask;
        return;
      case 0x1a:
        frame.bl = registers.readAttribute(0x10) >> 7;
        frame.bh = registers.readAttribute(0x14);
        return;
      case 0x1b:
        for (let n = 0; n < frame.cx && n < 256; n++) {
          const [red, green, blue] = registers.readColor((frame.bx + n) & 0xff);
          const grey = Math.round(0.3 * red + 0.59 * green + 0.11 * blue);
          registers.color((frame.bx + n) & 0xff, grey, grey, grey);
        }
    }
  }

  // ---- fonts

  /** Puts characters of `font` into block `block` of plane 2. */
  private loadFont(font: Uint8Array, lines: number, first: number, count: number, block: number): void {
    const { mmio } = this.machine;
    const base = FONT_PLANE + (block & 3) * 0x4000 + (block & 4) * 0x800;
    this.registers.withFontPlane(this.mode, () => {
      for (let n = 0; n < count; n++)
        for (let line = 0; line < FONT_LINES_ROOM; line++)
          mmio.write(
            base + (first + n) * FONT_LINES_ROOM + line,
            line < lines ? font[n * lines + line]! : 0,
            1,
          );
    });
  }

  private fonts(frame: Frame): void {
    const { ram } = this.machine;
    const own: Record<number, [Uint8Array, number]> = { 1: [FONT_14, 14], 2: [FONT_8, 8], 4: [FONT_16, 16] };
    const kind = frame.al & 0x0f;
    switch (frame.al & 0xf0) {
      case 0x00:
      case 0x10: {
        let lines: number;
        if (kind === 0) {
          lines = frame.bh;
          const from = frame.es * 16 + frame.bp;
          const count = Math.min(frame.cx, 256 - (frame.dx & 0xff));
          if (!ram.contains(from, count * lines)) return;
          this.loadFont(ram.read(from, count * lines), lines, frame.dx & 0xff, count, frame.bl);
        } else if (kind in own) {
          lines = own[kind]![1];
          this.loadFont(own[kind]![0], lines, 0, 256, frame.bl);
        } else {
          if (frame.al === 0x03) this.registers.sequencer(3, frame.bl);
          return;
        }
        if (frame.al & 0x10) this.setTextLines(lines);
        return;
      }
      case 0x20: {
        if (kind === 0) return this.setFarPointer(INT_1F, frame.es, frame.bp);
        const rows = [0, 14, 25, 43][frame.bl] || frame.dl;
        if (kind === 1) {
          this.setFarPointer(INT_43, frame.es, frame.bp);
          this.setWord(B.FONT_LINES, frame.cx);
        } else {
          const lines = { 2: 14, 3: 8, 4: 16 }[kind];
          if (lines === undefined) return;
          this.setFontPointer(INT_43, lines);
          this.setWord(B.FONT_LINES, lines);
        }
        this.setByte(B.LAST_ROW, rows - 1);
        return;
      }
      case 0x30: {
        const names = ['', '', 'font14', 'font8', 'font8', 'font14', 'font16', 'font16'];
        if (frame.bh < 2) {
          const at = frame.bh === 0 ? INT_1F : INT_43;
          frame.es = this.word(at + 2);
          frame.bp = this.word(at);
        } else if (names[frame.bh] !== undefined) {
          frame.es = VIDEO_SEGMENT;
          frame.bp = this.rom.offset(names[frame.bh]!) + (frame.bh === 4 ? 128 * 8 : 0);
        }
        frame.cx = this.word(B.FONT_LINES);
        frame.dl = this.byte(B.LAST_ROW);
      }
    }
  }

  /** As many rows as fit into 400 lines. */
  private setTextLines(lines: number): void {
    const { registers } = this;
    if (lines === 0 || lines > 32) return;
    const rows = Math.floor(400 / lines);
    registers.crtc(0x09, (registers.readCrtc(0x09) & 0xe0) | (lines - 1));
    const end = rows * lines - 1;
    registers.crtc(0x12, end);
    registers.crtc(0x07, (registers.readCrtc(0x07) & ~0x42) | ((end >> 7) & 2) | ((end >> 3) & 0x40));
    this.setByte(B.LAST_ROW, rows - 1);
    this.setWord(B.FONT_LINES, lines);
    this.setWord(B.PAGE_BYTES, rows * this.columns * 2 + 0x100);
    this.setCursorShape(lines - 2, lines - 1);
  }

  private alternate(frame: Frame): void {
    switch (frame.bl) {
      case 0x10:
        frame.bx = 0x0003;
        frame.cx = 0x0009;
        return;
      case 0x30: {
        // Scan lines of text modes to come; the VGA keeps to 400.
        frame.al = 0x12;
        return;
      }
      case 0x31:
        this.setByte(B.VIDEO_FLAGS, (this.byte(B.VIDEO_FLAGS) & ~8) | (frame.al & 1 ? 8 : 0));
        frame.al = 0x12;
        return;
      case 0x34:
        this.setByte(B.VIDEO_CONTROL, (this.byte(B.VIDEO_CONTROL) & ~1) | (frame.al & 1));
        frame.al = 0x12;
        return;
      case 0x32:
      case 0x33:
      case 0x36:
        frame.al = 0x12;
    }
  }

  /** What the screen can do and how it is set: 64 bytes at ES:DI. */
  private stateInformation(frame: Frame): void {
    const { ram } = this.machine;
    const at = frame.es * 16 + frame.di;
    if (frame.bx !== 0 || !ram.contains(at, 64)) return;
    const table = new Uint8Array(64);
    const view = new DataView(table.buffer);
    view.setUint16(0, this.rom.offset('functionality'), true);
    view.setUint16(2, VIDEO_SEGMENT, true);
    table.set(ram.read(B.VIDEO_MODE, 30), 4);
    table[0x22] = this.byte(B.LAST_ROW) + 1;
    view.setUint16(0x23, this.word(B.FONT_LINES), true);
    table[0x25] = VGA_COLOR;
    view.setUint16(0x27, this.mode?.kind === 'linear' ? 256 : 16, true);
    table[0x29] = this.mode?.pages ?? 1;
    table[0x2a] = 2;
    table[0x31] = 3;
    ram.write(at, table);
    frame.al = 0x1b;
  }
}
