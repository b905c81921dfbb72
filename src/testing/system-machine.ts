import type { BoardAccess } from '../engine/cpu.js';
import { Engine, type EngineKind, type EngineModules } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';

/** All of RAM, in bytes: what lies above answers as the bus does. */
export const RAM_BYTES = 0x100000;

const CHUNK_BYTES = 128;

/** Values of segment registers: selector, attributes as in layout.ts, base, limit. */
export type SegmentState = readonly [selector: number, attributes: number, base: number, limit: number];

/** A machine before its first instruction. */
export interface SystemState {
  memory: Uint8Array;
  gpr: bigint[];
  rip: bigint;
  rflags: number;
  cpl: number;
  /** Offsets of 64-bit registers in the CPU block, and their values. */
  control: ReadonlyMap<number, bigint>;
  /** ES CS SS DS FS GS LDTR TR. */
  segments: readonly SegmentState[];
  gdt: readonly [base: number, limit: number];
  idt: readonly [base: number, limit: number];
  fcw: number;
  mxcsr: number;
}

/** A mix of two numbers below 2^32. */
function mix(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x27d4eb2f);
  return (x ^ (x >>> 13)) >>> 0;
}

/**
 * One CPU with RAM, and a bus whose devices answer by a function of the address and of all that was written before:
 * two engines that do the same see the same.
 */
export class SystemMachine {
  readonly engine: Engine;
  readonly processor: Processor;
  private readonly view: DataView;
  private readonly ram: Uint8Array;
  private traffic = 0;
  private vector = -1;
  private start = 0;

  constructor(kind: EngineKind, modules: EngineModules, heat: number) {
    this.engine = new Engine({
      kind,
      cpus: 1,
      lowBytes: RAM_BYTES,
      highBytes: 0,
      board: this.board(),
      ...modules,
      codeBytes: 0x400000,
      heat,
    });
    this.processor = this.engine.processors[0]!;
    this.view = new DataView(this.engine.memory.buffer);
    this.ram = new Uint8Array(this.engine.memory.buffer, this.engine.ramBase, RAM_BYTES);
  }

  private board(): BoardAccess {
    // Code may be fetched from the bus, and ahead of its time: reading changes nothing.
    const read = (address: number): number => mix(this.traffic, address);
    const write = (address: number, value: number): void => void (this.traffic = mix(read(address), value));
    return {
      mmioRead: (_, address) => read(address),
      mmioRead64: (_, address) => (BigInt(read(address)) << 32n) | BigInt(read(address + 4)),
      mmioWrite: (_, address, _size, value) => write(address, value),
      mmioWrite64: (_, address, value) => write(address, Number(value & 0xffffffffn)),
      portRead: (_, port) => read(port),
      portWrite: (_, port, _size, value) => write(port, value),
      msrRead: (_, index) => (index < 0x1000 && index & 1 ? BigInt(read(index)) : undefined),
      msrWrite: (_, index, value) => {
        if (index >= 0x1000) return false;
        write(index, Number(value & 0xffffffffn));
        return true;
      },
      tprRead: () => read(1) & 15,
      tprWrite: (_, value) => write(1, value),
      now: () => (this.processor.retired() - this.start) * 3,
      random: () => BigInt(read(2)),
      hypercall: (_, number) => number,
      acknowledge: () => {
        const taken = this.vector;
        this.vector = -1;
        return taken;
      },
      hasInterrupt: () => this.vector >= 0,
    };
  }

  /** `again`: it was here before, and what is as it was in memory is not written, so that its code stays translated. */
  load(state: SystemState, again = false): void {
    const { engine, processor } = this;
    const { pointer } = processor;
    this.traffic = 1;
    this.vector = -1;
    this.start = processor.retired();
    if (again) this.restore(state.memory);
    else {
      this.ram.set(state.memory);
      engine.ramWritten(0, RAM_BYTES);
    }
    engine.runtime.resetCpu(pointer, 0);
    for (const [offset, value] of state.control) this.set64(offset, value);
    state.segments.forEach(([selector, attributes, base, limit], n) => {
      const at = L.S_SEG + L.SEG_BYTES * n;
      this.set32(at + L.SEG_SELECTOR, selector);
      this.set32(at + L.SEG_ATTR, attributes);
      this.set64(at + L.SEG_BASE, BigInt(base));
      this.set64(at + L.SEG_LIMIT, BigInt(limit));
    });
    for (const [offset, [base, limit]] of [
      [L.S_GDTR, state.gdt],
      [L.S_IDTR, state.idt],
    ] as const) {
      this.set64(offset, BigInt(base));
      this.set32(offset + 8, limit);
    }
    this.set32(L.S_CPL, state.cpl);
    this.set32(L.S_FCW, state.fcw);
    this.set32(L.S_MXCSR, state.mxcsr);
    engine.runtime.setEflags(pointer, state.rflags | 2, 0x3fffff);
    state.gpr.forEach((value, i) => this.set64(L.S_GPR + 8 * i, value));
    this.set64(L.S_RIP, state.rip);
    engine.runtime.updateMode(pointer);
    engine.runtime.flushTlb(pointer, false);
  }

  private restore(memory: Uint8Array): void {
    for (let at = 0; at < RAM_BYTES; at += CHUNK_BYTES) {
      const wanted = memory.subarray(at, at + CHUNK_BYTES);
      const chunk = this.ram.subarray(at, at + CHUNK_BYTES);
      if (Buffer.compare(chunk, wanted) === 0) continue;
      chunk.set(wanted);
      this.engine.ramWritten(at, CHUNK_BYTES);
    }
  }

  private set32(offset: number, value: number): void {
    this.view.setUint32(this.processor.pointer + offset, value >>> 0, true);
  }

  private set64(offset: number, value: bigint): void {
    this.view.setBigUint64(this.processor.pointer + offset, BigInt.asUintN(64, value), true);
  }

  /** Executes up to `count` instructions. False: the machine is shut down, or halted for good. */
  step(count: number): boolean {
    for (let left = count; left > 0;) {
      const before = this.processor.retired();
      const stop = this.processor.run(left);
      if (stop === 'shutdown' || stop === 'waiting') return false;
      if (stop === 'halted') return true;
      left -= this.processor.retired() - before;
    }
    return true;
  }

  /** The interrupt line is raised with this vector. */
  interrupt(vector: number): void {
    this.vector = vector;
    this.processor.interruptChanged();
  }

  /** DMA: a device writes one byte of RAM. */
  write(physical: number, value: number): void {
    this.ram[physical] = value;
    this.engine.ramWritten(physical, 1);
  }

  get memory(): Uint8Array {
    return this.ram;
  }

  /** All of the CPU that a guest could see, and the traffic on the bus, by name. */
  describe(): Map<string, string> {
    const { pointer } = this.processor;
    const found = new Map<string, string>();
    const u32 = (offset: number): string => this.view.getUint32(pointer + offset, true).toString(16);
    const u64 = (offset: number): string => this.view.getBigUint64(pointer + offset, true).toString(16);
    ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'].forEach((n, i) =>
      found.set(n, u64(L.S_GPR + 8 * i)),
    );
    for (let i = 8; i < 16; i++) found.set(`R${i}`, u64(L.S_GPR + 8 * i));
    found.set('RIP', u64(L.S_RIP));
    found.set('EFLAGS', (this.engine.runtime.getEflags(pointer) >>> 0).toString(16));
    found.set('CPL', u32(L.S_CPL)).set('mode', u32(L.S_MODE)).set('run', u32(L.S_RUN));
    found.set('NMI blocked', u32(L.S_NMI_BLOCKED));
    ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'].forEach((name, i) => {
      const at = L.S_SEG + L.SEG_BYTES * i;
      found.set(name, [u32(at), u32(at + 4), u64(at + 8), u64(at + 16)].join(' '));
    });
    found
      .set('GDTR', `${u64(L.S_GDTR)} ${u32(L.S_GDTR + 8)}`)
      .set('IDTR', `${u64(L.S_IDTR)} ${u32(L.S_IDTR + 8)}`);
    for (let offset = L.S_CR0; offset < L.S_FPR; offset += 8)
      found.set(`system +${offset.toString(16)}`, u64(offset));
    for (let i = 0; i < 8; i++) found.set(`FPR${i}`, `${u64(L.S_FPR + 16 * i)} ${u32(L.S_FPR + 16 * i + 8)}`);
    for (let offset = L.S_FCW; offset <= L.S_MXCSR; offset += 4)
      found.set(`x87 +${offset.toString(16)}`, u32(offset));
    for (let i = 0; i < 16; i++)
      found.set(`XMM${i}`, `${u64(L.S_XMM + L.XMM_BYTES * i + 8)} ${u64(L.S_XMM + L.XMM_BYTES * i)}`);
    found.set('retired', String(this.processor.retired() - this.start));
    return found.set('bus', this.traffic.toString(16));
  }
}
