import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import {
  CODE, DATA, descriptor, dpl, EFLAGS_IF, FLAT64, gate, LDT, NOT_PRESENT, RING0_STACK, RING1_STACK, RIP, SELECTOR, SMALL, STACK, SystemRig, TSS, TYPE,
} from './system-rig.js'; // prettier-ignore

const NEXT = RIP + 7n;
const FREE = SELECTOR.FREE;
const IOPL3 = 0x3000;
const NT = 0x4000;
const RF = 0x10000;
const VM = 0x20000;
const VIF = 0x80000;
const VIP = 0x100000;
const ID = 0x200000;
const VME = 1n;

const notCanonical = 0x800000000000n;

function jump(rig: SystemRig, selector: number, offset = 0x100n, bits = 32n): void {
  rig.call('farJump', BigInt(selector), offset, bits, NEXT);
}

test('far jump: conforming code keeps the level, RPL becomes CPL', () => {
  const rig = new SystemRig();
  rig.enter(3);
  jump(rig, SELECTOR.CONFORMING);
  assert.equal(rig.fault(), null);
  assert.equal(rig.selector(L.CS), SELECTOR.CONFORMING | 3);
  assert.equal(rig.rip, 0x100n);
  jump(rig, SELECTOR.CODE3 & ~3);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE3);
});

test('far jump and call: checks and error codes', () => {
  for (const name of ['farJump', 'farCall']) {
    const rig = new SystemRig();
    const attempt = (selector: number, cpl: 0 | 3 = 3, offset = 0n): unknown => {
      rig.enter(cpl);
      return rig.faultOf(name, BigInt(selector), offset, 32n, NEXT);
    };
    assert.deepEqual(attempt(3), { vector: 13, error: 0 }, 'null');
    assert.deepEqual(attempt(0x10b), { vector: 13, error: 0x108 }, 'beyond the table');
    assert.deepEqual(attempt(4), { vector: 13, error: 4 }, 'no LDT');
    assert.deepEqual(attempt(SELECTOR.DATA3), { vector: 13, error: SELECTOR.DATA3 & 0xfffc }, 'data');
    assert.deepEqual(attempt(SELECTOR.CODE0), { vector: 13, error: SELECTOR.CODE0 }, 'inner');
    assert.deepEqual(attempt(SELECTOR.CODE3, 0), { vector: 13, error: SELECTOR.CODE3 & 0xfffc }, 'outer');
    rig.gdt(FREE, descriptor({ access: CODE & ~NOT_PRESENT }));
    assert.deepEqual(attempt(FREE, 0), { vector: 11, error: FREE }, 'not present');
    rig.gdt(FREE, descriptor({ access: CODE, limit: 0xfff, flags: 4 }));
    assert.deepEqual(attempt(FREE, 0, 0x1000n), { vector: 13, error: 0 }, 'beyond the limit');
    rig.gdt(FREE, descriptor({ access: TYPE.LDT | dpl(3) }));
    assert.deepEqual(attempt(FREE), { vector: 13, error: FREE }, 'an LDT');
  }
});

test('far jump through the LDT sets the accessed bit there', () => {
  const rig = new SystemRig();
  rig.gdt(0x0c, descriptor({ access: CODE & ~1, base: 0x500 }));
  rig.call('lldt', BigInt(SELECTOR.LDT));
  jump(rig, 0x0c);
  assert.equal(rig.fault(), null);
  assert.equal(rig.base(L.CS), 0x500n);
  assert.equal((rig.ram64(LDT + 8) >> 40n) & 0xffn, BigInt(CODE));
});

test('real-address mode: far jump, call and return', () => {
  const rig = new SystemRig();
  rig.enterReal();
  rig.call('farCall', 0x1234n, 0x5678n, 16n, NEXT);
  assert.equal(rig.base(L.CS), 0x12340n);
  assert.equal(rig.rip, 0x5678n);
  assert.deepEqual(rig.stack(2, 2, 0x2000), [Number(NEXT), 0x100]);
  rig.call('farReturn', 16n, 6n, 0n);
  assert.equal(rig.selector(L.CS), 0x100);
  assert.equal(rig.rip, NEXT);
  assert.equal(rig.rsp, 0x1006n);
  assert.deepEqual(rig.faultOf('farJump', 0n, 0x10000n, 32n, NEXT), { vector: 13, error: 0 });
});

test('far call and return at the same level', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, descriptor({ access: CODE, base: 0x1000 }));
  rig.call('farCall', BigInt(FREE), 0x44n, 32n, NEXT);
  assert.equal(rig.rip, 0x44n);
  assert.deepEqual(rig.stack(4, 2), [Number(NEXT), SELECTOR.CODE0]);
  rig.call('farReturn', 32n, 0n, 0n);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE0);
  assert.equal(rig.rsp, BigInt(STACK));
});

test('a call gate to an inner level copies its parameters; RET n drops them on both stacks', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, gate(TYPE.CALL | dpl(3), SELECTOR.CODE1, 0x4321, 3));
  rig.enter(3);
  rig.setStack(4, 0x11, 0x22, 0x33);
  rig.call('farCall', BigInt(FREE | 3), 0x999n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.cpl, 1);
  assert.equal(rig.rip, 0x4321n);
  assert.equal(rig.rsp, BigInt(RING1_STACK - 28));
  assert.deepEqual(rig.stack(4, 7), [Number(NEXT), SELECTOR.CODE3, 0x11, 0x22, 0x33, STACK, SELECTOR.DATA3]);
  rig.use(L.DS, SELECTOR.DATA1);
  rig.use(L.ES, SELECTOR.DATA3);
  rig.use(L.FS, SELECTOR.CONFORMING);
  rig.call('farReturn', 32n, 12n, 0n);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.rip, NEXT);
  assert.equal(rig.rsp, BigInt(STACK + 12));
  assert.equal(rig.selector(L.SS), SELECTOR.DATA3);
  assert.equal(rig.isNull(L.DS), true, 'level-1 data is not for level 3');
  assert.equal(rig.selector(L.ES), SELECTOR.DATA3);
  assert.equal(rig.selector(L.FS), SELECTOR.CONFORMING);
});

test('a 16-bit call gate copies words', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, gate(TYPE.CALL16 | dpl(3), SELECTOR.CODE0, 0x1_4321, 2));
  rig.enter(3);
  rig.setStack(2, 0x11, 0x22);
  rig.call('farCall', BigInt(FREE | 3), 0n, 32n, NEXT);
  assert.equal(rig.rip, 0x4321n);
  assert.deepEqual(rig.stack(2, 6), [
    Number(NEXT),
    SELECTOR.CODE3,
    0x11,
    0x22,
    STACK & 0xffff,
    SELECTOR.DATA3,
  ]);
  assert.equal(rig.rsp, BigInt(RING0_STACK - 12));
});

test('call gates: who may use them', () => {
  const rig = new SystemRig();
  const attempt = (name: string, value: bigint, selector = FREE | 3): unknown => {
    rig.gdt(FREE, value);
    rig.enter(3);
    return rig.faultOf(name, BigInt(selector), 0n, 32n, NEXT);
  };
  assert.deepEqual(
    attempt('farCall', gate(TYPE.CALL, SELECTOR.CODE0, 0)),
    { vector: 13, error: FREE },
    'DPL',
  );
  assert.deepEqual(attempt('farCall', gate((TYPE.CALL | dpl(3)) & ~NOT_PRESENT, SELECTOR.CODE0, 0)), {
    vector: 11,
    error: FREE,
  });
  assert.deepEqual(attempt('farCall', gate(TYPE.CALL | dpl(3), 0, 0)), { vector: 13, error: 0 }, 'null');
  assert.deepEqual(attempt('farCall', gate(TYPE.CALL | dpl(3), SELECTOR.DATA0, 0)), {
    vector: 13,
    error: SELECTOR.DATA0,
  });
  assert.deepEqual(
    attempt('farJump', gate(TYPE.CALL | dpl(3), SELECTOR.CODE0, 0)),
    { vector: 13, error: SELECTOR.CODE0 },
    'no jump inwards',
  );
  rig.setRam32(TSS + 8, SELECTOR.DATA1);
  assert.deepEqual(attempt('farCall', gate(TYPE.CALL | dpl(3), SELECTOR.CODE0, 0)), {
    vector: 10,
    error: SELECTOR.DATA1 & 0xfffc,
  });
  assert.equal(attempt('farJump', gate(TYPE.CALL | dpl(3), SELECTOR.CONFORMING, 0x77)), null);
  assert.equal(rig.rip, 0x77n);
  assert.equal(rig.cpl, 3);
});

test('long mode: a call gate has 16 bytes, leads to 64-bit code and copies nothing', () => {
  const rig = new SystemRig(true);
  rig.gdt(FREE, gate(TYPE.CALL | dpl(3), SELECTOR.LONG0, 0x12345678), 0xffff8000n);
  rig.enter(3, { compatible: true });
  rig.call('farCall', BigInt(FREE | 3), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, 0xffff800012345678n);
  assert.equal(rig.mode & L.MODE_LONG, L.MODE_LONG);
  assert.deepEqual(rig.stack(8, 4), [Number(NEXT), SELECTOR.CODE3, STACK, SELECTOR.DATA3]);
  assert.equal(rig.rsp, BigInt(RING0_STACK - 32));
  assert.equal(rig.isNull(L.SS), true);
  rig.call('farReturn', 64n, 0n, 0n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE3);
  assert.equal(rig.rsp, BigInt(STACK));
  const attempt = (value: bigint, upper = 0n): unknown => {
    rig.gdt(FREE, value, upper);
    rig.enter(3);
    return rig.faultOf('farCall', BigInt(FREE | 3), 0n, 64n, NEXT);
  };
  assert.deepEqual(
    attempt(gate(TYPE.CALL | dpl(3), SELECTOR.CODE0, 0)),
    { vector: 13, error: SELECTOR.CODE0 },
    '32-bit code',
  );
  assert.deepEqual(
    attempt(gate(TYPE.CALL | dpl(3), SELECTOR.LONG0, 0), 1n << 40n),
    { vector: 13, error: FREE },
    'type in the upper half',
  );
  assert.deepEqual(
    attempt(gate(TYPE.CALL | dpl(3), SELECTOR.LONG0, 0), 0x80000000n),
    { vector: 13, error: 0 },
    'not canonical',
  );
  assert.deepEqual(
    attempt(gate(TYPE.TASK | dpl(3), SELECTOR.TSS2, 0)),
    { vector: 13, error: FREE },
    'task gate',
  );
});

test('long mode: far transfers change between 64-bit and compatibility mode', () => {
  const rig = new SystemRig(true);
  rig.call('farJump', BigInt(SELECTOR.CODE0), 0x1000n, 64n, NEXT);
  assert.equal(rig.mode & (L.MODE_LONG | L.MODE_CS32 | L.MODE_LMA), L.MODE_CS32 | L.MODE_LMA);
  rig.call('farJump', BigInt(SELECTOR.LONG0), 0x1000n, 32n, NEXT);
  assert.equal(rig.mode & L.MODE_LONG, L.MODE_LONG);
  assert.deepEqual(rig.faultOf('farJump', BigInt(SELECTOR.LONG0), notCanonical, 64n, NEXT), {
    vector: 13,
    error: 0,
  });
  rig.gdt(FREE, descriptor({ access: CODE, flags: FLAT64 | 4 }));
  assert.deepEqual(
    rig.faultOf('farJump', BigInt(FREE), 0n, 64n, NEXT),
    { vector: 13, error: FREE },
    'L and D',
  );
});

test('far return: never inwards, null, and the stack segment of the outer level', () => {
  const rig = new SystemRig();
  const attempt = (cpl: 0 | 3, ...frame: number[]): unknown => {
    rig.enter(cpl);
    rig.setStack(4, ...frame);
    return rig.faultOf('farReturn', 32n, 0n, 0n);
  };
  assert.deepEqual(attempt(3, 0, SELECTOR.CODE0), { vector: 13, error: SELECTOR.CODE0 });
  assert.deepEqual(attempt(0, 0, 0), { vector: 13, error: 0 });
  assert.deepEqual(attempt(0, 0, SELECTOR.CODE3, 0x100, 0), { vector: 13, error: 0 });
  assert.deepEqual(attempt(0, 0, SELECTOR.CODE3, 0x100, SELECTOR.DATA0), {
    vector: 13,
    error: SELECTOR.DATA0,
  });
  rig.gdt(FREE, descriptor({ access: (DATA | dpl(3)) & ~NOT_PRESENT }));
  assert.deepEqual(attempt(0, 0, SELECTOR.CODE3, 0x100, FREE | 3), { vector: 12, error: FREE });
  rig.gdt(FREE, descriptor({ access: CODE | dpl(3), limit: 0xff, flags: 4 }));
  assert.deepEqual(
    attempt(0, 0x100, FREE | 3, 0x100, SELECTOR.DATA3),
    { vector: 13, error: 0 },
    'beyond the limit',
  );
});

test('IRET at the same level: all flags at level 0, IF by IOPL, IOPL only at level 0', () => {
  const rig = new SystemRig();
  rig.setStack(4, 0x777, SELECTOR.CODE0, 0x3f7fd5 & ~(VM | NT));
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, 0x777n);
  assert.equal(rig.eflags, (0x3f7fd7 & ~(VM | NT)) >>> 0);
  assert.equal(rig.rsp, BigInt(STACK + 12));
  rig.enter(3, { eflags: EFLAGS_IF });
  rig.setStack(4, 0x777, SELECTOR.CODE3, IOPL3 | VIF | VIP | ID | RF);
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.eflags, EFLAGS_IF | ID | RF | 2);
  rig.enter(3, { eflags: IOPL3 | EFLAGS_IF });
  rig.setStack(4, 0x777, SELECTOR.CODE3, 0);
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.eflags, IOPL3 | 2);
});

test('16-bit IRET leaves the upper flags', () => {
  const rig = new SystemRig();
  rig.enter(0, { eflags: ID | 0x40000 });
  rig.setStack(2, 0x777, SELECTOR.CODE0, EFLAGS_IF | 1);
  rig.call('iret', 16n, NEXT);
  assert.equal(rig.eflags, ID | 0x40000 | EFLAGS_IF | 3);
});

test('IRET to an outer level, and NMI is unblocked', () => {
  const rig = new SystemRig();
  rig.setU32(rig.cpu + L.S_NMI_BLOCKED, 1);
  rig.setStack(4, 0x777, SELECTOR.CODE3, EFLAGS_IF, 0x8000, SELECTOR.DATA3);
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.rsp, 0x8000n);
  assert.equal(rig.selector(L.SS), SELECTOR.DATA3);
  assert.equal(rig.eflags, EFLAGS_IF | 2);
  assert.equal(rig.isNull(L.DS), true);
  assert.equal(rig.state32(L.S_NMI_BLOCKED), 0);
  assert.equal(rig.mode & L.MODE_CPL3, L.MODE_CPL3);
});

test('IRET to a 16-bit stack keeps the upper half of ESP', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, descriptor({ access: DATA | dpl(3), limit: 0xffff, flags: SMALL }));
  rig.setStack(4, 0x777, SELECTOR.CODE3, 0, 0x12348000, FREE | 3);
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.rsp, 0x18000n);
});

test('IRET to virtual-8086 mode and from it', () => {
  const rig = new SystemRig();
  rig.setStack(4, 0x1111, 0x100, VM | IOPL3 | EFLAGS_IF, 0xfff0, 0x200, 0x300, 0x400, 0x500, 0x600);
  rig.call('iret', 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.mode & (L.MODE_VM86 | L.MODE_PROTECTED), L.MODE_VM86);
  assert.deepEqual(
    [L.CS, L.SS, L.ES, L.DS, L.FS, L.GS].map((n) => rig.base(n)),
    [0x1000n, 0x2000n, 0x3000n, 0x4000n, 0x5000n, 0x6000n],
  );
  assert.equal(rig.rsp, 0xfff0n);
  assert.equal(rig.eflags, VM | IOPL3 | EFLAGS_IF | 2);

  rig.rsp = 0x100n;
  [0x2222, 0x180, 0].forEach((value, i) => rig.view.setUint16(rig.host(0x2100 + 2 * i), value, true));
  rig.call('iret', 16n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.base(L.CS), 0x1800n);
  assert.equal(rig.eflags, VM | IOPL3 | 2);

  rig.enter(0);
  rig.setStack(4, 0x10000, 0x100, VM, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(rig.faultOf('iret', 32n, NEXT), { vector: 13, error: 0 });
});

test('IRET in virtual-8086 mode below IOPL 3: #GP, or the virtual IF with VME', () => {
  const rig = new SystemRig();
  const attempt = (flags: number, image: number, cr4 = 0n, bits = 16n): unknown => {
    rig.enterVirtual8086({ iopl: 0, eflags: flags, cr4 });
    [0x2222, 0x180, image].forEach((value, i) => {
      if (bits === 16n) rig.view.setUint16(rig.host(0x3020 + 2 * i), value, true);
      else rig.setRam32(0x3020 + 4 * i, value);
    });
    return rig.faultOf('iret', bits, NEXT);
  };
  assert.deepEqual(attempt(0, 0), { vector: 13, error: 0 });
  assert.equal(attempt(0, EFLAGS_IF, VME), null);
  assert.equal(rig.eflags & (VIF | EFLAGS_IF), VIF);
  assert.equal(attempt(VIF, 0, VME), null);
  assert.equal(rig.eflags & VIF, 0);
  assert.deepEqual(attempt(VIP, EFLAGS_IF, VME), { vector: 13, error: 0 });
  assert.deepEqual(attempt(0, 0x100, VME), { vector: 13, error: 0 });
  assert.deepEqual(attempt(0, 0, VME, 32n), { vector: 13, error: 0 });
});

test('long mode: IRET takes SS:RSP always, a null SS below level 3, and no NT', () => {
  const rig = new SystemRig(true);
  rig.setStack(8, 0x777n, SELECTOR.LONG0, EFLAGS_IF, 0xffff900000001238n, 0);
  rig.call('iret', 64n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rsp, 0xffff900000001238n);
  assert.equal(rig.isNull(L.SS), true);
  rig.enter(0);
  rig.setStack(8, 0x777n, SELECTOR.LONG3, EFLAGS_IF, 0x8000, 3);
  assert.deepEqual(rig.faultOf('iret', 64n, NEXT), { vector: 13, error: 0 });
  rig.setStack(8, notCanonical, SELECTOR.LONG3, EFLAGS_IF, 0x8000, SELECTOR.DATA3);
  assert.deepEqual(rig.faultOf('iret', 64n, NEXT), { vector: 13, error: 0 });
  rig.setStack(8, 0x777n, SELECTOR.CODE3, EFLAGS_IF, 0x8000, SELECTOR.DATA3);
  rig.call('iret', 64n, NEXT);
  assert.equal(rig.mode & (L.MODE_LONG | L.MODE_CPL3 | L.MODE_CS32), L.MODE_CPL3 | L.MODE_CS32);
  rig.enter(0, { eflags: NT });
  assert.deepEqual(rig.faultOf('iret', 64n, NEXT), { vector: 13, error: 0 });
});

test('a null segment keeps the base that level 3 was given for FS', () => {
  const rig = new SystemRig(true);
  rig.setU64(rig.cpu + L.S_SEG + L.FS * L.SEG_BYTES + L.SEG_BASE, 0x123456789n);
  rig.setStack(8, 0x777n, SELECTOR.LONG3, EFLAGS_IF, 0x8000, SELECTOR.DATA3);
  rig.call('iret', 64n, NEXT);
  assert.equal(rig.base(L.FS), 0x123456789n);
});

test('a return that runs off the stack segment changes nothing', () => {
  const rig = new SystemRig();
  rig.call('setSegment', L.SS, SELECTOR.DATA0, 0x4093, 0n, BigInt(STACK + 9));
  assert.deepEqual(rig.faultOf('iret', 32n, NEXT), { vector: 12, error: 0 });
  rig.setStack(4, 0x777, SELECTOR.CODE3);
  assert.deepEqual(rig.faultOf('farReturn', 32n, 0n, NEXT), { vector: 12, error: 0 });
});
