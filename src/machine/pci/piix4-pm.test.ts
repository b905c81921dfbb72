import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus } from '../mmio-bus.js';
import { PortBus } from '../port-bus.js';
import { TestLine, TestTime } from '../testing.js';
import { Piix4Pm } from './piix4-pm.js';
import { RESET_CONTROL, ResetControl } from './reset-control.js';

const STATUS = 0x600;
const ENABLE = 0x602;
const CONTROL = 0x604;
const TIMER = 0x608;

function make() {
  const time = new TestTime();
  const sci = new TestLine();
  const ports = new PortBus();
  let off = 0;
  const pm = new Piix4Pm(time.events, sci.line, () => off++);
  pm.connect({ ports, mmio: new MmioBus(), interrupt: () => {}, sendMessage: () => {} });
  return { time, sci, ports, pm, powerOffs: () => off };
}

test('the timer counts 3.579545 MHz in 24 bits', () => {
  const { time, ports } = make();
  time.advance(1e9);
  assert.equal(ports.read(TIMER, 4), 3579545);
  time.advance(4e9);
  assert.equal(ports.read(TIMER, 4), (5 * 3579545) & 0xffffff);
});

test('an overflow of the timer sets its status, and interrupts if enabled; nothing is armed otherwise', () => {
  const { time, sci, ports } = make();
  assert.equal(time.events.next(), undefined);
  time.advance(2.4e9);
  assert.equal(ports.read(STATUS, 2), 1);
  ports.write(STATUS, 1, 2);
  assert.equal(ports.read(STATUS, 2), 0);
  ports.write(ENABLE, 1, 2);
  time.advance(2.2e9);
  assert.equal(sci.level, false);
  time.advance(0.2e9);
  assert.equal(sci.level, true);
  assert.equal(time.events.next(), undefined);
  ports.write(STATUS, 1, 1);
  assert.equal(sci.level, false);
  assert.notEqual(time.events.next(), undefined);
});

test('SLP_EN with the type of S5 powers off, another type does not', () => {
  const { ports, powerOffs } = make();
  assert.equal(ports.read(CONTROL, 2), 1);
  ports.write(CONTROL, 0x2000 | (5 << 10), 2);
  assert.equal(powerOffs(), 0);
  ports.write(CONTROL, 0x2001, 2);
  assert.equal(powerOffs(), 1);
  assert.equal(ports.read(CONTROL, 2), 1);
});

test('the power button interrupts', () => {
  const { sci, ports, pm } = make();
  ports.write(STATUS, 0x01000000, 4);
  assert.equal(ports.read(ENABLE, 2), 0x100);
  pm.pressPowerButton();
  assert.equal(sci.level, true);
  assert.equal(ports.read(STATUS, 4), 0x01000100);
  ports.write(STATUS, 0x100, 2);
  assert.equal(sci.level, false);
});

test('PMBA moves the registers', () => {
  const { time, ports, pm } = make();
  time.advance(1e9);
  pm.writeConfig(0x40, 0xb001, 4);
  assert.equal(ports.read(TIMER, 4), 0xffffffff);
  assert.equal(ports.read(0xb008, 4), 3579545);
  pm.writeConfig(0x80, 0, 1);
  assert.equal(ports.read(0xb008, 4), 0xffffffff);
});

test('SMBus: nobody answers, errors are cleared by writing them, SMBBA moves the registers', () => {
  const { ports, pm } = make();
  ports.write(0x704, 0xa1, 1);
  ports.write(0x702, 0x48, 1);
  assert.equal(ports.read(0x700, 1), 0x04);
  assert.equal(ports.read(0x702, 1), 0x08);
  assert.equal(ports.read(0x704, 1), 0xa1);
  ports.write(0x700, 0x04, 1);
  assert.equal(ports.read(0x700, 1), 0);
  pm.writeConfig(0x90, 0x5000, 4);
  assert.equal(ports.read(0x704, 1), 0xff);
  assert.equal(ports.read(0x5004, 1), 0xa1);
  pm.writeConfig(0xd2, 0, 1);
  assert.equal(ports.read(0x5004, 1), 0xff);
});

test('goes on from a saved state', () => {
  const { ports, pm } = make();
  ports.write(ENABLE, 0x100, 2);
  pm.pressPowerButton();
  const copy = make();
  copy.pm.load(JSON.parse(JSON.stringify(pm.save())));
  assert.equal(copy.ports.read(STATUS, 4), 0x01000100);
});

test('the reset control register resets on a rising RCPU: the board with SRST, else the CPU', () => {
  const log: string[] = [];
  const reset = new ResetControl(
    () => log.push('board'),
    () => log.push('cpu'),
  );
  for (const value of [2, 6, 6, 0, 4]) reset.writePort(RESET_CONTROL, value);
  assert.deepEqual(log, ['board', 'cpu']);
});
