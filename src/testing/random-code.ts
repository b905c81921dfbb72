import type { Form } from '../isa/forms.js';
import { encodeForm, type FormOperands } from './encode-form.js';
import type { Random } from './random.js';

export interface CodeMode {
  readonly long: boolean;
  readonly default32: boolean;
}

/** Where random code looks for its data: physical and linear both. */
export const DATA_START = 0x60000;
export const DATA_BYTES = 0x8000;
export const CODE_START = 0x20000;
export const CODE_BYTES = 0x3000;
export const GDT_ENTRIES = 32;

/** Plain arithmetic and moves, which keep a machine going. */
const CALM =
  /^(ADD|SUB|AND|OR|XOR|CMP|TEST|MOV|MOVZX|MOVSXD?|LEA|INC|DEC|NEG|NOT|SHL|SHR|SAR|ADC|SBB|IMUL|SET.*|CMOV.*|PUSH|POP)$/;
/** What ends most cases at once. */
const RUINOUS = /^(HLT|LGDT|LIDT|LMSW|RSM)$/;
const MOVES = /^(MOV|MOVUPS|MOVDQU|MOVQ|MOVZX|ADD|XOR)$/;
const BRANCH = /^(J(?!MPF).*|LOOP.*|CALL)$/;
const SYSTEM =
  /^(CLI|STI|CLTS|SWAPGS|IRET.?|RETF|CALLF|JMPF|INT.*|SYS.*|POPF.?|PUSHF.?|L[DEFGS]S|STR|SLDT|SMSW|LTR|LLDT|LAR|LSL|VERR|VERW|ARPL|INVLPG|INVPCID|RDMSR|WRMSR|CPUID|RDTSCP?|X?SAVE.*|XRSTOR.*|FX.*|XGETBV|XSETBV|BOUND|ENTER|LEAVE|IN|OUT|INS.|OUTS.|CLAC|STAC|(RD|WR)[FG]SBASE|(POP|PUSH) .S)$/;

/** The forms of random code, by kind. */
export class CodeSource {
  private readonly calm: Form[];
  private readonly moves: Form[];
  private readonly branches: Form[];
  private readonly system: Form[];
  private readonly all: Form[];

  /**
   * So many of 100 pointers lead to the code itself, which then changes while it runs. `only`: nothing but instructions of these names
   * among plain arithmetic, moves and branches.
   */
  constructor(
    forms: readonly Form[],
    private readonly intoCode: number,
    only: RegExp | null = null,
  ) {
    const named = (pattern: RegExp): Form[] =>
      forms.filter((form) => pattern.test(form.encoding.instruction.name));
    this.calm = named(CALM);
    this.moves = named(MOVES).filter((form) => form.memory);
    this.branches = named(BRANCH).filter((form) => form.encoding.operands.some((o) => o.kind === 'J'));
    const special = (form: Form): boolean => form.encoding.operands.some((o) => 'SCD'.includes(o.kind));
    this.system = forms.filter((form) => special(form) || SYSTEM.test(form.encoding.instruction.name));
    this.all = forms.filter((form) => !RUINOUS.test(form.encoding.instruction.name));
    if (only) this.all = this.system = named(only);
    if (this.all.length === 0) throw new Error(`no instruction matches ${only}`);
  }

  /** `bytes` of code for the mode: pointers into the data, instructions of all kinds, short branches. */
  stream(random: Random, mode: CodeMode, bytes: number): Uint8Array {
    const code = new Uint8Array(bytes).fill(0x90);
    let at = 0;
    const put = (next: readonly number[]): void => {
      code.set(next, at);
      at += next.length;
    };
    while (at < bytes - 16) {
      put(this.one(random, mode, at, bytes));
      if (at < bytes - 100 && random.chance(4)) this.atPageEnd(random, mode).forEach(put);
    }
    // Back to the start, so that code gets hot.
    const back = 5 - bytes;
    code.set(
      mode.long || mode.default32
        ? [0xe9, back, back >> 8, back >> 16, back >> 24]
        : [0xe9, back + 2, (back + 2) >> 8],
      bytes - 5,
    );
    return code;
  }

  /** Several accesses around the end of a page by one base, overlapping each other. */
  private atPageEnd(random: Random, mode: CodeMode): number[][] {
    const end = DATA_START + 4096 * (1 + random.below(DATA_BYTES / 4096 - 1));
    const access = (): number[] => {
      const displacement = random.below(48) - 24;
      const place = { base: BASE, index: null, scale: 0, displacement, address32: false, address16: false };
      for (;;) {
        const made = encodeRandom(random.pick(this.moves), random, mode, 0, 0, place);
        if (made !== null) return made;
      }
    };
    return [load(BASE, end, mode), NEXT_BLOCK, access(), access(), access(), access()];
  }

  private one(random: Random, mode: CodeMode, at: number, bytes: number): number[] {
    if (random.chance(20)) return pointer(random, mode, random.chance(this.intoCode));
    if (random.chance(1)) return Array.from({ length: 1 + random.below(4) }, () => random.below(256));
    for (;;) {
      const kind = random.below(100);
      const form = random.pick(
        kind < 45 ? this.calm : kind < 60 ? this.branches : kind < 68 ? this.system : this.all,
      );
      const made = encodeRandom(form, random, mode, at, bytes);
      if (made !== null) return made;
    }
  }
}

/** Puts a pointer to data or code into a register: MOV r32, imm32. */
function pointer(random: Random, mode: CodeMode, toCode: boolean): number[] {
  const register = random.below(8);
  const target =
    register === 4
      ? DATA_START + 0x1000 + 8 * random.below(0x200)
      : toCode
        ? CODE_START + random.below(CODE_BYTES)
        : DATA_START + random.below(DATA_BYTES);
  const whole = mode.long || mode.default32 || random.chance(50);
  return load(register, whole ? target : target & 0xffff, mode);
}

/** MOV r32, imm32 */
function load(register: number, value: number, mode: CodeMode): number[] {
  const operand = mode.long || mode.default32 ? [] : [0x66];
  return [...operand, 0xb8 + register, value, value >> 8, value >> 16, value >> 24].map((b) => b & 0xff);
}

/** JMP to what follows: the translator, which sees blocks, no longer knows what is in the registers. */
const NEXT_BLOCK = [0xeb, 0x00];

/** EBX: a base in addresses of all widths. */
const BASE = 3;

function anyPlace(random: Random, mode: CodeMode, registers: number): NonNullable<FormOperands['memory']> {
  return {
    base: random.below(registers),
    index: random.chance(25) ? random.pick([0, 1, 2, 3, 5, 6, 7]) : null,
    scale: random.below(4),
    displacement: random.chance(80) ? random.below(256) - 128 : random.below(0x4000),
    address32: random.chance(10),
    address16: !mode.long && random.chance(mode.default32 ? 5 : 70),
  };
}

function encodeRandom(
  form: Form,
  random: Random,
  mode: CodeMode,
  at: number,
  bytes: number,
  place?: NonNullable<FormOperands['memory']>,
): number[] | null {
  const { encoding } = form;
  const { attributes } = encoding;
  if (attributes.has('no64') && mode.long) return null;
  if (attributes.has('only64') && !mode.long) return null;
  const count = mode.long ? 16 : 8;
  const registers = encoding.operands.map((operand, i) => {
    if (form.widths[i] === 8 && 'GERZ'.includes(operand.kind) && random.chance(25))
      return 16 + random.below(4);
    return random.below('PQNTS'.includes(operand.kind) ? 8 : count);
  });
  const operands: FormOperands = {
    registers,
    memory: form.memory ? (place ?? anyPlace(random, mode, count)) : null,
    immediates: encoding.operands.flatMap(({ kind }, i) => {
      if (kind === 'J')
        return [BigInt(random.below(form.widths[i] === 8 ? 100 : bytes) - (form.widths[i] === 8 ? 50 : at))];
      return kind === 'I' ? [random.chance(50) ? random.value() : BigInt(random.below(64))] : [];
    }),
  };
  if (random.chance(5)) operands.segmentPrefix = random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);
  const made = encodeForm(form, operands, mode.long, mode.default32);
  if (made === null || made.length > 15) return null;
  return [...made, ...rest(form, random, mode)].map((b) => b & 0xff);
}

const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => (i < 4 ? value >> (8 * i) : 0));

/** What encodeForm leaves out: an address (MOV AL, moffs) or a far pointer. */
function rest(form: Form, random: Random, mode: CodeMode): number[] {
  const kinds = form.encoding.operands.map((o) => o.kind);
  if (kinds.includes('O'))
    return little(DATA_START + random.below(DATA_BYTES), mode.long ? 8 : mode.default32 ? 4 : 2);
  if (!kinds.includes('A')) return [];
  return [...little(CODE_START + random.below(CODE_BYTES), form.bits / 8), ...little(selector(random), 2)];
}

/** A selector, mostly of a descriptor that is there. */
export const selector = (random: Random): number =>
  random.chance(5)
    ? random.below(0x10000)
    : random.below(GDT_ENTRIES) * 8 + (random.chance(70) ? 0 : random.below(8));
