import { instruction, type Instruction } from '../definition.js';
import type { Bits } from '../ops.js';

interface MemoryFormat {
  name: string;
  encoding: string;
  format: number;
}

const load = ({ name, encoding, format }: MemoryFormat): Instruction =>
  instruction(name, `${encoding} ;x87 rare`, (o) => void o.call('x87Load', format, o.read(0)));

/**
 * The value is made first, its exceptions noted; then memory is written unless one of them is unmasked; then the stack is
 * popped. A page fault leaves the status word as it was.
 */
function store({ name, encoding, format }: MemoryFormat, pop: boolean, truncate = 0): Instruction {
  return instruction(name, `${encoding} ;x87 rare`, (o) => {
    const bits = o.width(0) as Bits;
    const linear = o.address(0, bits / 8, 'write');
    o.probeWrite(linear, bits / 8);
    const value = o.call('x87Value', format, truncate);
    const stored = o.call('x87Stored');
    o.if(o.ne(stored, 0), () => o.store(bits, linear, value));
    if (pop) o.call('x87Pop', stored);
  });
}

/** Two pieces of ten bytes: 64 bits, and 16 behind them. */
function storeTenBytes(
  name: string,
  encoding: string,
  low: 'x87Significand' | 'x87DecimalLow',
  high: 'x87SignExponent' | 'x87DecimalHigh',
): Instruction {
  return instruction(name, `${encoding} Mt ;x87 rare`, (o) => {
    const linear = o.address(0, 10, 'write');
    o.probeWrite(linear, 10);
    const first = o.call(low);
    const second = o.call(high);
    const stored = o.call('x87Stored');
    o.if(o.ne(stored, 0), () => {
      o.store(64, linear, first);
      o.store(16, o.add(linear, 8), second);
    });
    o.call('x87Pop', stored);
  });
}

function loadTenBytes(
  name: string,
  encoding: string,
  helper: 'x87LoadExtended' | 'x87LoadDecimal',
): Instruction {
  return instruction(name, `${encoding} Mt ;x87 rare`, (o) => {
    const linear = o.address(0, 10, 'read');
    const low = o.load(64, linear);
    o.call(helper, low, o.load(16, o.add(linear, 8)));
  });
}

/** FCMOVcc by DA (condition) and DB (its opposite): B, E, BE, U. */
const moves = (['B', 'E', 'BE', 'U'] as const).flatMap((condition, n) =>
  [false, true].map((negated) =>
    instruction(`FCMOV${negated ? 'N' : ''}${condition}`, `${negated ? 'DB' : 'DA'} /${n} Tn ;x87`, (o) => {
      const taken = o.condition(([2, 4, 6, 10] as const)[n]!);
      o.call('x87MoveIf', o.read(0), o.toInt(negated ? o.negate(taken) : taken));
    }),
  ),
);

export const x87Transfers: Instruction[] = [
  load({ name: 'FLD', encoding: 'D9 /0 Md', format: 0 }),
  load({ name: 'FLD', encoding: 'DD /0 Mq', format: 1 }),
  load({ name: 'FILD', encoding: 'DB /0 Md', format: 2 }),
  load({ name: 'FILD', encoding: 'DF /0 Mw', format: 3 }),
  load({ name: 'FILD', encoding: 'DF /5 Mq', format: 4 }),
  loadTenBytes('FLD', 'DB /5', 'x87LoadExtended'),
  loadTenBytes('FBLD', 'DF /4', 'x87LoadDecimal'),
  instruction('FLD', 'D9 /0 Tn ;x87', (o) => void o.call('x87LoadRegister', o.read(0))),

  store({ name: 'FST', encoding: 'D9 /2 Md', format: 0 }, false),
  store({ name: 'FSTP', encoding: 'D9 /3 Md', format: 0 }, true),
  store({ name: 'FST', encoding: 'DD /2 Mq', format: 1 }, false),
  store({ name: 'FSTP', encoding: 'DD /3 Mq', format: 1 }, true),
  store({ name: 'FIST', encoding: 'DB /2 Md', format: 2 }, false),
  store({ name: 'FISTP', encoding: 'DB /3 Md', format: 2 }, true),
  store({ name: 'FIST', encoding: 'DF /2 Mw', format: 3 }, false),
  store({ name: 'FISTP', encoding: 'DF /3 Mw', format: 3 }, true),
  store({ name: 'FISTP', encoding: 'DF /7 Mq', format: 4 }, true),
  store({ name: 'FISTTP', encoding: 'DB /1 Md', format: 2 }, true, 1),
  store({ name: 'FISTTP', encoding: 'DF /1 Mw', format: 3 }, true, 1),
  store({ name: 'FISTTP', encoding: 'DD /1 Mq', format: 4 }, true, 1),
  storeTenBytes('FSTP', 'DB /7', 'x87Significand', 'x87SignExponent'),
  storeTenBytes('FBSTP', 'DF /6', 'x87DecimalLow', 'x87DecimalHigh'),
  instruction('FST', 'DD /2 Tn ;x87', (o) => void o.call('x87StoreRegister', o.read(0), 0)),
  instruction('FSTPNCE', 'D9 /3 Tn ;x87', (o) => void o.call('x87StoreUnchecked', o.read(0))),
  // DF D0 and DF D8 do as DD D8
  instruction('FSTP', ['DD /3 Tn ;x87', 'DF /2 Tn ;x87', 'DF /3 Tn ;x87'], (o) => {
    o.call('x87StoreRegister', o.read(0), 1);
  }),
  instruction(
    'FXCH',
    ['D9 /1 Tn ;x87', 'DD /1 Tn ;x87', 'DF /1 Tn ;x87'],
    (o) => void o.call('x87Exchange', o.read(0)),
  ),
  ...moves,
  ...['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].map((name, n) =>
    instruction(name, `D9 E${(8 + n).toString(16).toUpperCase()} ;x87`, (o) => void o.call('x87Constant', n)),
  ),
];
