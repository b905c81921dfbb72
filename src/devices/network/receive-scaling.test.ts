/** Hashes are compared with those of Microsoft's "Verifying the RSS Hash Calculation". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cable, Station } from '../../machine/cable.js';
import { Frame } from '../../machine/frame.js';
import { GuestRam } from '../../machine/guest-ram.js';
import { TestTime } from '../../machine/testing.js';
import { E1000e } from './e1000e.js';
import * as R from './e1000-registers.js';
import { scale, type Scaled } from './receive-scaling.js';

const KEY = '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa';
const ALL_FUNCTIONS = 0x1f0000;
const TCP = 6;
const UDP = 17;

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const half = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

function ethernet(type: number, ...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat([new Uint8Array(12), half(type), ...parts]));
}

/** From 66.9.149.187:2794 to 161.142.100.80:1766. */
function packet4(protocol: number, fragment = 0): Uint8Array {
  const header = Uint8Array.from([
    ...[0x45, 0, 0, 40, 0, 0],
    ...half(fragment),
    ...[64, protocol, 0, 0, 66, 9, 149, 187, 161, 142, 100, 80],
  ]);
  return ethernet(0x0800, header, half(2794), half(1766), new Uint8Array(16));
}

const SOURCE6 = bytes('3ffe 2501 0200 1fff 0000 0000 0000 0007');
const DESTINATION6 = bytes('3ffe 2501 0200 0003 0000 0000 0000 0001');
const NOBODY = new Uint8Array(16).fill(0xee);

/** From 3ffe:2501:200:1fff::7, port 2794, to 3ffe:2501:200:3::1, port 1766. */
function packet6(
  next: number,
  options: { source?: Uint8Array; destination?: Uint8Array; between?: Uint8Array } = {},
) {
  const { source = SOURCE6, destination = DESTINATION6, between = new Uint8Array(0) } = options;
  const header = Uint8Array.from([0x60, 0, 0, 0, 0, 40, next, 64]);
  const ports = [half(2794), half(1766), new Uint8Array(16)];
  return ethernet(0x86dd, header, source, destination, between, ...ports);
}

/** Registers with the key, and a table in which the odd places are the second queue's. */
function registers(others: Record<number, number> = {}): Map<number, number> {
  const all = new Map<number, number>([
    [R.MRQC, ALL_FUNCTIONS | R.MRQC_RSS],
    [R.RXCSUM, R.RXCSUM_PCSD],
  ]);
  const key = new DataView(bytes(KEY).buffer);
  for (let n = 0; n < 40; n += 4) all.set(R.RSSRK + n, key.getUint32(n, true));
  for (let n = 0; n < 128; n += 4) all.set(R.RETA + n, 0x80008000);
  for (const [register, value] of Object.entries(others)) all.set(Number(register), value);
  return all;
}
function scaled(head: Uint8Array, others?: Record<number, number>): Scaled {
  const all = registers(others);
  return scale(head, (register) => all.get(register) ?? 0);
}

test('hashes of IPv4 and IPv6, with TCP and without', () => {
  assert.deepEqual(scaled(packet4(TCP)), { type: 1, hash: 0x51ccc178, queue: 0 });
  assert.deepEqual(scaled(packet4(UDP)), { type: 2, hash: 0x323e8fc2, queue: 0 });
  // A fragment, even the first, has no ports that count.
  assert.deepEqual(scaled(packet4(TCP, 0x2000)), { type: 2, hash: 0x323e8fc2, queue: 0 });
  assert.deepEqual(scaled(packet6(TCP)), { type: 3, hash: 0x40207d3d, queue: 1 });
  assert.deepEqual(scaled(packet6(UDP)), { type: 4, hash: 0x2cc18cd5, queue: 1 });
  const plain = { [R.MRQC]: R.MRQC_IPV6 | R.MRQC_RSS };
  assert.deepEqual(scaled(packet6(TCP), plain), { type: 5, hash: 0x2cc18cd5, queue: 1 });
});

test('a VLAN tag is no part of the hash', () => {
  const tagged = Uint8Array.from([
    ...packet4(TCP).subarray(0, 12),
    0x81,
    0,
    0,
    5,
    ...packet4(TCP).subarray(12),
  ]);
  assert.equal(scaled(tagged).hash, 0x51ccc178);
});

test('addresses of mobile IPv6 come from its extension headers', () => {
  const home = Uint8Array.from([TCP, 2, 1, 2, 0, 0, 0xc9, 16, ...SOURCE6]);
  assert.equal(scaled(packet6(60, { source: NOBODY, between: home })).hash, 0x40207d3d);
  const routing = Uint8Array.from([TCP, 2, 2, 1, 0, 0, 0, 0, ...DESTINATION6]);
  const routed = packet6(43, { destination: NOBODY, between: routing });
  assert.equal(scaled(routed).hash, 0x40207d3d);
  // Unless packets with such headers, or with any, are to be hashed as plain ones, or not at all.
  for (const control of [R.RFCTL_IPV6_EX_DIS, R.RFCTL_NEW_IPV6_EXT_DIS]) {
    const { type, hash } = scaled(routed, { [R.RFCTL]: control });
    assert.deepEqual([type, hash === 0x40207d3d], [5, false]);
    const without = { [R.RFCTL]: control, [R.MRQC]: R.MRQC_TCP_IPV6_EX | R.MRQC_RSS };
    assert.equal(scaled(routed, without).type, 0);
    assert.equal(scaled(packet6(TCP), { [R.RFCTL]: control }).hash, 0x40207d3d);
  }
  const options = Uint8Array.from([TCP, 0, 1, 4, 0, 0, 0, 0]);
  const plain = packet6(0, { between: options });
  assert.equal(scaled(plain, { [R.RFCTL]: R.RFCTL_NEW_IPV6_EXT_DIS }).type, 3);
  assert.equal(scaled(plain, { [R.RFCTL]: R.RFCTL_IPV6_EX_DIS }).type, 5);
});

test('without RSS, without room for the hash, or of what is no IP there is none', () => {
  const none = { type: 0, hash: 0, queue: 0 };
  assert.deepEqual(scaled(packet6(TCP), { [R.MRQC]: ALL_FUNCTIONS }), none);
  assert.deepEqual(scaled(packet6(TCP), { [R.RXCSUM]: 0 }), none);
  assert.deepEqual(scaled(packet4(TCP), { [R.MRQC]: R.MRQC_IPV6 | R.MRQC_RSS }), none);
  assert.deepEqual(scaled(ethernet(0x0806, new Uint8Array(46))), none);
  for (const whole of [packet4(TCP), packet6(TCP), packet6(60, { between: new Uint8Array(8) })])
    for (let length = 14; length < whole.length; length++) scaled(whole.subarray(0, length));
});

const RINGS = [0x1000, 0x2000];
const DESCRIPTORS = 8;

/** An 82574 with a ring for each queue and buffers of 2 KiB, set up for RSS. */
function cardWithQueues(): { card: E1000e; view: DataView } {
  const memory = new ArrayBuffer(2 ** 20);
  const ram = new GuestRam(memory, 0, { lowBytes: memory.byteLength, highBytes: 0 });
  const cable: Cable = {
    connected: true,
    busy: false,
    plug: (_: Station) => {},
    send: () => {},
    flush: () => {},
    room: () => {},
  };
  const card = new E1000e(ram, new TestTime().events, Uint8Array.of(2, 0, 0, 0, 0, 1), cable, 'card');
  card.writeConfig(4, 7, 2);
  const view = new DataView(memory);
  const write = (register: number, value: number): void => card.mmioWrite(register, value, 4);
  RINGS.forEach((ring, queue) => {
    for (let n = 0; n < DESCRIPTORS; n++)
      view.setBigUint64(ring + 16 * n, BigInt(0x10000 * (queue + 1) + 2048 * n), true);
    const at = queue * R.QUEUE_BYTES;
    write(R.RDBAL + at, ring);
    write(R.RDLEN + at, 16 * DESCRIPTORS);
    write(R.RDT + at, DESCRIPTORS - 1);
  });
  for (const [register, value] of registers()) write(register, value);
  write(R.RFCTL, R.RFCTL_EXTEN);
  write(R.RCTL, R.RCTL_EN | R.RCTL_UPE | R.RCTL_SECRC);
  return { card, view };
}

test('an 82574 puts frames into the ring of their queue and tells which', () => {
  const { card, view } = cardWithQueues();
  const head = (queue: number): number => card.mmioRead(R.RDH + queue * R.QUEUE_BYTES, 4);
  card.mmioRead(R.ICR, 4);

  assert.ok(card.receive(Frame.of(packet6(TCP))));
  assert.deepEqual([head(0), head(1)], [0, 1]);
  assert.equal(view.getUint32(RINGS[1]!, true), 3 | (1 << 8));
  assert.equal(view.getUint32(RINGS[1]! + 4, true), 0x40207d3d);
  assert.equal(card.mmioRead(R.ICR, 4) & (R.RXQ0 | R.RXQ1), R.RXQ1);

  assert.ok(card.receive(Frame.of(packet4(TCP))));
  assert.deepEqual([head(0), head(1)], [1, 1]);
  assert.equal(view.getUint32(RINGS[0]! + 4, true), 0x51ccc178);
  assert.equal(card.mmioRead(R.ICR, 4) & (R.RXQ0 | R.RXQ1), R.RXQ0);

  // Each ring is full by itself, and has room again when its own tail is written.
  for (let n = 1; n < DESCRIPTORS - 1; n++) assert.ok(card.receive(Frame.of(packet6(TCP))));
  assert.equal(card.receive(Frame.of(packet6(TCP))), false);
  assert.ok(card.receive(Frame.of(packet4(TCP))));
  card.mmioWrite(R.RDT + R.QUEUE_BYTES, 2, 4);
  assert.ok(card.receive(Frame.of(packet6(TCP))));

  // In descriptors of the old form there is no place for a hash.
  card.mmioWrite(R.RFCTL, 0, 4);
  const before = head(0);
  assert.ok(card.receive(Frame.of(packet6(TCP))));
  assert.equal(head(0), before + 1);
  // Status and length in their old places.
  assert.equal(view.getUint32(RINGS[0]! + 16 * before + 8, true), packet6(TCP).length);
});

test('a ring that is moved or has other buffers is where the registers say', () => {
  const { card, view } = cardWithQueues();
  const receive = (): void => assert.ok(card.receive(Frame.of(packet6(TCP))));
  const done = (at: number): number => view.getUint8(at + 8) & 1;
  receive();
  assert.equal(done(RINGS[1]!), 1);

  const moved = 0x3000;
  view.setBigUint64(moved + 16, 0x30000n, true);
  card.mmioWrite(R.RDBAL + R.QUEUE_BYTES, moved, 4);
  receive();
  assert.equal(done(moved + 16), 1);
  assert.equal(view.getUint8(0x30000 + 12), 0x86);

  // Buffers of 256 bytes: a frame of 300 takes two.
  view.setBigUint64(moved + 32, 0x31000n, true);
  view.setBigUint64(moved + 48, 0x32000n, true);
  card.mmioWrite(R.RCTL, R.RCTL_EN | R.RCTL_UPE | R.RCTL_SECRC | (3 << 16), 4);
  assert.ok(card.receive(Frame.of(Uint8Array.from([...packet6(TCP), ...new Uint8Array(226)]))));
  assert.equal(card.mmioRead(R.RDH + R.QUEUE_BYTES, 4), 4);

  // A loaded card goes on at the same place, with the same key and table.
  const saved = card.save();
  const other = cardWithQueues();
  other.view.setBigUint64(moved + 64, 0x33000n, true);
  other.card.load(saved);
  assert.ok(other.card.receive(Frame.of(packet6(TCP))));
  assert.equal(other.view.getUint32(moved + 64 + 4, true), 0x40207d3d);
  other.card.reset();
  assert.equal(other.card.mmioRead(R.MRQC, 4), 0);
});
