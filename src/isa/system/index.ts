import { instruction, type Instruction } from '../definition.js';
import type { Int, Ops, StateField } from '../ops.js';

/** LES, LDS, LSS, LFS, LGS: far pointer from memory into a register and a segment register. */
function loadFarPointer(name: string, encoding: string, segment: number): Instruction {
  return instruction(name, encoding, (o) => {
    const bytes = o.bits / 8;
    const linear = o.address(1, bytes + 2, 'read');
    const offset = o.load(o.bits, linear);
    const selector = o.load(16, o.add(linear, bytes));
    o.call('loadSegment', segment, selector);
    o.write(0, offset);
  });
}

/** SGDT, SIDT: limit and base; the base is 8 bytes in 64-bit mode, else 4. */
function storeTable(name: string, extension: number, base: StateField, limit: StateField): Instruction {
  return instruction(name, `0F 01 /${extension} Mn ;nosize mode rare`, (o) => {
    o.call('umipCheck');
    const linear = o.address(0, o.long ? 10 : 6, 'write');
    o.store(16, linear, o.state(limit));
    o.store(o.long ? 64 : 32, o.add(linear, 2), o.state(base));
  });
}

function loadTable(name: string, extension: number, helper: 'lgdt' | 'lidt'): Instruction {
  return instruction(name, `0F 01 /${extension} Mn ;sized mode rare end cpl0`, (o) => {
    const linear = o.address(0, o.long ? 10 : 6, 'read');
    const limit = o.load(16, linear);
    const base = o.load(o.long ? 64 : 32, o.add(linear, 2));
    // With a 16-bit operand size the base has 24 bits.
    o.call(helper, limit, o.bits === 16 && !o.long ? o.and(base, 0xffffff) : base);
  });
}

function storeSelector(name: string, extension: number, field: StateField): Instruction {
  return instruction(name, [`0F 00 /${extension} Rv ;rare`, `0F 00 /${extension} Mw ;nosize rare`], (o) => {
    o.raiseIfNotProtected();
    o.call('umipCheck');
    o.write(0, o.state(field));
  });
}

/** LAR, LSL: a value and ZF, or ZF clear and nothing written. */
function query(name: string, opcode: string, helper: 'lar' | 'lsl'): Instruction {
  return instruction(name, `0F ${opcode} /r Gv,Ew ;rare`, (o) => {
    o.raiseIfNotProtected();
    const result = o.call(helper, o.read(1));
    const found = o.ne(result, -1n);
    o.if(found, () => o.write(0, result));
    o.setFlags({ zf: found });
  });
}

function verify(name: string, extension: number, helper: 'verr' | 'verw'): Instruction {
  return instruction(name, `0F 00 /${extension} Ew ;nosize rare`, (o) => {
    o.raiseIfNotProtected();
    o.setFlags({ zf: o.ne(o.call(helper, o.read(0)), 0) });
  });
}

const pair = (o: Ops): Int => o.or(o.shl(o.reg(32, 2), 32), o.reg(32, 0));
function setPair(o: Ops, value: Int): void {
  o.setReg(32, 0, value);
  o.setReg(32, 2, o.shr(value, 32));
}

/** XSAVE and kin: the mask of components is EDX:EAX. */
function save(name: string, encoding: string, kind: number): Instruction {
  return instruction(name, `${encoding} Mn ;sized rare cpuid=XSAVE`, (o) => {
    o.call('xsave', o.address(0, 64, 'write'), o.bits === 64 ? 1 : 0, pair(o), kind);
  });
}

export const systemInstructions: Instruction[] = [
  instruction('MOV', ['8C /r Rv,Sw ;', '8C /r Mw,Sw ;nosize'], (o) => o.write(0, o.call('segmentSelector', o.read(1)))),
  instruction('MOV', '8E /r Sw,Ew ;nosize end', (o) => {
    const segment = o.read(0);
    o.raiseIf(o.either(o.eq(segment, 1), o.ltu(5, segment)), '#UD');
    o.call('loadSegment', segment, o.read(1));
  }),
  instruction('MOV', '0F 20 /r Rq,Cn ;nosize only64 cpl0', (o) => o.write(0, o.call('readCr', o.read(1)))),
  instruction('MOV', '0F 20 /r Rd,Cn ;nosize no64 cpl0', (o) => o.write(0, o.call('readCr', o.read(1)))),
  instruction('MOV', ['0F 22 /r Cn,Rq ;nosize only64 cpl0 end', '0F 22 /r Cn,Rd ;nosize no64 cpl0 end'], (o) => {
    o.call('writeCr', o.read(0), o.read(1));
  }),
  instruction('MOV', ['0F 21 /r Rq,Dn ;nosize only64 cpl0', '0F 21 /r Rd,Dn ;nosize no64 cpl0'], (o) => o.write(0, o.call('readDr', o.read(1)))),
  instruction('MOV', ['0F 23 /r Dn,Rq ;nosize only64 cpl0 end', '0F 23 /r Dn,Rd ;nosize no64 cpl0 end'], (o) => {
    o.call('writeDr', o.read(0), o.read(1));
  }),
  loadFarPointer('LES', 'C4 /r Gv,Mp ;no64 rare end', 0),
  loadFarPointer('LDS', 'C5 /r Gv,Mp ;no64 rare end', 3),
  loadFarPointer('LSS', '0F B2 /r Gv,Mp ;rare end', 2),
  loadFarPointer('LFS', '0F B4 /r Gv,Mp ;rare end', 4),
  loadFarPointer('LGS', '0F B5 /r Gv,Mp ;rare end', 5),

  storeTable('SGDT', 0, 'gdtrBase', 'gdtrLimit'),
  storeTable('SIDT', 1, 'idtrBase', 'idtrLimit'),
  loadTable('LGDT', 2, 'lgdt'),
  loadTable('LIDT', 3, 'lidt'),
  storeSelector('SLDT', 0, 'ldtrSelector'),
  storeSelector('STR', 1, 'trSelector'),
  instruction('LLDT', '0F 00 /2 Ew ;nosize rare', (o) => {
    o.raiseIfNotProtected();
    o.requireCpl0();
    o.call('lldt', o.read(0));
  }),
  instruction('LTR', '0F 00 /3 Ew ;nosize rare', (o) => {
    o.raiseIfNotProtected();
    o.requireCpl0();
    o.call('ltr', o.read(0));
  }),
  verify('VERR', 4, 'verr'),
  verify('VERW', 5, 'verw'),
  query('LAR', '02', 'lar'),
  query('LSL', '03', 'lsl'),
  instruction('ARPL', '63 /r Ew,Gw ;no64 nosize rare', (o) => {
    o.raiseIfNotProtected();
    const rpl = o.and(o.read(1), 3);
    const raised = (a: Int): Int => o.select(o.ltu(o.and(a, 3), rpl), o.or(o.and(a, 0xfffc), rpl), a);
    const old = o.update(0, raised);
    o.setFlags({ zf: o.ltu(o.and(old, 3), rpl) });
  }),
  instruction('SMSW', ['0F 01 /4 Rv ;rare', '0F 01 /4 Mw ;nosize rare'], (o) => {
    o.call('umipCheck');
    o.write(0, o.state('cr0'));
  }),
  instruction('LMSW', '0F 01 /6 Ew ;nosize rare end cpl0', (o) => void o.call('lmsw', o.read(0))),
  instruction('CLTS', '0F 06 ;nosize cpl0 end', (o) => void o.call('clts')),
  instruction('INVD', ['0F 08 ;nosize cpl0', '0F 09 ;nosize cpl0'], () => {}),
  instruction('INVLPG', '0F 01 /7 Mb ;nosize cpl0 end', (o) => void o.call('invlpg', o.linear(o.segment(0), o.offset(0), 1, 'none'))),
  instruction('INVPCID', ['66 0F 38 82 /r Gq,Mn ;cpuid=INVPCID cpl0 end only64', '66 0F 38 82 /r Gd,Mn ;cpuid=INVPCID cpl0 end no64'], (o) => {
    o.call('invpcid', o.read(0), o.address(1, 16, 'read'));
  }),

  instruction('CLI', 'FA ;nosize end', (o) => void o.call('cli')),
  instruction('STI', 'FB ;nosize end', (o) => void o.call('sti')),
  instruction('HLT', 'F4 ;nosize cpl0 end', (o) => void o.call('hlt')),
  instruction('CPUID', '0F A2 ;nosize end', (o) => void o.call('cpuid')),
  instruction('RDTSC', '0F 31 ;nosize end', (o) => setPair(o, o.call('rdtsc'))),
  instruction('RDTSCP', '0F 01 F9 ;nosize end cpuid=RDTSCP', (o) => {
    setPair(o, o.call('rdtsc'));
    o.setReg(32, 1, o.state('tscAux'));
  }),
  instruction('RDPID', ['F3 0F C7 /7 Rq ;only64 cpuid=RDPID', 'F3 0F C7 /7 Rd ;no64 cpuid=RDPID'], (o) => o.write(0, o.state('tscAux'))),
  instruction('RDPMC', '0F 33 ;nosize', (o) => setPair(o, o.call('rdpmc'))),
  instruction('RDMSR', '0F 32 ;nosize cpl0 end', (o) => setPair(o, o.call('rdmsr', o.reg(32, 1)))),
  instruction('WRMSR', '0F 30 ;nosize cpl0 end', (o) => void o.call('wrmsr', o.reg(32, 1), pair(o))),
  instruction('SYSCALL', '0F 05 ;nosize only64', (o) => o.transfer('syscall')),
  instruction('SYSRET', '0F 07 ;sized cpl0', (o) => o.transfer('sysret', o.bits)),
  instruction('SYSENTER', '0F 34 ;nosize', (o) => o.transfer('sysenter')),
  instruction('SYSEXIT', '0F 35 ;sized cpl0', (o) => o.transfer('sysexit', o.bits)),
  instruction('SWAPGS', '0F 01 F8 ;nosize only64 cpl0', (o) => void o.call('swapgs')),
  ...(['RDFSBASE', 'RDGSBASE', 'WRFSBASE', 'WRGSBASE'] as const).map((name, i) => {
    const field: StateField = name.endsWith('FSBASE') ? 'fsBase' : 'gsBase';
    return instruction(name, `F3 0F AE /${i} Ry ;only64 cpuid=FSGSBASE rare`, (o) => {
      o.call('fsgsbaseCheck');
      if (i < 2) {
        o.write(0, o.state(field));
        return;
      }
      const base = o.read(0);
      o.raiseIf(o.ne(o.sar(o.shl(base, 16), 16), base), '#GP', 0);
      o.setState(field, base);
    });
  }),
  instruction('MONITOR', '0F 01 C8 ;nosize cpl0 cpuid=MONITOR', (o) => void o.call('monitor')),
  instruction('MWAIT', '0F 01 C9 ;nosize cpl0 end cpuid=MONITOR', (o) => void o.call('mwait')),
  instruction('CLAC', '0F 01 CA ;nosize cpl0 end cpuid=SMAP', (o) => void o.call('clac')),
  instruction('STAC', '0F 01 CB ;nosize cpl0 end cpuid=SMAP', (o) => void o.call('stac')),
  instruction('XGETBV', '0F 01 D0 ;nosize cpuid=XSAVE', (o) => setPair(o, o.call('xgetbv'))),
  instruction('XSETBV', '0F 01 D1 ;nosize cpl0 end cpuid=XSAVE', (o) => void o.call('xsetbv', o.reg(32, 1), pair(o))),

  instruction('FXSAVE', 'NP 0F AE /0 Mn ;sized rare cpuid=FXSR', (o) => {
    o.call('fxsave', o.address(0, 512, 'write'), o.bits === 64 ? 1 : 0);
  }),
  instruction('FXRSTOR', 'NP 0F AE /1 Mn ;sized rare cpuid=FXSR', (o) => {
    o.call('fxrstor', o.address(0, 512, 'read'), o.bits === 64 ? 1 : 0);
  }),
  save('XSAVE', 'NP 0F AE /4', 0),
  save('XSAVEOPT', 'NP 0F AE /6', 1),
  save('XSAVEC', 'NP 0F C7 /4', 2),
  instruction('XRSTOR', 'NP 0F AE /5 Mn ;sized rare cpuid=XSAVE', (o) => {
    o.call('xrstor', o.address(0, 64, 'read'), o.bits === 64 ? 1 : 0, pair(o));
  }),
];
