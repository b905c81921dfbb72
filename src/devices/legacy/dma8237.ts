/**
 * The two Intel 8237A DMA controllers of the PC and their page registers (0x80 is also the POST code port). The floppy
 * controller transfers by channel 2, in one piece; the other channels keep what systems program.
 */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';

const FIRST = 0x00;
const SECOND = 0xc0;
const REGISTERS = 16;
const PAGES = 0x80;
const PAGE_REGISTERS = 16;
/** Page registers of channels 0-3, behind 0x80. */
const PAGE_OF_CHANNEL = [7, 3, 1, 2];
const ADDRESS_REGISTERS = 8;

const STATUS = 8;
const SINGLE_MASK = 10;
const MODE = 11;
/** Mode: auto-initialization, and counting down. */
const AUTO = 0x10;
const DOWN = 0x20;
const CLEAR_FLIP_FLOP = 12;
const MASTER_CLEAR = 13;
const CLEAR_MASK = 14;
const ALL_MASK = 15;
const MASK_SET = 4;
const ALL_MASKED = 0xf;

/** Registers of one 8237A. */
class Dma8237 {
  private readonly values = new Uint16Array(ADDRESS_REGISTERS);
  /** What addresses and counts were programmed as, and the mode of each channel. */
  private readonly bases = new Uint16Array(ADDRESS_REGISTERS);
  private readonly modes = new Uint8Array(4);
  private ended = 0;
  private highNext = false;
  private mask = ALL_MASKED;

  reset(): void {
    this.highNext = false;
    this.mask = ALL_MASKED;
  }

  read(register: number): number {
    if (register < ADDRESS_REGISTERS) {
      const value = this.values[register]!;
      this.highNext = !this.highNext;
      return this.highNext ? value & 0xff : value >> 8;
    }
    if (register === ALL_MASK) return this.mask | 0xf0;
    if (register !== STATUS) return 0xff;
    // No request is pending; which transfers have ended is told once.
    const { ended } = this;
    this.ended = 0;
    return ended;
  }

  write(register: number, value: number): void {
    if (register < ADDRESS_REGISTERS) {
      const old = this.values[register]!;
      this.values[register] = this.highNext ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
      this.bases[register] = this.values[register]!;
      this.highNext = !this.highNext;
      return;
    }
    if (register === MODE) this.modes[value & 3] = value;
    const channel = 1 << (value & 3);
    if (register === SINGLE_MASK) this.mask = value & MASK_SET ? this.mask | channel : this.mask & ~channel;
    else if (register === CLEAR_FLIP_FLOP) this.highNext = false;
    else if (register === MASTER_CLEAR) this.reset();
    else if (register === CLEAR_MASK) this.mask = 0;
    else if (register === ALL_MASK) this.mask = value & ALL_MASKED;
  }

  /** Address within the page and length of what a channel is to move; null: it may not. */
  pending(channel: number): { offset: number; length: number } | null {
    if (this.mask & (1 << channel) || this.modes[channel]! & DOWN) return null;
    return { offset: this.values[channel * 2]!, length: this.values[channel * 2 + 1]! + 1 };
  }

  /** So many bytes were moved. */
  moved(channel: number, bytes: number): void {
    const whole = bytes > this.values[channel * 2 + 1]!;
    this.values[channel * 2]! += bytes;
    this.values[channel * 2 + 1]! -= bytes;
    if (!whole) return;
    this.ended |= 1 << channel;
    if (this.modes[channel]! & AUTO) {
      this.values[channel * 2] = this.bases[channel * 2]!;
      this.values[channel * 2 + 1] = this.bases[channel * 2 + 1]!;
    } else this.mask |= 1 << channel;
  }

  save(): {
    values: number[];
    bases: number[];
    modes: number[];
    ended: number;
    highNext: boolean;
    mask: number;
  } {
    const { highNext, mask, ended } = this;
    return {
      values: [...this.values],
      bases: [...this.bases],
      modes: [...this.modes],
      ended,
      highNext,
      mask,
    };
  }

  load(state: ReturnType<Dma8237['save']>): void {
    this.values.set(state.values);
    this.bases.set(state.bases);
    this.modes.set(state.modes);
    this.ended = state.ended;
    this.highNext = state.highNext;
    this.mask = state.mask;
  }
}

export class DmaControllers implements PortDevice {
  private readonly first = new Dma8237();
  private readonly second = new Dma8237();
  private readonly pages = new Uint8Array(PAGE_REGISTERS);

  attach(ports: PortBus): void {
    ports.map(FIRST, REGISTERS, this);
    // The second chip is wired to address lines A1-A4.
    ports.map(SECOND, REGISTERS * 2, this);
    ports.map(PAGES, PAGE_REGISTERS, this);
  }

  reset(): void {
    this.first.reset();
    this.second.reset();
  }

  readPort(port: number): number {
    if (port < REGISTERS) return this.first.read(port);
    if (port >= SECOND) return this.second.read((port - SECOND) >> 1);
    return this.pages[port - PAGES]!;
  }

  writePort(port: number, value: number): void {
    if (port < REGISTERS) this.first.write(port, value);
    else if (port >= SECOND) this.second.write((port - SECOND) >> 1, value);
    else this.pages[port - PAGES] = value;
  }

  /** What channel 0-3 is to move, physical address and bytes; null: nothing, or it is no RAM. */
  pending(channel: number, ram: GuestRam): { address: number; length: number } | null {
    const found = this.first.pending(channel);
    if (!found) return null;
    const address = this.pages[PAGE_OF_CHANNEL[channel]!]! * 0x10000 + found.offset;
    // The address does not go on into the next page.
    const length = Math.min(found.length, 0x10000 - found.offset);
    return ram.contains(address, length) ? { address, length } : null;
  }
  moved(channel: number, bytes: number): void {
    this.first.moved(channel, bytes);
  }

  save(): { version: 1; first: object; second: object; pages: number[] } {
    return { version: 1, first: this.first.save(), second: this.second.save(), pages: [...this.pages] };
  }

  load(state: ReturnType<DmaControllers['save']>): void {
    checkVersion('the DMA controllers', state, 1);
    this.first.load(state.first as ReturnType<Dma8237['save']>);
    this.second.load(state.second as ReturnType<Dma8237['save']>);
    this.pages.set(state.pages);
  }
}
