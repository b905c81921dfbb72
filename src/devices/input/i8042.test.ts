import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../machine/port-bus.js';
import { TestLine } from '../../machine/testing.js';
import { I8042 } from './i8042.js';

function make() {
  const irq1 = new TestLine();
  const irq12 = new TestLine();
  const a20 = new TestLine();
  const log: string[] = [];
  const controller = new I8042(
    { irq1: irq1.line, irq12: irq12.line, a20: a20.line, resetCpu: () => log.push('reset') },
    (leds) => log.push(`leds ${leds}`),
  );
  const ports = new PortBus();
  controller.attach(ports);
  controller.reset();
  log.length = 0;
  const command = (...bytes: number[]): void => {
    ports.write(0x64, bytes[0]!, 1);
    for (const byte of bytes.slice(1)) ports.write(0x60, byte, 1);
  };
  const data = (byte: number): void => ports.write(0x60, byte, 1);
  const status = (): number => ports.read(0x64, 1);
  /** All that waits, as hexadecimal text; what the mouse sent in brackets. */
  const drain = (): string => {
    const out: string[] = [];
    for (let now = status(); now & 1; now = status()) {
      const byte = ports.read(0x60, 1).toString(16);
      out.push(now & 0x20 ? `[${byte}]` : byte);
    }
    return out.join(' ');
  };
  return { controller, irq1, irq12, a20, log, command, data, status, drain };
}

test('self-test, line tests and the command byte', () => {
  const { command, drain, status } = make();
  command(0xaa);
  assert.equal(drain(), '55');
  assert.equal(status() & 4, 4);
  command(0xab);
  assert.equal(drain(), '0');
  command(0xa9);
  assert.equal(drain(), '0');
  command(0x60, 0x47);
  command(0x20);
  assert.equal(drain(), '47');
  command(0xa7);
  command(0x20);
  assert.equal(drain(), '67');
  command(0x65, 0x12);
  command(0x25);
  assert.equal(drain(), '12');
});

test('keys come translated to set 1, or in set 2', () => {
  const { controller, command, drain, irq1 } = make();
  controller.keyboard.key('KeyA', true);
  assert.equal(irq1.level, true);
  assert.equal(drain(), '1e');
  assert.equal(irq1.level, false);
  controller.keyboard.key('KeyA', false);
  controller.keyboard.key('ArrowUp', true);
  controller.keyboard.key('ArrowUp', false);
  controller.keyboard.key('F7', true);
  controller.keyboard.key('Pause', true);
  controller.keyboard.key('NoSuchKey', true);
  assert.equal(drain(), '9e e0 48 e0 c8 41 e1 1d 45 e1 9d c5');
  command(0x60, 0x01);
  controller.keyboard.key('KeyA', false);
  controller.keyboard.key('F7', true);
  assert.equal(drain(), 'f0 1c 83');
});

test('keyboard commands: identification, lights, reset, echo, unknown ones', () => {
  const { log, data, drain } = make();
  data(0xf2);
  assert.equal(drain(), 'fa ab 41');
  data(0xed);
  data(0x05);
  assert.equal(drain(), 'fa fa');
  assert.deepEqual(log, ['leds 5']);
  data(0xee);
  assert.equal(drain(), 'ee');
  data(0xf0);
  data(0x00);
  assert.equal(drain(), 'fa fa 41');
  data(0xff);
  assert.equal(drain(), 'fa aa');
  data(0x01);
  assert.equal(drain(), 'fe');
});

test('a disabled keyboard keeps still; its clock stopped, it waits', () => {
  const { controller, command, data, drain } = make();
  data(0xf5);
  assert.equal(drain(), 'fa');
  controller.keyboard.key('KeyA', true);
  assert.equal(drain(), '');
  data(0xf4);
  assert.equal(drain(), 'fa');
  command(0xad);
  controller.keyboard.key('KeyB', true);
  assert.equal(drain(), '');
  command(0xae);
  assert.equal(drain(), '30');
});

test('keys beyond the buffer are dropped whole', () => {
  const { controller, drain } = make();
  for (let index = 0; index < 1000; index++) controller.keyboard.key('ArrowUp', index % 2 === 0);
  assert.ok(drain().split(' ').length < 100);
  controller.keyboard.key('KeyA', true);
  assert.equal(drain(), '1e');
});

test('A20 and reset by the output port, reset by pulse', () => {
  const { log, command, drain, a20 } = make();
  assert.equal(a20.level, true);
  command(0xd1, 0xdd);
  assert.equal(a20.level, false);
  command(0xd1, 0xdf);
  assert.equal(a20.level, true);
  command(0xd0);
  assert.equal(drain(), '3');
  command(0xff);
  assert.deepEqual(log, []);
  command(0xfe);
  assert.deepEqual(log, ['reset']);
});

test('data can be put into either output buffer', () => {
  const { command, drain, irq12 } = make();
  command(0x60, 0x47);
  command(0xd2, 0x5a);
  assert.equal(drain(), '5a');
  command(0xd3, 0xa5);
  assert.equal(irq12.level, true);
  assert.equal(drain(), '[a5]');
  assert.equal(irq12.level, false);
});

test('the mouse: reset, identification, wheel after the knock, movement', () => {
  const { controller, command, drain, irq12 } = make();
  command(0x60, 0x47);
  command(0xd4, 0xff);
  assert.equal(drain(), '[fa] [aa] [0]');
  for (const rate of [200, 100, 80]) {
    command(0xd4, 0xf3);
    command(0xd4, rate);
  }
  drain();
  command(0xd4, 0xf2);
  assert.equal(drain(), '[fa] [3]');
  controller.mouse.move(1, 1, 0, 0);
  assert.equal(drain(), '');
  command(0xd4, 0xf4);
  assert.equal(drain(), '[fa]');
  controller.mouse.move(4, 3, -1, 1);
  assert.equal(irq12.level, true);
  assert.equal(drain(), '[29] [5] [fc] [ff]');
  command(0xd4, 0xe9);
  assert.equal(drain(), '[fa] [24] [2] [50]');
  for (let index = 0; index < 1000; index++) controller.mouse.move(300, -300, 0, 0);
  assert.ok(drain().split(' ').length <= 260);
});

test('any bytes to both ports are borne, and the controller still answers', () => {
  const { command, data, drain } = make();
  let seed = 1;
  for (let step = 0; step < 20000; step++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    if (seed & 0x10000) command(seed & 0xff);
    else data(seed & 0xff);
  }
  drain();
  command(0xaa);
  assert.match(drain(), /55/);
});

test('goes on from a saved state', () => {
  const { controller } = make();
  controller.keyboard.key('ArrowUp', true);
  const copy = make();
  copy.controller.load(JSON.parse(JSON.stringify(controller.save())));
  assert.equal(copy.drain(), 'e0 48');
});
