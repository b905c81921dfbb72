import { instruction, type Instruction } from '../definition.js';
import type { Ops } from '../ops.js';
import { pair } from './control.js';

/** The bytes of an XSAVE area that are checked for; its rest depends on the components. */
const LEGACY_AND_HEADER = 576;
const FXSAVE_BYTES = 512;

/** With REX.W the instruction and data pointers have 64 bits (FXSAVE64, XSAVE64 ...). */
const wide = (o: Ops): number => (o.bits === 64 ? 1 : 0);

/** XSAVE and kin; the mask of components is EDX:EAX. `kind` as the helper takes it. */
function save(name: string, encoding: string, kind: number): Instruction {
  return instruction(name, `${encoding} Mn ;sized rare cpuid=${name}`, (o) => {
    o.call('stateCheck', 1);
    o.call('xsave', o.address(0, LEGACY_AND_HEADER, 'write'), wide(o), pair(o), kind);
  });
}

export const extendedState: Instruction[] = [
  instruction('FXSAVE', 'NP 0F AE /0 Mn ;sized rare cpuid=FXSR', (o) => {
    o.call('stateCheck', 0);
    o.call('fxsave', o.address(0, FXSAVE_BYTES, 'write'), wide(o));
  }),
  instruction('FXRSTOR', 'NP 0F AE /1 Mn ;sized rare cpuid=FXSR', (o) => {
    o.call('stateCheck', 0);
    o.call('fxrstor', o.address(0, FXSAVE_BYTES, 'read'), wide(o));
  }),
  save('XSAVE', 'NP 0F AE /4', 0),
  save('XSAVEOPT', 'NP 0F AE /6', 1),
  save('XSAVEC', 'NP 0F C7 /4', 2),
  instruction('XRSTOR', 'NP 0F AE /5 Mn ;sized rare cpuid=XSAVE', (o) => {
    o.call('stateCheck', 1);
    o.call('xrstor', o.address(0, LEGACY_AND_HEADER, 'read'), wide(o), pair(o));
  }),
];
