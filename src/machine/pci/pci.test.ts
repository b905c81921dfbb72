import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApicBus } from '../interrupts/apic-bus.js';
import { I8259Pair } from '../interrupts/i8259-pair.js';
import { InterruptRouter } from '../interrupts/interrupt-router.js';
import { IoApic } from '../interrupts/io-apic.js';
import { MmioBus, type MmioDevice } from '../mmio-bus.js';
import { PortBus } from '../port-bus.js';
import { I440fx } from './i440fx.js';
import { PciBus } from './pci-bus.js';
import { PciFunction } from './pci-function.js';
import { Piix3 } from './piix3.js';

const constant = (value: number): MmioDevice => ({ mmioRead: () => value, mmioWrite: () => {} });

class Card extends PciFunction {
  readonly written: number[] = [];
  constructor() {
    super({ vendor: 0x1234, device: 0x5678, revision: 1, classCode: 0x020000, interruptPin: 1 });
    this.addBar(0, { kind: 'memory', bits: 32, bytes: 0x1000, device: constant(0x11) });
    this.addBar(1, { kind: 'memory', bits: 64, prefetchable: true, bytes: 0x10000, device: constant(0x22) });
    this.addBar(3, {
      kind: 'io',
      bytes: 0x20,
      device: { readOffset: (offset) => offset, writeOffset: (offset) => this.written.push(offset) },
    });
    this.addCapability(0x09, Uint8Array.of(0xaa, 0xbb));
    this.addCapability(0x05, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  }
  drive(asserted: boolean): void {
    this.setInterrupt(asserted);
  }
}

function make() {
  const ports = new PortBus();
  const mmio = new MmioBus();
  const apicBus = new ApicBus();
  const pic = new I8259Pair(() => {});
  const router = new InterruptRouter(pic, new IoApic(apicBus));
  const pci = new PciBus(ports, mmio, router, apicBus.sendMessage);
  const card = new Card();
  pci.plug(0, 0, new I440fx());
  pci.plug(1, 0, new Piix3((pirq, irq) => router.route(pirq, irq)));
  pci.plug(3, 0, card);
  const select = (slot: number, register: number): void => {
    ports.write(0xcf8, 0x80000000 + (slot << 11) + (register & 0xfc), 4);
  };
  const read = (slot: number, register: number, size: 1 | 2 | 4 = 4): number => {
    select(slot, register);
    return ports.read(0xcfc + (register & 3), size);
  };
  const write = (slot: number, register: number, value: number, size: 1 | 2 | 4 = 4): void => {
    select(slot, register);
    ports.write(0xcfc + (register & 3), value, size);
  };
  return { ports, mmio, pci, router, card, read, write };
}

test('configuration mechanism 1 finds the bridges; empty slots and other buses read as ones', () => {
  const { ports, read } = make();
  assert.equal(read(0, 0), 0x12378086);
  assert.equal(read(1, 0), 0x70008086);
  assert.equal(read(1, 0x0a, 2), 0x0601);
  assert.equal(read(1, 0x0e, 1), 0x80);
  assert.equal(read(5, 0), 0xffffffff);
  ports.write(0xcf8, 0x80010000, 4);
  assert.equal(ports.read(0xcfc, 4), 0xffffffff);
  ports.write(0xcf8, 0x00000000, 4);
  assert.equal(ports.read(0xcfc, 4), 0xffffffff);
  ports.write(0xcf8, 0x80000000, 4);
  ports.write(0xcf8, 0x12, 1);
  assert.equal(ports.read(0xcf8, 4), 0x80000000);
});

test('BARs tell their size, and decode where they are placed while enabled', () => {
  const { ports, mmio, read, write } = make();
  write(3, 0x10, 0xffffffff);
  assert.equal(read(3, 0x10), 0xfffff000);
  write(3, 0x14, 0xffffffff);
  write(3, 0x18, 0xffffffff);
  assert.equal(read(3, 0x14), 0xffff000c);
  assert.equal(read(3, 0x18), 0xffffffff);
  write(3, 0x1c, 0xffffffff);
  assert.equal(read(3, 0x1c), 0xffffffe1);
  write(3, 0x10, 0xe0000000);
  write(3, 0x14, 0x00010000);
  write(3, 0x18, 0x12);
  write(3, 0x1c, 0xc000);
  assert.equal(mmio.read(0xe0000000, 1), 0xff);
  write(3, 0x04, 3, 2);
  assert.equal(mmio.read(0xe0000fff, 1), 0x11);
  assert.equal(mmio.read(0x1200010000, 1), 0x22);
  assert.equal(ports.read(0xc005, 1), 5);
  write(3, 0x10, 0xe1000000);
  assert.equal(mmio.read(0xe0000000, 1), 0xff);
  assert.equal(mmio.read(0xe1000000, 1), 0x11);
  write(3, 0x04, 1, 2);
  assert.equal(mmio.read(0xe1000000, 1), 0xff);
  assert.equal(ports.read(0xc005, 1), 5);
});

test('read-only registers stay, capabilities form a list', () => {
  const { read, write } = make();
  write(3, 0x00, 0);
  write(3, 0x08, 0);
  assert.equal(read(3, 0), 0x56781234);
  assert.equal(read(3, 0x08), 0x02000001);
  assert.equal(read(3, 0x06, 2) & 0x10, 0x10);
  const first = read(3, 0x34, 1);
  assert.equal(read(3, first), (0xbbaa0009 | (read(3, first + 1, 1) << 8)) >>> 0);
  const second = read(3, first + 1, 1);
  assert.equal(read(3, second, 2), 0x0005);
});

test('the interrupt pin shows in the status, and command bit 10 holds it back', () => {
  const { card, router, read, write } = make();
  const level = (): boolean => router.save().pirq[2]!.includes(true);
  card.drive(true);
  assert.equal(read(3, 0x06, 2) & 8, 8);
  assert.equal(level(), true);
  write(3, 0x04, 0x400, 2);
  assert.equal(level(), false);
  assert.equal(read(3, 0x06, 2) & 8, 8);
  write(3, 0x04, 0, 2);
  assert.equal(level(), true);
});

test('PIRQRC routes to ISA interrupts that may be used', () => {
  const { router, read, write } = make();
  assert.equal(read(1, 0x60), 0x80808080);
  write(1, 0x60, 0x0b, 1);
  write(1, 0x61, 0x08, 1);
  write(1, 0x62, 0x8a, 1);
  assert.deepEqual(router.save().routes, [11, -1, -1, -1]);
});

test('reset brings back what was there; a saved state goes on', () => {
  const { pci, mmio, read, write } = make();
  write(3, 0x10, 0xe0000000);
  write(3, 0x04, 2, 2);
  const saved = JSON.parse(JSON.stringify(pci.save()));
  pci.reset();
  assert.equal(read(3, 0x10), 0);
  assert.equal(mmio.read(0xe0000000, 1), 0xff);
  pci.load(saved);
  assert.equal(mmio.read(0xe0000000, 1), 0x11);
});

test('any write to any register is borne', () => {
  const { ports, mmio, pci } = make();
  for (let address = 0; address < 0x10000; address += 4) {
    ports.write(0xcf8, 0x80000000 + address, 4);
    for (const value of [0xffffffff, 0, 0x5a5a5a5a]) ports.write(0xcfc, value, 4);
    ports.write(0xcfe, 0xff, 1);
    ports.read(0xcfd, 2);
  }
  assert.equal(mmio.read(0xfffffffc, 4), 0xffffffff);
  assert.equal(pci.plugged.length, 3);
});

test('a function that is plugged in where another was takes its interrupt output, which is down', () => {
  const { pci, router, card } = make();
  const levels = (): boolean[] => router.save().pirq.flat();
  const inputs = levels().length;
  card.drive(true);
  for (let n = 0; n < 5; n++) {
    pci.unplug(3);
    assert.ok(!levels().includes(true));
    const next = new Card();
    pci.plug(3, 0, next);
    next.drive(true);
    assert.deepEqual([levels().length, levels().filter((level) => level).length], [inputs, 1]);
  }
});
