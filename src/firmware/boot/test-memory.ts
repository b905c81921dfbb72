import type { BootFile, BootMemory, BootRequest } from './boot-request.js';
import { pcMemoryMap, type MemoryRange } from './memory-map.js';
import { ramLayout } from '../../machine/memory-map.js';

const PAGE = 0x1000;

/** Guest memory for tests, of any size: pages that were written, and writes outside of the map throw. */
export class TestMemory implements BootMemory {
  readonly map: readonly MemoryRange[];
  private readonly pages = new Map<number, Uint8Array>();

  /** What was not written reads as `garbage`. */
  constructor(
    bytes: number,
    private readonly garbage = 0xaa,
  ) {
    this.map = pcMemoryMap(ramLayout(bytes));
  }

  private page(number: number): Uint8Array {
    let page = this.pages.get(number);
    if (!page) this.pages.set(number, (page = new Uint8Array(PAGE).fill(this.garbage)));
    return page;
  }

  write(address: number, bytes: Uint8Array): void {
    const end = address + bytes.length;
    if (!this.map.some((range) => address >= range.start && end <= range.start + range.length)) {
      throw new RangeError(`write of ${bytes.length} bytes at ${address}`);
    }
    for (let done = 0; done < bytes.length;) {
      const at = address + done;
      const count = Math.min(PAGE - (at % PAGE), bytes.length - done);
      this.page(Math.floor(at / PAGE)).set(bytes.subarray(done, done + count), at % PAGE);
      done += count;
    }
  }

  read(address: number, length: number): Uint8Array {
    return Uint8Array.from(
      { length },
      (_, i) => this.page(Math.floor((address + i) / PAGE))[(address + i) % PAGE]!,
    );
  }
  u16(address: number): number {
    return new DataView(this.read(address, 2).buffer).getUint16(0, true);
  }
  u32(address: number): number {
    return new DataView(this.read(address, 4).buffer).getUint32(0, true);
  }
  u64(address: number): number {
    return Number(new DataView(this.read(address, 8).buffer).getBigUint64(0, true));
  }
  text(address: number): string {
    let text = '';
    for (let at = address; ; at++) {
      const byte = this.read(at, 1)[0]!;
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
  }
}

export function file(name: string, bytes: Uint8Array): BootFile {
  return { name, bytes };
}

export function request(
  kernel: Uint8Array,
  memory: BootMemory,
  given: Partial<BootRequest> = {},
): BootRequest {
  return { kernel: file('kernel', kernel), modules: [], commandLine: '', memory, rsdp: 0, ...given };
}

/** Pseudo-random numbers from 0 to below 2^32, the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return (state ^ (state >>> 13)) >>> 0;
  };
}
