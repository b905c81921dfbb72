import type { Instruction } from './definition.js';
import { operandWidth, parseEncoding, type Encoding } from './encoding.js';
import type { Bits } from './ops.js';

export type RepKind = 'none' | 'rep' | 'repne';

/** One way of executing an encoding: all that is static when its effect is bound. */
export interface Form {
  /** Place in the list of forms. */
  readonly id: number;
  readonly encoding: Encoding;
  readonly bits: Bits;
  /** The operand that may be a register or memory is memory. */
  readonly memory: boolean;
  readonly locked: boolean;
  readonly rep: RepKind;
  /** 0 unless the encoding has attribute `asize`. */
  readonly asize: 0 | 16 | 32 | 64;
  readonly long: boolean;
  readonly widths: readonly (Bits | 128 | 80 | 0)[];
}

const MEMORY_KINDS = 'EMWQ';
/** Kinds that are a register when ModRM.mod = 3. */
const REGISTER_KINDS = 'ERWUQNT';

export function formKey(
  encoding: number,
  bits: Bits,
  memory: boolean,
  locked: boolean,
  rep: RepKind,
  asize: number,
  long: boolean,
): string {
  return `${encoding}/${bits}/${memory ? 'm' : 'r'}${locked ? 'l' : ''}/${rep}/${asize}/${long ? 'L' : ''}`;
}

function sizesOf(encoding: Encoding): Bits[] {
  if (encoding.attributes.has('byte')) return [8];
  if (!encoding.sized) {
    const width = encoding.operands.map((o) => o.width).find((w) => typeof w === 'number' && w <= 64);
    return [(width as Bits | undefined) ?? 32];
  }
  const rules = encoding.operands.map((o) => o.width);
  const { attributes } = encoding;
  const onlyY = rules.includes('y') && !rules.includes('v') && !rules.includes('z') && !rules.includes('p');
  let sizes: Bits[] = onlyY ? [32, 64] : [16, 32, 64];
  if (attributes.has('no64')) sizes = sizes.filter((s) => s !== 64);
  if (attributes.has('w0')) sizes = sizes.filter((s) => s !== 64);
  if (attributes.has('w1')) sizes = [64];
  return sizes;
}

export interface InstructionSet {
  readonly encodings: readonly Encoding[];
  readonly forms: readonly Form[];
  readonly formByKey: ReadonlyMap<string, Form>;
}

/** Lists every form of every instruction, in a stable order. */
export function enumerateForms(instructions: readonly Instruction[]): InstructionSet {
  const encodings: Encoding[] = [];
  const forms: Form[] = [];
  const formByKey = new Map<string, Form>();
  for (const instruction of instructions)
    for (const text of instruction.encodings) encodings.push(parseEncoding(instruction, text));

  encodings.forEach((encoding, index) => {
    const { attributes, operands } = encoding;
    const kinds = operands.map((o) => o.kind);
    const hasMemory = kinds.some((k) => MEMORY_KINDS.includes(k));
    const onlyMemory = kinds.includes('M');
    const hasRegister = !hasMemory || kinds.some((k) => k !== 'M' && REGISTER_KINDS.includes(k));
    const repKinds: RepKind[] = attributes.has('rep') ? ['none', 'rep', 'repne'] : ['none'];
    const asizes: (0 | 16 | 32 | 64)[] = attributes.has('asize') ? [16, 32, 64] : [0];
    const longs = attributes.has('mode') ? [false, true] : [false];
    for (const bits of sizesOf(encoding))
      for (const memory of [false, true]) {
        if (memory && !hasMemory) continue;
        if (!memory && (onlyMemory || !hasRegister)) continue;
        const locks =
          memory && attributes.has('locked')
            ? [true]
            : memory && attributes.has('lock')
              ? [false, true]
              : [false];
        for (const locked of locks)
          for (const rep of repKinds)
            for (const asize of asizes)
              for (const long of longs) {
                const form: Form = {
                  id: forms.length,
                  encoding,
                  bits,
                  memory,
                  locked,
                  rep,
                  asize,
                  long,
                  widths: operands.map((o) => operandWidth(o, bits)),
                };
                forms.push(form);
                formByKey.set(formKey(index, bits, memory, locked, rep, asize, long), form);
              }
      }
  });
  return { encodings, forms, formByKey };
}
