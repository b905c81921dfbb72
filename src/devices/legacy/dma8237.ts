/**
 * The two Intel 8237A DMA controllers of the PC and their page registers. Nothing on this board transfers by them,
 * so they keep and give back what systems program: addresses, counts, masks, pages (0x80 is also the POST code port).
 */
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';

const FIRST = 0x00;
const SECOND = 0xc0;
const REGISTERS = 16;
const PAGES = 0x80;
const PAGE_REGISTERS = 16;
const ADDRESS_REGISTERS = 8;

const STATUS = 8;
const SINGLE_MASK = 10;
const CLEAR_FLIP_FLOP = 12;
const MASTER_CLEAR = 13;
const CLEAR_MASK = 14;
const ALL_MASK = 15;
const MASK_SET = 4;
const ALL_MASKED = 0xf;

/** Registers of one 8237A. */
class Dma8237 {
  private readonly values = new Uint16Array(ADDRESS_REGISTERS);
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
    // No request is pending and no transfer has ended (status); the temporary register holds nothing.
    return register === STATUS ? 0 : 0xff;
  }

  write(register: number, value: number): void {
    if (register < ADDRESS_REGISTERS) {
      const old = this.values[register]!;
      this.values[register] = this.highNext ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
      this.highNext = !this.highNext;
      return;
    }
    const channel = 1 << (value & 3);
    if (register === SINGLE_MASK) this.mask = value & MASK_SET ? this.mask | channel : this.mask & ~channel;
    else if (register === CLEAR_FLIP_FLOP) this.highNext = false;
    else if (register === MASTER_CLEAR) this.reset();
    else if (register === CLEAR_MASK) this.mask = 0;
    else if (register === ALL_MASK) this.mask = value & ALL_MASKED;
  }

  save(): { values: number[]; highNext: boolean; mask: number } {
    return { values: [...this.values], highNext: this.highNext, mask: this.mask };
  }

  load(state: ReturnType<Dma8237['save']>): void {
    this.values.set(state.values);
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
