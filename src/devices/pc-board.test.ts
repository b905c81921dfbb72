import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestRam } from '../machine/guest-ram.js';
import { TestCpu, TestTime } from '../machine/testing.js';
import { PcBoard } from './pc-board.js';
import { setUpAsBios } from './power-on-setup.js';

const RAM_BYTES = 0x200000;
const BAR = 0xe0004000;

function make(cpus = 1, start = 0) {
  const time = new TestTime();
  time.clock.time = start;
  const log: string[] = [];
  const buffer = new SharedArrayBuffer(RAM_BYTES);
  const ram = new GuestRam(buffer, 0, { lowBytes: RAM_BYTES, highBytes: 0 });
  const out: number[] = [];
  let seed = 0;
  const board = new PcBoard({
    events: time.events,
    ram,
    cpus: Array.from({ length: cpus }, () => new TestCpu()),
    wallClockMs: Date.UTC(2026, 0, 1),
    serial: [{ write: (byte) => out.push(byte) }],
    entropy: (target) => target.forEach((_, index) => (target[index] = ++seed)),
    debugExit: (value) => log.push(`exit ${value}`),
    powerOff: () => log.push('power off'),
    reset: () => log.push('reset'),
    a20: (enabled) => log.push(`a20 ${enabled}`),
  });
  board.reset();
  setUpAsBios(board);
  const config = (slot: number, register: number): number => {
    board.portWrite(0, 0xcf8, 4, 0x80000000 | (slot << 11) | register);
    return board.portRead(0, 0xcfc, 4);
  };
  return { time, log, ram, out, board, config };
}

test('an ISA interrupt comes by the 8259 in virtual wire mode', () => {
  const { board } = make();
  board.portWrite(0, 0x21, 1, 0xef);
  board.portWrite(0, 0x3f9, 1, 2);
  assert.equal(board.hasInterrupt(0), true);
  assert.equal(board.acknowledge(0), 0x0c);
  assert.equal(board.hasInterrupt(0), false);
});

test('the 8254 interrupts by the I/O APIC', () => {
  const { board, time } = make();
  board.portWrite(0, 0x21, 1, 0xff);
  board.mmioWrite(0, 0xfec00000, 4, 0x14);
  board.mmioWrite(0, 0xfec00010, 4, 0x40);
  board.portWrite(0, 0x43, 1, 0x34);
  board.portWrite(0, 0x40, 1, 0x00);
  board.portWrite(0, 0x40, 1, 0x10);
  time.advance(5e6);
  assert.equal(board.acknowledge(0), 0x40);
});

test('each CPU sees its own local APIC at the same address', () => {
  const { board } = make(2);
  assert.equal(board.mmioRead(0, 0xfee00020, 4), 0);
  assert.equal(board.mmioRead(1, 0xfee00020, 4) >>> 0, 0x01000000);
  assert.equal(board.mmioRead64(1, 0xfee00020), 0x01000000n);
  board.tprWrite(1, 5);
  assert.equal(board.mmioRead(1, 0xfee00080, 4), 0x50);
  assert.equal(board.tprRead(0), 0);
});

test('what was due before an access has happened', () => {
  const { board, time } = make();
  board.msrWrite(0, 0x1b, 0xfee00900n);
  board.mmioWrite(0, 0xfee003e0, 4, 0xb);
  board.mmioWrite(0, 0xfee00320, 4, 0x50);
  board.mmioWrite(0, 0xfee00380, 4, 1000);
  time.clock.time += 2000;
  assert.equal(board.mmioRead(0, 0xfee00220, 4), 1 << 16);
});

test('MSRs: APIC, kvmclock, and none else', () => {
  const { board, ram } = make();
  assert.equal(board.msrRead(0, 0x1b), 0xfee00900n);
  assert.equal(board.msrWrite(0, 0x4b564d01, 0x1001n), true);
  assert.equal(ram.readU8(0x1000 + 29), 1);
  assert.equal(board.msrRead(0, 0x12345), undefined);
  assert.equal(board.msrWrite(0, 0x12345, 0n), false);
});

test('power off, resets, debug exit, A20', () => {
  const { board, log } = make();
  log.length = 0;
  board.portWrite(0, 0x604, 2, 0x2000);
  board.portWrite(0, 0xcf9, 1, 6);
  board.portWrite(0, 0x64, 1, 0xfe);
  board.portWrite(0, 0xf4, 4, 0x10);
  board.portWrite(0, 0x64, 1, 0xd1);
  board.portWrite(0, 0x60, 1, 0xdd);
  assert.deepEqual(log, ['power off', 'reset', 'reset', 'exit 16', 'a20 false']);
});

test('set up as a BIOS does: PIRQs, interrupt lines, BARs, CMOS', () => {
  const { board, config } = make();
  assert.equal(config(1, 0x60), 0x0b0b0a0a);
  assert.equal(config(3, 0x3c) & 0xffff, 0x010b);
  assert.equal(config(3, 0x20), BAR + 0xc);
  assert.equal(config(3, 0x04) & 7, 7);
  board.portWrite(0, 0x70, 1, 0x31);
  assert.equal(board.portRead(0, 0x71, 1), 4);
});

/** Does what a driver does, by 32-bit, 16-bit and 8-bit accesses to the structures of virtio 1.2, 4.1.4. */
function startRng(board: PcBoard, msix: boolean): void {
  const write = (offset: number, size: 1 | 2 | 4, value: number): void =>
    board.mmioWrite(0, BAR + offset, size, value);
  write(0x14, 1, 0);
  write(0x14, 1, 3);
  for (const word of [0, 1]) {
    write(0x00, 4, word);
    write(0x08, 4, word);
    write(0x0c, 4, board.mmioRead(0, BAR + 0x04, 4));
  }
  write(0x14, 1, 0xb);
  assert.equal(board.mmioRead(0, BAR + 0x14, 1), 0xb);
  write(0x16, 2, 0);
  write(0x18, 2, 8);
  if (msix) write(0x1a, 2, 1);
  write(0x20, 4, 0x1000);
  write(0x28, 4, 0x2000);
  board.mmioWrite64(0, BAR + 0x30, 0x3000n);
  write(0x1c, 2, 1);
  write(0x14, 1, 0xf);
}

function offer(ram: GuestRam, index: number, address: number): void {
  ram.writeU64(0x1000, BigInt(address));
  ram.writeU32(0x1008, 16);
  ram.writeU16(0x100c, 2);
  ram.writeU16(0x2002, index);
}

test('virtio-rng fills a buffer and interrupts by MSI-X', () => {
  const { board, ram } = make();
  const msixBar = 0xe0000000;
  board.mmioWrite(0, msixBar + 0x10, 4, 0xfee00000);
  board.mmioWrite(0, msixBar + 0x18, 4, 0x61);
  board.mmioWrite(0, msixBar + 0x1c, 4, 0);
  board.portWrite(0, 0xcf8, 4, 0x80001840);
  board.portWrite(0, 0xcfe, 2, 0x8000);
  startRng(board, true);
  offer(ram, 1, 0x5000);
  board.mmioWrite(0, BAR + 0x3000, 2, 0);
  assert.deepEqual([...ram.read(0x5000, 4)], [1, 2, 3, 4]);
  assert.equal(ram.readU16(0x3002), 1);
  assert.equal(ram.readU32(0x3008), 16);
  assert.equal(board.acknowledge(0), 0x61);
});

test('virtio-rng interrupts by its pin, shared at IRQ 11, until the ISR is read', () => {
  const { board, ram } = make();
  board.portWrite(0, 0xa1, 1, 0xf7);
  startRng(board, false);
  offer(ram, 1, 0x5000);
  board.mmioWrite(0, BAR + 0x3000, 2, 0);
  assert.equal(board.acknowledge(0), 0x73);
  assert.equal(board.mmioRead(0, BAR + 0x1000, 1), 1);
  assert.equal(board.mmioRead(0, BAR + 0x1000, 1), 0);
});

test('a broken ring makes the device ask for a reset, and a reset helps', () => {
  const { board, ram } = make();
  startRng(board, false);
  offer(ram, 1, RAM_BYTES - 1);
  board.mmioWrite(0, BAR + 0x3000, 2, 0);
  assert.equal(board.mmioRead(0, BAR + 0x14, 1), 0x4f);
  assert.equal(board.mmioRead(0, BAR + 0x1000, 1), 2);
  startRng(board, false);
  ram.writeU16(0x3002, 0);
  offer(ram, 1, 0x5000);
  board.mmioWrite(0, BAR + 0x3000, 2, 0);
  assert.equal(ram.readU16(0x3002), 1);
});

test('features that were not offered are refused', () => {
  const { board } = make();
  board.mmioWrite(0, BAR + 0x08, 4, 1);
  board.mmioWrite(0, BAR + 0x0c, 4, 0xffffffff);
  board.mmioWrite(0, BAR + 0x14, 1, 0xb);
  assert.equal(board.mmioRead(0, BAR + 0x14, 1), 3);
});

test('the window in configuration space reaches the structures', () => {
  const { board, config } = make();
  let capability = config(3, 0x34) & 0xff;
  while (((config(3, capability) >>> 24) & 0xff) !== 5) capability = (config(3, capability) >> 8) & 0xff;
  const write = (register: number, value: number, size: 1 | 4): void => {
    board.portWrite(0, 0xcf8, 4, 0x80000000 | (3 << 11) | (register & 0xfc));
    board.portWrite(0, 0xcfc + (register & 3), size, value);
  };
  write(capability + 4, 4, 1);
  write(capability + 8, 0x14, 4);
  write(capability + 12, 1, 4);
  write(capability + 16, 3, 4);
  assert.equal(board.mmioRead(0, BAR + 0x14, 1), 3);
  assert.equal(config(3, capability + 16) & 0xff, 3);
});

test('an idle board has no events', () => {
  const { time } = make(4);
  assert.equal(time.events.next(), undefined);
});

test('writes to every port and around every device are borne', () => {
  const { board } = make(2);
  for (const value of [0xff, 0, 0x55aa55aa]) {
    for (let port = 0; port < 0x10000; port++) {
      for (const size of [1, 2, 4] as const) {
        board.portWrite(1, port, size, value);
        board.portRead(1, port, size);
      }
    }
  }
  for (const base of [0xa0000, 0xfec00000, 0xfed00000, 0xfee00000, BAR, 0xfffff000, 2 ** 40]) {
    for (let offset = 0; offset < 0x1000; offset++) {
      for (const size of [1, 2, 4] as const) {
        board.mmioWrite(1, base + offset, size, -1);
        board.mmioRead(1, base + offset, size);
      }
      board.mmioWrite64(1, base + offset, -1n);
      board.mmioRead64(1, base + offset);
    }
  }
  for (let msr = 0x800; msr < 0x900; msr++) board.msrWrite(0, msr, -1n);
  board.reset();
  setUpAsBios(board);
  assert.equal(board.portRead(0, 0x64, 1) & 1, 0);
});

test('a saved board goes on as the first does', () => {
  const { time, board, ram } = make(2);
  startRng(board, false);
  board.portWrite(0, 0x43, 1, 0x34);
  board.portWrite(0, 0x40, 1, 0x00);
  board.portWrite(0, 0x40, 1, 0x10);
  board.portWrite(0, 0x21, 1, 0xfe);
  board.serial[0]!.receive(Uint8Array.of(0x41));
  time.advance(1_234_567);
  const saved = JSON.parse(JSON.stringify(board.save()));
  const copy = make(2, time.clock.time);
  copy.board.load(saved);
  copy.ram.write(0, ram.read(0, 0x10000));
  assert.deepEqual(copy.board.save(), board.save());
  for (const each of [{ time, board, ram }, copy]) {
    each.time.advance(3e6);
    assert.equal(each.board.acknowledge(0), 8);
    offer(each.ram, 1, 0x5000);
    each.board.mmioWrite(0, BAR + 0x3000, 2, 0);
    assert.equal(each.ram.readU16(0x3002), 1);
    assert.equal(each.board.serial[0]!.waiting, 1);
  }
  assert.deepEqual(copy.board.save(), board.save());
});
