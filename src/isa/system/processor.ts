import { instruction, type Instruction } from '../definition.js';
import type { HelperName } from '../helpers.js';
import type { Ops } from '../ops.js';
import { setPair } from './control.js';

const RCX = 1;

/** Instructions that are #UD, not #GP, at other privilege levels. */
const atCpl0 = (name: string, encoding: string, helper: HelperName): Instruction =>
  instruction(name, encoding, (o) => {
    o.raiseIf(o.ne(o.state('cpl'), 0), '#UD');
    o.call(helper);
  });

const undefinedHere = (o: Ops): void => o.raise('#UD');

/** What the processor tells of itself, halting and waiting, the interrupt flag, system calls. */
export const processor: Instruction[] = [
  instruction('CPUID', '0F A2 ;nosize end', (o) => void o.call('cpuid')),
  instruction('RDTSC', '0F 31 ;nosize end', (o) => setPair(o, o.call('rdtsc'))),
  instruction('RDTSCP', '0F 01 F9 ;nosize end cpuid=RDTSCP', (o) => {
    setPair(o, o.call('rdtsc'));
    o.setReg(32, RCX, o.state('tscAux'));
  }),
  instruction('RDPID', ['F3 0F C7 /7 Rq ;only64 cpuid=RDPID', 'F3 0F C7 /7 Rd ;no64 cpuid=RDPID'], (o) =>
    o.write(0, o.state('tscAux')),
  ),
  instruction('RDPMC', '0F 33 ;nosize', (o) => setPair(o, o.call('rdpmc'))),

  instruction('CLI', 'FA ;nosize end', (o) => void o.call('cli')),
  instruction('STI', 'FB ;nosize end', (o) => void o.call('sti')),
  atCpl0('CLAC', 'NP 0F 01 CA ;nosize end cpuid=SMAP', 'clac'),
  atCpl0('STAC', 'NP 0F 01 CB ;nosize end cpuid=SMAP', 'stac'),
  instruction('HLT', 'F4 ;nosize cpl0 end', (o) => void o.call('hlt')),
  atCpl0('MONITOR', '0F 01 C8 ;nosize cpuid=MONITOR', 'monitor'),
  atCpl0('MWAIT', '0F 01 C9 ;nosize end cpuid=MONITOR', 'mwait'),

  instruction('SYSCALL', '0F 05 ;nosize', (o) => o.transfer('syscall')),
  instruction('SYSRET', '0F 07 ;sized cpl0', (o) => o.transfer('sysret', o.bits)),
  instruction('SYSENTER', '0F 34 ;nosize', (o) => o.transfer('sysenter')),
  instruction('SYSEXIT', '0F 35 ;sized cpl0', (o) => o.transfer('sysexit', o.bits)),

  // No virtualization inside; calls to the hypervisor come to us.
  instruction('VMCALL', '0F 01 C1 ;nosize end', (o) => void o.call('hypercall')),
  instruction('VMMCALL', '0F 01 D9 ;nosize end', (o) => void o.call('hypercall')),
  // Never in system-management mode.
  instruction('RSM', '0F AA ;nosize', undefinedHere),
];
