import type { PortBus } from '../../machine/port-bus.js';
import { dacColors, type VideoMode } from './video-modes.js';

const ATTRIBUTE = 0x3c0;
const MISC = 0x3c2;
const MISC_READ = 0x3cc;
const SEQUENCER = 0x3c4;
const PIXEL_MASK = 0x3c6;
const DAC_READ = 0x3c7;
const DAC_WRITE = 0x3c8;
const DAC_DATA = 0x3c9;
const GRAPHICS = 0x3ce;
const PALETTE_ON = 0x20;
const DISPI_INDEX = 0x1ce;
const DISPI_DATA = 0x1d0;
const DISPI_ENABLE = 4;

/** The registers of the VGA, through its ports. */
export class VideoRegisters {
  constructor(private readonly ports: PortBus) {}

  private in(port: number): number {
    return this.ports.read(port, 1);
  }
  private out(port: number, value: number): void {
    this.ports.write(port, value & 0xff, 1);
  }

  /** 3D4, or 3B4 for a monochrome display. */
  get crtcPort(): number {
    return this.in(MISC_READ) & 1 ? 0x3d4 : 0x3b4;
  }
  crtc(index: number, value: number): void {
    const port = this.crtcPort;
    this.out(port, index);
    this.out(port + 1, value);
  }
  readCrtc(index: number): number {
    const port = this.crtcPort;
    this.out(port, index);
    return this.in(port + 1);
  }
  sequencer(index: number, value: number): void {
    this.out(SEQUENCER, index);
    this.out(SEQUENCER + 1, value);
  }
  graphics(index: number, value: number): void {
    this.out(GRAPHICS, index);
    this.out(GRAPHICS + 1, value);
  }

  private resetFlipFlop(): void {
    this.in(this.crtcPort + 6);
  }
  attribute(index: number, value: number): void {
    this.resetFlipFlop();
    this.out(ATTRIBUTE, index);
    this.out(ATTRIBUTE, value);
    this.out(ATTRIBUTE, PALETTE_ON);
  }
  readAttribute(index: number): number {
    this.resetFlipFlop();
    this.out(ATTRIBUTE, index);
    const value = this.in(ATTRIBUTE + 1);
    this.resetFlipFlop();
    this.out(ATTRIBUTE, PALETTE_ON);
    return value;
  }

  color(index: number, red: number, green: number, blue: number): void {
    this.out(DAC_WRITE, index);
    for (const level of [red, green, blue]) this.out(DAC_DATA, level);
  }
  readColor(index: number): [red: number, green: number, blue: number] {
    this.out(DAC_READ, index);
    return [this.in(DAC_DATA), this.in(DAC_DATA), this.in(DAC_DATA)];
  }
  set pixelMask(mask: number) {
    this.out(PIXEL_MASK, mask);
  }
  get pixelMask(): number {
    return this.in(PIXEL_MASK);
  }

  dispi(index: number, value: number): void {
    this.ports.write(DISPI_INDEX, index, 2);
    this.ports.write(DISPI_DATA, value, 2);
  }
  readDispi(index: number): number {
    this.ports.write(DISPI_INDEX, index, 2);
    return this.ports.read(DISPI_DATA, 2);
  }

  /** All that a mode says; `keepPalette`: but not the colours. */
  load(mode: VideoMode, keepPalette: boolean): void {
    this.dispi(DISPI_ENABLE, 0);
    this.out(MISC, mode.misc);
    this.sequencer(0, 1);
    mode.sequencer.forEach((value, index) => this.sequencer(index, value));
    // Registers 0-7 are protected by one that comes later.
    this.crtc(0x11, 0);
    mode.crtc.forEach((value, index) => this.crtc(index, value));
    mode.graphics.forEach((value, index) => this.graphics(index, value));
    if (!keepPalette) {
      this.pixelMask = 0xff;
      const colors = dacColors(mode.palette);
      this.out(DAC_WRITE, 0);
      for (const level of colors) this.out(DAC_DATA, level);
    }
    mode.attribute.forEach((value, index) => this.attribute(index, value));
  }

  /** Lets `act` write plane 2 through A0000, where fonts are. */
  withFontPlane(mode: VideoMode | null, act: () => void): void {
    this.sequencer(2, 4);
    this.sequencer(4, 6);
    this.graphics(4, 2);
    this.graphics(5, 0);
    this.graphics(6, 4);
    act();
    const text = mode?.kind === 'text' ? mode : null;
    this.sequencer(2, text?.sequencer[2] ?? 3);
    this.sequencer(4, text?.sequencer[4] ?? 2);
    this.graphics(4, 0);
    this.graphics(5, text?.graphics[5] ?? 0x10);
    this.graphics(6, text?.graphics[6] ?? 0x0e);
  }
}
