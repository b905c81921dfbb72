import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from '../layout.js';
import { SystemRig } from './system-rig.js';

const AREA = 0x20000;
const HEADER = AREA + 512;
const GP0 = { vector: 13, error: 0 };
const UD = { vector: 6 };
const NM = { vector: 7 };
const MF = { vector: 16 };
const EM = 4n;
const TS = 8n;
const OSFXSR = 0x200n;
const OSXSAVE = 0x40000n;
const BOTH = 3n;
const COMPACT = 1n << 63n;
const XSAVE = 0n;
const XSAVEOPT = 1n;
const XSAVEC = 2n;
const area = BigInt(AREA);

/** A processor with something in every part of the x87 and SSE state; TOP is 6. */
function filled(long = false): SystemRig {
  const rig = new SystemRig(long);
  rig.enter(0, { cr4: OSFXSR | OSXSAVE });
  rig.setState64(L.S_XCR0, BOTH);
  const { cpu } = rig;
  rig.setU32(cpu + L.S_FCW, 0x27f);
  rig.setU32(cpu + L.S_FSW, 0x3000 | 0x41);
  rig.setU32(cpu + L.S_FTW, 0x0fff);
  rig.setU32(cpu + L.S_FOP, 0x123);
  rig.setU64(cpu + L.S_FIP, 0x1234_5678_9abcn);
  rig.setU64(cpu + L.S_FDP, 0x4321_8765_cba9n);
  rig.setU32(cpu + L.S_FCS, 0x10);
  rig.setU32(cpu + L.S_FDS, 0x20);
  rig.setU32(cpu + L.S_MXCSR, 0x1fa0);
  for (let i = 0; i < 8; i++) {
    rig.setU64(cpu + L.S_FPR + 16 * i, 0x8000000000000000n + BigInt(i));
    rig.setU64(cpu + L.S_FPR + 16 * i + 8, 0x3fffn + BigInt(i));
  }
  for (let i = 0; i < 16; i++) {
    rig.setU64(cpu + L.S_XMM + L.XMM_BYTES * i, 0x1111n * BigInt(i + 1));
    rig.setU64(cpu + L.S_XMM + L.XMM_BYTES * i + 8, 0x2222n * BigInt(i + 1));
  }
  rig.write(AREA, new Uint8Array(1024).fill(0xee));
  rig.write(HEADER, new Uint8Array(64));
  return rig;
}
const PARTS: [number, number][] = [
  [L.S_FPR, L.S_MXCSR + 4],
  [L.S_XMM, L.S_XMM + 16 * L.XMM_BYTES],
];
function state(rig: SystemRig): string {
  return PARTS.map(([from, to]) =>
    Buffer.from(new Uint8Array(rig.memory.buffer).slice(rig.cpu + from, rig.cpu + to)).toString('hex'),
  ).join();
}
function clear(rig: SystemRig): void {
  rig.call('initX87');
  new Uint8Array(rig.memory.buffer).fill(0, rig.cpu + L.S_XMM, rig.cpu + L.S_XMM + 16 * L.XMM_BYTES);
  rig.setU32(rig.cpu + L.S_MXCSR, 0x1f80);
}
const word = (rig: SystemRig, at: number): number => rig.view.getUint16(rig.host(AREA + at), true);

test('FXSAVE: the layout, with abridged tags and registers from ST(0) on', () => {
  const rig = filled();
  rig.call('fxsave', area, 0n);
  assert.equal(rig.fault(), null);
  assert.deepEqual(
    [0, 2, 4, 6].map((at) => word(rig, at)),
    [0x27f, 0x3041, 0xc0 | 0, 0x123],
  );
  assert.deepEqual(
    [8, 12, 16, 20, 24, 28].map((at) => rig.ram32(AREA + at)),
    [0x56789abc, 0x10, 0x8765cba9, 0x20, 0x1fa0, 0xffff],
  );
  assert.equal(rig.ram64(AREA + 32), 0x8000000000000006n, 'ST(0) is R6');
  assert.equal(rig.ram64(AREA + 40), 0x4005n);
  assert.equal(rig.ram64(AREA + 32 + 16 * 2), 0x8000000000000000n, 'ST(2) is R0');
  assert.equal(rig.ram64(AREA + 160 + 16 * 7 + 8), 0x2222n * 8n);
  assert.equal(
    rig.ram64(AREA + 160 + 16 * 8),
    0xeeeeeeeeeeeeeeeen,
    'eight XMM registers outside 64-bit mode',
  );
  const long = filled(true);
  long.call('fxsave', area, 1n);
  assert.deepEqual([long.ram64(AREA + 8), long.ram64(AREA + 16)], [0x123456789abcn, 0x43218765cba9n]);
  assert.equal(long.ram64(AREA + 160 + 16 * 15), 0x11110n);
});

test('FXRSTOR brings back what FXSAVE saved', () => {
  const rig = filled(true);
  const before = state(rig);
  rig.call('fxsave', area, 1n);
  rig.setU32(rig.cpu + L.S_FCS, 0);
  rig.setU32(rig.cpu + L.S_FDS, 0);
  const without = state(rig);
  clear(rig);
  assert.notEqual(state(rig), before);
  rig.call('fxrstor', area, 1n);
  assert.equal(rig.fault(), null);
  assert.equal(rig.state32(L.S_FTW), 0x0fff);
  assert.equal(state(rig), without);
});

test('FXRSTOR: full tags from the registers, the pending bit from flags and masks', () => {
  const rig = filled();
  rig.call('fxsave', area, 0n);
  rig.setRam64(AREA + 32, 0n);
  rig.setRam64(AREA + 40, 0n);
  rig.setRam64(AREA + 48, 0n);
  rig.view.setUint16(rig.host(AREA), 0x37e, true);
  rig.call('fxrstor', area, 0n);
  assert.equal(rig.state32(L.S_FTW) >>> 12, 0b1001, 'R6 zero, R7 special');
  assert.equal(rig.state32(L.S_FSW), 0x3041 | 0x8080);
});

test('FXRSTOR with reserved MXCSR bits, without alignment: nothing changes', () => {
  const rig = filled();
  rig.call('fxsave', area, 0n);
  rig.setRam32(AREA + 24, 0x10000);
  const before = state(rig);
  assert.deepEqual(rig.faultOf('fxrstor', area, 0n), GP0);
  for (const name of ['fxsave', 'fxrstor']) assert.deepEqual(rig.faultOf(name, area + 8n, 0n), GP0);
  for (const bit of [EM, TS]) {
    rig.setState64(L.S_CR0, 0x11n | bit);
    assert.deepEqual(rig.faultOf('stateCheck', 0n), NM);
    rig.setState64(L.S_CR0, 0x11n);
  }
  assert.equal(state(rig), before);
});

test('XSAVE and XRSTOR bring the components of the mask', () => {
  const rig = filled(true);
  rig.call('xsave', area, 1n, BOTH, XSAVE);
  assert.equal(rig.fault(), null);
  assert.equal(rig.ram64(HEADER), 3n);
  assert.equal(rig.ram64(HEADER + 8), 0n);
  const before = state(rig);
  clear(rig);
  rig.call('xrstor', area, 1n, 2n);
  assert.equal(rig.state32(L.S_FCW), 0x37f);
  assert.equal(rig.state32(L.S_MXCSR), 0x1fa0);
  assert.equal(rig.state64(L.S_XMM), 0x1111n);
  rig.call('xrstor', area, 1n, 1n);
  rig.setU32(rig.cpu + L.S_FCS, 0x10);
  rig.setU32(rig.cpu + L.S_FDS, 0x20);
  assert.equal(state(rig), before);
});

test('XSAVE writes only what the mask names, and keeps the other header bits', () => {
  const rig = filled();
  rig.setRam64(HEADER, 0x101n);
  rig.call('xsave', area, 0n, 2n, XSAVE);
  assert.equal(rig.ram64(HEADER), 0x103n);
  assert.equal(word(rig, 0), 0xeeee);
  assert.equal(rig.ram32(AREA + 24), 0x1fa0);
  assert.equal(rig.ram64(AREA + 160), 0x1111n);
});

test('XSAVEOPT leaves out what is in its initial state, XSAVE does not', () => {
  const rig = filled();
  clear(rig);
  rig.call('xsave', area, 0n, BOTH, XSAVEOPT);
  assert.equal(rig.ram64(HEADER), 0n);
  assert.equal(rig.ram64(AREA + 160), 0xeeeeeeeeeeeeeeeen);
  rig.call('xsave', area, 0n, BOTH, XSAVE);
  assert.equal(rig.ram64(HEADER), 0n);
  assert.equal(rig.ram64(AREA + 160), 0n);
  assert.equal(word(rig, 0), 0x37f);
});

test('XSAVEC: the compacted header; MXCSR alone makes SSE in use', () => {
  const rig = filled();
  clear(rig);
  rig.setU32(rig.cpu + L.S_MXCSR, 0x1fa0);
  rig.setRam64(HEADER, -1n & 0xffffn);
  rig.call('xsave', area, 0n, BOTH, XSAVEC);
  assert.equal(rig.ram64(HEADER), 2n);
  assert.equal(rig.ram64(HEADER + 8), COMPACT | 3n);
  assert.equal(rig.ram32(AREA + 24), 0x1fa0);
  const before = state(rig);
  rig.setU32(rig.cpu + L.S_MXCSR, 0x1f80);
  rig.setU32(rig.cpu + L.S_FCW, 0x27f);
  rig.call('xrstor', area, 0n, BOTH);
  assert.equal(rig.fault(), null);
  assert.equal(state(rig), before);
});

test('XRSTOR puts absent components into their initial state; MXCSR comes from memory in the standard form', () => {
  const rig = filled();
  rig.call('xsave', area, 0n, BOTH, XSAVE);
  rig.setRam64(HEADER, 0n);
  rig.call('xrstor', area, 0n, BOTH);
  assert.equal(rig.state32(L.S_FCW), 0x37f);
  assert.equal(rig.state64(L.S_XMM), 0n);
  assert.equal(rig.state32(L.S_MXCSR), 0x1fa0);
  rig.setRam64(HEADER + 8, COMPACT);
  rig.call('xrstor', area, 0n, BOTH);
  assert.equal(rig.state32(L.S_MXCSR), 0x1f80);
});

test('XRSTOR: the header is checked before anything is loaded', () => {
  const bad: [string, (rig: SystemRig) => void][] = [
    ['a component that XCR0 has not', (rig) => rig.setRam64(HEADER, 4n)],
    ['XCOMP_BV without the compacted bit', (rig) => rig.setRam64(HEADER + 8, 1n)],
    ['bytes 16 to 23', (rig) => rig.setRam64(HEADER + 16, 1n)],
    [
      'a component that the format has not',
      (rig) => (rig.setRam64(HEADER, 3n), rig.setRam64(HEADER + 8, COMPACT | 1n)),
    ],
    [
      'the last bytes of a compacted header',
      (rig) => (rig.setRam64(HEADER + 8, COMPACT | 3n), rig.setRam64(HEADER + 56, 1n)),
    ],
    ['MXCSR', (rig) => rig.setRam32(AREA + 24, 0x20000)],
  ];
  for (const [what, spoil] of bad) {
    const rig = filled();
    rig.call('xsave', area, 0n, BOTH, XSAVE);
    spoil(rig);
    const before = state(rig);
    assert.deepEqual(rig.faultOf('xrstor', area, 0n, BOTH), GP0, what);
    assert.equal(state(rig), before, what);
  }
});

test('XSAVE family: OSXSAVE, alignment, TS', () => {
  const rig = filled();
  assert.deepEqual(rig.faultOf('xsave', area + 16n, 0n, BOTH, XSAVE), GP0);
  assert.deepEqual(rig.faultOf('xrstor', area + 16n, 0n, BOTH), GP0);
  rig.setState64(L.S_CR0, 0x11n | TS);
  assert.deepEqual(rig.faultOf('stateCheck', 1n), NM);
  rig.enter(0, { cr4: OSFXSR });
  assert.deepEqual(rig.faultOf('stateCheck', 1n), UD);
});

test('checks ahead of x87, MMX and SSE instructions', () => {
  const [X87, MMX, SSE, NO_WAIT] = [0n, 1n, 2n, 3n];
  const rig = new SystemRig();
  const check = (kind: bigint, cr0: bigint, cr4 = OSFXSR, fsw = 0): unknown => {
    rig.setState64(L.S_CR0, 0x11n | cr0);
    rig.setState64(L.S_CR4, cr4);
    rig.setU32(rig.cpu + L.S_FSW, fsw);
    return rig.faultOf('fpuCheck', kind);
  };
  for (const kind of [X87, MMX, SSE, NO_WAIT]) {
    assert.equal(check(kind, 0n), null);
    assert.deepEqual(check(kind, TS, OSFXSR, 0x80), NM);
    assert.deepEqual(check(kind, EM, OSFXSR, 0x80), kind === MMX || kind === SSE ? UD : NM);
    assert.deepEqual(check(kind, 0n, OSFXSR, 0x80), kind === X87 || kind === MMX ? MF : null);
    assert.deepEqual(check(kind, TS, 0n), kind === SSE ? UD : NM);
  }
});
