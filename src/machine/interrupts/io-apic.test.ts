import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApicBus, type ApicAgent, type ApicMessage } from './apic-bus.js';
import { IoApic } from './io-apic.js';
import { InterruptRouter, pirqOf } from './interrupt-router.js';
import { I8259Pair } from './i8259-pair.js';

const REGSEL = 0;
const WINDOW = 0x10;
const LEVEL = 0x8000;
const MASKED = 0x10000;
const REMOTE_IRR = 0x4000;

class Agent implements ApicAgent {
  priority = 0;
  readonly seen: string[] = [];
  lastMessage: ApicMessage | undefined;
  matches(message: ApicMessage): boolean {
    this.lastMessage = message;
    return true;
  }
  receive(mode: number, vector: number, levelTriggered: boolean): boolean {
    this.seen.push(`${mode}:${vector.toString(16)}${levelTriggered ? ' level' : ''}`);
    return true;
  }
}

function make() {
  const bus = new ApicBus();
  const agent = new Agent();
  bus.add(agent);
  const ioApic = new IoApic(bus);
  const write = (register: number, value: number): void => {
    ioApic.mmioWrite(REGSEL, register);
    ioApic.mmioWrite(WINDOW, value);
  };
  const read = (register: number): number => {
    ioApic.mmioWrite(REGSEL, register);
    return ioApic.mmioRead(WINDOW, 4);
  };
  return { bus, agent, ioApic, write, read };
}

test('id, version with 24 entries, entries masked after reset', () => {
  const { write, read } = make();
  assert.equal(read(1), 0x00170011);
  write(0, 0xffffffff);
  assert.equal(read(0), 0x0f000000);
  assert.equal(read(0x10), MASKED);
  assert.equal(read(0x3e), MASKED);
  assert.equal(read(0x40), 0);
  write(0x11, 0x12345678);
  assert.equal(read(0x11), 0x12000000);
});

test('an edge is delivered once, with destination and mode of its entry; a masked one is lost', () => {
  const { agent, ioApic, write } = make();
  ioApic.setPin(4, true);
  ioApic.setPin(4, false);
  write(0x19, 0x03000000);
  write(0x18, 0x0931);
  assert.deepEqual(agent.seen, []);
  ioApic.setPin(4, true);
  ioApic.setPin(4, true);
  assert.deepEqual(agent.seen, ['0:31']);
  assert.equal(agent.lastMessage?.destination, 3);
  assert.equal(agent.lastMessage?.logical, true);
});

test('a level waits for EOI and comes again while asserted', () => {
  const { bus, agent, ioApic, write, read } = make();
  write(0x30, LEVEL | 0x52);
  ioApic.setPin(16, true);
  assert.equal(read(0x30), LEVEL | REMOTE_IRR | 0x52);
  ioApic.setPin(16, false);
  ioApic.setPin(16, true);
  assert.equal(agent.seen.length, 1);
  bus.endOfInterrupt(0x52);
  assert.deepEqual(agent.seen, ['0:52 level', '0:52 level']);
  ioApic.setPin(16, false);
  bus.endOfInterrupt(0x52);
  assert.equal(read(0x30), LEVEL | 0x52);
});

test('unmasking an asserted level delivers it; making it edge clears remote IRR', () => {
  const { agent, ioApic, write, read } = make();
  write(0x30, LEVEL | MASKED | 0x52);
  ioApic.setPin(16, true);
  assert.deepEqual(agent.seen, []);
  write(0x30, LEVEL | 0x52);
  assert.equal(agent.seen.length, 1);
  write(0x30, MASKED | 0x52);
  assert.equal(read(0x30), MASKED | 0x52);
});

test('the router: IRQ 0 to input 2, PIRQs to 16-19 and where PIRQRC says', () => {
  const { agent, ioApic, write } = make();
  const pic = new I8259Pair(() => {});
  pic.reset();
  pic.writePort(0x20, 0x11);
  for (const value of [0x30, 4, 1, 0]) pic.writePort(0x21, value);
  pic.writePort(0xa0, 0x11);
  for (const value of [0x38, 2, 1, 0]) pic.writePort(0xa1, value);
  const router = new InterruptRouter(pic, ioApic);
  write(0x14, 0x61);
  const timer = router.isaLine(0);
  timer(true);
  assert.deepEqual(agent.seen, ['0:61']);
  assert.equal(pic.acknowledge(), 0x30);
  pic.writePort(0x20, 0x20);

  const pirq = pirqOf(3, 0);
  assert.equal(pirq, 2);
  const first = router.pciLine(3, 0);
  const second = router.pciLine(7, 0);
  write(0x10 + 2 * (16 + pirq), LEVEL | 0x62);
  first(true);
  assert.equal(agent.seen.at(-1), '0:62 level');
  assert.equal(pic.interrupt, false);
  router.route(pirq, 11);
  assert.equal(pic.acknowledge(), 0x3b);
  second(true);
  first(false);
  assert.deepEqual(router.save().pirq[pirq], [false, true]);
});
