import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCpu, TestTime } from '../testing.js';
import { ApicBus } from './apic-bus.js';
import { LocalApic } from './local-apic.js';

const TPR = 0x80;
const PPR = 0xa0;
const EOI = 0xb0;
const LDR = 0xd0;
const DFR = 0xe0;
const SVR = 0xf0;
const ISR = 0x100;
const IRR = 0x200;
const ESR = 0x280;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const LINT0 = 0x350;
const LINT1 = 0x360;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;

const BASE_MSR = 0x1b;
const DEADLINE_MSR = 0x6e0;
const XAPIC_BSP = 0xfee00900n;

class Pic {
  interrupt = false;
  acknowledge(): number {
    return 0x77;
  }
}

function make(count = 1) {
  const time = new TestTime();
  const bus = new ApicBus();
  const pic = new Pic();
  const cpus = Array.from({ length: count }, () => new TestCpu());
  const apics = cpus.map((cpu, id) => new LocalApic(id, bus, cpu, pic, time.events));
  for (const apic of apics) {
    apic.reset();
    apic.mmioWrite(SVR, 0x1ff, 4);
  }
  return { time, bus, pic, cpus, apics, apic: apics[0]!, cpu: cpus[0]! };
}

/** Lets the APIC receive a fixed interrupt. */
function raise(apic: LocalApic, vector: number, level = false): void {
  assert.equal(apic.receive(0, vector, level), true);
}

test('reset state: version, id, everything masked and disabled by software', () => {
  const { apics } = make(3);
  const apic = apics[2]!;
  apic.reset();
  assert.equal(apic.mmioRead(0x20, 4) >>> 0, 0x02000000);
  assert.equal(apic.mmioRead(0x30, 4), 0x50014);
  assert.equal(apic.mmioRead(SVR, 4), 0xff);
  assert.equal(apic.mmioRead(LINT0, 4), 0x10000);
  assert.equal(apic.mmioRead(DFR, 4) >>> 0, 0xffffffff);
  assert.equal(apic.readMsr(BASE_MSR), 0xfee00800n);
  assert.equal(apics[0]!.readMsr(BASE_MSR), XAPIC_BSP);
  assert.equal(apic.receive(0, 0x40, false), false);
});

test('vectors are delivered by priority; TPR and the one in service hold back lower ones', () => {
  const { apic } = make();
  raise(apic, 0x41);
  raise(apic, 0x63);
  assert.equal(apic.hasInterrupt(), true);
  assert.equal(apic.acknowledge(), 0x63);
  assert.equal(apic.mmioRead(PPR, 4), 0x60);
  assert.equal(apic.mmioRead(ISR + 0x30, 4), 1 << 3);
  assert.equal(apic.mmioRead(IRR + 0x20, 4), 1 << 1);
  assert.equal(apic.hasInterrupt(), false);
  apic.mmioWrite(EOI, 0, 4);
  apic.tpr = 0x45;
  assert.equal(apic.hasInterrupt(), false);
  assert.equal(apic.mmioRead(PPR, 4), 0x45);
  apic.mmioWrite(TPR, 0x30, 4);
  assert.equal(apic.acknowledge(), 0x41);
});

test('acknowledging nothing gives the spurious vector', () => {
  const { apic } = make();
  assert.equal(apic.acknowledge(), 0xff);
  assert.equal(apic.mmioRead(ISR + 0x70, 4), 0);
});

test('EOI of a level-triggered vector is broadcast, of an edge one not', () => {
  const { apic, bus } = make();
  const ended: number[] = [];
  bus.onEoi((vector) => ended.push(vector));
  raise(apic, 0x50, true);
  raise(apic, 0x40, false);
  apic.acknowledge();
  apic.mmioWrite(EOI, 0, 4);
  apic.acknowledge();
  apic.mmioWrite(EOI, 0, 4);
  assert.deepEqual(ended, [0x50]);
});

test('one-shot timer: counts down at 1 GHz over the divisor, interrupts once', () => {
  const { apic, time } = make();
  apic.mmioWrite(DIVIDE, 0b1001, 4);
  apic.mmioWrite(LVT_TIMER, 0xec, 4);
  apic.mmioWrite(INITIAL, 100, 4);
  time.advance(64 * 40);
  assert.equal(apic.mmioRead(CURRENT, 4), 60);
  assert.equal(apic.hasInterrupt(), false);
  time.advance(64 * 60);
  assert.equal(apic.mmioRead(CURRENT, 4), 0);
  assert.equal(apic.acknowledge(), 0xec);
  apic.mmioWrite(EOI, 0, 4);
  time.advance(1e9);
  assert.equal(apic.hasInterrupt(), false);
  assert.equal(time.events.next(), undefined);
});

test('divide configuration: 1011 is by 1, 0000 by 2, 1010 by 128', () => {
  for (const [code, divisor] of [
    [0b1011, 1],
    [0b0000, 2],
    [0b0011, 16],
    [0b1000, 32],
    [0b1010, 128],
  ] as const) {
    const { apic, time } = make();
    apic.mmioWrite(DIVIDE, code, 4);
    apic.mmioWrite(INITIAL, 1000, 4);
    time.advance(divisor * 10);
    assert.equal(apic.mmioRead(CURRENT, 4), 990);
  }
});

test('periodic timer: interrupts at each period, none while masked', () => {
  const { apic, time } = make();
  apic.mmioWrite(DIVIDE, 0b1011, 4);
  apic.mmioWrite(LVT_TIMER, 0x200ec, 4);
  apic.mmioWrite(INITIAL, 100_000, 4);
  for (let period = 0; period < 3; period++) {
    time.advance(99_999);
    assert.equal(apic.hasInterrupt(), false);
    time.advance(1);
    assert.equal(apic.acknowledge(), 0xec);
    apic.mmioWrite(EOI, 0, 4);
  }
  apic.mmioWrite(LVT_TIMER, 0x300ec, 4);
  assert.equal(time.events.next(), undefined);
  time.advance(150_000);
  assert.equal(apic.mmioRead(CURRENT, 4), 50_000);
  apic.mmioWrite(LVT_TIMER, 0x200ec, 4);
  time.advance(50_000);
  assert.equal(apic.hasInterrupt(), true);
});

test('a late or absurdly short periodic timer interrupts, and time goes on', () => {
  const { apic, time } = make();
  apic.mmioWrite(DIVIDE, 0b1011, 4);
  apic.mmioWrite(LVT_TIMER, 0x200ec, 4);
  apic.mmioWrite(INITIAL, 1, 4);
  time.clock.time = 1e6;
  time.events.runDue();
  assert.equal(apic.hasInterrupt(), true);
  assert.ok(time.events.next()! > 1e6);
});

test('TSC-deadline: interrupts when the TSC, with its offset, gets there; at once if it has', () => {
  const { apic, time, cpu } = make();
  cpu.offset = 1000n;
  apic.mmioWrite(LVT_TIMER, 0x400ec, 4);
  assert.equal(apic.writeMsr(DEADLINE_MSR, 6000n), true);
  assert.equal(apic.readMsr(DEADLINE_MSR), 6000n);
  time.advance(4999);
  assert.equal(apic.hasInterrupt(), false);
  time.advance(1);
  assert.equal(apic.acknowledge(), 0xec);
  assert.equal(apic.readMsr(DEADLINE_MSR), 0n);
  apic.mmioWrite(EOI, 0, 4);
  apic.writeMsr(DEADLINE_MSR, 5n);
  assert.equal(apic.hasInterrupt(), true);
  apic.writeMsr(DEADLINE_MSR, 2n ** 64n - 1n);
  assert.ok(time.events.next()! > 2 ** 60);
  apic.writeMsr(DEADLINE_MSR, 0n);
  assert.equal(time.events.next(), undefined);
  apic.mmioWrite(INITIAL, 5, 4);
  assert.equal(apic.mmioRead(INITIAL, 4), 0);
});

test('IPIs: physical, broadcast, shorthand, logical flat and cluster', () => {
  const { apics, apic } = make(4);
  const send = (high: number, low: number): number[] => {
    apic.mmioWrite(ICR_HIGH, high << 24, 4);
    apic.mmioWrite(ICR_LOW, low, 4);
    const hit = apics.flatMap((target, id) => (target.hasInterrupt() ? [id] : []));
    for (const id of hit) {
      apics[id]!.acknowledge();
      apics[id]!.mmioWrite(EOI, 0, 4);
    }
    return hit;
  };
  apics.forEach((target, id) => target.mmioWrite(LDR, (1 << id) << 24, 4));
  assert.deepEqual(send(2, 0x4050), [2]);
  assert.deepEqual(send(0xff, 0x4050), [0, 1, 2, 3]);
  assert.deepEqual(send(0, 0x44050), [0]);
  assert.deepEqual(send(0, 0x84050), [0, 1, 2, 3]);
  assert.deepEqual(send(0, 0xc4050), [1, 2, 3]);
  assert.deepEqual(send(0b1010, 0x4850), [1, 3]);
  apics.forEach((target, id) => {
    target.mmioWrite(DFR, 0, 4);
    target.mmioWrite(LDR, (((id >> 1) << 4) | (1 << (id & 1))) << 24, 4);
  });
  assert.deepEqual(send(0x12, 0x4850), [3]);
  assert.deepEqual(send(0xf1, 0x4850), [0, 2]);
});

test('lowest priority goes to the CPU with the least to do', () => {
  const { apics, apic } = make(3);
  apics[0]!.tpr = 0x50;
  apics[1]!.tpr = 0x20;
  apics[2]!.tpr = 0x30;
  apics.forEach((target) => target.mmioWrite(LDR, 0x01000000, 4));
  apic.mmioWrite(ICR_HIGH, 0x01000000, 4);
  apic.mmioWrite(ICR_LOW, 0x4961, 4);
  assert.deepEqual(
    apics.map((target) => target.hasInterrupt()),
    [false, true, false],
  );
});

test('INIT resets the APIC and its CPU, SIPI and NMI reach it also while disabled by software', () => {
  const { apic, apics, cpus } = make(2);
  apics[1]!.tpr = 0x30;
  apic.mmioWrite(ICR_HIGH, 1 << 24, 4);
  for (const command of [0xc500, 0x8500, 0x4608, 0x4400]) apic.mmioWrite(ICR_LOW, command, 4);
  assert.deepEqual(cpus[1]!.log, ['init', 'startup 8', 'nmi']);
  assert.equal(apics[1]!.tpr, 0);
  assert.equal(apics[1]!.mmioRead(SVR, 4), 0xff);
  assert.deepEqual(cpus[0]!.log, []);
});

test('ESR: illegal vectors and registers, latched by a write', () => {
  const { apic } = make();
  apic.mmioWrite(ICR_LOW, 0x44005, 4);
  assert.equal(apic.mmioRead(ESR, 4), 0);
  apic.mmioWrite(ESR, 0, 4);
  assert.equal(apic.mmioRead(ESR, 4), 0x20);
  apic.receive(0, 3, false);
  apic.mmioRead(0x40, 4);
  apic.mmioWrite(ESR, 0, 4);
  assert.equal(apic.mmioRead(ESR, 4), 0xc0);
  apic.mmioWrite(ESR, 0, 4);
  assert.equal(apic.mmioRead(ESR, 4), 0);
});

test('the 8259 comes through LINT0 as ExtINT, through nothing when masked, directly when the APIC is off', () => {
  const { apic, pic } = make();
  pic.interrupt = true;
  apic.setLint(0, true);
  assert.equal(apic.hasInterrupt(), false);
  apic.mmioWrite(LINT0, 0x700, 4);
  assert.equal(apic.hasInterrupt(), true);
  assert.equal(apic.acknowledge(), 0x77);
  apic.mmioWrite(SVR, 0xff, 4);
  assert.equal(apic.mmioRead(LINT0, 4), 0x10700);
  assert.equal(apic.hasInterrupt(), false);
  assert.equal(apic.writeMsr(BASE_MSR, 0xfee00000n), true);
  assert.equal(apic.hasInterrupt(), true);
  assert.equal(apic.acknowledge(), 0x77);
});

test('LINT pins: NMI by edge, fixed level with remote IRR', () => {
  const { apic, cpu } = make();
  apic.mmioWrite(LINT1, 0x400, 4);
  apic.setLint(1, true);
  apic.setLint(1, true);
  assert.deepEqual(cpu.log, ['nmi']);
  apic.mmioWrite(LINT0, 0x8055, 4);
  apic.setLint(0, true);
  assert.equal(apic.mmioRead(LINT0, 4), 0xc055);
  assert.equal(apic.acknowledge(), 0x55);
  apic.mmioWrite(EOI, 0, 4);
  assert.equal(apic.hasInterrupt(), true);
  apic.acknowledge();
  apic.setLint(0, false);
  apic.mmioWrite(EOI, 0, 4);
  assert.equal(apic.hasInterrupt(), false);
  assert.equal(apic.mmioRead(LINT0, 4), 0x8055);
});

test('x2APIC: registers by MSR, 64-bit ICR, self IPI, #GP for what does not exist', () => {
  const { apics, apic } = make(2);
  assert.equal(apic.readMsr(0x802), undefined);
  for (const each of apics) assert.equal(each.writeMsr(BASE_MSR, each.apicBase | 0x400n), true);
  assert.equal(apic.decodes(0xfee00000), false);
  assert.equal(apics[1]!.readMsr(0x802), 1n);
  assert.equal(apics[1]!.readMsr(0x80d), 2n);
  assert.equal(apic.writeMsr(0x830, (1n << 32n) | 0x4050n), true);
  assert.equal(apics[1]!.acknowledge(), 0x50);
  assert.equal(apics[1]!.writeMsr(0x80b, 0n), true);
  assert.equal(apic.writeMsr(0x830, (2n << 32n) | 0x4851n), true);
  assert.equal(apic.readMsr(0x830), (2n << 32n) | 0x4851n);
  assert.equal(apics[1]!.acknowledge(), 0x51);
  assert.equal(apic.writeMsr(0x83f, 0x60n), true);
  assert.equal(apic.acknowledge(), 0x60);
  assert.equal(apic.writeMsr(0x80b, 0n), true);
  assert.equal(apic.mmioRead(ISR + 0x30, 4), 0);
  assert.equal(apic.writeMsr(0x80b, 1n), false);
  assert.equal(apic.readMsr(0x80b), undefined);
  assert.equal(apic.readMsr(0x80e), undefined);
  assert.equal(apic.readMsr(0x831), undefined);
  assert.equal(apic.writeMsr(0x80d, 0n), false);
  assert.equal(apic.writeMsr(0x808, 0x100n), false);
  assert.equal(apic.writeMsr(0x808, 0x20n), true);
  assert.equal(apic.tpr, 0x20);
});

test('IA32_APIC_BASE: allowed and forbidden transitions, BSP flag, relocation', () => {
  const { apic } = make();
  assert.equal(apic.writeMsr(BASE_MSR, XAPIC_BSP | 1n), false);
  assert.equal(apic.writeMsr(BASE_MSR, 0xfee00400n), false);
  assert.equal(apic.writeMsr(BASE_MSR, 0xd0000800n), true);
  assert.equal(apic.readMsr(BASE_MSR), 0xd0000900n);
  assert.equal(apic.decodes(0xfee00020), false);
  assert.equal(apic.decodes(0xd0000020), true);
  assert.equal(apic.writeMsr(BASE_MSR, 0xfee00d00n), true);
  assert.equal(apic.writeMsr(BASE_MSR, XAPIC_BSP), false);
  assert.equal(apic.writeMsr(BASE_MSR, 0xfee00000n), true);
  assert.equal(apic.writeMsr(BASE_MSR, 0xfee00d00n), false);
  assert.equal(apic.writeMsr(BASE_MSR, XAPIC_BSP), true);
});

test('message signalled interrupts: destination, logical bit, vector from address and data', () => {
  const { apics, bus } = make(2);
  bus.sendMessage(0xfee01000n, 0x4061);
  assert.equal(apics[1]!.acknowledge(), 0x61);
  bus.sendMessage(0xfed01000n, 0x4062);
  bus.sendMessage(0x1_fee01000n, 0x4062);
  assert.equal(apics[1]!.hasInterrupt(), false);
});

test('goes on from a saved state, the timer too', () => {
  const { apic, time } = make();
  apic.mmioWrite(DIVIDE, 0b1011, 4);
  apic.mmioWrite(LVT_TIMER, 0xec, 4);
  apic.mmioWrite(INITIAL, 1000, 4);
  raise(apic, 0x41);
  time.advance(400);
  const saved = JSON.parse(JSON.stringify({ apic: apic.save(), events: time.events.save() }));
  const copy = make();
  copy.time.clock.time = 400;
  copy.apic.load(saved.apic);
  copy.time.events.load(saved.events);
  assert.equal(copy.apic.mmioRead(CURRENT, 4), 600);
  assert.equal(copy.apic.acknowledge(), 0x41);
  copy.time.advance(600);
  assert.equal(copy.apic.acknowledge(), 0xec);
});
