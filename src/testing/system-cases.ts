import * as L from '../engine/layout.js';
import {
  CODE_BYTES,
  CODE_START,
  DATA_BYTES,
  DATA_START,
  GDT_ENTRIES,
  selector,
  type CodeSource,
} from './random-code.js';
import type { Random } from './random.js';
import { RAM_BYTES, type SegmentState, type SystemState } from './system-machine.js';

export const MODES = ['real', 'vm86', 'protected16', 'protected32', 'long', 'compatibility'] as const;
export type StartMode = (typeof MODES)[number];

const TABLES = 0x1000;
const GDT = 0x8000;
const LDT = 0x9000;
const IDT = 0xa000;
const TSS = 0xc000;
const TSS_BYTES = 0x100;
const STACK = 0x70000;
const FUNCTION_BYTES = 0x100;

/** GDT entries that hold what their names say; the others hold anything. */
const CODE0 = 1;
const DATA0 = 2;
const CODE3 = 3;
const DATA3 = 4;
const CODE16 = 5;
const DATA16 = 6;
const CODE64 = 7;
const CODE64_3 = 8;
const TSS_ENTRY = 10;
const LDT_ENTRY = 12;
/** From here on: anything. */
const FREE = 14;

/** A segment descriptor (SDM vol. 3, 3.4.5): access byte, flags G D L AVL, base and limit as written. */
function descriptor(access: number, flags: number, base: number, limit: number): bigint {
  const [b, l] = [BigInt(base >>> 0), BigInt(limit)];
  return (
    (l & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(access) << 40n) |
    ((l >> 16n) << 48n) |
    (BigInt(flags) << 52n) |
    ((b >> 24n) << 56n)
  );
}

/** A call, interrupt, trap or task gate (SDM vol. 3, 6.11). */
function gate(type: number, dpl: number, target: number, offset: number, count: number): bigint {
  const o = BigInt(offset);
  const access = BigInt(0x80 | (dpl << 5) | type);
  return (
    (o & 0xffffn) | (BigInt(target) << 16n) | (BigInt(count) << 32n) | (access << 40n) | ((o >> 16n) << 48n)
  );
}

/** The attributes of layout.ts and the scaled limit, from a descriptor. */
function loaded(selectorValue: number, raw: bigint): SegmentState {
  const attributes = Number((raw >> 40n) & 0xf0ffn);
  const limit = Number((raw & 0xffffn) | ((raw >> 32n) & 0xf0000n));
  const base = Number(((raw >> 16n) & 0xffffffn) | ((raw >> 32n) & 0xff000000n));
  return [selectorValue, attributes, base, attributes & 0x8000 ? limit * 4096 + 4095 : limit];
}

/** Makes the machines that random system code runs in: descriptor tables, page tables, handlers and code of all kinds. */
export class SystemCases {
  constructor(private readonly code: CodeSource) {}

  make(mode: StartMode, random: Random): SystemState {
    const memory = new Uint8Array(RAM_BYTES);
    const view = new DataView(memory.buffer);
    const put = (at: number, value: bigint): void => view.setBigUint64(at, BigInt.asUintN(64, value), true);
    const long = mode === 'long' || mode === 'compatibility';
    const default32 = mode === 'protected32' || mode === 'compatibility';
    for (let at = DATA_START; at < DATA_START + DATA_BYTES; at += 8) put(at, random.value());
    for (let at = CODE_START; at < CODE_START + CODE_BYTES; at += FUNCTION_BYTES)
      memory.set(this.code.stream(random, { long: mode === 'long', default32 }, FUNCTION_BYTES), at);
    const entry = (): number => CODE_START + FUNCTION_BYTES * random.below(CODE_BYTES / FUNCTION_BYTES);

    const gdt = this.descriptors(random, long, entry);
    gdt.forEach((raw, i) => put(GDT + 8 * i, raw));
    for (let i = 0; i < GDT_ENTRIES; i++) put(LDT + 8 * i, this.anyDescriptor(random, long, entry));
    this.gates(random, mode, memory, entry);
    for (let i = 0; i < 4; i++)
      this.taskState(random, new DataView(memory.buffer, TSS + i * TSS_BYTES), long, entry);
    const paging = long ? 'long' : mode === 'real' ? 'none' : random.pick(['none', '32', 'pae']);
    const roots = this.pageTables(random, paging, put, view);

    const user = mode === 'vm86' || (mode !== 'real' && random.chance(40));
    const small = mode === 'real' || mode === 'vm86';
    const at = (index: number): SegmentState => loaded(index * 8 + (user ? 3 : 0), gdt[index]!);
    const data = at(user ? DATA3 : mode === 'protected16' ? DATA16 : DATA0);
    const odd = (): SegmentState => (random.chance(80) ? data : at(DATA16));
    const paragraph = (base: number): SegmentState => [base >> 4, user ? 0xf3 : 0x93, base, 0xffff];
    const codeIndex =
      mode === 'long' ? (user ? CODE64_3 : CODE64) : mode === 'protected16' ? CODE16 : user ? CODE3 : CODE0;
    const codeSegment =
      mode === 'protected16' && user ? loaded(CODE16 * 8 + 3, gdt[CODE16]! | (3n << 45n)) : at(codeIndex);
    const segments: SegmentState[] = small
      ? [
          paragraph(DATA_START),
          paragraph(CODE_START),
          paragraph(STACK),
          paragraph(DATA_START),
          paragraph(0x1230),
          paragraph(0xfff00),
        ]
      : [odd(), codeSegment, data, odd(), random.chance(50) ? [0, L.SEG_NULL, 0, 0] : odd(), odd()];
    segments.push(
      [LDT_ENTRY * 8, 0x82, LDT, GDT_ENTRIES * 8 - 1],
      [TSS_ENTRY * 8, 0x8b, TSS, long ? 0x67 : 0xff],
    );

    const gpr = Array.from({ length: 16 }, () =>
      random.chance(60) ? BigInt(DATA_START + random.below(DATA_BYTES)) : random.value(),
    );
    gpr[4] = BigInt((small ? 0 : STACK) + 0x4000 + 8 * random.below(0x800));
    const start = entry();
    return {
      memory,
      gpr: long ? gpr : gpr.map((value, i) => (i < 8 ? value & 0xffffffffn : 0n)),
      rip: BigInt(small ? start - CODE_START : mode === 'protected16' ? start - CODE_START : start),
      rflags: this.flags(random, mode),
      cpl: user ? 3 : 0,
      control: this.controls(random, paging, mode, roots),
      segments,
      gdt: [GDT, random.chance(90) ? GDT_ENTRIES * 8 - 1 : random.below(0x100)],
      idt: small && mode === 'real' ? [0, 0x3ff] : [IDT, random.chance(95) ? 0xfff : random.below(0x800)],
      fcw: 0x37f & ~(random.chance(30) ? random.below(64) : 0),
      mxcsr: 0x1f80 & ~(random.chance(30) ? random.below(64) << 7 : 0),
    };
  }

  private flags(random: Random, mode: StartMode): number {
    let flags = 2 | (random.below(0x1000) & 0x8d5);
    if (random.chance(60)) flags |= L.EFLAGS_IF;
    if (random.chance(15)) flags |= L.EFLAGS_DF;
    if (random.chance(4)) flags |= L.EFLAGS_TF;
    if (random.chance(8)) flags |= L.EFLAGS_AC;
    if (random.chance(10) && mode !== 'real') flags |= L.EFLAGS_NT;
    if (random.chance(50)) flags |= L.EFLAGS_IOPL & random.below(0x4000);
    if (random.chance(10)) flags |= L.EFLAGS_VIF;
    return mode === 'vm86' ? flags | L.EFLAGS_VM : flags;
  }

  private controls(random: Random, paging: string, mode: StartMode, roots: number): Map<number, bigint> {
    const bit = (n: number, percent: number): number => (random.chance(percent) ? 1 << n : 0);
    let cr0 = 0x30;
    if (mode !== 'real') cr0 |= 1;
    cr0 |= bit(1, 30) | bit(2, 4) | bit(3, 4) | bit(16, 50) | bit(18, 20);
    let cr0Value = BigInt(cr0);
    if (paging !== 'none') cr0Value |= 0x80000000n;
    let cr4 =
      bit(0, 40) |
      bit(1, 30) |
      bit(2, 10) |
      bit(3, 50) |
      bit(4, 50) |
      bit(7, 50) |
      bit(9, 95) |
      bit(10, 90) |
      bit(11, 20);
    cr4 |= bit(16, 50) | bit(18, 70) | bit(20, 10) | bit(21, 15);
    if (paging === 'pae' || paging === 'long') cr4 |= 1 << 5;
    if (paging === 'long') cr4 |= bit(17, 20);
    const efer = bit(0, 80) | bit(11, 80) | (paging === 'long' ? 0x500 : 0);
    const text = (): bigint =>
      BigInt(CODE_START + FUNCTION_BYTES * random.below(CODE_BYTES / FUNCTION_BYTES));
    const control = new Map([
      [L.S_CR0, cr0Value],
      [L.S_CR2, 0n],
      [L.S_CR3, BigInt(roots)],
      [L.S_CR4, BigInt(cr4)],
      [L.S_EFER, BigInt(efer)],
      [L.S_STAR, (BigInt(CODE0 * 8) << 32n) | (BigInt(CODE3 * 8) << 48n)],
      [L.S_LSTAR, text()],
      [L.S_CSTAR, text()],
      [L.S_SFMASK, BigInt(random.below(0x1000))],
      [L.S_KERNEL_GS_BASE, BigInt(DATA_START)],
      [L.S_SYSENTER_CS, BigInt(CODE0 * 8)],
      [L.S_SYSENTER_ESP, BigInt(STACK + 0x6000)],
      [L.S_SYSENTER_EIP, text()],
    ]);
    if (random.chance(10)) {
      const [code, data] = [CODE_START + random.below(CODE_BYTES), DATA_START + random.below(DATA_BYTES)];
      control.set(L.S_DR, BigInt(code)).set(L.S_DR + 8, BigInt(data & ~3));
      control.set(
        L.S_DR + 8 * 7,
        0x400n | BigInt(random.below(16)) | (BigInt(random.pick([1, 3, 0xd, 0xf])) << 20n),
      );
    }
    return control;
  }

  private descriptors(random: Random, long: boolean, entry: () => number): bigint[] {
    const gdt = Array.from({ length: GDT_ENTRIES }, () => this.anyDescriptor(random, long, entry));
    gdt[0] = 0n;
    gdt[CODE0] = descriptor(0x9b, 0xc, 0, 0xfffff);
    gdt[DATA0] = descriptor(0x93, 0xc, 0, 0xfffff);
    gdt[CODE3] = descriptor(0xfb, 0xc, 0, 0xfffff);
    gdt[DATA3] = descriptor(0xf3, 0xc, 0, 0xfffff);
    gdt[CODE16] = descriptor(0x9b, 0, CODE_START, 0xffff);
    gdt[DATA16] = descriptor(0x93, 0, 0x60000, 0xffff);
    gdt[CODE64] = descriptor(0x9b, 0xa, 0, 0xfffff);
    gdt[CODE64_3] = descriptor(0xfb, 0xa, 0, 0xfffff);
    gdt[TSS_ENTRY] = descriptor(0x8b, 0, TSS, long ? 0x67 : 0xff);
    gdt[LDT_ENTRY] = descriptor(0x82, 0, LDT, GDT_ENTRIES * 8 - 1);
    if (long) gdt[TSS_ENTRY + 1] = gdt[LDT_ENTRY + 1] = 0n;
    return gdt;
  }

  private anyDescriptor(random: Random, long: boolean, entry: () => number): bigint {
    const dpl = random.chance(50) ? 0 : random.below(4);
    const present = random.chance(92) ? 0x80 : 0;
    switch (random.below(7)) {
      case 0:
        return gate(
          long ? 12 : random.pick([4, 12]),
          random.below(4),
          random.pick([CODE0, CODE16, CODE64]) * 8,
          entry(),
          random.below(4),
        );
      case 1:
        return gate(5, random.below(4), (FREE + random.below(4)) * 8, 0, 0);
      case 2:
        return descriptor(
          present | (dpl << 5) | random.pick([1, 9]),
          0,
          TSS + TSS_BYTES * random.below(4),
          0xff,
        );
      case 3:
        return random.u64();
      case 4:
        return descriptor(
          present | (dpl << 5) | 0x18 | random.below(8),
          random.pick([0, 4, 0xc, 0xa]),
          random.pick([0, CODE_START]),
          random.pick([0xffff, 0xfffff]),
        );
      default: {
        const base = random.pick([0, 0, DATA_START, random.below(0x80000)]);
        return descriptor(
          present | (dpl << 5) | 0x10 | random.below(8),
          random.pick([0, 4, 8, 0xc]),
          base,
          random.pick([0xfffff, 0xffff, 0x7fff]),
        );
      }
    }
  }

  private gates(random: Random, mode: StartMode, memory: Uint8Array, entry: () => number): void {
    const view = new DataView(memory.buffer);
    const long = mode === 'long' || mode === 'compatibility';
    for (let vector = 0; vector < 256; vector++) {
      view.setUint16(4 * vector, entry() - CODE_START, true);
      view.setUint16(4 * vector + 2, CODE_START >> 4, true);
      const type = random.chance(4) ? 5 : random.chance(80) ? random.pick([14, 15]) : random.pick([6, 7]);
      const target =
        type === 5 ? FREE + random.below(6) : long ? CODE64 : mode === 'protected16' ? CODE16 : CODE0;
      const offset = target === CODE16 ? entry() - CODE_START : entry();
      let raw = gate(
        type,
        random.chance(60) ? 3 : 0,
        target * 8,
        offset,
        long && random.chance(15) ? random.below(3) : 0,
      );
      if (random.chance(3)) raw &= ~(1n << 47n);
      view.setBigUint64(IDT + vector * (long ? 16 : 8), raw, true);
    }
  }

  private taskState(random: Random, view: DataView, long: boolean, entry: () => number): void {
    if (long) {
      for (let offset = 4; offset < 0x5c; offset += 8)
        view.setBigUint64(offset, BigInt(STACK + 0x1000 * (1 + random.below(15))), true);
      view.setUint16(0x66, 0x68, true);
      return;
    }
    // 32-bit (SDM vol. 3, figure 8-2); as a 16-bit one it holds something else, which is well too
    for (let offset = 4; offset < 0x1c; offset += 8) {
      view.setUint32(offset, STACK + 0x1000 * (1 + random.below(15)), true);
      view.setUint16(offset + 4, DATA0 * 8, true);
    }
    view.setUint32(0x1c, TABLES, true);
    view.setUint32(0x20, entry(), true);
    view.setUint32(0x24, this.flags(random, 'protected32'), true);
    for (let offset = 0x28; offset < 0x48; offset += 4)
      view.setUint32(offset, DATA_START + random.below(DATA_BYTES), true);
    view.setUint32(0x38, STACK + 0x3000, true);
    for (let offset = 0x48; offset < 0x60; offset += 4)
      view.setUint16(
        offset,
        random.chance(90) ? (offset === 0x4c ? CODE0 : DATA0) * 8 : selector(random),
        true,
      );
    view.setUint16(0x60, random.chance(80) ? LDT_ENTRY * 8 : 0, true);
    view.setUint16(0x64, random.chance(20) ? 1 : 0, true);
    view.setUint16(0x66, 0x68, true);
  }

  /**
   * Identity for all of RAM in pages of 4 KiB, with all kinds of rights; but for half of the machines the data's pages
   * are in another order, so that what crosses a page must be seen to do so. The result: CR3.
   */
  private pageTables(
    random: Random,
    paging: string,
    put: (at: number, value: bigint) => void,
    view: DataView,
  ): number {
    const rights = (page: number): bigint => {
      const calm = page * 4096 < DATA_START || page * 4096 >= STACK;
      const percent = calm ? 1 : 6;
      const nx = paging !== '32' && random.chance(percent) ? 1n << 63n : 0n;
      const bits =
        (random.chance(percent) ? 0 : 1) |
        (random.chance(percent) ? 0 : 2) |
        (random.chance(percent + 4) ? 0 : 4);
      return (
        nx |
        BigInt(
          bits |
            (random.chance(50) ? 0x20 : 0) |
            (random.chance(50) ? 0x40 : 0) |
            (random.chance(30) ? 0x100 : 0),
        )
      );
    };
    const swap = random.chance(50) ? 4096 : 0;
    const entry = (page: number): bigint => {
      const address = page * 4096;
      const data = address >= DATA_START && address < DATA_START + DATA_BYTES;
      return BigInt(data ? address ^ swap : address) | rights(page);
    };
    const pages = RAM_BYTES / 4096;
    const table = TABLES + 0x3000;
    if (paging === 'none') return TABLES;
    if (paging === '32') {
      view.setUint32(TABLES, table | 7, true);
      for (let page = 0; page < pages; page++) view.setUint32(table + 4 * page, Number(entry(page)), true);
      return TABLES;
    }
    const directory = TABLES + 0x2000;
    const pointers = TABLES + 0x1000;
    put(TABLES, BigInt(pointers | 7));
    put(pointers, BigInt(directory) | (paging === 'pae' ? 1n : 7n));
    put(directory, BigInt(table | 7));
    // 2 MiB above as one large page, over the same RAM and beyond it
    put(directory + 8, BigInt(0x80 | 7));
    for (let page = 0; page < pages; page++) put(table + 8 * page, entry(page));
    return paging === 'pae' ? pointers : TABLES;
  }
}
