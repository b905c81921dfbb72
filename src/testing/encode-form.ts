import type { Form } from '../isa/forms.js';

/** A memory operand in 64-bit or 32-bit addressing. */
export interface MemoryOperand {
  base: number;
  index: number | null;
  scale: number;
  displacement: number;
  /** Address-size prefix: 32-bit addressing in 64-bit code. */
  address32?: boolean;
  /** 16-bit addressing, in code that is not 64-bit: base and index are mapped to the pairs that there are. */
  address16?: boolean;
}

export interface FormOperands {
  /** Register number of each operand that is one (16..19: AH CH DH BH). */
  registers: number[];
  memory: MemoryOperand | null;
  /** Values of the immediate operands in their order. */
  immediates: bigint[];
  segmentPrefix?: number;
}

function addressSize(memory: MemoryOperand | null, long: boolean): number {
  if (memory?.address16) return 16;
  return memory?.address32 || !long ? 32 : 64;
}

const LEGACY_PREFIX: Record<string, number[]> = { '66': [0x66], F2: [0xf2], F3: [0xf3], NP: [], any: [] };

/** Encodes a form with operands: the opposite of the decoder. Null where the operands cannot be encoded together (AH with REX). */
export function encodeForm(
  form: Form,
  operands: FormOperands,
  long: boolean,
  default32: boolean,
): number[] | null {
  const { encoding } = form;
  const { attributes } = encoding;
  const out: number[] = [];
  if (operands.segmentPrefix) out.push(operands.segmentPrefix);
  if (form.locked && !attributes.has('locked')) out.push(0xf0);
  if (form.rep === 'rep') out.push(0xf3);
  if (form.rep === 'repne') out.push(0xf2);
  const wideAsize = form.asize === 0 ? addressSize(operands.memory, long) : form.asize;
  if (wideAsize !== (long ? 64 : default32 ? 32 : 16)) out.push(0x67);

  const vex = encoding.map >= 4;
  let w = false;
  let prefix66 = false;
  if (encoding.sized) {
    const { bits } = form;
    if (attributes.has('f64') && long) {
      if (bits !== 64) return null;
    } else if (attributes.has('d64') && long) {
      if (bits === 32) return null;
      prefix66 = bits === 16;
    } else {
      w = bits === 64;
      if (w && !long) return null;
      if (bits !== 64) prefix66 = bits === 16 ? long || default32 : !long && !default32;
    }
  }
  if (attributes.has('w1')) w = true;

  let rex = w ? 0x48 : 0;
  let reg = encoding.extension >= 0 ? encoding.extension : 0;
  let rm = -1;
  let vvvv = 0;
  let plus = 0;
  let needsRex = false;
  let high = false;
  for (let i = 0; i < encoding.operands.length; i++) {
    const { kind } = encoding.operands[i]!;
    let number = operands.registers[i]!;
    if (form.memory && 'EMWQ'.includes(kind)) continue;
    if (!'GERZBVWUPQNSCDT'.includes(kind)) continue;
    if (form.widths[i] === 8 && 'GERZ'.includes(kind)) {
      if (number >= 16) {
        high = true;
        number = number - 16 + 4;
      } else if (number >= 4 && number < 8) needsRex = true;
    }
    if ('PQNTS'.includes(kind)) number &= 7;
    if ('GVPSCD'.includes(kind)) {
      reg = number & 7;
      if (number >= 8) rex |= 0x44;
    } else if (kind === 'Z') {
      plus = number & 7;
      if (number >= 8) rex |= 0x41;
    } else if (kind === 'B') vvvv = number;
    else {
      rm = number & 7;
      if (number >= 8) rex |= 0x41;
    }
  }
  const { memory } = operands;
  if (form.memory && memory) {
    if (memory.base >= 8) rex |= 0x41;
    if (memory.index !== null && memory.index >= 8) rex |= 0x42;
    if (rex && memory.address16) return null;
  }
  if (needsRex) rex |= 0x40;
  if (high && rex) return null;
  if (rex && !long) return null;

  if (vex) {
    if (encoding.prefix === 'any') return null;
    const pp = { NP: 0, '66': 1, F3: 2, F2: 3 }[encoding.prefix];
    out.push(0xc4, ((rex & 4 ? 0 : 0x80) | (rex & 2 ? 0 : 0x40) | (rex & 1 ? 0 : 0x20)) + (encoding.map - 4));
    out.push((w ? 0x80 : 0) | ((~vvvv & 15) << 3) | pp);
  } else {
    if (prefix66) out.push(0x66);
    out.push(...LEGACY_PREFIX[encoding.prefix]!);
    if (rex) out.push(rex | 0x40);
    if (encoding.map >= 1) out.push(0x0f);
    if (encoding.map === 2) out.push(0x38);
    if (encoding.map === 3) out.push(0x3a);
  }
  out.push(encoding.opcode + plus);

  if (encoding.exactModrm >= 0) out.push(encoding.exactModrm);
  else if (encoding.modrm) {
    if (form.memory && memory) out.push(...encodeMemory(reg, memory));
    else out.push(0xc0 | (reg << 3) | (rm < 0 ? 0 : rm));
  }
  let immediate = 0;
  for (let i = 0; i < encoding.operands.length; i++) {
    const { kind } = encoding.operands[i]!;
    if (kind !== 'I' && kind !== 'J') continue;
    let value = BigInt.asUintN(64, operands.immediates[immediate++] ?? 0n);
    for (let n = 0; n < form.widths[i]! / 8; n++) {
      out.push(Number(value & 0xffn));
      value >>= 8n;
    }
  }
  return out;
}

function encodeMemory(reg: number, memory: MemoryOperand): number[] {
  const { displacement } = memory;
  // SDM vol. 2, table 2-1: BX+SI BX+DI BP+SI BP+DI SI DI BP BX
  if (memory.address16) {
    const pair = memory.index === null ? 4 + (memory.base & 3) : memory.index & 3;
    return [0x80 | (reg << 3) | pair, displacement & 0xff, (displacement >> 8) & 0xff];
  }
  const short = displacement >= -128 && displacement <= 127;
  const mod = short ? 0x40 : 0x80;
  const bytes = short ? [displacement & 0xff] : [0, 8, 16, 24].map((shift) => (displacement >> shift) & 0xff);
  if (memory.index === null && (memory.base & 7) !== 4)
    return [mod | (reg << 3) | (memory.base & 7), ...bytes];
  const index = memory.index === null ? 4 : memory.index & 7;
  return [mod | (reg << 3) | 4, (memory.scale << 6) | (index << 3) | (memory.base & 7), ...bytes];
}
