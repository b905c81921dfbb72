/** INT 10h, AH = 4Fh: the VESA BIOS extension 3.0, on the display interface of Bochs. */
import { VIDEO_MODE } from './bda.js';
import type { Frame } from './frame.js';
import type { BiosMachine } from './machine.js';
import { PciConfig } from './pci-config.js';
import { VBE_MODES, type VbeMode } from './vbe-modes.js';
import type { VideoRegisters } from './video-registers.js';
import { VIDEO_SEGMENT, type VideoRom } from './video-rom.js';

const DONE = 0x004f;
const FAILED = 0x014f;
const VERSION = 0x0300;
const INFO_BYTES = 256;
const INFO_2_BYTES = 512;
const MODE_INFO_BYTES = 256;

const LINEAR = 0x4000;
const KEEP_MEMORY = 0x8000;
const NUMBER = 0x01ff;

// Registers of the display interface
const X = 1;
const Y = 2;
const BITS = 3;
const ENABLE = 4;
const BANK = 5;
const VIRTUAL_WIDTH = 6;
const VIRTUAL_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const ENABLED = 0x01;
const WIDE_DAC = 0x20;
const LINEAR_ENABLED = 0x40;
const KEEP = 0x80;

// Mode attributes: supported, BIOS output, colour, graphics, linear frame buffer
const MODE_ATTRIBUTES = 0x9b;
const WINDOW_ATTRIBUTES = 7;
const PACKED = 4;
const PLANAR = 3;
const DIRECT = 6;

const DISPLAY_CLASS = 0x030000;
const BAR_MEMORY = 0x10;
const BAR_REGISTERS = 0x18;
const EDID_BYTES = 128;

const bytesOf = (pixels: number, bits: number): number =>
  bits === 4 ? pixels / 8 : pixels * ((bits + 7) >> 3);

export class Vbe {
  /** The mode that is set; null: one of the VGA's own. */
  mode: VbeMode | null = null;
  private linear = false;
  private readonly pci: PciConfig;

  constructor(
    private readonly machine: BiosMachine,
    private readonly rom: VideoRom,
    private readonly registers: VideoRegisters,
    private readonly setVgaMode: (mode: number, keepMemory: boolean) => void,
  ) {
    this.pci = new PciConfig(machine.ports);
  }

  private bar(register: number): number {
    const place = this.pci.find(0, (_, classCode) => classCode === DISPLAY_CLASS);
    return place < 0 ? 0 : (this.pci.read(place, register, 4) & ~0xf) >>> 0;
  }

  private get memoryBytes(): number {
    return this.machine.videoMemory?.length ?? 0;
  }

  call(frame: Frame): void {
    frame.ax = this.machine.videoMemory && this.serve(frame, frame.al) ? DONE : FAILED;
  }

  private serve(frame: Frame, which: number): boolean {
    switch (which) {
      case 0x00:
        return this.information(frame);
      case 0x01:
        return this.modeInformation(frame);
      case 0x02:
        return this.setMode(frame.bx);
      case 0x03:
        frame.bx = this.mode
          ? this.mode.number | (this.linear ? LINEAR : 0)
          : this.machine.ram.readU8(VIDEO_MODE);
        return true;
      case 0x05:
        return this.window(frame);
      case 0x06:
        return this.scanLine(frame);
      case 0x07:
        return this.displayStart(frame);
      case 0x08:
        return this.dacWidth(frame);
      case 0x09:
        return this.palette(frame);
      case 0x15:
        return this.monitor(frame);
      default:
        return false;
    }
  }

  private fits(mode: VbeMode): boolean {
    return bytesOf(mode.width, mode.bits) * mode.height * (mode.bits === 4 ? 4 : 1) <= this.memoryBytes;
  }

  private information(frame: Frame): boolean {
    const { ram } = this.machine;
    const at = frame.es * 16 + frame.di;
    if (!ram.contains(at, INFO_2_BYTES)) return false;
    const second = String.fromCharCode(...ram.read(at, 4)) === 'VBE2';
    const block = new DataView(new ArrayBuffer(second ? INFO_2_BYTES : INFO_BYTES));
    const pointer = (offset: number, name: string): void => {
      block.setUint16(offset, this.rom.offset(name), true);
      block.setUint16(offset + 2, VIDEO_SEGMENT, true);
    };
    [...'VESA'].forEach((letter, i) => block.setUint8(i, letter.charCodeAt(0)));
    block.setUint16(4, VERSION, true);
    pointer(6, 'name');
    // The DAC can be switched to 8 bits.
    block.setUint32(10, 1, true);
    pointer(14, 'modes');
    block.setUint16(18, this.memoryBytes >> 16, true);
    if (second) for (const offset of [22, 26, 30]) pointer(offset, 'name');
    ram.write(at, new Uint8Array(block.buffer));
    return true;
  }

  private modeInformation(frame: Frame): boolean {
    const { ram } = this.machine;
    const mode = VBE_MODES.find(({ number }) => number === (frame.cx & NUMBER));
    const at = frame.es * 16 + frame.di;
    if (!mode || !this.fits(mode) || !ram.contains(at, MODE_INFO_BYTES)) return false;
    const { width, height, bits } = mode;
    const pitch = bytesOf(width, bits);
    const block = new DataView(new ArrayBuffer(MODE_INFO_BYTES));
    const u16 = (offset: number, value: number): void => block.setUint16(offset, value, true);
    const u8 = (offset: number, ...values: number[]): void =>
      values.forEach((value, i) => block.setUint8(offset + i, value));
    u16(0, bits === 4 ? MODE_ATTRIBUTES & ~0x80 : MODE_ATTRIBUTES);
    u8(2, WINDOW_ATTRIBUTES, 0);
    for (const offset of [4, 6]) u16(offset, 64);
    u16(8, 0xa000);
    u16(12, this.rom.offset('window'));
    u16(14, VIDEO_SEGMENT);
    u16(16, pitch);
    u16(18, width);
    u16(20, height);
    const pages = Math.min(255, Math.floor(this.memoryBytes / (pitch * height)) - 1);
    u8(
      22,
      8,
      16,
      bits === 4 ? 4 : 1,
      bits,
      1,
      bits === 4 ? PLANAR : bits === 8 ? PACKED : DIRECT,
      0,
      pages,
      1,
    );
    const masks = colorMasks(bits);
    u8(31, ...masks);
    block.setUint32(40, bits === 4 ? 0 : this.bar(BAR_MEMORY), true);
    u16(50, pitch);
    u8(52, pages, pages, ...masks);
    block.setUint32(62, 400_000_000, true);
    ram.write(at, new Uint8Array(block.buffer));
    return true;
  }

  private setMode(asked: number): boolean {
    const number = asked & NUMBER;
    const keep = (asked & KEEP_MEMORY) !== 0;
    if (number < 0x100) {
      this.setVgaMode(number, keep);
      return true;
    }
    const mode = VBE_MODES.find((known) => known.number === number);
    if (!mode || !this.fits(mode)) return false;
    // What is not the interface's own: palette, and planes or chained bytes at A0000.
    this.setVgaMode(mode.bits === 4 ? 0x12 : 0x13, true);
    const { registers } = this;
    registers.dispi(X, mode.width);
    registers.dispi(Y, mode.height);
    registers.dispi(BITS, mode.bits);
    registers.dispi(ENABLE, ENABLED | LINEAR_ENABLED | (keep ? KEEP : 0));
    this.mode = mode;
    this.linear = (asked & LINEAR) !== 0;
    return true;
  }

  private window(frame: Frame): boolean {
    if (!this.mode || frame.bl !== 0) return false;
    if (frame.bh === 0) this.registers.dispi(BANK, frame.dx);
    else frame.dx = this.registers.readDispi(BANK);
    return true;
  }

  private scanLine(frame: Frame): boolean {
    const { mode, registers } = this;
    if (!mode) return false;
    const bytesPerPixel = bytesOf(8, mode.bits) / 8;
    if (frame.bl === 0) registers.dispi(VIRTUAL_WIDTH, frame.cx);
    else if (frame.bl === 2) registers.dispi(VIRTUAL_WIDTH, Math.ceil(frame.cx / bytesPerPixel));
    else if (frame.bl !== 1 && frame.bl !== 3) return false;
    const width =
      frame.bl === 3
        ? Math.floor(this.memoryBytes / mode.height / Math.max(1, bytesPerPixel))
        : registers.readDispi(VIRTUAL_WIDTH);
    frame.cx = width;
    frame.bx = Math.round(width * bytesPerPixel);
    frame.dx = registers.readDispi(VIRTUAL_HEIGHT);
    return true;
  }

  private displayStart(frame: Frame): boolean {
    const { registers } = this;
    if (!this.mode) return false;
    switch (frame.bl & 0x7f) {
      case 0:
        registers.dispi(X_OFFSET, frame.cx);
        registers.dispi(Y_OFFSET, frame.dx);
        return true;
      case 1:
        frame.bh = 0;
        frame.cx = registers.readDispi(X_OFFSET);
        frame.dx = registers.readDispi(Y_OFFSET);
        return true;
      default:
        return false;
    }
  }

  private dacWidth(frame: Frame): boolean {
    const { registers } = this;
    if (!this.mode) return false;
    const enable = registers.readDispi(ENABLE);
    if (frame.bl === 0)
      registers.dispi(ENABLE, (frame.bh >= 8 ? enable | WIDE_DAC : enable & ~WIDE_DAC) | KEEP);
    else if (frame.bl !== 1) return false;
    frame.bh = registers.readDispi(ENABLE) & WIDE_DAC ? 8 : 6;
    return true;
  }

  private palette(frame: Frame): boolean {
    const { ram } = this.machine;
    const at = frame.es * 16 + frame.di;
    const count = Math.min(frame.cx, 256);
    if (!ram.contains(at, count * 4)) return false;
    for (let n = 0; n < count; n++) {
      const index = (frame.dx + n) & 0xff;
      if ((frame.bl & 0x7f) === 0) {
        const [blue, green, red] = ram.read(at + 4 * n, 3);
        this.registers.color(index, red!, green!, blue!);
      } else if (frame.bl === 1) {
        const [red, green, blue] = this.registers.readColor(index);
        ram.write(at + 4 * n, Uint8Array.of(blue, green, red, 0));
      } else return false;
    }
    return true;
  }

  /** DDC: what the monitor says of itself. */
  private monitor(frame: Frame): boolean {
    const { ram, mmio } = this.machine;
    if (frame.bl === 0) {
      // Seconds for a block; DDC2.
      frame.bx = 0x0102;
      return true;
    }
    const registers = this.bar(BAR_REGISTERS);
    const at = frame.es * 16 + frame.di;
    if (frame.bl !== 1 || frame.dx !== 0 || registers === 0 || !ram.contains(at, EDID_BYTES)) return false;
    for (let i = 0; i < EDID_BYTES; i++) ram.writeU8(at + i, mmio.read(registers + i, 1));
    return true;
  }
}

/** Size and place of red, green, blue and what is left. */
function colorMasks(bits: VbeMode['bits']): number[] {
  switch (bits) {
    case 15:
      return [5, 10, 5, 5, 5, 0, 1, 15];
    case 16:
      return [5, 11, 6, 5, 5, 0, 0, 0];
    case 24:
      return [8, 16, 8, 8, 8, 0, 0, 0];
    case 32:
      return [8, 16, 8, 8, 8, 0, 8, 24];
    default:
      return [0, 0, 0, 0, 0, 0, 0, 0];
  }
}
