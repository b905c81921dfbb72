import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BoardAccess } from '../engine/cpu.js';
import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';
import { ApicBus } from '../machine/interrupts/apic-bus.js';
import { LocalApic } from '../machine/interrupts/local-apic.js';
import { TestCpu, TestTime } from '../machine/testing.js';
import { emptyBoard } from '../testing/user-machine.js';
import { apicWords, OwnApics } from './own-apics.js';

const PAGE = 0xfee00000;
const TPR = 0x80;
const EOI = 0xb0;
const SVR = 0xf0;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const INITIAL_COUNT = 0x380;
const IRR_64 = 0x220;
const MSR = 0x800;
const BASE_MSR = 0x1b;
const DEADLINE_MSR = 0x6e0;
const X2APIC = 0xfee00c00n;

/** Two CPUs: `apics` as the machine's thread has them, `board` as another thread. `asked`: what that could not do by itself. */
function make(x2apic: boolean) {
  const pages = (L.CPU_BASE + 2 * L.CPU_BYTES) / 0x10000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const time = new TestTime();
  const bus = new ApicBus();
  const pic = { interrupt: false, acknowledge: () => 0x77 };
  const apics = [0, 1].map(
    (cpu) => new LocalApic(cpu, bus, new TestCpu(), pic, time.events, apicWords(memory, cpu)),
  );
  for (const apic of apics) {
    apic.reset();
    apic.mmioWrite(SVR, 0x1ff, 4);
    if (x2apic) assert.ok(apic.writeMsr(BASE_MSR, X2APIC | (apic.apicBase & 0x100n)));
  }
  const asked: string[] = [];
  const changed: number[] = [];
  const remote: BoardAccess = {
    ...emptyBoard,
    mmioWrite: (_cpu, physical) => void asked.push(`page ${(physical & 0xfff).toString(16)}`),
    msrWrite: (_cpu, index) => (asked.push(`msr ${index.toString(16)}`), true),
    take: () => (asked.push('take'), 0x99),
  };
  const posted: string[] = [];
  const own = new OwnApics(memory, 2, () =>
    [0, 1].map((cpu) => ({ interruptChanged: () => changed.push(cpu) }) as unknown as Processor),
  );
  const board = own.over(remote, {
    mmioWrite: (_cpu, physical) => void posted.push(`page ${(physical & 0xfff).toString(16)}`),
    msrWrite: (_cpu, index) => (posted.push(`msr ${index.toString(16)}`), true),
  });
  return { apics, board, asked, posted, changed, pic };
}

test('x2APIC: an interrupt to another CPU is sent, taken and ended without asking; the machine sees the same', () => {
  const { apics, board, asked, changed } = make(true);
  assert.equal(board.hasInterrupt(1), false);
  assert.ok(board.msrWrite(0, MSR + 0x30, (1n << 32n) | 0x40n));
  assert.ok(apics[1]!.hasInterrupt());
  assert.equal(apics[0]!.hasInterrupt(), false);
  assert.deepEqual(changed, [1]);
  assert.equal(board.hasInterrupt(1), true);
  assert.equal(board.take!(1), 0x40);
  assert.equal(apics[1]!.hasInterrupt(), false);
  // One of the same priority waits for the end of the first.
  apics[1]!.receive(0, 0x41, false);
  assert.equal(board.take!(1), -1);
  assert.ok(board.msrWrite(1, MSR + 0x0b, 0n));
  assert.equal(board.take!(1), 0x41);
  assert.equal(apics[1]!.priority, 0x40);
  assert.deepEqual(asked, []);
});

test('shorthands mean all, all others, or the CPU itself', () => {
  for (const [shorthand, expected] of [
    [1n, [true, false]],
    [2n, [true, true]],
    [3n, [false, true]],
  ] as const) {
    const { apics, board } = make(true);
    board.msrWrite(0, MSR + 0x30, (shorthand << 18n) | 0x50n);
    assert.deepEqual(
      apics.map((apic) => apic.hasInterrupt()),
      expected,
    );
  }
});

test('xAPIC: the page does the same, logical destinations too', () => {
  const { apics, board, asked, posted } = make(false);
  apics[1]!.mmioWrite(0xd0, 0x02000000, 4);
  board.mmioWrite(0, PAGE + ICR_HIGH, 4, 0x02000000);
  board.mmioWrite(0, PAGE + ICR_LOW, 4, 0x841);
  assert.equal(board.mmioRead(0, PAGE + ICR_LOW, 4), 0x841);
  assert.equal(apics[1]!.mmioRead(IRR_64, 4), 2);
  board.mmioWrite(1, PAGE + TPR, 4, 0x40);
  assert.equal(board.take!(1), -1);
  board.tprWrite(1, 3);
  assert.equal(apics[1]!.tpr, 0x30);
  assert.equal(board.tprRead(1), 3);
  assert.equal(board.take!(1), 0x41);
  board.mmioWrite(1, PAGE + EOI, 4, 0);
  assert.equal(apics[1]!.priority, 0x30);
  assert.deepEqual([asked, posted], [[], []]);
  board.mmioWrite(1, PAGE + INITIAL_COUNT, 4, 100);
  assert.deepEqual(posted, ['page 380']);
});

test('what the machine must see is asked for', () => {
  const { apics, board, asked, posted, pic } = make(true);
  // The end of a level-triggered interrupt, INIT, an illegal vector, reserved bits.
  apics[0]!.receive(0, 0x60, true);
  assert.equal(board.take!(0), 0x60);
  board.msrWrite(0, MSR + 0x0b, 0n);
  board.msrWrite(0, MSR + 0x30, (1n << 32n) | 0x500n);
  board.msrWrite(0, MSR + 0x30, (1n << 32n) | 5n);
  board.msrWrite(0, MSR + 0x30, 1n << 13n);
  board.msrWrite(0, MSR + 0x0b, 1n);
  board.msrWrite(0, BASE_MSR, 0n);
  assert.deepEqual(asked.splice(0), ['msr 80b', 'msr 830', 'msr 830', 'msr 830', 'msr 80b', 'msr 1b']);
  assert.equal(apics[1]!.hasInterrupt(), false);
  // The 8259 pair's.
  apics[0]!.enableVirtualWire();
  pic.interrupt = true;
  apics[0]!.setLint(0, true);
  assert.equal(board.hasInterrupt(0), true);
  assert.equal(board.take!(0), 0x99);
  assert.deepEqual(asked, ['take']);
  assert.deepEqual(posted, []);
  board.msrWrite(0, DEADLINE_MSR, 5n);
  assert.deepEqual(posted, ['msr 6e0']);
});

test('an APIC that is off takes nothing, and its page is memory like any other', () => {
  const { apics, board, asked } = make(false);
  assert.ok(apics[1]!.writeMsr(BASE_MSR, 0xfee00000n));
  board.mmioWrite(0, PAGE + ICR_LOW, 4, (3 << 18) | 0x40);
  assert.equal(apics[1]!.hasInterrupt(), false);
  board.mmioWrite(1, PAGE + EOI, 4, 0);
  assert.deepEqual(asked, ['page b0']);
});
