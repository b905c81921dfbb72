import { instruction, type Instruction } from '../definition.js';

export const x87Instructions: Instruction[] = [
  instruction('FNINIT', 'DB E3 ;x87nw', (o) => {
    o.setState('fcw', 0x37f);
    o.setState('fsw', 0);
    o.setState('ftw', 0xffff);
    o.setState('fop', 0);
    o.setState('fip', 0);
    o.setState('fdp', 0);
  }),
  instruction('FNCLEX', 'DB E2 ;x87nw', (o) => o.setState('fsw', o.and(o.state('fsw'), 0x7f00))),
  instruction('WAIT', '9B ;nosize x87', () => {}),
  instruction('FNSTCW', 'D9 /7 Mw ;x87nw', (o) => o.write(0, o.state('fcw'))),
  instruction('FNSTSW', ['DD /7 Mw ;x87nw', 'DF E0 AX ;x87nw'], (o) => o.write(0, o.state('fsw'))),
];
