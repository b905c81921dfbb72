import {
  BASE_RIP,
  Decoded,
  DecodeResult,
  HIGH_BYTE,
  NO_REGISTER,
  type Decoder,
  type DecoderMode,
} from './decoder.js';
import type { Form } from './forms.js';

const NAMES_64 = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const NAMES_8 = 'al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b ah ch dh bh'.split(' ');
const SEGMENTS = 'es cs ss ds fs gs ? ?'.split(' ');
const SIZES: Record<number, string> = {
  8: 'byte ',
  16: 'word ',
  32: 'dword ',
  64: 'qword ',
  80: 'tbyte ',
  128: 'xmmword ',
};

export function registerName(number: number, bits: number): string {
  if (bits === 8) return NAMES_8[number]!;
  const name = NAMES_64[number & 15]!;
  if (number >= HIGH_BYTE) return name;
  if (bits === 64) return name;
  if (number >= 8) return name + (bits === 32 ? 'd' : 'w');
  return bits === 32 ? 'e' + name.slice(1) : name.slice(1);
}

const hex = (value: number | bigint): string => {
  const negative = value < 0;
  return `${negative ? '-' : ''}0x${(negative ? -value : value).toString(16)}`;
};

function memoryText(d: Decoded, form: Form, width: number): string {
  const parts: string[] = [];
  if (d.base === BASE_RIP) parts.push(d.asize === 64 ? 'rip' : 'eip');
  else if (d.base !== NO_REGISTER) parts.push(registerName(d.base, d.asize));
  if (d.index !== NO_REGISTER)
    parts.push(registerName(d.index, d.asize) + (d.scale ? `*${1 << d.scale}` : ''));
  let text = parts.join('+');
  if (d.displacement !== 0 || text === '')
    text += (text && d.displacement >= 0 ? '+' : '') + hex(d.displacement);
  const usual = d.base === 4 || d.base === 5 ? 2 : 3;
  const segment =
    d.segment === usual || form.encoding.instruction.name === 'LEA' ? '' : `${SEGMENTS[d.segment]}:`;
  return `${SIZES[width] ?? ''}[${segment}${text}]`;
}

/** Text of a decoded instruction in Intel's order of operands. `address`: of its first byte, for jump targets. */
export function formatInstruction(d: Decoded, address: bigint): string {
  const form = d.form!;
  const { operands, instruction } = form.encoding;
  let immediates = 0;
  const texts = operands.map((operand, i) => {
    const width = form.widths[i]!;
    const register = d.registers[i]!;
    switch (operand.kind) {
      case 'E':
      case 'M':
      case 'W':
      case 'Q':
        if (form.memory) return memoryText(d, form, width);
        return operand.kind === 'E'
          ? registerName(register, width)
          : operand.kind === 'W'
            ? `xmm${register}`
            : `mm${register}`;
      case 'G':
      case 'R':
      case 'Z':
      case 'B':
        return registerName(register, width || 32);
      case 'V':
      case 'U':
        return `xmm${register}`;
      case 'P':
      case 'N':
        return `mm${register}`;
      case 'S':
        return SEGMENTS[register]!;
      case 'C':
        return `cr${register}`;
      case 'D':
        return `dr${register}`;
      case 'T':
        return `st(${register})`;
      case 'I': {
        immediates++;
        if (immediates > 1) return hex(d.immediate2);
        return hex(BigInt.asUintN(width || 64, d.immediate64));
      }
      case 'J':
        return hex(BigInt.asUintN(form.bits, address + BigInt(d.length) + BigInt(d.immediate)));
      case 'A':
        return `${hex(d.immediate2)}:${hex(d.immediate >>> 0)}`;
      case 'O':
        return `[${SEGMENTS[d.segment]}:${hex(d.immediate64)}]`;
      case 'fixed':
        return registerName(operand.value, width || form.bits);
      case 'const':
        return String(operand.value);
      default:
        return '';
    }
  });
  const prefix =
    (form.rep === 'none' ? '' : form.rep === 'rep' ? 'rep ' : 'repne ') +
    (form.locked && !form.encoding.attributes.has('locked') ? 'lock ' : '');
  return `${prefix}${instruction.name.toLowerCase()} ${texts.filter(Boolean).join(', ')}`.trim();
}

/** Disassembles up to `count` instructions of `bytes`, which start at `address`. */
export function disassemble(
  decoder: Decoder,
  bytes: Uint8Array,
  address: bigint,
  mode: DecoderMode,
  count: number,
): string[] {
  const lines: string[] = [];
  const decoded = new Decoded();
  let at = 0;
  while (at < bytes.length && lines.length < count) {
    const result = decoder.decode(bytes, at, bytes.length, mode, decoded);
    if (result === DecodeResult.NeedMore) break;
    const length = result === DecodeResult.Ok ? decoded.length : 1;
    const code = [...bytes.subarray(at, at + length)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
    const text =
      result === DecodeResult.Ok ? formatInstruction(decoded, address + BigInt(at)) : '(not an instruction)';
    lines.push(`${(address + BigInt(at)).toString(16).padStart(16, '0')}  ${code.padEnd(30)}  ${text}`);
    if (result !== DecodeResult.Ok) break;
    at += length;
  }
  return lines;
}
