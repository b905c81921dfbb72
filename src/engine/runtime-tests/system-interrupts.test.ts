import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import {
  CODE, DATA, descriptor, dpl, EFLAGS_IF, gate, GDT, IDT, IST1_STACK, NOT_PRESENT, RING0_STACK, RING1_STACK, RIP, SELECTOR, SMALL, STACK, SystemRig, TSS, TSS2, TYPE,
} from './system-rig.js'; // prettier-ignore

const RF = 0x10000;
const NT = 0x4000;
const VM = 0x20000;
const TF = 0x100;
const VIF = 0x80000;
const VIP = 0x100000;
const VME = 1n;
const EXTERNAL = 0;
const HANDLER = 0x5678;
const TABLES = 0x100000;

test('an interrupt gate at the same level: flags, CS and EIP pushed, IF cleared', () => {
  const rig = new SystemRig();
  rig.enter(0, { eflags: EFLAGS_IF | NT | 0x41 });
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, 0x12345678));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rip, 0x12345678n);
  assert.equal(rig.rsp, BigInt(STACK - 12));
  assert.deepEqual(rig.stack(4, 3), [Number(RIP), SELECTOR.CODE0, EFLAGS_IF | NT | 0x43]);
  assert.equal(rig.eflags, 0x43);
});

test('a trap gate keeps IF', () => {
  const rig = new SystemRig();
  rig.enter(0, { eflags: EFLAGS_IF | TF });
  rig.idt(0x30, gate(TYPE.TRAP, SELECTOR.CODE0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.eflags, EFLAGS_IF | 2);
});

test('a fault pushes its error code and RF; a breakpoint on an instruction does not push RF', () => {
  const rig = new SystemRig();
  rig.idt(13, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.idt(1, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.deliver(13, 0xabc);
  assert.deepEqual(rig.stack(4, 4), [0xabc, Number(RIP), SELECTOR.CODE0, RF | 2]);
  assert.equal(rig.eflags, 2);
  rig.enter(0);
  rig.call('debugFault', 4);
  assert.deepEqual(rig.stack(4, 3), [Number(RIP), SELECTOR.CODE0, 2]);
  assert.equal(rig.state64(L.S_DR + 48) & 0xfn, 4n);
});

test('16-bit gates push words', () => {
  const rig = new SystemRig();
  rig.idt(13, gate(TYPE.INT16, SELECTOR.CODE0, 0x5678));
  rig.deliver(13, 0xabc);
  assert.equal(rig.rip, 0x5678n);
  assert.deepEqual(rig.stack(2, 4), [0xabc, Number(RIP), SELECTOR.CODE0, 2]);
});

test('from level 3 to level 0: the stack of the TSS, SS and ESP pushed', () => {
  const rig = new SystemRig();
  rig.enter(3, { eflags: EFLAGS_IF });
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.cpl, 0);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE0);
  assert.equal(rig.selector(L.SS), SELECTOR.DATA0);
  assert.equal(rig.rsp, BigInt(RING0_STACK - 20));
  assert.deepEqual(rig.stack(4, 5), [Number(RIP), SELECTOR.CODE3, EFLAGS_IF | 2, STACK, SELECTOR.DATA3]);
  assert.equal(rig.mode & L.MODE_CPL3, 0);
});

test('from level 3 to level 1', () => {
  const rig = new SystemRig();
  rig.enter(3);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE1, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.cpl, 1);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE1);
  assert.equal(rig.rsp, BigInt(RING1_STACK - 20));
});

test('a conforming handler runs at the level that was interrupted', () => {
  const rig = new SystemRig();
  rig.enter(3);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CONFORMING, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.selector(L.CS), SELECTOR.CONFORMING | 3);
  assert.equal(rig.rsp, BigInt(STACK - 12));
});

test('accessed bits of code and stack are set', () => {
  const rig = new SystemRig();
  rig.gdt(SELECTOR.CODE0, descriptor({ access: CODE & ~1 }));
  rig.gdt(SELECTOR.DATA0, descriptor({ access: DATA & ~1 }));
  rig.enter(3);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.access(SELECTOR.CODE0), CODE);
  assert.equal(rig.access(SELECTOR.DATA0), DATA);
});

test('INT n: the checks of gate and code, with their error codes', () => {
  const rig = new SystemRig();
  const cases: [string, bigint, number, number][] = [
    ['no gate', 0n, 13, 0x30 * 8 + 2],
    ['not present', gate((TYPE.INT | dpl(3)) & ~NOT_PRESENT, SELECTOR.CODE0, 0), 11, 0x30 * 8 + 2],
    ['DPL too low', gate(TYPE.INT, SELECTOR.CODE0, 0), 13, 0x30 * 8 + 2],
    ['a call gate', gate(TYPE.CALL | dpl(3), SELECTOR.CODE0, 0), 13, 0x30 * 8 + 2],
    ['null code', gate(TYPE.INT | dpl(3), 3, 0), 13, 0],
    ['data as code', gate(TYPE.INT | dpl(3), SELECTOR.DATA0, 0), 13, SELECTOR.DATA0],
    ['beyond the table', gate(TYPE.INT | dpl(3), 0x108, 0), 13, 0x108],
    ['code not present', gate(TYPE.INT | dpl(3), SELECTOR.FREE, 0), 11, SELECTOR.FREE],
  ];
  rig.gdt(SELECTOR.FREE, descriptor({ access: CODE & ~NOT_PRESENT }));
  for (const [what, value, vector, error] of cases) {
    rig.enter(3);
    rig.idt(0x30, value);
    assert.deepEqual(rig.faultOf('interruptSoftware', 0x30n, RIP + 2n), { vector, error }, what);
  }
  rig.enter(3);
  rig.setU32(rig.cpu + L.S_IDTR + 8, 0x30 * 8 + 6);
  assert.deepEqual(
    rig.faultOf('interruptSoftware', 0x30n, RIP + 2n),
    { vector: 13, error: 0x182 },
    'beyond the IDT',
  );
});

test('INT n of code at a level that a handler of an outer level would serve', () => {
  const rig = new SystemRig();
  rig.idt(0x30, gate(TYPE.INT | dpl(3), SELECTOR.CODE3, HANDLER));
  assert.deepEqual(rig.faultOf('interruptSoftware', 0x30n, RIP + 2n), {
    vector: 13,
    error: SELECTOR.CODE3 & 0xfffc,
  });
});

test('INT n, INT3, INTO return behind themselves; INT1 needs no DPL', () => {
  const rig = new SystemRig();
  for (const vector of [3, 4, 0x30]) rig.idt(vector, gate(TYPE.INT | dpl(3), SELECTOR.CODE0, HANDLER));
  rig.idt(1, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  for (const [name, ...args] of [['interruptSoftware', 0x30n], ['int3'], ['into'], ['int1']] as [
    string,
    ...bigint[],
  ][]) {
    rig.enter(3);
    rig.call(name, ...args, RIP + 2n);
    assert.equal(rig.fault(), null, name);
    assert.equal(rig.stack(4, 1)[0], Number(RIP) + 2, name);
  }
});

test('the stack of the inner level: #TS and #SS with selector and EXT', () => {
  const rig = new SystemRig();
  rig.idt(0x30, gate(TYPE.INT | dpl(3), SELECTOR.CODE0, HANDLER));
  const attempt = (ss: number): unknown => {
    rig.enter(3);
    rig.setRam32(TSS + 8, ss);
    return rig.faultOf('interruptSoftware', 0x30n, RIP + 2n);
  };
  assert.deepEqual(attempt(0), { vector: 10, error: 0 }, 'null');
  assert.deepEqual(attempt(SELECTOR.DATA3), { vector: 10, error: SELECTOR.DATA3 & 0xfffc }, 'another level');
  assert.deepEqual(attempt(SELECTOR.CODE0), { vector: 10, error: SELECTOR.CODE0 }, 'code');
  assert.deepEqual(attempt(0x108), { vector: 10, error: 0x108 }, 'beyond the table');
  rig.gdt(SELECTOR.FREE, descriptor({ access: DATA & ~NOT_PRESENT }));
  assert.deepEqual(attempt(SELECTOR.FREE), { vector: 12, error: SELECTOR.FREE }, 'not present');
  rig.gdt(SELECTOR.FREE, descriptor({ access: DATA, limit: RING0_STACK - 2, flags: 4 }));
  assert.deepEqual(attempt(SELECTOR.FREE), { vector: 12, error: SELECTOR.FREE }, 'no room');
  rig.setU64(rig.cpu + L.S_SEG + L.TR * L.SEG_BYTES + L.SEG_LIMIT, 8n);
  assert.deepEqual(attempt(SELECTOR.DATA0), { vector: 10, error: SELECTOR.TSS }, 'TSS too short');
});

test('room on the stack is asked for what is pushed, and no more', () => {
  const rig = new SystemRig();
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.idt(12, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.call('setSegment', L.SS, SELECTOR.DATA0, 0x4097, 0n, BigInt(STACK - 13));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rsp, BigInt(STACK - 12));
});

test('a fault on the way of an external interrupt has EXT and is delivered itself', () => {
  const rig = new SystemRig();
  rig.idt(11, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.idt(0x30, gate(TYPE.INT & ~NOT_PRESENT, SELECTOR.CODE0, 0));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rip, BigInt(HANDLER));
  assert.equal(rig.stack(4, 1)[0], 0x30 * 8 + 3);
});

test('two contributory faults make a double fault; benign ones do not; a fault then is shutdown', () => {
  const rig = new SystemRig();
  rig.idt(8, gate(TYPE.INT, SELECTOR.CODE0, 0x8888));
  rig.idt(13, gate(TYPE.INT, SELECTOR.CODE0, 0xdddd));
  // #NP whose gate is missing: #GP on top makes #DF
  rig.deliver(11, 0x18);
  assert.equal(rig.rip, 0x8888n);
  assert.deepEqual(rig.stack(4, 2), [0, Number(RIP)]);
  // #UD whose gate is missing: #GP
  rig.enter(0);
  rig.deliver(6);
  assert.equal(rig.rip, 0xddddn);
  assert.equal(rig.stack(4, 1)[0], 6 * 8 + 3);
  // no gate for #DF either
  rig.enter(0);
  rig.idt(8, 0n);
  rig.idt(13, 0n);
  rig.deliver(11, 0x18);
  assert.equal(rig.shutdown, true);
  assert.equal(rig.rip, RIP);
  assert.equal(rig.rsp, BigInt(STACK));
  assert.equal(rig.state32(L.S_PENDING) & L.PENDING_STEP, L.PENDING_STEP);
});

/** Identity map of the first 4 MiB; `user`: for level 3 too. */
function paged(rig: SystemRig, cpl: 0 | 3, user = true): void {
  rig.setRam32(TABLES, TABLES + 0x1000 + 7);
  for (let i = 0; i < 1024; i++) rig.setRam32(TABLES + 0x1000 + 4 * i, i * 0x1000 + (user ? 7 : 3));
  rig.enter(cpl);
  rig.setState64(L.S_CR0, rig.state64(L.S_CR0) | 0x80010000n);
  rig.setState64(L.S_CR3, BigInt(TABLES));
  rig.runtime.flushTlb(rig.cpu, false);
}
function unmap(rig: SystemRig, linear: number): void {
  rig.setRam32(TABLES + 0x1000 + 4 * (linear >> 12), 0);
}

test('a page fault sets CR2 when it is delivered; another one on its way makes a double fault', () => {
  const rig = new SystemRig();
  rig.idt(14, gate(TYPE.INT, SELECTOR.CODE0, 0xeeee));
  rig.idt(8, gate(TYPE.TASK, SELECTOR.TSS2, 0));
  paged(rig, 3);
  rig.deliver(14, 6, 0x7654321n);
  assert.equal(rig.state64(L.S_CR2), 0x7654321n);
  assert.equal(rig.stack(4, 1)[0], 6);

  const task = [[0x1c, TABLES], [0x20, 0x8888], [0x24, 2], [0x38, 0xe000], [0x48, SELECTOR.DATA0], [0x4c, SELECTOR.CODE0], [0x50, SELECTOR.DATA0], [0x54, SELECTOR.DATA0]]; // prettier-ignore
  for (const [at, value] of task) rig.setRam32(TSS2 + at!, value!);
  paged(rig, 3);
  unmap(rig, RING0_STACK - 1);
  rig.deliver(14, 6, 0x7654321n);
  assert.equal(rig.rip, 0x8888n, 'the double-fault task');
  assert.equal(rig.state64(L.S_CR2), BigInt(RING0_STACK - 4));
  assert.equal(rig.stack(4, 1)[0], 0, 'error code on the stack of the task');
});

test('a page fault on the way of a contributory one is delivered itself', () => {
  const rig = new SystemRig();
  rig.idt(13, gate(TYPE.INT, 4, 0));
  rig.idt(14, gate(TYPE.INT, SELECTOR.CODE0, 0xeeee));
  rig.call('setSegment', L.LDTR, SELECTOR.LDT, 0x82, 0x6000n, 0x1fn);
  paged(rig, 3);
  unmap(rig, 0x6000);
  rig.deliver(13, 0);
  assert.equal(rig.rip, 0xeeeen);
  assert.equal(rig.state64(L.S_CR2), 0x6000n);
  assert.equal(rig.stack(4, 1)[0], 0);
});

test('pushes to the stack of an inner level are supervisor accesses, to that of level 3 user ones', () => {
  const rig = new SystemRig();
  paged(rig, 3, false);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.idt(0x31, gate(TYPE.INT | dpl(3), SELECTOR.CODE3, HANDLER));
  assert.deepEqual(rig.faultOf('interruptSoftware', 0x31n, RIP + 2n), {
    vector: 14,
    error: 7,
    address: BigInt(STACK - 4),
  });
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rip, BigInt(HANDLER));
  assert.equal(rig.rsp, BigInt(RING0_STACK - 20));
});

test('from virtual-8086 mode: segments pushed and cleared', () => {
  const rig = new SystemRig();
  rig.enterVirtual8086({ eflags: EFLAGS_IF });
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.eflags & VM, 0);
  assert.equal(rig.mode & (L.MODE_VM86 | L.MODE_PROTECTED), L.MODE_PROTECTED);
  assert.deepEqual(rig.stack(4, 9), [
    Number(RIP),
    0x100,
    VM | 0x3000 | EFLAGS_IF | 2,
    0x1000,
    0x202,
    0x201,
    0x203,
    0x204,
    0x205,
  ]);
  for (const n of [L.ES, L.DS, L.FS, L.GS]) assert.equal(rig.isNull(n), true);
  // the handler must be at level 0
  rig.enterVirtual8086();
  rig.idt(0x30, gate(TYPE.INT | dpl(3), SELECTOR.CODE1, HANDLER));
  assert.deepEqual(rig.faultOf('interruptSoftware', 0x30n, RIP + 2n), {
    vector: 13,
    error: SELECTOR.CODE1 & 0xfffc,
  });
});

test('INT n in virtual-8086 mode: IOPL, and the redirection map of VME', () => {
  const rig = new SystemRig();
  rig.idt(0x21, gate(TYPE.INT | dpl(3), SELECTOR.CODE0, HANDLER));
  rig.setRam32(0x21 * 4, 0x04560789);
  rig.enterVirtual8086({ iopl: 0 });
  assert.deepEqual(rig.faultOf('interruptSoftware', 0x21n, RIP + 2n), { vector: 13, error: 0 });
  rig.enterVirtual8086({ iopl: 3 });
  rig.call('interruptSoftware', 0x21n, RIP + 2n);
  assert.equal(rig.rip, BigInt(HANDLER));

  // TSS with the map right behind its 104 bytes
  rig.setU64(rig.cpu + L.S_SEG + L.TR * L.SEG_BYTES + L.SEG_LIMIT, 0xffn);
  rig.setRam32(TSS + 100, (104 + 32) << 16);
  for (const [iopl, flags, image] of [
    [0, VIF, 0x3000 | EFLAGS_IF],
    [0, 0, 0x3000],
    [3, EFLAGS_IF, 0x3000 | EFLAGS_IF],
  ] as const) {
    rig.enterVirtual8086({ iopl, eflags: flags, cr4: VME });
    rig.call('interruptSoftware', 0x21n, RIP + 2n);
    assert.equal(rig.fault(), null);
    assert.equal(rig.rip, 0x789n);
    assert.equal(rig.selector(L.CS), 0x456);
    assert.deepEqual(rig.stack(2, 3, 0x2020), [Number(RIP) + 2, 0x100, image | 2], `IOPL ${iopl}`);
    assert.equal(rig.eflags & (EFLAGS_IF | VIF), 0);
  }
  rig.setRam32(TSS + 104 + 4, 2); // bit 21H set: not redirected
  rig.enterVirtual8086({ iopl: 0, cr4: VME });
  assert.deepEqual(rig.faultOf('interruptSoftware', 0x21n, RIP + 2n), { vector: 13, error: 0 });
});

test('real-address mode: the table at the IDTR, words on the stack, no error code', () => {
  const rig = new SystemRig();
  rig.enterReal();
  rig.setFlags(EFLAGS_IF | TF | 1);
  rig.setRam32(13 * 4, 0x12345678);
  rig.deliver(13, 0xabc);
  assert.equal(rig.rip, 0x5678n);
  assert.equal(rig.selector(L.CS), 0x1234);
  assert.equal(rig.base(L.CS), 0x12340n);
  assert.deepEqual(rig.stack(2, 3, 0x2000), [Number(RIP), 0x100, EFLAGS_IF | TF | 3]);
  assert.equal(rig.eflags, 3);
  // a table that is too short: shutdown, as #GP and #DF lie beyond it too
  rig.enterReal();
  rig.setU32(rig.cpu + L.S_IDTR + 8, 0x1f);
  rig.call('interruptSoftware', 0x10n, RIP + 2n);
  assert.equal(rig.rip, RIP);
  rig.call('deliverFault');
  assert.equal(rig.shutdown, true);
});

test('long mode: 64-bit frame on an aligned stack, also at the same level', () => {
  const rig = new SystemRig(true);
  rig.rsp = BigInt(STACK - 3);
  rig.idt(13, gate(TYPE.INT, SELECTOR.LONG0, 0x12345678), 0xffff8000n);
  rig.deliver(13, 0xabc);
  assert.equal(rig.rip, 0xffff800012345678n);
  assert.equal(rig.rsp, BigInt(STACK - 16 - 48));
  assert.deepEqual(rig.stack(8, 6), [0xabc, Number(RIP), SELECTOR.LONG0, RF | 2, STACK - 3, SELECTOR.DATA0]);
  assert.equal(rig.selector(L.SS), SELECTOR.DATA0);
});

test('long mode: from level 3 SS becomes null and RSP0 is taken; IST in any case', () => {
  const rig = new SystemRig(true);
  rig.enter(3, { eflags: EFLAGS_IF });
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.LONG0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.cpl, 0);
  assert.equal(rig.selector(L.SS), 0);
  assert.equal(rig.isNull(L.SS), true);
  assert.deepEqual(rig.stack(8, 5), [Number(RIP), SELECTOR.LONG3, EFLAGS_IF | 2, STACK, SELECTOR.DATA3]);
  assert.equal(rig.rsp, BigInt(RING0_STACK - 40));
  rig.enter(0);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.LONG0, HANDLER, 1));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rsp, BigInt((IST1_STACK & ~15) - 40));
  assert.equal(rig.selector(L.SS), SELECTOR.DATA0);
  // compatibility mode is left
  rig.enter(3, { compatible: true });
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.mode & L.MODE_LONG, L.MODE_LONG);
  assert.equal(rig.stack(8, 2)[1], SELECTOR.CODE3);
});

test('long mode: the checks of gate, code and stack', () => {
  const rig = new SystemRig(true);
  const attempt = (value: bigint): unknown => {
    rig.enter(3);
    rig.idt(0x30, value);
    return rig.faultOf('interruptSoftware', 0x30n, RIP + 2n);
  };
  assert.deepEqual(
    attempt(gate(TYPE.INT16 | dpl(3), SELECTOR.LONG0, 0)),
    { vector: 13, error: 0x182 },
    '16-bit gate',
  );
  assert.deepEqual(
    attempt(gate(TYPE.TASK | dpl(3), SELECTOR.TSS2, 0)),
    { vector: 13, error: 0x182 },
    'task gate',
  );
  assert.deepEqual(attempt(gate(TYPE.INT, SELECTOR.LONG0, 0)), { vector: 13, error: 0x182 }, 'DPL');
  assert.deepEqual(attempt(gate((TYPE.INT | dpl(3)) & ~NOT_PRESENT, SELECTOR.LONG0, 0)), {
    vector: 11,
    error: 0x182,
  });
  assert.deepEqual(
    attempt(gate(TYPE.INT | dpl(3), SELECTOR.CODE0, 0)),
    { vector: 13, error: SELECTOR.CODE0 },
    '32-bit code',
  );
  assert.deepEqual(attempt(gate(TYPE.INT | dpl(3), 0, 0)), { vector: 13, error: 0 }, 'null');
  rig.setRam64(TSS + 4, 0x8000000000000000n);
  assert.deepEqual(
    attempt(gate(TYPE.INT | dpl(3), SELECTOR.LONG0, 0)),
    { vector: 12, error: 0 },
    'stack not canonical',
  );
  rig.setU64(rig.cpu + L.S_SEG + L.TR * L.SEG_BYTES + L.SEG_LIMIT, 10n);
  assert.deepEqual(
    attempt(gate(TYPE.INT | dpl(3), SELECTOR.LONG0, 0)),
    { vector: 10, error: SELECTOR.TSS },
    'TSS too short',
  );
});

test('long mode: a stack that is not canonical during an exception is #SS with EXT, then a double fault by IST', () => {
  const rig = new SystemRig(true);
  rig.enter(3);
  rig.setRam64(TSS + 4, 0x8000000000000000n);
  rig.idt(13, gate(TYPE.INT, SELECTOR.LONG0, 0xdddd));
  rig.idt(12, gate(TYPE.INT, SELECTOR.LONG0, 0xcccc, 1));
  rig.idt(8, gate(TYPE.INT, SELECTOR.LONG0, 0x8888, 1));
  rig.deliver(6 + 7, 0);
  assert.equal(rig.rip, 0x8888n);
  rig.enter(3);
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.LONG0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.rip, 0xccccn);
  assert.equal(rig.stack(8, 1)[0], 1);
});

test('VIP and VIF are as they were after delivery, and the tables lie where they were put', () => {
  const rig = new SystemRig();
  rig.enter(0, { eflags: VIP | VIF });
  rig.idt(0x30, gate(TYPE.INT, SELECTOR.CODE0, HANDLER));
  rig.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(rig.eflags & (VIP | VIF), VIP | VIF);
  assert.equal(rig.state64(L.S_GDTR), BigInt(GDT));
  assert.equal(rig.state64(L.S_IDTR), BigInt(IDT));
  assert.equal(rig.base(L.TR), BigInt(TSS));
  assert.equal(
    rig.gdtAt(SELECTOR.TSS),
    descriptor({ access: TYPE.TSS_BUSY, base: TSS, limit: 0x67, flags: SMALL }),
  );
});
