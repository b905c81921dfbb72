import { instruction, type Instruction } from '../definition.js';
import type { Bool, Int, Ops } from '../ops.js';

type Operation = (o: Ops, a: Int, b: Int) => Int;
/** Of an operation on a and b with result r; all are cut to the operand size. */
type Flags = (o: Ops, a: Int, b: Int, r: Int) => void;

const add: Operation = (o, a, b) => o.add(a, b);
const sub: Operation = (o, a, b) => o.sub(a, b);
const and: Operation = (o, a, b) => o.and(a, b);
const or: Operation = (o, a, b) => o.or(a, b);
const xor: Operation = (o, a, b) => o.xor(a, b);

const addFlags: Flags = (o, a, b, r) => o.flagsAdd(o.bits, a, b, r);
const subFlags: Flags = (o, a, b, r) => o.flagsSub(o.bits, a, b, r);
const logicFlags: Flags = (o, _a, _b, r) => o.flagsLogic(o.bits, r);

/** The encodings that all eight operations of opcodes 00-3F share; `n` is their number, also /n of group 1. */
function encodings(n: number, lock: string, undefinedFlags: string): string[] {
  const opcode = (low: number): string => (n * 8 + low).toString(16).toUpperCase().padStart(2, '0');
  return [
    `${opcode(0)} /r Eb,Gb ;${lock}`,
    `${opcode(1)} /r Ev,Gv ;${lock}`,
    `${opcode(2)} /r Gb,Eb ;`,
    `${opcode(3)} /r Gv,Ev ;`,
    `${opcode(4)} AL,Ib ;`,
    `${opcode(5)} rAX,Isz ;`,
    `80 /${n} Eb,Ib ;${lock}`,
    `81 /${n} Ev,Isz ;${lock}`,
    `82 /${n} Eb,Ib ;no64 ${lock}`,
    `83 /${n} Ev,Isb ;${lock}`,
  ].map((text) => text + undefinedFlags);
}

/** An operation whose result replaces operand 0. `carry`: CF takes part as a third number. */
function alu(
  name: string,
  n: number,
  operation: Operation,
  flags: Flags,
  options: { carry?: boolean; undefinedFlags?: string } = {},
): Instruction {
  return instruction(name, encodings(n, 'lock', options.undefinedFlags ?? ''), (o) => {
    const b = o.zx(o.bits, o.read(1));
    const carry = options.carry ? o.toInt(o.flag('cf')) : null;
    const compute = (a: Int): Int => {
      const r = operation(o, a, b);
      return o.zx(o.bits, carry ? operation(o, r, carry) : r);
    };
    const a = o.update(0, compute);
    flags(o, a, b, compute(a));
  });
}

function compare(name: string, list: string[], operation: Operation, flags: Flags): Instruction {
  return instruction(name, list, (o) => {
    const a = o.read(0);
    const b = o.zx(o.bits, o.read(1));
    flags(o, a, b, o.zx(o.bits, operation(o, a, b)));
  });
}

const signBit = (bits: number): bigint => 1n << BigInt(bits - 1);

/** CF and OF tell whether the upper half of a product matters. The others are undefined: AMD's processors leave them. */
const productFlags = (o: Ops, wide: Bool): void => o.setFlags({ cf: wide, of: wide });

/** MUL and IMUL with the accumulator. */
function multiply(name: string, extension: number, signed: boolean): Instruction {
  const undefinedFlags = 'undefined=sf,zf,af,pf';
  return instruction(
    name,
    [`F6 /${extension} Eb ;${undefinedFlags}`, `F7 /${extension} Ev ;${undefinedFlags}`],
    (o) => {
      const { bits } = o;
      const source = o.read(0);
      const accumulator = o.reg(bits, 0);
      if (bits === 64) {
        const low = o.mul(accumulator, source);
        const high = o.call(signed ? 'imulh' : 'umulh', accumulator, source);
        o.setReg(64, 0, low);
        o.setReg(64, 2, high);
        const wide = signed ? o.ne(high, o.sar(low, 63)) : o.ne(high, 0);
        productFlags(o, wide);
        return;
      }
      const a = signed ? o.sx(bits, accumulator) : accumulator;
      const b = signed ? o.sx(bits, source) : source;
      const product = o.mul(a, b);
      const wide = signed ? o.ne(product, o.sx(bits, product)) : o.ne(o.shr(product, bits), 0);
      if (bits === 8) o.setReg(16, 0, product);
      else {
        o.setReg(bits, 0, product);
        o.setReg(bits, 2, o.shr(product, bits));
      }
      productFlags(o, wide);
    },
  );
}

/** Two- and three-operand IMUL: a times b into operand 0. */
function multiplySigned(o: Ops, first: Int, second: Int): void {
  const { bits } = o;
  if (bits === 64) {
    const low = o.mul(first, second);
    const wide = o.ne(o.call('imulh', first, second), o.sar(low, 63));
    o.write(0, low);
    productFlags(o, wide);
    return;
  }
  const product = o.mul(o.sx(bits, first), o.sx(bits, second));
  const wide = o.ne(product, o.sx(bits, product));
  o.write(0, product);
  productFlags(o, wide);
}

function divide(name: string, extension: number, helper: 'divide' | 'idivide'): Instruction {
  const undefinedFlags = 'undefined=cf,of,sf,zf,af,pf';
  return instruction(
    name,
    [`F6 /${extension} Eb ;${undefinedFlags}`, `F7 /${extension} Ev ;${undefinedFlags}`],
    (o) => {
      const { bits } = o;
      const divisor = o.read(0);
      const high = bits === 8 ? o.shr(o.reg(16, 0), 8) : o.reg(bits, 2);
      const quotient = o.call(helper, bits, high, o.reg(bits, 0), divisor);
      const remainder = o.call('remainder');
      if (bits === 8) o.setReg(16, 0, o.or(o.zx(8, quotient), o.shl(o.zx(8, remainder), 8)));
      else {
        o.setReg(bits, 0, quotient);
        o.setReg(bits, 2, remainder);
      }
      // undefined; this is what AMD's processors leave
      const clear = o.bool(false);
      o.setFlags({ sf: clear, zf: clear, pf: clear, af: o.bool(true) });
    },
  );
}

export const arithmetic: Instruction[] = [
  alu('ADD', 0, add, addFlags),
  alu('OR', 1, or, logicFlags, { undefinedFlags: ' undefined=af' }),
  alu('ADC', 2, add, addFlags, { carry: true }),
  alu('SBB', 3, sub, subFlags, { carry: true }),
  alu('AND', 4, and, logicFlags, { undefinedFlags: ' undefined=af' }),
  alu('SUB', 5, sub, subFlags),
  alu('XOR', 6, xor, logicFlags, { undefinedFlags: ' undefined=af' }),
  compare('CMP', encodings(7, '', ''), sub, subFlags),
  compare(
    'TEST',
    ['84 /r Eb,Gb ;undefined=af', '85 /r Ev,Gv ;undefined=af', 'A8 AL,Ib ;undefined=af', 'A9 rAX,Isz ;undefined=af',
     'F6 /0 Eb,Ib ;undefined=af', 'F6 /1 Eb,Ib ;undefined=af', 'F7 /0 Ev,Isz ;undefined=af', 'F7 /1 Ev,Isz ;undefined=af'], // prettier-ignore
    and,
    logicFlags,
  ),

  instruction('INC', ['FE /0 Eb ;lock', 'FF /0 Ev ;lock', '40+r Zv ;no64'], (o) => {
    const old = o.update(0, (a) => o.add(a, 1));
    o.flagsInc(o.bits, old, o.zx(o.bits, o.add(old, 1)));
  }),
  instruction('DEC', ['FE /1 Eb ;lock', 'FF /1 Ev ;lock', '48+r Zv ;no64'], (o) => {
    const old = o.update(0, (a) => o.sub(a, 1));
    o.flagsDec(o.bits, old, o.zx(o.bits, o.sub(old, 1)));
  }),
  instruction('NEG', ['F6 /3 Eb ;lock', 'F7 /3 Ev ;lock'], (o) => {
    const old = o.update(0, (a) => o.sub(0, a));
    o.flagsSub(o.bits, 0, old, o.zx(o.bits, o.sub(0, old)));
  }),
  instruction('NOT', ['F6 /2 Eb ;lock', 'F7 /2 Ev ;lock'], (o) => {
    o.update(0, (a) => o.not(a));
  }),

  multiply('MUL', 4, false),
  multiply('IMUL', 5, true),
  instruction('IMUL', '0F AF /r Gv,Ev ;undefined=sf,zf,af,pf', (o) =>
    multiplySigned(o, o.read(0), o.read(1)),
  ),
  instruction(
    'IMUL',
    ['69 /r Gv,Ev,Isz ;undefined=sf,zf,af,pf', '6B /r Gv,Ev,Isb ;undefined=sf,zf,af,pf'],
    (o) => multiplySigned(o, o.read(1), o.read(2)),
  ),
  divide('DIV', 6, 'divide'),
  divide('IDIV', 7, 'idivide'),

  instruction('CBW', '98 ;', (o) => {
    const half = (o.bits / 2) as 8 | 16 | 32;
    o.setReg(o.bits, 0, o.sx(half, o.reg(half, 0)));
  }),
  instruction('CWD', '99 ;', (o) => {
    o.setReg(o.bits, 2, o.sar(o.sx(o.bits, o.reg(o.bits, 0)), 63));
  }),

  instruction('ADCX', '66 0F 38 F6 /r Gy,Ey ;cpuid=ADX', (o) => addWithFlag(o, 'cf')),
  instruction('ADOX', 'F3 0F 38 F6 /r Gy,Ey ;cpuid=ADX', (o) => addWithFlag(o, 'of')),
];

function addWithFlag(o: Ops, name: 'cf' | 'of'): void {
  const { bits } = o;
  const a = o.read(0);
  const b = o.read(1);
  const sum = o.zx(bits, o.add(o.add(a, b), o.toInt(o.flag(name))));
  const carries = o.or(o.and(a, b), o.and(o.or(a, b), o.not(sum)));
  o.setFlags({ [name]: o.ne(o.and(carries, signBit(bits)), 0) });
  o.write(0, sum);
}
