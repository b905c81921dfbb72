import { instruction, type Instruction } from '../definition.js';
import type { Int, Ops, StateField } from '../ops.js';

const RSP = 4;
const RBP = 5;

/** Pops a value and uses it; if `use` faults, RSP is as before. */
function popThen(o: Ops, use: (value: Int) => void): void {
  const before = o.reg(64, RSP);
  const value = o.pop(o.bits);
  o.restoring(RSP, before, () => use(value));
}

const pushSegment = (name: string, encoding: string, selector: StateField): Instruction =>
  instruction(`PUSH ${name}`, encoding, (o) => o.push(o.bits, o.state(selector)));

const popSegment = (name: string, encoding: string, segment: number): Instruction =>
  instruction(`POP ${name}`, `${encoding} end`, (o) =>
    popThen(o, (value) => void o.call('loadSegment', segment, o.zx(16, value))),
  );

export const stack: Instruction[] = [
  instruction('PUSH', ['50+r Zv ;d64', 'FF /6 Ev ;d64', '68 Isz ;sized d64', '6A Isb ;sized d64'], (o) =>
    o.push(o.bits, o.read(0)),
  ),
  instruction('POP', '58+r Zv ;d64', (o) => o.write(0, o.pop(o.bits))),
  instruction('POP', '8F /0 Ev ;d64 rare', (o) => {
    if (!o.isMemory(0)) o.write(0, o.pop(o.bits));
    // The address of a memory destination is computed with RSP as it is after the pop.
    else popThen(o, (value) => o.write(0, value));
  }),
  instruction('PUSHA', '60 ;no64', (o) => void o.call('pushAll', o.bits)),
  instruction('POPA', '61 ;no64', (o) => void o.call('popAll', o.bits)),
  instruction('PUSHF', '9C ;d64', (o) => o.push(o.bits, o.call('pushf', o.bits))),
  instruction('POPF', '9D ;d64 end', (o) => popThen(o, (value) => void o.call('popf', o.bits, value))),
  instruction('ENTER', 'C8 Iw,Ib ;sized d64', (o) => void o.call('enter', o.bits, o.read(0), o.read(1))),
  instruction('LEAVE', 'C9 ;d64', (o) => {
    const before = o.reg(64, RSP);
    o.call('stackFromFrame');
    o.restoring(RSP, before, () => o.setReg(o.bits, RBP, o.pop(o.bits)));
  }),
  pushSegment('ES', '06 ;no64', 'esSelector'),
  pushSegment('CS', '0E ;no64', 'csSelector'),
  pushSegment('SS', '16 ;no64', 'ssSelector'),
  pushSegment('DS', '1E ;no64', 'dsSelector'),
  pushSegment('FS', '0F A0 ;d64', 'fsSelector'),
  pushSegment('GS', '0F A8 ;d64', 'gsSelector'),
  popSegment('ES', '07 ;no64', 0),
  popSegment('SS', '17 ;no64', 2),
  popSegment('DS', '1F ;no64', 3),
  popSegment('FS', '0F A1 ;d64', 4),
  popSegment('GS', '0F A9 ;d64', 5),
];
