/** QEMU's firmware configuration device (QEMU, docs/specs/fw_cfg.rst): what firmware that was made for QEMU asks for. Ports 510-51B. */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { AccessSize, PortBus, PortDevice } from '../../machine/port-bus.js';

const SELECTOR = 0x510;
const DATA = 0x511;
const DMA_HIGH = 0x514;
const DMA_LOW = 0x518;
const PORTS = 12;

// Keys
const SIGNATURE = 0x00;
const ID = 0x01;
const FILE_DIRECTORY = 0x19;
const FIRST_FILE = 0x20;
/** An old bit of keys, without a meaning now. */
const WRITE_CHANNEL = 0x4000;
/** Data by port, and by DMA. */
const FEATURES = 3;
const DMA_SIGNATURE = 0x51454d5520434647n;

// DMA control
const DMA_ERROR = 1;
const DMA_READ = 2;
const DMA_SKIP = 4;
const DMA_SELECT = 8;

const FILE_ENTRY_BYTES = 64;
const NAME_BYTES = 56;

/** Numbered items and named files; a function is asked when the guest selects it. */
export interface FwCfgContents {
  items: ReadonlyMap<number, Uint8Array>;
  files: ReadonlyMap<string, Uint8Array | (() => Uint8Array)>;
}

export class FwCfg implements PortDevice {
  private readonly keys = new Map<number, Uint8Array | (() => Uint8Array)>();
  private selected = new Uint8Array() as Uint8Array;
  private at = 0;
  private dmaHigh = 0;

  constructor(
    private readonly ram: GuestRam,
    { items, files }: FwCfgContents,
  ) {
    for (const [key, value] of items) this.keys.set(key, value);
    this.keys.set(SIGNATURE, new TextEncoder().encode('QEMU'));
    this.keys.set(ID, Uint8Array.of(FEATURES, 0, 0, 0));
    const names = [...files.keys()].sort();
    names.forEach((name, n) => this.keys.set(FIRST_FILE + n, files.get(name)!));
    this.keys.set(FILE_DIRECTORY, () => this.directory(names, files));
  }

  private directory(names: string[], files: FwCfgContents['files']): Uint8Array {
    const list = new DataView(new ArrayBuffer(4 + names.length * FILE_ENTRY_BYTES));
    list.setUint32(0, names.length);
    names.forEach((name, n) => {
      const at = 4 + n * FILE_ENTRY_BYTES;
      const file = files.get(name)!;
      list.setUint32(at, (typeof file === 'function' ? file() : file).length);
      list.setUint16(at + 4, FIRST_FILE + n);
      [...name.slice(0, NAME_BYTES - 1)].forEach((letter, i) =>
        list.setUint8(at + 8 + i, letter.charCodeAt(0)),
      );
    });
    return new Uint8Array(list.buffer);
  }

  attach(ports: PortBus): void {
    ports.map(SELECTOR, PORTS, this, 4);
  }

  private select(key: number): void {
    const item = this.keys.get(key & ~WRITE_CHANNEL);
    this.selected = typeof item === 'function' ? item() : (item ?? new Uint8Array());
    this.at = 0;
  }

  readPort(port: number, size: AccessSize): number {
    if (port === DATA && size === 1) return this.selected[this.at++] ?? 0;
    // The DMA address reads as a signature, big endian.
    if (port < DMA_HIGH) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = Number((DMA_SIGNATURE >> BigInt(56 - 8 * (port - DMA_HIGH + i))) & 0xffn);
      value |= byte << (8 * i);
    }
    return value;
  }

  writePort(port: number, value: number, size: AccessSize): void {
    if (port === SELECTOR && size === 2) this.select(value);
    else if (size === 4 && port === DMA_HIGH) this.dmaHigh = swapped(value);
    else if (size === 4 && port === DMA_LOW) {
      this.dma(this.dmaHigh * 2 ** 32 + swapped(value));
      this.dmaHigh = 0;
    }
  }

  /** A request in memory: control, length, address, all big endian. */
  private dma(at: number): void {
    const { ram } = this;
    if (!ram.contains(at, 16)) return;
    const request = new DataView(ram.read(at, 16).buffer);
    const control = request.getUint32(0);
    const length = request.getUint32(4);
    const address = request.getUint32(8) * 2 ** 32 + request.getUint32(12);
    if (control & DMA_SELECT) this.select(control >>> 16);
    let failed = (control & 0xfff0 & ~DMA_SELECT) !== 0;
    if (control & DMA_READ) {
      // What lies behind the end reads as zeros.
      if (ram.contains(address, length)) {
        const target = ram.view(address, length);
        const found = this.selected.subarray(this.at, this.at + length);
        target.set(found);
        target.fill(0, found.length);
        ram.written(address, length);
        this.at += length;
      } else failed = true;
    } else if (control & DMA_SKIP) this.at += length;
    ram.write(at, Uint8Array.of(0, 0, 0, failed ? DMA_ERROR : 0));
  }

  reset(): void {
    this.select(SIGNATURE);
    this.dmaHigh = 0;
  }
  save(): object {
    return {};
  }
  load(): void {
    this.reset();
  }
}

function swapped(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24)) >>> 0;
}
