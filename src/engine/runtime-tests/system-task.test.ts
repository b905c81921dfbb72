import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import {
  CODE,
  DATA,
  descriptor,
  dpl,
  EFLAGS_IF,
  gate,
  LDT,
  NOT_PRESENT,
  RIP,
  SELECTOR,
  SMALL,
  STACK,
  SystemRig,
  TSS,
  TSS2,
  TYPE,
} from './system-rig.js';

const NEXT = RIP + 7n;
const FREE = SELECTOR.FREE;
const FREE2 = SELECTOR.FREE2;
const NT = 0x4000;
const VM = 0x20000;
const CR0_TS = 8n;
const TASK_RIP = 0x8888;
const TASK_STACK = 0xe000;
const EXTERNAL = 0;

// Fields of a 32-bit TSS (SDM vol. 3, figure 7-2)
const FIELD = {
  LINK: 0,
  CR3: 0x1c,
  EIP: 0x20,
  EFLAGS: 0x24,
  EAX: 0x28,
  ESP: 0x38,
  ES: 0x48,
  CS: 0x4c,
  SS: 0x50,
  DS: 0x54,
  FS: 0x58,
  GS: 0x5c,
  LDT: 0x60,
  TRAP: 0x64,
};

/** A task of level 0 in TSS2; what is given replaces its fields. */
function makeTask(rig: SystemRig, fields: Partial<Record<keyof typeof FIELD, number>> = {}): void {
  const all: Partial<Record<keyof typeof FIELD, number>> = {
    EIP: TASK_RIP, EFLAGS: 2, EAX: 0xaaaa, ESP: TASK_STACK, ES: SELECTOR.DATA0, CS: SELECTOR.CODE0, SS: SELECTOR.DATA0, DS: SELECTOR.DATA0, FS: 0, GS: 0, LDT: 0, TRAP: 0,
    ...fields,
  }; // prettier-ignore
  for (const [name, value] of Object.entries(all))
    rig.setRam32(TSS2 + FIELD[name as keyof typeof FIELD], value);
}

test('a jump to a TSS: state saved and loaded, busy bits moved', () => {
  const rig = new SystemRig();
  makeTask(rig);
  rig.enter(0, { eflags: EFLAGS_IF | 1 });
  rig.setRegister(0, 0x1111n);
  rig.setRegister(7, 0x7777n);
  rig.setState64(L.S_DR + 56, 0x7ffn);
  rig.call('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, BigInt(TASK_RIP));
  assert.equal(rig.register(0), 0xaaaan);
  assert.equal(rig.rsp, BigInt(TASK_STACK));
  assert.equal(rig.eflags, 2);
  assert.equal(rig.selector(L.TR), SELECTOR.TSS2);
  assert.equal(rig.base(L.TR), BigInt(TSS2));
  assert.equal(rig.access(SELECTOR.TSS), TYPE.TSS);
  assert.equal(rig.access(SELECTOR.TSS2), TYPE.TSS_BUSY);
  assert.equal(rig.state64(L.S_CR0) & CR0_TS, CR0_TS);
  assert.equal(rig.mode & L.MODE_FPU_CHECK, L.MODE_FPU_CHECK);
  assert.equal(rig.state64(L.S_DR + 56), 0x6aan, 'local breakpoints are off');
  const saved = (at: number): number => rig.ram32(TSS + at);
  assert.deepEqual([saved(FIELD.EIP), saved(FIELD.EFLAGS), saved(FIELD.EAX), saved(FIELD.ESP), saved(FIELD.CS), saved(FIELD.SS), saved(0x44)], [Number(NEXT), EFLAGS_IF | 3, 0x1111, STACK, SELECTOR.CODE0, SELECTOR.DATA0, 0x7777]); // prettier-ignore
});

test('a call nests and IRET goes back', () => {
  const rig = new SystemRig();
  makeTask(rig);
  rig.call('farCall', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.eflags, NT | 2);
  assert.equal(rig.ram32(TSS2 + FIELD.LINK) & 0xffff, SELECTOR.TSS);
  assert.equal(rig.access(SELECTOR.TSS), TYPE.TSS_BUSY);
  assert.equal(rig.access(SELECTOR.TSS2), TYPE.TSS_BUSY);
  rig.setU32(rig.cpu + L.S_NMI_BLOCKED, 1);
  rig.call('iret', 32n, 0x9999n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, NEXT);
  assert.equal(rig.selector(L.TR), SELECTOR.TSS);
  assert.equal(rig.access(SELECTOR.TSS2), TYPE.TSS);
  assert.equal(rig.ram32(TSS2 + FIELD.EIP), 0x9999);
  assert.equal(rig.ram32(TSS2 + FIELD.EFLAGS), 2, 'NT is clear in the task that ended');
  assert.equal(rig.state32(L.S_NMI_BLOCKED), 0);
});

test('an interrupt through a task gate, with an error code on the stack of the task', () => {
  const rig = new SystemRig();
  makeTask(rig);
  rig.idt(13, gate(TYPE.TASK, SELECTOR.TSS2, 0));
  rig.enter(3, { eflags: EFLAGS_IF });
  rig.deliver(13, 0x1234);
  assert.equal(rig.rip, BigInt(TASK_RIP));
  assert.equal(rig.cpl, 0);
  assert.equal(rig.rsp, BigInt(TASK_STACK - 4));
  assert.equal(rig.stack(4, 1)[0], 0x1234);
  assert.equal(rig.ram32(TSS + FIELD.EIP), Number(RIP));
  assert.equal(rig.ram32(TSS + FIELD.CS), SELECTOR.CODE3);
  rig.rsp += 4n;
  rig.call('iret', 32n, 0n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.rip, RIP);
  assert.equal(rig.selector(L.CS), SELECTOR.CODE3);
});

test('a task gate in the GDT is used by its own DPL', () => {
  const rig = new SystemRig();
  makeTask(rig);
  rig.enter(3);
  assert.deepEqual(
    rig.faultOf('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT),
    { vector: 13, error: SELECTOR.TSS2 },
    'the TSS itself has DPL 0',
  );
  rig.gdt(FREE, gate(TYPE.TASK | dpl(3), SELECTOR.TSS2, 0));
  rig.call('farJump', BigInt(FREE | 3), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, BigInt(TASK_RIP));
});

test('the checks of the TSS, before anything changes', () => {
  const rig = new SystemRig();
  makeTask(rig);
  const attempt = (name: string, selector: number): unknown => {
    rig.enter(0);
    return rig.faultOf(name, BigInt(selector), 0n, 32n, NEXT);
  };
  assert.deepEqual(attempt('farJump', SELECTOR.TSS), { vector: 13, error: SELECTOR.TSS }, 'busy');
  rig.gdt(FREE, descriptor({ access: TYPE.TSS & ~NOT_PRESENT, base: TSS2, limit: 0x67, flags: SMALL }));
  assert.deepEqual(attempt('farCall', FREE), { vector: 11, error: FREE }, 'not present');
  rig.gdt(FREE, descriptor({ access: TYPE.TSS, base: TSS2, limit: 0x66, flags: SMALL }));
  assert.deepEqual(attempt('farCall', FREE), { vector: 10, error: FREE }, 'too short');
  rig.gdt(FREE, gate(TYPE.TASK, 0x0c, 0));
  assert.deepEqual(attempt('farCall', FREE), { vector: 13, error: 0x0c }, 'a TSS in the LDT');
  rig.enter(0, { eflags: NT });
  rig.setRam32(TSS + FIELD.LINK, SELECTOR.TSS2);
  assert.deepEqual(
    rig.faultOf('iret', 32n, NEXT),
    { vector: 10, error: SELECTOR.TSS2 },
    'IRET to a task that is not busy',
  );
  assert.equal(rig.access(SELECTOR.TSS), TYPE.TSS_BUSY);
});

test("a fault in loading the segments is the new task's, with EXT for an interrupt", () => {
  const rig = new SystemRig();
  rig.idt(10, gate(TYPE.INT, SELECTOR.CODE0, 0x5555));
  rig.gdt(FREE, descriptor({ access: DATA & ~NOT_PRESENT }));
  rig.idt(11, gate(TYPE.INT, SELECTOR.CODE0, 0x6666));
  makeTask(rig, { DS: SELECTOR.CODE0 | 0x100 });
  rig.call('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null, 'delivered in the new task');
  assert.equal(rig.rip, 0x5555n);
  assert.equal(rig.selector(L.TR), SELECTOR.TSS2);
  assert.deepEqual(rig.stack(4, 3), [SELECTOR.CODE0 | 0x100, TASK_RIP, SELECTOR.CODE0]);
  assert.equal(rig.selector(L.DS), SELECTOR.CODE0 | 0x100);
  assert.equal(rig.isNull(L.DS), true);

  const second = new SystemRig();
  second.idt(11, gate(TYPE.INT, SELECTOR.CODE0, 0x6666));
  second.gdt(FREE, descriptor({ access: DATA & ~NOT_PRESENT }));
  makeTask(second, { ES: FREE });
  second.idt(0x30, gate(TYPE.TASK, SELECTOR.TSS2, 0));
  second.call('deliverInterrupt', 0x30, EXTERNAL, 0, 0);
  assert.equal(second.rip, 0x6666n);
  assert.equal(second.stack(4, 1)[0], FREE | 1);
});

test('the LDT of the new task, and segments in it with their accessed bits', () => {
  const rig = new SystemRig();
  rig.gdt(0x0c, descriptor({ access: DATA & ~1, base: 0x500 }));
  makeTask(rig, { LDT: SELECTOR.LDT, DS: 0x0c });
  rig.call('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.selector(L.LDTR), SELECTOR.LDT);
  assert.equal(rig.base(L.DS), 0x500n);
  assert.equal((rig.ram64(LDT + 8) >> 40n) & 0xffn, BigInt(DATA));
  assert.equal(rig.isNull(L.FS), true);
});

test('CS and SS of the new task: levels must agree', () => {
  for (const [fields, vector, error] of [
    [{ CS: 0 }, 10, 0],
    [{ CS: SELECTOR.DATA0 }, 10, SELECTOR.DATA0],
    [{ CS: SELECTOR.CODE3 & ~3 }, 10, SELECTOR.CODE3 & ~3],
    [{ CS: FREE2 }, 11, FREE2],
    [{ SS: SELECTOR.DATA3 }, 10, SELECTOR.DATA3 & ~3],
    [{ SS: FREE }, 12, FREE],
    [{ EIP: 0x200, CS: 0x80 + 0x20 }, 13, 0],
    [{ LDT: SELECTOR.TSS }, 10, SELECTOR.TSS],
  ] as const) {
    const rig = new SystemRig();
    for (const v of [10, 11, 12, 13]) rig.idt(v, gate(TYPE.INT, SELECTOR.CONFORMING, v * 0x100));
    rig.gdt(FREE, descriptor({ access: DATA & ~NOT_PRESENT }));
    rig.gdt(FREE2, descriptor({ access: CODE & ~NOT_PRESENT }));
    rig.gdt(0xa0, descriptor({ access: CODE, limit: 0x1ff, flags: 4 }));
    makeTask(rig, fields);
    // without a usable stack the delivery itself would fail: look at the fault before
    const result = rig.call('switchTask', SELECTOR.TSS2, 0, NEXT, 0);
    assert.equal(result, 1, JSON.stringify(fields));
    assert.deepEqual(rig.fault(), { vector, error }, JSON.stringify(fields));
  }
});

test('a task in virtual-8086 mode', () => {
  const rig = new SystemRig();
  makeTask(rig, { EFLAGS: VM | 2, CS: 0x100, SS: 0x200, DS: 0x300, EIP: 0x44, LDT: SELECTOR.LDT });
  rig.call('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.cpl, 3);
  assert.equal(rig.mode & L.MODE_VM86, L.MODE_VM86);
  assert.deepEqual(
    [rig.base(L.CS), rig.base(L.SS), rig.base(L.DS), rig.rip],
    [0x1000n, 0x2000n, 0x3000n, 0x44n],
  );
  assert.equal(rig.selector(L.LDTR), SELECTOR.LDT);
  assert.equal(rig.isNull(L.LDTR), false);
});

test('the T bit makes a debug trap in the new task', () => {
  const rig = new SystemRig();
  makeTask(rig, { TRAP: 1 });
  rig.call('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT);
  assert.equal(rig.state32(L.S_PENDING) & L.PENDING_TRAP, L.PENDING_TRAP);
  const hit = rig.state32(L.S_WATCH_HIT);
  rig.idt(1, gate(TYPE.INT, SELECTOR.CODE0, 0x1111));
  rig.call('debugTrap', hit);
  assert.equal(rig.rip, 0x1111n);
  assert.equal(rig.state64(L.S_DR + 48) & 0x8000n, 0x8000n);
});

test('between a 32-bit and a 16-bit TSS', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, descriptor({ access: TYPE.TSS16, base: TSS2, limit: 0x2b, flags: SMALL }));
  const words: [number, number][] = [[0x0e, TASK_RIP], [0x10, 0x202], [0x12, 0xaaaa], [0x1a, 0xe000], [0x22, SELECTOR.DATA0], [0x24, SELECTOR.CODE0], [0x26, SELECTOR.DATA0], [0x28, SELECTOR.DATA0], [0x2a, 0]]; // prettier-ignore
  for (const [at, value] of words) rig.view.setUint16(rig.host(TSS2 + at), value, true);
  rig.use(L.FS, SELECTOR.DATA0);
  rig.call('farCall', BigInt(FREE), 0n, 32n, NEXT);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, BigInt(TASK_RIP));
  assert.equal(rig.register(0) & 0xffffn, 0xaaaan);
  assert.equal(rig.eflags, NT | EFLAGS_IF | 2);
  assert.equal(rig.isNull(L.FS), true);
  assert.equal(rig.access(FREE), TYPE.TSS16_BUSY);
  rig.call('iret', 16n, 0x9999n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.rip, NEXT);
  assert.equal(rig.selector(L.FS), SELECTOR.DATA0);
  assert.equal(rig.view.getUint16(rig.host(TSS2 + 0x0e), true), 0x9999);
  assert.equal(rig.access(FREE), TYPE.TSS16);
});

test('tables that cannot be written stop the switch before it begins', () => {
  const rig = new SystemRig();
  makeTask(rig, { CR3: 0x100000 });
  rig.setRam32(0x100000, 0x101007);
  for (let i = 0; i < 1024; i++) rig.setRam32(0x101000 + 4 * i, i * 0x1000 + (i === 1 ? 5 : 7));
  rig.setState64(L.S_CR0, rig.state64(L.S_CR0) | 0x80010000n);
  rig.setState64(L.S_CR3, 0x100000n);
  rig.runtime.flushTlb(rig.cpu, false);
  assert.deepEqual(rig.faultOf('farJump', BigInt(SELECTOR.TSS2), 0n, 32n, NEXT), {
    vector: 14,
    error: 3,
    address: 0x1000n + BigInt(SELECTOR.TSS) + 5n,
  });
  assert.equal(rig.ram32(TSS + FIELD.EIP), 0);
});
