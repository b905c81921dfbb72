import type { Instruction } from './definition.js';
import type { Encoding } from './encoding.js';
import { enumerateForms, formKey, type Form, type InstructionSet, type RepKind } from './forms.js';
import type { Bits } from './ops.js';

/** Register number of "none" and of the instruction pointer in `Decoded.base`. */
export const NO_REGISTER = -1;
export const BASE_RIP = 16;
/** 8-bit registers AH CH DH BH are numbered 16 to 19 in `Decoded.registers`. */
export const HIGH_BYTE = 16;

export interface DecoderMode {
  /** 64-bit code. */
  readonly long: boolean;
  /** Default operand and address size of the code segment is 32 (outside 64-bit code). */
  readonly default32: boolean;
}

/** One decoded instruction. The decoder fills the same object again and again. */
export class Decoded {
  form: Form | null = null;
  length = 0;
  /** Register number for each operand that is one (see HIGH_BYTE). */
  registers = [0, 0, 0, 0];
  base = NO_REGISTER;
  index = NO_REGISTER;
  /** Shift of the index, 0 to 3. */
  scale = 0;
  /** Displacement, signed; for a moffs operand the whole offset is in `immediate`. */
  displacement = 0;
  /** Segment of the memory operand, after prefixes: 0 ES 1 CS 2 SS 3 DS 4 FS 5 GS. */
  segment = 3;
  /** Address size in bits. */
  asize: 16 | 32 | 64 = 32;
  /** First immediate: low 32 bits (signed number) and high 32 bits, already extended as the operand says. For J: the displacement. */
  immediate = 0;
  immediateHigh = 0;
  /** Second immediate, unsigned. */
  immediate2 = 0;

  /** The first immediate in 64 bits, unsigned. */
  get immediate64(): bigint {
    return (BigInt(this.immediateHigh >>> 0) << 32n) | BigInt(this.immediate >>> 0);
  }
}

export const enum DecodeResult {
  Ok,
  /** No such instruction: #UD. `length` says how many bytes were looked at. */
  Undefined,
  /** More bytes than given are needed to decode. */
  NeedMore,
  /** Longer than 15 bytes: #GP(0). */
  TooLong,
}

interface OpcodeEntry {
  modrm: boolean;
  candidates: { encoding: Encoding; index: number }[];
}

const PREFIX_LOCK = 0xf0;
const MAX_LENGTH = 15;
const PREFIX_66 = 1;
const PREFIX_67 = 2;
const REX_W = 4;
const LOCK = 8;

export class Decoder {
  readonly set: InstructionSet;
  private readonly opcodes: OpcodeEntry[];
  private readonly lookups = new Map<number, Form | null>();
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;

  /** `available` says which CPUID features the CPU has ("" is always there). */
  constructor(
    instructions: readonly Instruction[],
    private readonly available: (cpuid: string) => boolean = () => true,
  ) {
    this.set = enumerateForms(instructions);
    this.opcodes = Array.from({ length: 8 * 256 }, () => ({ modrm: false, candidates: [] }));
    this.set.encodings.forEach((encoding, index) => {
      const opcodes = encoding.plusRegister ? 8 : 1;
      for (let i = 0; i < opcodes; i++) {
        const entry = this.opcodes[encoding.map * 256 + encoding.opcode + i]!;
        entry.candidates.push({ encoding, index });
        entry.modrm ||= encoding.modrm;
      }
    });
  }

  /** Decodes the instruction at `start` of `bytes`; at most up to `end`. */
  decode(bytes: Uint8Array, start: number, end: number, mode: DecoderMode, out: Decoded): DecodeResult {
    this.bytes = bytes;
    const limit = Math.min(end, start + MAX_LENGTH);
    this.end = limit;
    const short = end < start + MAX_LENGTH ? DecodeResult.NeedMore : DecodeResult.TooLong;
    const long = mode.long;
    let at = start;
    let flags = 0;
    let repeat: 0 | 0xf2 | 0xf3 = 0;
    let segment = -1;
    let rex = 0;
    let opcode = 0;
    out.form = null;

    // Prefixes (SDM vol. 2, 2.1.1). REX counts only right before the opcode (2.2.1).
    for (;;) {
      if (at >= limit) return short;
      opcode = bytes[at++]!;
      if (opcode === 0x66) flags |= PREFIX_66;
      else if (opcode === 0x67) flags |= PREFIX_67;
      else if (opcode === 0xf2 || opcode === 0xf3) repeat = opcode;
      else if (opcode === PREFIX_LOCK) flags |= LOCK;
      else if (opcode === 0x26 || opcode === 0x2e || opcode === 0x36 || opcode === 0x3e) {
        // In 64-bit code ES CS SS DS overrides are ignored (vol. 1, 3.3.7.1).
        if (!long) segment = (opcode >> 3) & 3;
      } else if (opcode === 0x64) segment = 4;
      else if (opcode === 0x65) segment = 5;
      else if (long && (opcode & 0xf0) === 0x40) {
        rex = opcode;
        continue;
      } else break;
      rex = 0;
    }

    let map = 0;
    let vvvv = 0;
    let rexR = rex & 4 ? 8 : 0;
    let rexX = rex & 2 ? 8 : 0;
    let rexB = rex & 1 ? 8 : 0;
    if (rex & 8) flags |= REX_W;
    if (opcode === 0x0f) {
      if (at >= limit) return short;
      opcode = bytes[at++]!;
      map = 1;
      if (opcode === 0x38 || opcode === 0x3a) {
        map = opcode === 0x38 ? 2 : 3;
        if (at >= limit) return short;
        opcode = bytes[at++]!;
      }
    } else if (opcode === 0xc4 || opcode === 0xc5) {
      if (at >= limit) return short;
      // Outside 64-bit code C4/C5 with ModRM.mod != 3 are LES/LDS (vol. 2, 2.3.6).
      if (long || bytes[at]! >= 0xc0) {
        if (rex || repeat || flags & (PREFIX_66 | LOCK)) {
          out.length = at - start;
          return DecodeResult.Undefined;
        }
        const first = bytes[at++]!;
        let payload = first;
        rexR = first & 0x80 ? 0 : 8;
        if (opcode === 0xc4) {
          if (at >= limit) return short;
          payload = bytes[at++]!;
          rexX = first & 0x40 ? 0 : 8;
          rexB = first & 0x20 ? 0 : 8;
          map = 4 + (first & 0x1f);
          if (payload & 0x80) flags |= REX_W;
        } else map = 5;
        if (!long) {
          rexR = rexX = rexB = 0;
          flags &= ~REX_W;
        }
        vvvv = (~payload >> 3) & (long ? 15 : 7);
        const pp = payload & 3;
        if (pp === 1) flags |= PREFIX_66;
        else if (pp === 2) repeat = 0xf3;
        else if (pp === 3) repeat = 0xf2;
        if (map < 5 || map > 7 || payload & 4) {
          out.length = at - start;
          return DecodeResult.Undefined;
        }
        if (at >= limit) return short;
        opcode = bytes[at++]!;
      }
    }

    const entry = this.opcodes[map * 256 + opcode]!;
    let modrm = -1;
    if (entry.modrm) {
      if (at >= limit) return short;
      modrm = bytes[at++]!;
    }
    const key =
      (map << 24) |
      (opcode << 16) |
      ((entry.modrm ? modrm : rexB ? 1 : 0) << 8) |
      ((long ? 1 : 0) << 7) |
      ((mode.default32 ? 1 : 0) << 6) |
      (flags << 2) |
      (repeat === 0 ? 0 : repeat === 0xf3 ? 1 : 2);
    let form = this.lookups.get(key);
    if (form === undefined) {
      form = this.find(entry, map, modrm, rexB !== 0, mode, flags, repeat);
      this.lookups.set(key, form);
    }
    if (form === null) {
      out.length = at - start;
      return DecodeResult.Undefined;
    }

    out.form = form;
    const asize = long
      ? flags & PREFIX_67
        ? 32
        : 64
      : mode.default32 === ((flags & PREFIX_67) === 0)
        ? 32
        : 16;
    out.asize = asize;
    out.base = NO_REGISTER;
    out.index = NO_REGISTER;
    out.scale = 0;
    out.displacement = 0;
    let defaultSegment = 3;

    if (form.memory && modrm >= 0) {
      const mod = modrm >> 6;
      const rm = modrm & 7;
      let dispBytes = mod === 1 ? 1 : mod === 2 ? (asize === 16 ? 2 : 4) : 0;
      if (asize === 16) {
        // Table 2-1
        if (rm < 4) {
          out.base = rm & 2 ? 5 : 3;
          out.index = rm & 1 ? 7 : 6;
          if (rm & 2) defaultSegment = 2;
        } else if (rm === 4) out.base = 6;
        else if (rm === 5) out.base = 7;
        else if (rm === 6) {
          if (mod === 0) dispBytes = 2;
          else {
            out.base = 5;
            defaultSegment = 2;
          }
        } else out.base = 3;
      } else if (rm === 4) {
        if (at >= limit) return short;
        const sib = bytes[at++]!;
        const index = ((sib >> 3) & 7) | rexX;
        if (index !== 4) {
          out.index = index;
          out.scale = sib >> 6;
        }
        const base = sib & 7;
        if (base === 5 && mod === 0) dispBytes = 4;
        else {
          out.base = base | rexB;
          if (base === 4 && !rexB) defaultSegment = 2;
          else if (base === 5 && !rexB) defaultSegment = 2;
        }
      } else if (rm === 5 && mod === 0) {
        dispBytes = 4;
        if (long) out.base = BASE_RIP;
      } else {
        out.base = rm | rexB;
        if (rm === 5 && !rexB) defaultSegment = 2;
      }
      if (dispBytes) {
        if (at + dispBytes > limit) return short;
        if (dispBytes === 1) out.displacement = (bytes[at]! << 24) >> 24;
        else if (dispBytes === 2) out.displacement = ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;
        else
          out.displacement =
            bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
        at += dispBytes;
      }
    }
    out.segment = segment >= 0 ? segment : defaultSegment;

    // Operands
    this.at = at;
    let immediates = 0;
    const operands = form.encoding.operands;
    const widths = form.widths;
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i]!;
      const width = widths[i]!;
      let register = 0;
      switch (operand.kind) {
        case 'G':
        case 'V':
          register = ((modrm >> 3) & 7) | rexR;
          break;
        case 'C':
        case 'D':
          register = ((modrm >> 3) & 7) | rexR;
          break;
        case 'P':
        case 'S':
          register = (modrm >> 3) & 7;
          break;
        case 'E':
        case 'R':
        case 'W':
        case 'U':
          register = (modrm & 7) | rexB;
          break;
        case 'Q':
        case 'N':
        case 'T':
          register = modrm & 7;
          break;
        case 'Z':
          register = (opcode & 7) | rexB;
          break;
        case 'B':
          register = vvvv;
          break;
        case 'fixed':
          out.registers[i] = operand.value;
          continue;
        case 'I':
        case 'J':
        case 'A':
        case 'O':
          if (!this.immediate(operand.kind, operand.signed, width, out, immediates++)) return short;
          continue;
        default:
          continue;
      }
      if (width === 8 && rex === 0 && register >= 4 && map < 4) register += HIGH_BYTE - 4;
      out.registers[i] = register;
    }
    out.length = this.at - start;
    return DecodeResult.Ok;
  }

  private immediate(kind: string, signed: boolean, width: number, out: Decoded, place: number): boolean {
    const { bytes } = this;
    let at = this.at;
    let size = width >> 3;
    if (kind === 'O') size = out.asize >> 3;
    if (kind === 'A') {
      // offset of the operand size, then the selector
      if (at + size + 2 > this.end) return false;
      out.immediate = size === 2 ? bytes[at]! | (bytes[at + 1]! << 8) : read32(bytes, at);
      out.immediate2 = bytes[at + size]! | (bytes[at + size + 1]! << 8);
      this.at = at + size + 2;
      return true;
    }
    if (at + size > this.end) return false;
    const extend = signed || kind === 'J';
    let low = 0;
    let high = 0;
    if (size === 1) low = extend ? (bytes[at]! << 24) >> 24 : bytes[at]!;
    else if (size === 2) {
      low = bytes[at]! | (bytes[at + 1]! << 8);
      if (extend) low = (low << 16) >> 16;
    } else low = read32(bytes, at);
    if (size === 8) high = read32(bytes, at + 4);
    else if (extend && low < 0) high = -1;
    at += size;
    this.at = at;
    if (place === 0) {
      out.immediate = low;
      out.immediateHigh = high;
    } else out.immediate2 = low;
    return true;
  }

  /** Chooses the form by all rules; what `decode` finds again in its map. */
  private find(
    entry: OpcodeEntry,
    map: number,
    modrm: number,
    rexB: boolean,
    mode: DecoderMode,
    flags: number,
    repeat: 0 | 0xf2 | 0xf3,
  ): Form | null {
    const long = mode.long;
    const register = modrm >= 0xc0;
    let best: { encoding: Encoding; index: number } | null = null;
    let bestScore = -1;
    for (const candidate of entry.candidates) {
      const { encoding } = candidate;
      const { attributes } = encoding;
      if (long ? attributes.has('no64') : attributes.has('only64')) continue;
      if (!this.available(encoding.cpuid)) continue;
      if (encoding.exactModrm >= 0 && encoding.exactModrm !== modrm) continue;
      if (encoding.extension >= 0 && encoding.extension !== ((modrm >> 3) & 7)) continue;
      const rexW = long && (flags & REX_W) !== 0;
      if (attributes.has('w0') && rexW) continue;
      if (attributes.has('w1') && !rexW) continue;
      if (encoding.modrm && encoding.exactModrm < 0) {
        const kinds = encoding.operands.map((o) => o.kind);
        if (register ? kinds.includes('M') : kinds.some((k) => 'RUNT'.includes(k))) continue;
      }
      const { prefix } = encoding;
      let score = 0;
      if (prefix === 'NP') {
        if (repeat || flags & PREFIX_66) continue;
        score = 1;
      } else if (prefix === '66') {
        if (!(flags & PREFIX_66) || repeat) continue;
        score = 2;
      } else if (prefix === 'F2' || prefix === 'F3') {
        if (repeat !== (prefix === 'F2' ? 0xf2 : 0xf3)) continue;
        score = 3;
      }
      if (encoding.exactModrm >= 0) score += 8;
      // NOP (90) is not XCHG r8,rAX: a plain opcode wins over +r only without REX.B.
      if (!encoding.plusRegister && rexB && entry.candidates.some((c) => c.encoding.plusRegister)) continue;
      if (!encoding.plusRegister) score += 4;
      if (score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    if (!best) return null;
    const { encoding } = best;
    const { attributes } = encoding;

    const rexW = long && (flags & REX_W) !== 0;
    const prefix66 = (flags & PREFIX_66) !== 0 && encoding.prefix !== '66' && map < 4;
    let bits: Bits;
    if (!encoding.sized) bits = this.soleBits(best.index);
    else if (attributes.has('w1')) bits = 64;
    else if (rexW && !attributes.has('w0')) bits = 64;
    else if (long && attributes.has('f64')) bits = 64;
    else if (long && attributes.has('d64')) bits = prefix66 ? 16 : 64;
    else if (long) bits = prefix66 ? 16 : 32;
    else bits = mode.default32 !== prefix66 ? 32 : 16;

    const memory =
      encoding.modrm &&
      encoding.exactModrm < 0 &&
      !register &&
      encoding.operands.some((o) => 'EMWQ'.includes(o.kind));
    // A group member without ModRM operand (e.g. /7 with none) is a register or memory form alike.
    const lock = (flags & LOCK) !== 0;
    if (lock && !(memory && (attributes.has('lock') || attributes.has('locked')))) return null;
    const locked = memory && (attributes.has('locked') || lock);
    const rep: RepKind = attributes.has('rep')
      ? repeat === 0xf3
        ? 'rep'
        : repeat === 0xf2
          ? 'repne'
          : 'none'
      : 'none';
    const wide = long ? !(flags & PREFIX_67) : mode.default32 === ((flags & PREFIX_67) === 0);
    const asize = attributes.has('asize') ? (long ? (wide ? 64 : 32) : wide ? 32 : 16) : 0;
    const formLong = attributes.has('mode') && long;
    const find = (size: Bits): Form | undefined =>
      this.set.formByKey.get(formKey(best.index, size, memory, locked, rep, asize, formLong));
    // y operands have no 16-bit form: the operand-size prefix leaves them at 32.
    return find(bits) ?? (bits === 16 ? find(32) : undefined) ?? null;
  }

  private soleBits(encodingIndex: number): Bits {
    const encoding = this.set.encodings[encodingIndex]!;
    let bits = this.sole.get(encodingIndex);
    if (bits === undefined) {
      bits = this.set.forms.find((f) => f.encoding === encoding)!.bits;
      this.sole.set(encodingIndex, bits);
    }
    return bits;
  }
  private readonly sole = new Map<number, Bits>();
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
