import { instruction, type Instruction } from '../definition.js';

/** Formats of memory operands (helpers/x87.ts). */
const FORMATS = [
  { opcode: 'D8', operand: 'Md', format: 0 },
  { opcode: 'DC', operand: 'Mq', format: 1 },
  { opcode: 'DA', operand: 'Md', format: 2 },
  { opcode: 'DE', operand: 'Mw', format: 3 },
] as const;

/** In DC and DE the destination is ST(i), and SUB and SUBR, DIV and DIVR change places (SDM vol. 2, FSUB). */
const toRegister = (n: number): number => (n < 4 ? n : n ^ 1);

function arithmetic(name: string, n: number): Instruction[] {
  const integer = `FI${name.slice(1)}`;
  return [
    ...FORMATS.map(({ opcode, operand, format }) =>
      instruction(format < 2 ? name : integer, `${opcode} /${n} ${operand} ;x87 rare`, (o) => {
        o.call('x87ArithmeticMemory', n, format, o.read(0));
      }),
    ),
    instruction(name, `D8 /${n} Tn ;x87`, (o) => void o.call('x87Arithmetic', n, 0, o.read(0), 0)),
    instruction(
      name,
      `DC /${toRegister(n)} Tn ;x87`,
      (o) => void o.call('x87Arithmetic', n, o.read(0), 0, 0),
    ),
    instruction(
      `${name}P`,
      `DE /${toRegister(n)} Tn ;x87`,
      (o) => void o.call('x87Arithmetic', n, o.read(0), 0, 1),
    ),
  ];
}

function compare(name: string, extension: number, pops: number): Instruction[] {
  return [
    ...FORMATS.map(({ opcode, operand, format }) =>
      instruction(
        format < 2 ? name : `FI${name.slice(1)}`,
        `${opcode} /${extension} ${operand} ;x87 rare`,
        (o) => {
          o.call('x87CompareMemory', format, o.read(0), pops);
        },
      ),
    ),
    // DC D0 and DC D8 are aliases that processors have and manuals leave out
    instruction(name, [`D8 /${extension} Tn ;x87`, `DC /${extension} Tn ;x87`], (o) => {
      o.call('x87Compare', o.read(0), 0, pops);
    }),
  ];
}

function compareFlags(name: string, encoding: string, quiet: number, pops: number): Instruction {
  return instruction(name, `${encoding} Tn ;x87`, (o) => {
    const flags = o.call('x87CompareFlags', o.read(0), quiet, pops);
    const no = o.bool(false);
    o.setFlags({ cf: o.bit(flags, 0), pf: o.bit(flags, 2), zf: o.bit(flags, 6), of: no, sf: no, af: no });
  });
}

export const x87Arithmetic: Instruction[] = [
  ...arithmetic('FADD', 0),
  ...arithmetic('FMUL', 1),
  ...arithmetic('FSUB', 4),
  ...arithmetic('FSUBR', 5),
  ...arithmetic('FDIV', 6),
  ...arithmetic('FDIVR', 7),
  ...compare('FCOM', 2, 0),
  ...compare('FCOMP', 3, 1),
  instruction('FCOMP', 'DE /2 Tn ;x87', (o) => void o.call('x87Compare', o.read(0), 0, 1)),
  instruction('FCOMPP', 'DE D9 ;x87', (o) => void o.call('x87Compare', 1, 0, 2)),
  instruction('FUCOM', 'DD /4 Tn ;x87', (o) => void o.call('x87Compare', o.read(0), 1, 0)),
  instruction('FUCOMP', 'DD /5 Tn ;x87', (o) => void o.call('x87Compare', o.read(0), 1, 1)),
  instruction('FUCOMPP', 'DA E9 ;x87', (o) => void o.call('x87Compare', 1, 1, 2)),
  compareFlags('FCOMI', 'DB /6', 0, 0),
  compareFlags('FCOMIP', 'DF /6', 0, 1),
  compareFlags('FUCOMI', 'DB /5', 1, 0),
  compareFlags('FUCOMIP', 'DF /5', 1, 1),
  instruction('FTST', 'D9 E4 ;x87', (o) => void o.call('x87Test')),
  instruction('FXAM', 'D9 E5 ;x87', (o) => void o.call('x87Examine')),
  instruction('FCHS', 'D9 E0 ;x87', (o) => void o.call('x87Sign', 0)),
  instruction('FABS', 'D9 E1 ;x87', (o) => void o.call('x87Sign', 1)),
  instruction('FSQRT', 'D9 FA ;x87', (o) => void o.call('x87Root')),
  instruction('FRNDINT', 'D9 FC ;x87', (o) => void o.call('x87Round')),
  instruction('FXTRACT', 'D9 F4 ;x87', (o) => void o.call('x87Extract')),
  instruction('FSCALE', 'D9 FD ;x87', (o) => void o.call('x87Scale')),
  instruction('FPREM', 'D9 F8 ;x87', (o) => void o.call('x87Remainder', 0)),
  instruction('FPREM1', 'D9 F5 ;x87', (o) => void o.call('x87Remainder', 1)),
  ...(
    [
      'F2XM1 D9 F0',
      'FSIN D9 FE',
      'FCOS D9 FF',
      'FSINCOS D9 FB',
      'FPTAN D9 F2',
      'FPATAN D9 F3',
      'FYL2X D9 F1',
      'FYL2XP1 D9 F9',
    ] as const
  ).map((text, n) => {
    const [name, ...bytes] = text.split(' ');
    return instruction(name!, `${bytes.join(' ')} ;x87`, (o) => void o.call('x87Transcendental', n));
  }),
];
