import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestRam } from '../../machine/guest-ram.js';
import { MmioBus } from '../../machine/mmio-bus.js';
import { PortBus } from '../../machine/port-bus.js';
import { TestLine } from '../../machine/testing.js';
import { VirtioPci } from './virtio-pci.js';
import { VirtioRng } from './virtio-rng.js';

const PORT = 0xc000;
const PAGE = 4096;

/** An entropy device, plugged in, with its ports at PORT. */
function device(): { ram: GuestRam; ports: PortBus; line: TestLine; pci: VirtioPci } {
  const bytes = new Uint8Array(64 * 1024);
  const ram = new GuestRam(bytes.buffer, 0, { lowBytes: bytes.length, highBytes: 0 });
  const pci = new VirtioPci(new VirtioRng(ram, (target) => target.fill(0x5a)), ram);
  const ports = new PortBus();
  const line = new TestLine();
  pci.connect({ ports, mmio: new MmioBus(), interrupt: line.line, sendMessage: () => {} });
  pci.writeConfig(0x10, PORT, 4);
  pci.writeConfig(4, 5, 2);
  return { ram, ports, line, pci };
}

test('an old driver finds an old device', () => {
  const { pci } = device();
  assert.deepEqual([pci.readConfig(2, 2), pci.readConfig(8, 1), pci.readConfig(0x2e, 2)], [0x1005, 0, 4]);
});

test('an old driver gets its queue served, before it has said that it is ready', () => {
  const { ram, ports, line } = device();
  ports.write(PORT + 0x12, 3, 1);
  assert.equal(ports.read(PORT, 4) & (1 << 28), 1 << 28);
  ports.write(PORT + 4, 0, 4);
  ports.write(PORT + 0x0e, 0, 2);
  const size = ports.read(PORT + 0x0c, 2);
  assert.equal(size, 64);
  ports.write(PORT + 8, 4, 4);
  assert.equal(ports.read(PORT + 8, 4), 4);
  // The rings, as the specification places them.
  const [descriptors, available] = [4 * PAGE, 4 * PAGE + 16 * size];
  const used = Math.ceil((available + 6 + 2 * size) / PAGE) * PAGE;
  ram.writeU64(descriptors, 0x8000n);
  ram.writeU32(descriptors + 8, 100);
  ram.writeU16(descriptors + 12, 2);
  ram.writeU16(available + 4, 0);
  ram.writeU16(available + 2, 1);
  ports.write(PORT + 0x10, 0, 2);
  assert.deepEqual([ram.readU16(used + 2), ram.readU32(used + 8)], [1, 100]);
  assert.equal(ram.readU8(0x8000 + 99), 0x5a);
  assert.equal(line.level, true);
  assert.equal(ports.read(PORT + 0x13, 1), 1);
  assert.equal(line.level, false);
  // A page of 0 takes the queue away, a status of 0 all.
  ports.write(PORT + 8, 0, 4);
  ram.writeU16(available + 2, 2);
  ports.write(PORT + 0x10, 0, 2);
  assert.equal(ram.readU16(used + 2), 1);
  ports.write(PORT + 0x12, 0, 1);
  assert.equal(ports.read(PORT + 0x12, 1), 0);
});

test('an old driver that places its rings nowhere stops the device, and no more', () => {
  const { ports } = device();
  ports.write(PORT + 0x0e, 0, 2);
  ports.write(PORT + 8, 0xfffff, 4);
  assert.equal(ports.read(PORT + 0x12, 1) & 0x40, 0x40);
  ports.write(PORT + 0x10, 0, 2);
});
