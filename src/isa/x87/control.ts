import { instruction, type Instruction } from '../definition.js';

export const x87Control: Instruction[] = [
  instruction('FNINIT', 'DB E3 ;x87nw', (o) => void o.call('x87Init')),
  instruction('FNCLEX', 'DB E2 ;x87nw', (o) => o.setState('fsw', o.and(o.state('fsw'), 0x7f00))),
  instruction('FNSTCW', 'D9 /7 Mw ;x87nw', (o) => o.write(0, o.state('fcw'))),
  instruction('FNSTSW', ['DD /7 Mw ;x87nw', 'DF E0 AX ;x87nw'], (o) => o.write(0, o.state('fsw'))),
  instruction('FLDCW', 'D9 /5 Mw ;x87', (o) => {
    o.setState('fcw', o.or(o.and(o.read(0), 0x1f3f), 0x40));
    o.call('x87Summary');
  }),
  instruction('FNSTENV', 'D9 /6 Mn ;x87nw sized rare', (o) => {
    o.call('x87StoreEnvironment', o.address(0, o.bits === 16 ? 14 : 28, 'write'), o.bits);
  }),
  instruction('FLDENV', 'D9 /4 Mn ;x87 sized rare', (o) => {
    o.call('x87LoadEnvironment', o.address(0, o.bits === 16 ? 14 : 28, 'read'), o.bits);
  }),
  instruction('FNSAVE', 'DD /6 Mn ;x87nw sized rare', (o) => {
    o.call('x87Save', o.address(0, o.bits === 16 ? 94 : 108, 'write'), o.bits);
  }),
  instruction('FRSTOR', 'DD /4 Mn ;x87 sized rare', (o) => {
    o.call('x87Restore', o.address(0, o.bits === 16 ? 94 : 108, 'read'), o.bits);
  }),
  instruction('FFREE', 'DD /0 Tn ;x87', (o) => void o.call('x87Free', o.read(0))),
  instruction('FFREEP', 'DF /0 Tn ;x87', (o) => {
    o.call('x87Free', o.read(0));
    o.call('x87Pop', 1);
  }),
  instruction('FINCSTP', 'D9 F7 ;x87', (o) => void o.call('x87Turn', 1)),
  instruction('FDECSTP', 'D9 F6 ;x87', (o) => void o.call('x87Turn', 7)),
  instruction('FNOP', 'D9 D0 ;x87', () => {}),
  // of the 8087 and 80287, without effect since
  instruction('FNENI', ['DB E0 ;x87nw', 'DB E1 ;x87nw', 'DB E4 ;x87nw'], () => {}),
  // WAIT takes no notice of CR0.EM; #NM only with MP and TS together
  instruction('WAIT', '9B ;nosize', (o) => void o.call('waitCheck')),
];
