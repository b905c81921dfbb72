import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESTINATION, SOURCE, SseRig, slotOf } from './sse-rig.js';

const DEFAULT = 0x1f80;
const [IE, DE, ZE, OE, UE, PE] = [1, 2, 4, 8, 16, 32];
const DAZ = 0x40;
const FTZ = 0x8000;
const [DOWN, UP, TRUNCATE] = [0x2000, 0x4000, 0x6000];
const [IM, ZM, UM, PM] = [0x80, 0x200, 0x800, 0x1000];
const UD = 6;
const XM = 19;

const ONE = 0x3f800000n;
const THREE = 0x40400000n;
const SMALLEST = 0x00800000n;
const DENORMAL = 0x00400000n;
const LARGEST = 0x7f7fffffn;
const INFINITY = 0x7f800000n;
const QNAN = 0x7fc12345n;
const SNAN = 0x7f812345n;
const DEFAULT_NAN = 0xffc00000n;
const MINUS = 0x80000000n;

const rig = new SseRig();
const REST = 0x0123456789abcdef_00112233n << 32n;

interface Outcome {
  result: bigint;
  flags: number;
  fault: number | null;
}

/** A scalar single instruction; the rest of the destination must stay. */
function single(name: string, mxcsr: number, a: bigint, b: bigint, ...more: bigint[]): Outcome {
  rig.mxcsr = mxcsr;
  rig.setXmm(DESTINATION, REST | a);
  rig.setXmm(SOURCE, b);
  rig.onSlots(name, ...more);
  const destination = rig.xmm(DESTINATION);
  assert.equal(destination >> 32n, REST >> 32n);
  return { result: destination & 0xffffffffn, flags: rig.mxcsr & 0x3f, fault: rig.fault() };
}

const gives = (result: bigint, flags: number): Outcome => ({ result, flags, fault: null });

test('NaNs: the first operand that is one wins, made quiet (SDM vol. 1, table 4-7)', () => {
  assert.deepEqual(single('addss', DEFAULT, QNAN, SNAN), gives(QNAN, IE));
  assert.deepEqual(single('addss', DEFAULT, SNAN, QNAN | MINUS), gives(SNAN | 0x400000n, IE));
  assert.deepEqual(single('addss', DEFAULT, ONE, QNAN), gives(QNAN, 0));
  assert.deepEqual(single('subss', DEFAULT, INFINITY, INFINITY), gives(DEFAULT_NAN, IE));
  assert.deepEqual(single('sqrtss', DEFAULT, 0n, ONE | MINUS), gives(DEFAULT_NAN, IE));
  assert.deepEqual(single('sqrtss', DEFAULT, 0n, MINUS), gives(MINUS, 0));
});

test('MIN and MAX give the second operand for NaNs and for two zeros', () => {
  assert.deepEqual(single('minss', DEFAULT, QNAN, ONE), gives(ONE, IE));
  assert.deepEqual(single('maxss', DEFAULT, ONE, SNAN), gives(SNAN, IE));
  assert.deepEqual(single('minss', DEFAULT, MINUS, 0n), gives(0n, 0));
  assert.deepEqual(single('maxss', DEFAULT, 0n, MINUS), gives(MINUS, 0));
});

test('rounding control', () => {
  assert.deepEqual(single('divss', DEFAULT, ONE, THREE), gives(0x3eaaaaabn, PE));
  assert.deepEqual(single('divss', DEFAULT | DOWN, ONE, THREE), gives(0x3eaaaaaan, PE));
  assert.deepEqual(single('divss', DEFAULT | UP, ONE | MINUS, THREE), gives(0xbeaaaaaan, PE));
  assert.deepEqual(single('divss', DEFAULT | TRUNCATE, ONE, THREE), gives(0x3eaaaaaan, PE));
  assert.deepEqual(single('addss', DEFAULT | DOWN, ONE, ONE | MINUS), gives(MINUS, 0));
  assert.deepEqual(single('mulss', DEFAULT | TRUNCATE, LARGEST, THREE), gives(LARGEST, OE | PE));
  assert.deepEqual(single('mulss', DEFAULT | UP, LARGEST, THREE), gives(INFINITY, OE | PE));
});

test('denormals: DE, DAZ, UE only when inexact, FTZ', () => {
  const half = 0x3f000000n;
  assert.deepEqual(single('addss', DEFAULT, DENORMAL, 0n), gives(DENORMAL, DE));
  assert.deepEqual(single('addss', DEFAULT | DAZ, DENORMAL | MINUS, MINUS), gives(MINUS, 0));
  assert.deepEqual(single('mulss', DEFAULT, SMALLEST, half), gives(DENORMAL, 0));
  assert.deepEqual(single('mulss', DEFAULT, SMALLEST | 1n, half), gives(DENORMAL, UE | PE));
  assert.deepEqual(single('mulss', DEFAULT | FTZ, SMALLEST | MINUS, half), gives(MINUS, UE | PE));
  assert.deepEqual(single('mulss', (DEFAULT & ~UM) | FTZ, SMALLEST, half), {
    result: SMALLEST,
    flags: UE,
    fault: XM,
  });
});

test('an exception that is not masked leaves the destination, and sets flags', () => {
  assert.deepEqual(single('divss', DEFAULT & ~ZM, ONE, 0n), { result: ONE, flags: ZE, fault: XM });
  assert.deepEqual(single('addss', DEFAULT & ~IM, SNAN, ONE), { result: SNAN, flags: IE, fault: XM });
  assert.deepEqual(single('divss', DEFAULT & ~PM, ONE, THREE), { result: ONE, flags: PE, fault: XM });
  rig.setCr4(0n);
  assert.equal(single('divss', DEFAULT & ~ZM, ONE, 0n).fault, UD, 'without CR4.OSXMMEXCPT');
  rig.setCr4(0x400n);
});

test('a fault found before computing hides what computing other lanes would have set', () => {
  rig.mxcsr = DEFAULT & ~ZM;
  rig.setXmm(DESTINATION, (ONE << 32n) | ONE);
  rig.setXmm(SOURCE, (THREE << 96n) | (THREE << 64n) | (0n << 32n) | THREE);
  rig.onSlots('divps');
  assert.equal(rig.fault(), XM);
  assert.equal(rig.mxcsr & 0x3f, ZE);
});

test('comparisons: CMP predicates, COMIS signals quiet NaNs, UCOMIS does not', () => {
  const LT = 1n;
  const NEQ = 4n;
  assert.deepEqual(single('cmpss', DEFAULT, ONE, THREE, LT), gives(0xffffffffn, 0));
  assert.deepEqual(single('cmpss', DEFAULT, QNAN, THREE, NEQ), gives(0xffffffffn, 0));
  assert.deepEqual(single('cmpss', DEFAULT, QNAN, THREE, LT), gives(0n, IE));
  const [CF, PF, ZF] = [1n, 4n, 0x40n];
  const flags = (name: string, a: bigint, b: bigint): [bigint, number] => {
    rig.mxcsr = DEFAULT;
    rig.setXmm(DESTINATION, a);
    rig.setXmm(SOURCE, b);
    return [rig.call(name, slotOf(DESTINATION), slotOf(SOURCE)), rig.mxcsr & 0x3f];
  };
  assert.deepEqual(flags('comiss', ONE, THREE), [CF, 0]);
  assert.deepEqual(flags('comiss', THREE, ONE), [0n, 0]);
  assert.deepEqual(flags('comiss', MINUS, 0n), [ZF, 0]);
  assert.deepEqual(flags('comiss', QNAN, ONE), [ZF | PF | CF, IE]);
  assert.deepEqual(flags('ucomiss', QNAN, ONE), [ZF | PF | CF, 0]);
  assert.deepEqual(flags('ucomiss', SNAN, ONE), [ZF | PF | CF, IE]);
});

test('conversion of what does not fit gives the integer indefinite', () => {
  const convert = (name: string, bits: bigint, value: bigint): [bigint, number] => {
    rig.mxcsr = DEFAULT;
    rig.setXmm(SOURCE, value);
    return [BigInt.asUintN(Number(bits), rig.call(name, slotOf(SOURCE), bits)), rig.mxcsr & 0x3f];
  };
  assert.deepEqual(convert('cvttss2si', 32n, 0x4f000000n), [0x80000000n, IE]);
  assert.deepEqual(convert('cvttss2si', 32n, 0xcf000000n), [0x80000000n, 0]);
  assert.deepEqual(convert('cvttss2si', 64n, QNAN), [1n << 63n, IE]);
  assert.deepEqual(convert('cvtss2si', 32n, 0x40200000n), [2n, PE]);
  assert.deepEqual(convert('cvtss2si', 32n, 0x40600000n), [4n, PE]);
});

test('RCP and RSQRT are within 1.5 * 2^-12 and take denormals for zeros', () => {
  const asFloat = new DataView(new ArrayBuffer(4));
  const value = (bits: bigint): number => (asFloat.setUint32(0, Number(bits)), asFloat.getFloat32(0));
  for (let bits = 0x00800000n; bits < 0x7e000000n; bits += 99991n) {
    const x = value(bits);
    assert.ok(Math.abs(value(single('rcpss', DEFAULT, 0n, bits).result) * x - 1) <= 1.5 / 4096, `1/${x}`);
    assert.ok(
      Math.abs(value(single('rsqrtss', DEFAULT, 0n, bits).result) * Math.sqrt(x) - 1) <= 1.5 / 4096,
      `1/sqrt ${x}`,
    );
  }
  assert.deepEqual(single('rcpss', DEFAULT, 0n, DENORMAL | MINUS), gives(INFINITY | MINUS, 0));
  assert.deepEqual(single('rcpss', DEFAULT, 0n, LARGEST), gives(0n, 0));
  assert.deepEqual(single('rsqrtss', DEFAULT, 0n, ONE | MINUS), gives(DEFAULT_NAN, 0));
});
