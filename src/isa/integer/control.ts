import { instruction, type Instruction } from '../definition.js';
import type { Bool, Int, Ops } from '../ops.js';
import { forConditions, hexByte } from './conditions.js';

const RCX = 1;
const RSP = 4;

/** LOOP and kin count rCX of the address size. */
function loop(name: string, opcode: string, extra: ((o: Ops) => Bool) | null): Instruction {
  return instruction(name, `${opcode} Jb ;sized f64 asize`, (o) => {
    const before = o.reg(64, RCX);
    const count = o.zx(o.asize, o.sub(o.reg(o.asize, RCX), 1));
    const more = o.ne(count, 0);
    o.setReg(o.asize, RCX, count);
    o.restoring(RCX, before, () => o.branch(extra ? o.both(more, extra(o)) : more));
  });
}

/** Pushes the return address, then goes where `go` says; if that faults, nothing was pushed. */
function nearCall(o: Ops, go: () => void): void {
  const before = o.reg(64, RSP);
  o.push(o.bits, o.nextIp());
  o.restoring(RSP, before, go);
}

function nearReturn(o: Ops, bytes: Int | null): void {
  const before = o.reg(64, RSP);
  const target = o.pop(o.bits);
  if (bytes) o.call('dropStack', bytes);
  o.restoring(RSP, before, () => o.jump(target));
}

/** Far pointer in memory: offset, then selector. */
function farPointer(o: Ops): { offset: Int; selector: Int } {
  const bytes = o.bits / 8;
  const linear = o.address(0, bytes + 2, 'read');
  const offset = o.load(o.bits, linear);
  return { offset, selector: o.load(16, o.add(linear, bytes)) };
}

/** Near branches have 64-bit operand size in 64-bit mode whatever the prefixes, as on Intel (AMD's obey 66 there). */
const nearBranches: Instruction[] = [
  ...forConditions((condition, cc) =>
    instruction(
      `J${condition}`,
      [`${hexByte(0x70 + cc)} Jb ;sized f64`, `0F ${hexByte(0x80 + cc)} Jz ;f64`],
      (o) => o.branch(o.condition(cc)),
    ),
  ),
  loop('LOOPNE', 'E0', (o) => o.negate(o.flag('zf'))),
  loop('LOOPE', 'E1', (o) => o.flag('zf')),
  loop('LOOP', 'E2', null),
  instruction('JCXZ', 'E3 Jb ;sized f64 asize', (o) => o.branch(o.eq(o.reg(o.asize, RCX), 0))),
  instruction('JMP', ['EB Jb ;sized f64', 'E9 Jz ;f64'], (o) => o.jumpRelative()),
  instruction('JMP', 'FF /4 Ev ;f64', (o) => o.jump(o.read(0))),
  instruction('CALL', 'E8 Jz ;f64', (o) => nearCall(o, () => o.jumpRelative())),
  instruction('CALL', 'FF /2 Ev ;f64', (o) => {
    const target = o.read(0);
    o.checkJump(target);
    nearCall(o, () => o.jump(target));
  }),
  instruction('RET', 'C3 ;sized f64', (o) => nearReturn(o, null)),
  instruction('RET', 'C2 Iw ;sized f64', (o) => nearReturn(o, o.read(0))),
];

/** A far pointer with REX.W is 16:64, as on Intel (AMD's processors take 16:32). */
const farBranches: Instruction[] = [
  instruction('JMPF', 'EA Av ;no64', (o) => o.transfer('farJump', o.farSelector(), o.read(0), o.bits)),
  instruction('CALLF', '9A Av ;no64', (o) => o.transfer('farCall', o.farSelector(), o.read(0), o.bits)),
  instruction('JMPF', 'FF /5 Mp ;', (o) => {
    const { offset, selector } = farPointer(o);
    o.transfer('farJump', selector, offset, o.bits);
  }),
  instruction('CALLF', 'FF /3 Mp ;', (o) => {
    const { offset, selector } = farPointer(o);
    o.transfer('farCall', selector, offset, o.bits);
  }),
  instruction('RETF', 'CB ;', (o) => o.transfer('farReturn', o.bits, 0)),
  instruction('RETF', 'CA Iw ;sized', (o) => o.transfer('farReturn', o.bits, o.read(0))),
  instruction('IRET', 'CF ;', (o) => o.transfer('iret', o.bits)),
];

const interrupts: Instruction[] = [
  instruction('INT', 'CD Ib ;nosize', (o) => o.transfer('interruptSoftware', o.read(0))),
  instruction('INT3', 'CC ;nosize', (o) => o.transfer('int3')),
  instruction('INT1', 'F1 ;nosize', (o) => o.transfer('int1')),
  instruction('INTO', 'CE ;no64 nosize', (o) => {
    o.if(o.flag('of'), () => o.transfer('into'));
  }),
  instruction('BOUND', '62 /r Gv,Mn ;no64 rare', (o) => {
    const bytes = o.bits / 8;
    const linear = o.address(1, 2 * bytes, 'read');
    const index = o.sx(o.bits, o.read(0));
    const lower = o.sx(o.bits, o.load(o.bits, linear));
    const upper = o.sx(o.bits, o.load(o.bits, o.add(linear, bytes)));
    o.raiseIf(o.either(o.lts(index, lower), o.lts(upper, index)), '#BR');
  }),
  instruction('UD0', '0F FF /r Gn,En ;nosize', (o) => o.raise('#UD')),
  instruction('UD1', '0F B9 /r Gn,En ;nosize', (o) => o.raise('#UD')),
  instruction('UD2', '0F 0B ;nosize', (o) => o.raise('#UD')),
];

export const controlFlow: Instruction[] = [...nearBranches, ...farBranches, ...interrupts];
