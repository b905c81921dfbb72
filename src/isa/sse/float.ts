import { instruction, type Instruction } from '../definition.js';
import type { HelperName } from '../helpers.js';
import type { Ops } from '../ops.js';

/** The four formats of a floating-point instruction: suffix, prefix, width of the source, CPUID feature. */
const FORMATS = [
  ['ps', 'NP', 'x', 'SSE'],
  ['pd', '66', 'x', 'SSE2'],
  ['ss', 'F3', 'd', 'SSE'],
  ['sd', 'F2', 'q', 'SSE2'],
] as const;
type Suffix = (typeof FORMATS)[number][0];
const PACKED_SINGLE = FORMATS[0];
const SCALAR_SINGLE = FORMATS[2];

/** A helper on the slots of operands 0 and 1. */
function onSlots(helper: HelperName): (o: Ops) => void {
  return (o) => {
    o.call(helper, o.slot(0), o.slot(1));
  };
}

function onSlotsWithImmediate(helper: HelperName): (o: Ops) => void {
  return (o) => {
    o.call(helper, o.slot(0), o.slot(1), o.read(2));
  };
}

type Base = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'sqrt';

/** One operation in all four formats. */
function arithmetic(base: Base, opcode: string): Instruction[] {
  return FORMATS.map(([suffix, prefix, width, cpuid]) => {
    const helper = `${base}${suffix}` as const satisfies HelperName;
    return instruction(
      helper.toUpperCase(),
      `${prefix} 0F ${opcode} /r Vx,W${width}; sse cpuid=${cpuid}`,
      onSlots(helper),
    );
  });
}

function compare(): Instruction[] {
  return FORMATS.map(([suffix, prefix, width, cpuid]) => {
    const helper = `cmp${suffix}` as const satisfies HelperName;
    const encoding = `${prefix} 0F C2 /r Vx,W${width},Ib; sse cpuid=${cpuid}`;
    return instruction(helper.toUpperCase(), encoding, onSlotsWithImmediate(helper));
  });
}

/** Approximations exist for single precision only. */
function approximation(base: 'rcp' | 'rsqrt', opcode: string): Instruction[] {
  return [PACKED_SINGLE, SCALAR_SINGLE].map(([suffix, prefix, width]) => {
    const helper = `${base}${suffix}` as const satisfies HelperName;
    return instruction(
      helper.toUpperCase(),
      `${prefix} 0F ${opcode} /r Vx,W${width}; sse cpuid=SSE`,
      onSlots(helper),
    );
  });
}

function round(suffix: Suffix, opcode: string, width: 'x' | 'd' | 'q'): Instruction {
  const helper = `round${suffix}` as const satisfies HelperName;
  const encoding = `66 0F 3A ${opcode} /r Vx,W${width},Ib; sse cpuid=SSE4.1`;
  return instruction(helper.toUpperCase(), encoding, onSlotsWithImmediate(helper));
}

/** Comparison into ZF, PF, CF. */
function compareFlags(helper: 'comiss' | 'comisd' | 'ucomiss' | 'ucomisd', encoding: string): Instruction {
  return instruction(helper.toUpperCase(), encoding, (o) => {
    const result = o.call(helper, o.slot(0), o.slot(1));
    const never = o.bool(false);
    o.setFlags({
      cf: o.bit(result, 0),
      pf: o.bit(result, 2),
      zf: o.bit(result, 6),
      af: never,
      of: never,
      sf: never,
    });
  });
}

function horizontal(base: 'hadd' | 'hsub' | 'addsub', opcode: string): Instruction[] {
  const ps = `${base}ps` as const satisfies HelperName;
  const pd = `${base}pd` as const satisfies HelperName;
  return [
    instruction(ps.toUpperCase(), `F2 0F ${opcode} /r Vx,Wx; sse cpuid=SSE3`, onSlots(ps)),
    instruction(pd.toUpperCase(), `66 0F ${opcode} /r Vx,Wx; sse cpuid=SSE3`, onSlots(pd)),
  ];
}

export const vectorFloat: Instruction[] = [
  ...arithmetic('add', '58'),
  ...arithmetic('mul', '59'),
  ...arithmetic('sub', '5C'),
  ...arithmetic('min', '5D'),
  ...arithmetic('div', '5E'),
  ...arithmetic('max', '5F'),
  ...arithmetic('sqrt', '51'),
  ...approximation('rsqrt', '52'),
  ...approximation('rcp', '53'),
  ...horizontal('hadd', '7C'),
  ...horizontal('hsub', '7D'),
  ...horizontal('addsub', 'D0'),
  instruction('DPPS', '66 0F 3A 40 /r Vx,Wx,Ib; sse cpuid=SSE4.1', onSlotsWithImmediate('dpps')),
  instruction('DPPD', '66 0F 3A 41 /r Vx,Wx,Ib; sse cpuid=SSE4.1', onSlotsWithImmediate('dppd')),
  ...compare(),
  compareFlags('ucomiss', 'NP 0F 2E /r Vx,Wd; sse cpuid=SSE'),
  compareFlags('ucomisd', '66 0F 2E /r Vx,Wq; sse cpuid=SSE2'),
  compareFlags('comiss', 'NP 0F 2F /r Vx,Wd; sse cpuid=SSE'),
  compareFlags('comisd', '66 0F 2F /r Vx,Wq; sse cpuid=SSE2'),
  round('ps', '08', 'x'),
  round('pd', '09', 'x'),
  round('ss', '0A', 'd'),
  round('sd', '0B', 'q'),
];
