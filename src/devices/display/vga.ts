/**
 * A VGA with the VBE extension of Bochs (PCI 1234:1111). Registers as in the IBM VGA technical reference: miscellaneous output
 * 3C2/3CC, sequencer 3C4/5, graphics controller 3CE/F, attribute controller 3C0/1, DAC 3C6-9, CRT controller 3D4/5 (3B4/5).
 */
import type { Clock } from '../../machine/clock.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import type { PlaceWindow } from '../../machine/pci/pci-bar.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { AccessSize, PortBus, PortDevice } from '../../machine/port-bus.js';
import { Dac } from './dac.js';
import { Dispi } from './dispi.js';
import { edid } from './edid.js';
import { VgaMemory } from './vga-memory.js';

export const VGA_MEMORY_BYTES = 32 * 2 ** 20;

const MONO = { first: 0x3b0, count: 0x10 };
const COLOR = { first: 0x3c0, count: 0x20 };
const DISPI_INDEX = 0x1ce;
const DISPI_PORTS = 4;

const ATTRIBUTE = 0x3c0;
const ATTRIBUTE_READ = 0x3c1;
const MISC_WRITE = 0x3c2;
const ENABLE = 0x3c3;
const SEQUENCER_INDEX = 0x3c4;
const SEQUENCER_DATA = 0x3c5;
const DAC_FIRST = 0x3c6;
const DAC_LAST = 0x3c9;
const FEATURE_READ = 0x3ca;
const MISC_READ = 0x3cc;
const GRAPHICS_INDEX = 0x3ce;
const GRAPHICS_DATA = 0x3cf;
/** Behind 3B0 or 3D0. */
const CRTC_INDEX = 4;
const CRTC_DATA = 5;
const STATUS_1 = 0xa;

const PLANES_BYTES = 0x40000;
const MISC_COLOR = 0x01;
const SWITCH_SENSE = 0x10;
const STATUS_BLANK = 0x01;
const STATUS_RETRACE = 0x08;
const ATTRIBUTE_SOURCE = 0x20;

const CRTC_OVERFLOW = 0x07;
const CRTC_RETRACE_END = 0x11;
const CRTC_PROTECT = 0x80;
const OVERFLOW_LINE_COMPARE = 0x10;

/** 70 pictures of 449 lines a second: what the 400-line modes have. */
const FRAME_NS = 1e9 / 70;
const LINES = 449;
const VISIBLE_LINES = 400;
const RETRACE_LINES = { first: 412, last: 413 };
const VISIBLE_PART = 0.8;

/** Behind BAR 2: EDID, VGA ports from 3C0, DISPI registers. */
const REGISTER_BAR_BYTES = 0x1000;
const REGISTERS_VGA = 0x400;
const REGISTERS_DISPI = 0x500;

export class Vga extends PciFunction implements PortDevice {
  readonly sequencer = new Uint8Array(8);
  readonly graphics = new Uint8Array(16);
  readonly attribute = new Uint8Array(32);
  readonly crtc = new Uint8Array(0x40);
  misc = 0;
  readonly dac = new Dac();
  readonly dispi: Dispi;
  readonly memory: VgaMemory;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  private attributeIndex = 0;
  private attributeData = false;
  private crtcIndex = 0;
  /** What a monitor that suits the window says of itself. */
  private readonly edid = edid(1280, 800);

  /** `bytes`: the video memory; `window` shows it to the guest. */
  constructor(
    private readonly bytes: Uint8Array,
    window: PlaceWindow,
    private readonly clock: Clock,
  ) {
    super({
      vendor: 0x1234,
      device: 0x1111,
      revision: 2,
      classCode: 0x030000,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
    });
    this.memory = new VgaMemory(bytes, this.sequencer, this.graphics);
    this.dispi = new Dispi(bytes.length, (clear) => this.dispiChanged(clear));
    this.addBar(0, { kind: 'memory', bits: 32, prefetchable: true, bytes: bytes.length, window });
    this.addBar(2, { kind: 'memory', bits: 32, bytes: REGISTER_BAR_BYTES, device: this.registerBar });
  }

  attach(ports: PortBus): void {
    ports.map(MONO.first, MONO.count, this);
    ports.map(COLOR.first, COLOR.count, this);
    ports.map(DISPI_INDEX, DISPI_PORTS, this, 2);
  }

  private dispiChanged(clear: boolean): void {
    this.memory.setBank(this.dispi.bank);
    this.dac.wide = this.dispi.wideDac;
    const mode = this.dispi.mode;
    if (clear && mode) this.bytes.fill(0, mode.start, mode.start + mode.pitch * mode.height);
  }

  readPort(port: number, size: AccessSize): number {
    if (port < DISPI_INDEX + DISPI_PORTS)
      return port === DISPI_INDEX ? this.dispi.readIndex() : size === 2 ? this.dispi.read() : 0;
    switch (port) {
      case ATTRIBUTE:
        return this.attributeIndex;
      case ATTRIBUTE_READ:
        return this.attribute[this.attributeIndex & 0x1f]!;
      case MISC_WRITE:
        return SWITCH_SENSE;
      case ENABLE:
        return 1;
      case SEQUENCER_INDEX:
        return this.sequencerIndex;
      case SEQUENCER_DATA:
        return this.sequencer[this.sequencerIndex]!;
      case FEATURE_READ:
        return 0;
      case MISC_READ:
        return this.misc;
      case GRAPHICS_INDEX:
        return this.graphicsIndex;
      case GRAPHICS_DATA:
        return this.graphics[this.graphicsIndex]!;
    }
    if (port >= DAC_FIRST && port <= DAC_LAST) return this.dac.read(port);
    switch (this.crtcPort(port)) {
      case CRTC_INDEX:
        return this.crtcIndex;
      case CRTC_DATA:
        return this.crtc[this.crtcIndex]!;
      case STATUS_1:
        this.attributeData = false;
        return this.status();
    }
    return 0xff;
  }

  /** Offset among the ports of the CRT controller, which are at 3B0 or 3D0; -1: not one of them. */
  private crtcPort(port: number): number {
    return (port & 0xff0) === (this.misc & MISC_COLOR ? 0x3d0 : 0x3b0) ? port & 0xf : -1;
  }

  /** Where the beam would be. */
  private status(): number {
    const line = ((this.clock.now() % FRAME_NS) / FRAME_NS) * LINES;
    const whole = Math.floor(line);
    let status = 0;
    if (whole >= RETRACE_LINES.first && whole <= RETRACE_LINES.last) status |= STATUS_RETRACE;
    if (whole >= VISIBLE_LINES || line - whole > VISIBLE_PART) status |= STATUS_BLANK;
    return status;
  }

  writePort(port: number, value: number, size: AccessSize): void {
    if (port < DISPI_INDEX + DISPI_PORTS) {
      if (size !== 2) return;
      if (port === DISPI_INDEX) this.dispi.writeIndex(value);
      else this.dispi.write(value);
      return;
    }
    switch (port) {
      case ATTRIBUTE:
        if (!this.attributeData) this.attributeIndex = value & 0x3f;
        else this.attribute[this.attributeIndex & 0x1f] = value;
        this.attributeData = !this.attributeData;
        return;
      case MISC_WRITE:
        this.misc = value;
        return;
      case SEQUENCER_INDEX:
        this.sequencerIndex = value & 7;
        return;
      case SEQUENCER_DATA:
        this.sequencer[this.sequencerIndex] = value;
        return;
      case GRAPHICS_INDEX:
        this.graphicsIndex = value & 0xf;
        return;
      case GRAPHICS_DATA:
        this.graphics[this.graphicsIndex] = value;
        return;
    }
    if (port >= DAC_FIRST && port <= DAC_LAST) return this.dac.write(port, value);
    const crtcPort = this.crtcPort(port);
    if (crtcPort === CRTC_INDEX) this.crtcIndex = value & 0x3f;
    else if (crtcPort === CRTC_DATA) this.writeCrtc(value);
  }

  private writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this;
    if (crtcIndex > CRTC_OVERFLOW || !(crtc[CRTC_RETRACE_END]! & CRTC_PROTECT)) crtc[crtcIndex] = value;
    else if (crtcIndex === CRTC_OVERFLOW)
      crtc[crtcIndex] = (crtc[crtcIndex]! & ~OVERFLOW_LINE_COMPARE) | (value & OVERFLOW_LINE_COMPARE);
  }

  /** The screen is on: neither is it blanked nor is the palette being loaded. */
  get shows(): boolean {
    const SCREEN_OFF = 0x20;
    return (this.attributeIndex & ATTRIBUTE_SOURCE) !== 0 && !(this.sequencer[1]! & SCREEN_OFF);
  }

  private readonly registerBar: MmioDevice = {
    mmioRead: (offset, size) => {
      if (offset < REGISTERS_VGA) return bytesAt(this.edid, offset, size);
      if (offset < REGISTERS_DISPI) return this.readPort(0x3c0 + offset - REGISTERS_VGA, 1);
      return size === 2 ? this.dispi.read((offset - REGISTERS_DISPI) >> 1) : 0;
    },
    mmioWrite: (offset, value, size) => {
      if (offset >= REGISTERS_DISPI) {
        if (size === 2) this.dispi.write(value, (offset - REGISTERS_DISPI) >> 1);
      } else if (offset >= REGISTERS_VGA) {
        for (let i = 0; i < size; i++)
          this.writePort(0x3c0 + offset + i - REGISTERS_VGA, (value >>> (8 * i)) & 0xff, 1);
      }
    },
  };

  override reset(): void {
    super.reset();
    for (const registers of [this.sequencer, this.graphics, this.attribute, this.crtc]) registers.fill(0);
    this.misc = 0;
    this.attributeIndex = 0;
    this.attributeData = false;
    this.dispi.reset();
    this.dispiChanged(false);
    this.bytes.fill(0, 0, PLANES_BYTES);
  }

  override save(): SavedPciFunction {
    const { misc, sequencerIndex, graphicsIndex, attributeIndex, attributeData, crtcIndex } = this;
    return {
      ...super.save(),
      ...{ misc, sequencerIndex, graphicsIndex, attributeIndex, attributeData, crtcIndex },
      ...{ latch: this.memory.latch, dac: this.dac.save(), dispi: this.dispi.save() },
      registers: [this.sequencer, this.graphics, this.attribute, this.crtc].map((bytes) => [...bytes]),
    } as SavedPciFunction;
  }

  override load(state: SavedPciFunction): void {
    super.load(state);
    const { registers, dac, dispi, latch, version, config, interrupt, ...rest } =
      state as SavedPciFunction & {
        registers: number[][];
        dac: object;
        dispi: object;
        latch: number;
      };
    void [version, config, interrupt];
    Object.assign(this, rest);
    [this.sequencer, this.graphics, this.attribute, this.crtc].forEach((bytes, n) =>
      bytes.set(registers[n]!),
    );
    this.memory.latch = latch;
    this.dac.load(dac);
    this.dispi.load(dispi);
    this.dispiChanged(false);
  }
}

function bytesAt(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= (bytes[offset + i] ?? 0) << (8 * i);
  return value;
}
