import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../port-bus.js';
import { GPE0_PORT, HOT_PLUG_PORT, PciHotPlug } from './pci-hot-plug.js';

const [CAME, LEAVES, EJECT] = [HOT_PLUG_PORT, HOT_PLUG_PORT + 4, HOT_PLUG_PORT + 8];
const EVENT = 2;

function made(): { hotPlug: PciHotPlug; ports: PortBus; sci: () => boolean; ejected: number[] } {
  let asserted = false;
  const hotPlug = new PciHotPlug((level) => (asserted = level));
  const ports = new PortBus();
  hotPlug.attach(ports);
  const ejected: number[] = [];
  hotPlug.onEject = (slot) => ejected.push(slot);
  return { hotPlug, ports, sci: () => asserted, ejected };
}

test('what comes raises the event once it is enabled, and is told once', () => {
  const { hotPlug, ports, sci } = made();
  hotPlug.announce(5);
  assert.equal(sci(), false);
  ports.write(GPE0_PORT + 2, EVENT, 1);
  assert.equal(sci(), true);
  assert.equal(ports.read(GPE0_PORT, 2), EVENT);
  assert.equal(ports.read(CAME, 4), 1 << 5);
  assert.equal(ports.read(CAME, 4), 0);
  ports.write(GPE0_PORT, EVENT, 1);
  assert.equal(sci(), false);
});

test('what shall leave is asked for until the system gives it up, or starts anew', () => {
  const { hotPlug, ports, sci, ejected } = made();
  ports.write(GPE0_PORT + 2, EVENT, 1);
  hotPlug.request(31);
  hotPlug.request(4);
  assert.ok(sci());
  assert.equal(ports.read(LEAVES, 4), 0x80000010);
  ports.write(EJECT, 0x80000000, 4);
  assert.deepEqual(ejected, [31]);
  assert.equal(ports.read(LEAVES, 4), 0x10);
  const saved = hotPlug.save();
  hotPlug.reset();
  assert.deepEqual(ejected, [31, 4]);
  assert.equal(sci(), false);
  hotPlug.load(saved);
  assert.equal(ports.read(LEAVES, 4), 0x10);
  assert.equal(sci(), true);
});
