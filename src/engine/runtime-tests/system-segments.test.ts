import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import {
  CODE,
  CODE_CONFORMING,
  DATA,
  descriptor,
  dpl,
  gate,
  NOT_PRESENT,
  SELECTOR,
  SMALL,
  SystemRig,
  TSS,
  TSS2,
  TYPE,
} from './system-rig.js';

const FREE = SELECTOR.FREE;
const FREE2 = SELECTOR.FREE2;
const EXECUTE_ONLY = 0x99;
const READ_ONLY = 0x91;

const loadSegment = (rig: SystemRig, n: number, selector: number): unknown =>
  rig.faultOf('loadSegment', BigInt(n), BigInt(selector));

test('real-address mode: selector and base; the limit stays', () => {
  const rig = new SystemRig();
  rig.enterReal();
  rig.call('setSegment', L.DS, 0, 0x93, 0n, 0xffffffffn);
  assert.equal(loadSegment(rig, L.DS, 0x1234), null);
  assert.equal(rig.base(L.DS), 0x12340n);
  assert.equal(rig.u64(rig.cpu + L.S_SEG + L.DS * L.SEG_BYTES + L.SEG_LIMIT), 0xffffffffn);
});

test('data segments: what may be loaded at which level', () => {
  const rig = new SystemRig();
  const attempt = (access: number, cpl: 0 | 3, rpl: number = cpl): unknown => {
    rig.gdt(FREE, descriptor({ access }));
    rig.enter(cpl);
    return loadSegment(rig, L.DS, FREE | rpl);
  };
  const gp = { vector: 13, error: FREE };
  assert.equal(attempt(DATA | dpl(3), 3), null);
  assert.equal(attempt(READ_ONLY | dpl(3), 3), null);
  assert.equal(attempt(CODE | dpl(3), 3), null);
  assert.equal(attempt(CODE_CONFORMING, 3), null, 'conforming code of any level');
  assert.deepEqual(attempt(DATA, 3), gp);
  assert.deepEqual(attempt(DATA, 0, 3), gp, 'RPL counts too');
  assert.deepEqual(attempt(EXECUTE_ONLY, 0), gp);
  assert.deepEqual(attempt(TYPE.LDT, 0), gp);
  assert.deepEqual(attempt((DATA & ~NOT_PRESENT) | dpl(3), 3), { vector: 11, error: FREE });
  assert.deepEqual(loadSegment(rig, L.ES, 0x10b), { vector: 13, error: 0x108 });
  assert.equal(loadSegment(rig, L.DS, 3), null);
  assert.equal(rig.isNull(L.DS), true);
  assert.equal(rig.selector(L.DS), 3);
});

test('base, limit and granularity; the accessed bit is set in the table', () => {
  const rig = new SystemRig();
  rig.gdt(FREE, descriptor({ access: DATA & ~1, base: 0x89abcdef, limit: 0x54321 }));
  loadSegment(rig, L.FS, FREE);
  const at = rig.cpu + L.S_SEG + L.FS * L.SEG_BYTES;
  assert.equal(rig.base(L.FS), 0x89abcdefn);
  assert.equal(rig.u64(at + L.SEG_LIMIT), 0x54321fffn);
  assert.equal(rig.access(FREE), DATA);
  rig.gdt(FREE, descriptor({ access: DATA, limit: 0x54321, flags: SMALL }));
  loadSegment(rig, L.FS, FREE);
  assert.equal(rig.u64(at + L.SEG_LIMIT), 0x54321n);
});

test('SS: writable data of exactly this level; interrupts wait for an instruction', () => {
  const rig = new SystemRig();
  const attempt = (selector: number, access = DATA): unknown => {
    rig.gdt(FREE, descriptor({ access }));
    rig.setU32(rig.cpu + L.S_SHADOW_NEXT, 0);
    return loadSegment(rig, L.SS, selector);
  };
  assert.equal(attempt(FREE), null);
  assert.equal(rig.state32(L.S_SHADOW_NEXT), 2);
  const gp = { vector: 13, error: FREE };
  assert.deepEqual(attempt(0), { vector: 13, error: 0 });
  assert.deepEqual(attempt(FREE | 3), gp, 'RPL');
  assert.deepEqual(attempt(FREE, DATA | dpl(3)), gp, 'DPL');
  assert.deepEqual(attempt(FREE, READ_ONLY), gp);
  assert.deepEqual(attempt(FREE, CODE), gp);
  assert.deepEqual(attempt(FREE, DATA & ~NOT_PRESENT), { vector: 12, error: FREE });
});

test('64-bit mode: SS may be null below level 3', () => {
  const rig = new SystemRig(true);
  assert.equal(loadSegment(rig, L.SS, 0), null);
  assert.equal(rig.isNull(L.SS), true);
  rig.enter(3);
  assert.deepEqual(loadSegment(rig, L.SS, 3), { vector: 13, error: 0 });
  rig.enter(0, { compatible: true });
  assert.deepEqual(loadSegment(rig, L.SS, 0), { vector: 13, error: 0 });
});

test('flat data segments let code run without segment checks, others do not', () => {
  const rig = new SystemRig();
  assert.equal(rig.mode & L.MODE_FLAT, L.MODE_FLAT);
  rig.gdt(FREE, descriptor({ access: DATA, base: 0x10 }));
  loadSegment(rig, L.ES, FREE);
  assert.equal(rig.mode & L.MODE_FLAT, 0);
  loadSegment(rig, L.ES, SELECTOR.DATA0);
  assert.equal(rig.mode & L.MODE_FLAT, L.MODE_FLAT);
  loadSegment(rig, L.DS, 0);
  assert.equal(rig.mode & L.MODE_FLAT, 0);
});

test('LLDT and LTR: type, presence, place; LTR marks busy', () => {
  const rig = new SystemRig();
  assert.equal(rig.faultOf('lldt', 0n), null);
  assert.equal(rig.isNull(L.LDTR), true);
  assert.equal(rig.faultOf('lldt', BigInt(SELECTOR.LDT)), null);
  assert.equal(rig.selector(L.LDTR), SELECTOR.LDT);
  assert.deepEqual(rig.faultOf('lldt', BigInt(SELECTOR.DATA0)), { vector: 13, error: SELECTOR.DATA0 });
  assert.deepEqual(rig.faultOf('lldt', 0x0cn), { vector: 13, error: 0x0c }, 'in the LDT');
  rig.gdt(FREE, descriptor({ access: TYPE.LDT & ~NOT_PRESENT }));
  assert.deepEqual(rig.faultOf('lldt', BigInt(FREE)), { vector: 11, error: FREE });

  assert.deepEqual(rig.faultOf('ltr', 0n), { vector: 13, error: 0 });
  assert.deepEqual(rig.faultOf('ltr', BigInt(SELECTOR.TSS)), { vector: 13, error: SELECTOR.TSS }, 'busy');
  assert.equal(rig.faultOf('ltr', BigInt(SELECTOR.TSS2)), null);
  assert.equal(rig.base(L.TR), BigInt(TSS2));
  assert.equal(rig.access(SELECTOR.TSS2), TYPE.TSS_BUSY);
  rig.gdt(FREE, descriptor({ access: TYPE.TSS16 }));
  assert.equal(rig.faultOf('ltr', BigInt(FREE)), null);
});

test('long mode: system descriptors of 16 bytes', () => {
  const rig = new SystemRig(true);
  rig.gdt(FREE, descriptor({ access: TYPE.TSS, base: TSS, limit: 0x67, flags: SMALL }), 0xffff8000n);
  assert.equal(rig.faultOf('ltr', BigInt(FREE)), null);
  assert.equal(rig.base(L.TR), 0xffff800000000000n + BigInt(TSS));
  rig.gdt(FREE, descriptor({ access: TYPE.LDT, base: 0x80000000 }), 0x7fffn);
  assert.equal(rig.faultOf('lldt', BigInt(FREE)), null);
  assert.equal(rig.base(L.LDTR), 0x7fff80000000n);
  for (const upper of [0x8000n, 1n << 40n]) {
    rig.gdt(FREE, descriptor({ access: TYPE.LDT }), upper);
    assert.deepEqual(rig.faultOf('lldt', BigInt(FREE)), { vector: 13, error: FREE });
  }
  rig.gdt(FREE, descriptor({ access: TYPE.TSS16 }), 0n);
  assert.deepEqual(rig.faultOf('ltr', BigInt(FREE)), { vector: 13, error: FREE }, '16-bit');
  rig.setU32(rig.cpu + L.S_GDTR + 8, FREE + 7);
  rig.gdt(FREE, descriptor({ access: TYPE.TSS }), 0n);
  assert.deepEqual(
    rig.faultOf('ltr', BigInt(FREE)),
    { vector: 13, error: FREE },
    'half of it is beyond the table',
  );
});

test('LAR and LSL: which descriptors, at which level', () => {
  const rig = new SystemRig();
  const lar = (selector: number): bigint => rig.call('lar', BigInt(selector)) as bigint;
  const lsl = (selector: number): bigint => rig.call('lsl', BigInt(selector)) as bigint;
  rig.gdt(FREE, descriptor({ access: DATA | dpl(3), limit: 0x12345, flags: 0xd }));
  assert.equal(lar(FREE) & 0xf0ff00n, 0xd0f300n);
  assert.equal(lsl(FREE), 0x12345fffn);
  assert.deepEqual([lar(0), lsl(0), lar(0x108), lsl(0x108)], [-1n, -1n, -1n, -1n]);
  const legacy = { lar: [1, 2, 3, 4, 5, 9, 11, 12], lsl: [1, 2, 3, 9, 11] };
  const long = { lar: [2, 9, 11, 12], lsl: [2, 9, 11] };
  for (const [machine, known] of [
    [rig, legacy],
    [new SystemRig(true), long],
  ] as const) {
    for (let type = 0; type < 16; type++) {
      machine.gdt(FREE2, gate(0x80 | type, SELECTOR.CODE0, 0));
      assert.equal(
        (machine.call('lar', BigInt(FREE2)) as bigint) !== -1n,
        (known.lar as readonly number[]).includes(type),
        `LAR ${type}`,
      );
      assert.equal(
        (machine.call('lsl', BigInt(FREE2)) as bigint) !== -1n,
        (known.lsl as readonly number[]).includes(type),
        `LSL ${type}`,
      );
    }
  }
  rig.enter(3);
  assert.equal(lar(SELECTOR.DATA0), -1n);
  assert.notEqual(lar(SELECTOR.CONFORMING), -1n);
  assert.equal(rig.fault(), null);
});

test('VERR and VERW', () => {
  const rig = new SystemRig();
  const ask = (access: number, cpl: 0 | 3 = 3): [unknown, unknown] => {
    rig.gdt(FREE, descriptor({ access }));
    rig.enter(cpl);
    return [rig.call('verr', BigInt(FREE | 3)), rig.call('verw', BigInt(FREE | 3))];
  };
  assert.deepEqual(ask(DATA | dpl(3)), [1n, 1n]);
  assert.deepEqual(ask(READ_ONLY | dpl(3)), [1n, 0n]);
  assert.deepEqual(ask(CODE | dpl(3)), [1n, 0n]);
  assert.deepEqual(ask(EXECUTE_ONLY | dpl(3)), [0n, 0n]);
  assert.deepEqual(ask(CODE_CONFORMING), [1n, 0n]);
  assert.deepEqual(ask(DATA, 0), [0n, 0n], 'RPL 3');
  assert.deepEqual(ask(TYPE.TSS | dpl(3)), [0n, 0n]);
});
