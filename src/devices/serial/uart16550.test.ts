import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { TestLine, TestTime } from '../../machine/testing.js';
import { Uart16550 } from './uart16550.js';

const BASE = 0x3f8;
const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = 2;
const ERBFI = 1;
const RTS = 2;

function make() {
  const time = new TestTime();
  const irq = new TestLine();
  const sent: number[] = [];
  const uart = new Uart16550(time.events, 'COM1', BASE, irq.line, { write: (byte) => sent.push(byte) });
  const ports = new PortBus();
  uart.attach(ports);
  const read = (register: number): number => ports.read(BASE + register, 1);
  const write = (register: number, value: number): void => ports.write(BASE + register, value, 1);
  return { time, irq, sent, uart, read, write };
}

const text = (bytes: number[]): string => String.fromCharCode(...bytes);
const bytes = (value: string): Uint8Array => Uint8Array.from(value, (character) => character.charCodeAt(0));

test('sends what is written to THR, ready for more at once', () => {
  const { sent, read, write } = make();
  for (const byte of bytes('hello')) {
    assert.equal(read(LSR) & 0x60, 0x60);
    write(DATA, byte);
  }
  assert.equal(text(sent), 'hello');
});

test('the divisor latch is behind DLAB, and sends nothing', () => {
  const { sent, read, write } = make();
  write(LCR, 0x83);
  write(DATA, 0x0c);
  write(IER, 0x01);
  assert.equal(read(DATA), 0x0c);
  assert.equal(read(IER), 0x01);
  write(LCR, 0x03);
  assert.equal(read(IER), 0);
  assert.deepEqual(sent, []);
  write(SCR, 0x5a);
  assert.equal(read(SCR), 0x5a);
});

test('the THRE interrupt comes when enabled and after each byte, and goes when IIR is read', () => {
  const { irq, read, write } = make();
  write(IER, 2);
  assert.equal(irq.level, true);
  assert.equal(read(IIR), 2);
  assert.equal(irq.level, false);
  assert.equal(read(IIR), 1);
  write(DATA, 0x41);
  assert.equal(irq.level, true);
  write(IER, 0);
  assert.equal(irq.level, false);
});

test('received data interrupt at the trigger level, time-out below it', () => {
  const { time, irq, uart, read, write } = make();
  write(FCR, 0x81);
  assert.equal(read(IIR), 0xc1);
  write(IER, ERBFI);
  write(LCR, 3);
  uart.receive(bytes('1234567'));
  assert.equal(irq.level, false);
  time.advance(347_000);
  assert.equal(read(IIR), 0xc1);
  time.advance(1000);
  assert.equal(irq.level, true);
  assert.equal(read(IIR), 0xcc);
  assert.equal(read(DATA), 0x31);
  assert.equal(irq.level, false);
  uart.receive(bytes('89'));
  assert.equal(read(IIR), 0xc4);
  assert.equal(text(Array.from({ length: 8 }, () => read(DATA))), '23456789');
  assert.equal(read(LSR), 0x60);
  assert.equal(read(DATA), 0);
});

test('nothing is lost, however much comes at once', () => {
  const { uart, read, write } = make();
  write(FCR, 0x01);
  write(IER, ERBFI);
  const sent = 'abcdefgh'.repeat(1000);
  uart.receive(bytes(sent));
  let got = '';
  while (read(LSR) & 1) got += String.fromCharCode(read(DATA));
  assert.equal(got, sent);
  assert.equal(uart.waiting, 0);
});

test('input from before the system listens survives clearing of the FIFO and stray reads', () => {
  const { uart, read, write } = make();
  uart.receive(bytes('typed ahead'));
  assert.equal(read(LSR) & 1, 0);
  read(DATA);
  write(FCR, 0x07);
  assert.equal(read(LSR) & 1, 0);
  write(MCR, RTS);
  assert.equal(read(LSR) & 1, 1);
  write(FCR, 0x07);
  let got = '';
  while (read(LSR) & 1) got += String.fromCharCode(read(DATA));
  assert.equal(got, 'typed ahead');
});

test('a guest that only polls gets its input too', () => {
  const { uart, read } = make();
  uart.receive(bytes('x'));
  let polls = 0;
  while (!(read(LSR) & 1)) assert.ok(++polls < 100);
  assert.equal(read(DATA), 0x78);
});

test('loopback: data and modem lines, with overrun', () => {
  const { sent, read, write } = make();
  assert.equal(read(MSR), 0xb0);
  write(MCR, 0x1a);
  assert.equal(read(MSR) & 0xf0, 0x90);
  write(MCR, 0x10);
  assert.equal(read(MSR), 0x09);
  write(DATA, 0x55);
  write(DATA, 0xaa);
  assert.equal(read(LSR), 0x63);
  assert.equal(read(LSR), 0x61);
  assert.equal(read(DATA), 0x55);
  assert.deepEqual(sent, []);
});

test('modem status interrupt on a change', () => {
  const { irq, read, write } = make();
  write(IER, 8);
  write(MCR, 0x10);
  assert.equal(irq.level, true);
  assert.equal(read(IIR), 0);
  read(MSR);
  assert.equal(irq.level, false);
});

test('priorities: line status before data before THRE', () => {
  const { read, write } = make();
  write(MCR, 0x10);
  write(IER, 7);
  write(DATA, 1);
  write(DATA, 2);
  assert.equal(read(IIR), 6);
  read(LSR);
  assert.equal(read(IIR), 4);
  read(DATA);
  assert.equal(read(IIR), 2);
  assert.equal(read(IIR), 1);
});

test('goes on from a saved state', () => {
  const { time, uart, write } = make();
  write(FCR, 0xc1);
  write(IER, ERBFI);
  write(LCR, 3);
  uart.receive(bytes('a lot more than sixteen'));
  const copy = make();
  copy.uart.load(JSON.parse(JSON.stringify(uart.save())));
  copy.time.events.load(time.events.save());
  assert.equal(copy.read(IIR), 0xc4);
  let got = '';
  while (copy.read(LSR) & 1) got += String.fromCharCode(copy.read(DATA));
  assert.equal(got, 'a lot more than sixteen');
});
