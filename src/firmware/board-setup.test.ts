import { test } from 'node:test';
import assert from 'node:assert/strict';
import { MmioBus } from '../machine/mmio-bus.js';
import { PciBus } from '../machine/pci/pci-bus.js';
import { PciFunction } from '../machine/pci/pci-function.js';
import { BAR0, COMMAND, INTERRUPT_LINE } from '../machine/pci/pci-registers.js';
import { PIRQRC, Piix3 } from '../machine/pci/piix3.js';
import { PortBus } from '../machine/port-bus.js';
import { setUpBoard } from './board-setup.js';

/** A device with an I/O BAR, a 64-bit memory BAR, and INTA#. */
class Card extends PciFunction {
  constructor(interruptLine = 0) {
    super({ vendor: 1, device: 2, revision: 0, classCode: 0, interruptPin: 1 });
    this.addBar(0, { kind: 'io', bytes: 64, device: { readOffset: () => 0, writeOffset: () => {} } });
    this.addBar(1, {
      kind: 'memory',
      bits: 64,
      bytes: 0x4000,
      device: { mmioRead: () => 0, mmioWrite: () => {} },
    });
    this.set8(INTERRUPT_LINE, interruptLine);
  }
}

function board(): {
  pci: PciBus;
  ports: PortBus;
  routes: number[];
  elcr2: () => number;
  setUp: () => number;
} {
  const ports = new PortBus();
  let level = 0;
  ports.map(0x4d1, 1, { readPort: () => level, writePort: (_port, value) => (level = value) });
  const router = { pciLine: () => () => {} } as unknown as ConstructorParameters<typeof PciBus>[2];
  const pci = new PciBus(ports, new MmioBus(), router, () => {});
  const routes = [-1, -1, -1, -1];
  pci.plug(1, 0, new Piix3((pirq, irq) => (routes[pirq] = irq)));
  let virtualWire = 0;
  const setUp = (): number => {
    setUpBoard({ pci, ports, bootstrapApic: { enableVirtualWire: () => virtualWire++ } });
    return virtualWire;
  };
  return { pci, ports, routes, elcr2: () => level, setUp };
}

test('interrupts are routed and level-triggered, and the 8259 reaches the CPU', () => {
  const { pci, routes, elcr2, setUp } = board();
  assert.equal(setUp(), 1);
  assert.deepEqual(routes, [10, 10, 11, 11]);
  assert.equal(elcr2(), 0b1110);
  assert.equal(pci.plugged[0]![1].readConfig(PIRQRC, 4), 0x0b0b0a0a);
});

test('every BAR gets an address of its own, aligned to its size, and is enabled', () => {
  const { pci, setUp } = board();
  const cards = [3, 4, 5].map((slot) => {
    const card = new Card();
    pci.plug(slot, 0, card);
    return card;
  });
  setUp();
  const io = cards.map((card) => card.readConfig(BAR0, 4));
  assert.deepEqual(io, [0xc001, 0xc041, 0xc081]);
  const memory = cards.map((card) => [card.readConfig(BAR0 + 4, 4), card.readConfig(BAR0 + 8, 4)]);
  assert.deepEqual(memory, [
    [0xc0000004, 0],
    [0xc0004004, 0],
    [0xc0008004, 0],
  ]);
  assert.ok(cards.every((card) => (card.readConfig(COMMAND, 2) & 3) === 3));
});

test('interrupt lines follow the wires, but one that is set stays', () => {
  const { pci, setUp } = board();
  const wired = new Card(9);
  pci.plug(2, 0, wired);
  const cards = [3, 4, 5, 6].map((slot) => {
    const card = new Card();
    pci.plug(slot, 0, card);
    return card;
  });
  setUp();
  assert.equal(wired.readConfig(INTERRUPT_LINE, 1), 9);
  assert.deepEqual(
    cards.map((card) => card.readConfig(INTERRUPT_LINE, 1)),
    [11, 11, 10, 10],
  );
});
