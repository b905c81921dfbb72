import type { Instruction } from './definition.js';
import type { Bits } from './ops.js';

/** Width of an operand as written: bits, or a rule of the operand size (SDM vol. 2, appendix A.2.2). */
export type WidthRule = 8 | 16 | 32 | 64 | 80 | 128 | 'v' | 'z' | 'y' | 'p' | 's' | 'n';

export interface OperandSpec {
  /** Addressing letter (E G M R Z S C D I J A O V W U P Q N T X Y B), 'fixed' for a named register, 'const' for a number. */
  readonly kind: string;
  readonly width: WidthRule;
  /** Immediate is sign-extended to 64 bits. */
  readonly signed: boolean;
  /** Register number of a fixed register, or the constant. */
  readonly value: number;
  readonly text: string;
}

export type MandatoryPrefix = 'any' | 'NP' | '66' | 'F2' | 'F3';
/** 0 one-byte, 1 0F, 2 0F38, 3 0F3A; +4 for VEX maps (5, 6, 7). */
export type OpcodeMap = 0 | 1 | 2 | 3 | 5 | 6 | 7;

export interface Encoding {
  readonly instruction: Instruction;
  readonly text: string;
  readonly map: OpcodeMap;
  readonly opcode: number;
  readonly prefix: MandatoryPrefix;
  readonly modrm: boolean;
  /** /0../7, or -1. */
  readonly extension: number;
  /** Exact ModRM byte, or -1. */
  readonly exactModrm: number;
  /** Register in the low three opcode bits. */
  readonly plusRegister: boolean;
  readonly operands: readonly OperandSpec[];
  readonly attributes: ReadonlySet<string>;
  readonly undefinedFlags: readonly string[];
  readonly cpuid: string;
  /** Whether the operand size makes forms of its own. */
  readonly sized: boolean;
}

const WIDTHS: Record<string, WidthRule> = {
  b: 8, w: 16, d: 32, q: 64, t: 80, x: 128, v: 'v', z: 'z', y: 'y', p: 'p', s: 's', n: 'n',
}; // prettier-ignore
const FIXED: Record<string, [number, WidthRule]> = {
  AL: [0, 8], CL: [1, 8], AX: [0, 16], DX: [2, 16], eAX: [0, 'z'], rAX: [0, 'v'], rCX: [1, 'v'], rDX: [2, 'v'], EAX: [0, 32],
}; // prettier-ignore
const VECTOR_KINDS = 'VWUPQNT';

function parseOperand(text: string, context: string): OperandSpec {
  const fixed = FIXED[text];
  if (fixed) return { kind: 'fixed', width: fixed[1], signed: false, value: fixed[0], text };
  if (/^\d+$/.test(text)) return { kind: 'const', width: 8, signed: false, value: Number(text), text };
  const match = /^([EGMRZSCDIJAOVWUPQNTXYB])(s?)([bwdqtxvzypsn])$/.exec(text);
  if (!match) throw new Error(`${context}: unknown operand "${text}"`);
  return { kind: match[1]!, width: WIDTHS[match[3]!]!, signed: match[2] === 's', value: 0, text };
}

const isHexByte = (token: string): boolean => /^[0-9A-F]{2}$/.test(token);

/** Reads one encoding string; the grammar is in definition.ts. */
export function parseEncoding(instruction: Instruction, text: string): Encoding {
  const context = `${instruction.name} "${text}"`;
  const [head = '', tail = ''] = text.split(';');
  const attributes = new Set<string>();
  let undefinedFlags: string[] = [];
  let cpuid = '';
  for (const attribute of tail.split(/\s+/).filter(Boolean)) {
    if (attribute.startsWith('undefined=')) undefinedFlags = attribute.slice(10).split(',');
    else if (attribute.startsWith('cpuid=')) cpuid = attribute.slice(6);
    else attributes.add(attribute);
  }

  const tokens = head.trim().split(/\s+/);
  let prefix: MandatoryPrefix = 'any';
  let vex = false;
  const bytes: number[] = [];
  let map: OpcodeMap = 0;
  const first = tokens[0]!;
  if (first.startsWith('VEX')) {
    vex = true;
    tokens.shift();
    for (const part of first.split('.').slice(1)) {
      if (part === '0F') map = 5;
      else if (part === '0F38') map = 6;
      else if (part === '0F3A') map = 7;
      else if (part === 'W0' || part === 'W1') attributes.add(part.toLowerCase());
      else if (part === 'NP' || part === '66' || part === 'F2' || part === 'F3') prefix = part;
      else if (part !== 'L0' && part !== 'LZ') throw new Error(`${context}: unknown VEX part "${part}"`);
    }
  } else if (
    first === 'NP' ||
    ((first === '66' || first === 'F2' || first === 'F3') && isHexByte((tokens[1] ?? '').replace('+r', '')))
  ) {
    prefix = first as MandatoryPrefix;
    tokens.shift();
  }

  let extension = -1;
  let slashR = false;
  let plusRegister = false;
  while (tokens.length > 0) {
    const token = tokens[0]!;
    if (isHexByte(token)) bytes.push(parseInt(token, 16));
    else if (/^[0-9A-F]{2}\+r$/.test(token)) {
      bytes.push(parseInt(token, 16));
      plusRegister = true;
    } else if (token === '+r') plusRegister = true;
    else if (token === '/r') slashR = true;
    else if (/^\/[0-7]$/.test(token)) extension = Number(token[1]);
    else break;
    tokens.shift();
  }
  if (!vex) {
    if (bytes[0] === 0x0f && bytes.length > 1) {
      bytes.shift();
      map = 1;
      const escape = bytes[0] as number;
      if (bytes.length > 1 && (escape === 0x38 || escape === 0x3a)) {
        map = escape === 0x38 ? 2 : 3;
        bytes.shift();
      }
    }
  }
  if (bytes.length < 1 || bytes.length > 2)
    throw new Error(`${context}: needs one opcode byte and at most an exact ModRM byte`);
  const exactModrm = bytes.length === 2 ? bytes[1]! : -1;
  const operands = tokens
    .join('')
    .split(',')
    .filter(Boolean)
    .map((operand) => parseOperand(operand, context));

  const isX87 = map === 0 && bytes[0]! >= 0xd8 && bytes[0]! <= 0xdf;
  const dependsOnSize = operands.some((o) => typeof o.width === 'string' && o.width !== 'n');
  const fixedWidths = operands.length > 0 && !dependsOnSize && operands.some((o) => o.kind !== 'const');
  const vector = operands.some((o) => VECTOR_KINDS.includes(o.kind)) && !dependsOnSize;
  const sized =
    attributes.has('sized') ||
    (!attributes.has('nosize') && !vector && !fixedWidths && (dependsOnSize || !isX87));

  return {
    instruction,
    text,
    map,
    opcode: bytes[0]!,
    prefix,
    modrm: slashR || extension >= 0 || exactModrm >= 0,
    extension,
    exactModrm,
    plusRegister,
    operands,
    attributes,
    undefinedFlags,
    cpuid,
    sized,
  };
}

/** Width in bits of an operand in a form of operand size `bits`; 0 for operands without one. */
export function operandWidth(spec: OperandSpec, bits: Bits): Bits | 128 | 80 | 0 {
  switch (spec.width) {
    case 'v':
      return bits;
    case 'z':
      return bits === 16 ? 16 : 32;
    case 'y':
      return bits === 64 ? 64 : 32;
    case 'p':
      return bits;
    case 's':
    case 'n':
      return 0;
    default:
      return spec.width;
  }
}
