import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sequence } from '../../testing/sequence.js';
import { GUEST_MAC, TestGuest, type Packet } from '../../testing/test-guest.js';
import { TestHost } from '../../testing/test-host.js';
import { TestTimers } from '../../testing/test-timers.js';
import { u16, u32 } from '../ethernet.js';
import { ipText, parsePrefix } from '../ip-address.js';
import { ACK, FIN, PSH, RST, SYN, tcpHeader } from '../tcp/segment.js';
import { nameLabels } from './dhcp.js';
import { Nat, type NatOptions } from './nat.js';
import type { Rule } from './policy.js';

const GUEST = '10.0.2.15';
const GATEWAY = '10.0.2.2';
const RESOLVER = '10.0.2.3';

interface Setting {
  guest: TestGuest;
  host: TestHost;
  timers: TestTimers;
  nat: Nat;
}

function setting(
  options: Partial<Omit<NatOptions, 'policy'>> & { policy?: Partial<NatOptions['policy']> } = {},
): Setting {
  const guest = new TestGuest();
  const host = new TestHost();
  const timers = new TestTimers();
  const nat = new Nat(guest, host, timers, {
    subnet: parsePrefix('10.0.2.0/24')!,
    prefix6: parsePrefix('fd56:6976:6172:2::/64')!,
    outside: true,
    tftp: null,
    bootFile: '',
    ...options,
    policy: { host: false, allow: [], deny: [], ...options.policy },
  });
  guest.arp(GUEST);
  guest.frames.length = 0;
  return { guest, host, timers, nat };
}

const flags = (packet: Packet): number => packet.payload[13]!;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function tcp(
  guest: TestGuest,
  to: string,
  fields: Partial<Parameters<typeof tcpHeader>[0]>,
  payload: Uint8Array = new Uint8Array(0),
): void {
  const header = tcpHeader({
    sourcePort: 40000,
    destinationPort: 80,
    sequence: 1000,
    acknowledged: 0,
    flags: SYN,
    window: 60000,
    ...fields,
  });
  guest.ip(
    to.includes(':') ? 'fd56:6976:6172:2::77' : GUEST,
    to,
    6,
    Uint8Array.of(...header, ...payload),
    16,
  );
}

/** What becomes of a connection to an address: 'connects', 'refused', 'unreachable' or 'silence'. */
function attempt({ guest, host }: Setting, to: string, port = 80): string {
  const before = host.connections.length;
  tcp(guest, to, { destinationPort: port, sourcePort: 30000 + host.connections.length, mss: 1460 });
  const answers = guest.take();
  if (host.connections.length > before) return 'connects';
  const [answer] = answers;
  if (!answer) return 'silence';
  return answer.protocol === 6 && flags(answer) & RST ? 'refused' : 'unreachable';
}

test('a connection goes through: handshake, bytes both ways, half-close, close', () => {
  const { guest, host } = setting();
  tcp(guest, '192.0.2.80', { mss: 1460, windowShift: 7, sackPermitted: true });
  assert.deepEqual(host.connections[0]!.to, { address: '192.0.2.80', port: 80 });
  assert.equal(guest.take().length, 0, 'nothing is said before the host has connected');
  const { events, sent } = host.connections[0]!;
  events.connected();
  const [synAck] = guest.take();
  assert.equal(flags(synAck!), SYN | ACK);
  const first = u32(synAck!.payload, 4);
  tcp(guest, '192.0.2.80', { sequence: 1001, acknowledged: first + 1, flags: ACK });
  tcp(guest, '192.0.2.80', { sequence: 1001, acknowledged: first + 1, flags: ACK | PSH }, text('GET'));
  assert.deepEqual(Buffer.concat(sent).toString(), 'GET');
  assert.equal(u32(guest.take().at(-1)!.payload, 8), 1004);
  events.data(text('answer'));
  const [answer] = guest.take();
  assert.equal(Buffer.from(answer!.payload.subarray(20)).toString(), 'answer');
  tcp(guest, '192.0.2.80', { sequence: 1004, acknowledged: first + 7, flags: ACK | FIN });
  assert.equal(host.connections[0]!.ended, true);
  guest.take();
  // The other direction goes on.
  events.data(text('more'));
  assert.equal(Buffer.from(guest.take().at(-1)!.payload.subarray(20)).toString(), 'more');
  events.ended();
  assert.ok(flags(guest.take().at(-1)!) & FIN);
  tcp(guest, '192.0.2.80', { sequence: 1005, acknowledged: first + 12, flags: ACK });
  events.closed(null);
  assert.equal(host.connections[0]!.reset, false);
});

test('what the host says of a connection is what the guest hears', () => {
  for (const [failure, expected] of [
    ['refused', 'refused'],
    ['unreachable', 'unreachable'],
  ] as const) {
    const { guest, host } = setting();
    tcp(guest, '192.0.2.80', {});
    host.connections[0]!.events.closed(failure);
    const [answer] = guest.take();
    assert.equal(answer!.protocol === 6 && flags(answer!) & RST ? 'refused' : 'unreachable', expected);
  }
  const { guest, host } = setting();
  tcp(guest, '192.0.2.80', { mss: 1460 });
  host.connections[0]!.events.connected();
  const first = u32(guest.take()[0]!.payload, 4);
  tcp(guest, '192.0.2.80', { sequence: 1001, acknowledged: first + 1, flags: ACK });
  host.connections[0]!.events.closed('reset');
  assert.ok(flags(guest.take().at(-1)!) & RST);
  // And the other way.
  tcp(guest, '192.0.2.81', { mss: 1460 });
  host.connections[1]!.events.connected();
  const second = u32(guest.take()[0]!.payload, 4);
  tcp(guest, '192.0.2.81', { sequence: 1001, acknowledged: second + 1, flags: ACK });
  tcp(guest, '192.0.2.81', { sequence: 1001, acknowledged: second + 1, flags: RST });
  assert.equal(host.connections[1]!.reset, true);
});

test('a segment of no connection is reset', () => {
  const { guest } = setting();
  tcp(guest, '192.0.2.80', { flags: ACK, acknowledged: 77 });
  const [answer] = guest.take();
  assert.deepEqual([flags(answer!), u32(answer!.payload, 4)], [RST, 77]);
});

test('a guest does not reach what it was not given', () => {
  const given = setting();
  const never = [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    'ff02::1',
  ];
  const special = [
    '169.254.169.254',
    '169.254.1.1',
    'fe80::5',
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
  ];
  for (const address of [...never, ...special, '192.0.2.1', GATEWAY, RESOLVER, '10.0.2.77'])
    assert.notEqual(attempt(given, address), 'connects', address);
  assert.equal(attempt(given, '198.51.100.7'), 'connects');
  assert.equal(attempt(given, '2001:db8::7'), 'connects');
  // By UDP neither.
  for (const address of [...never, ...special, '192.0.2.1', GATEWAY, '10.0.2.77'].filter(
    (to) => !to.includes(':'),
  ))
    given.guest.udp(GUEST, 5000, address, 5000, text('x'));
  assert.equal(given.host.sockets.length, 0);
  // That the host may be reached does not open the rest.
  const host = setting({ policy: { host: true } });
  assert.equal(attempt(host, GATEWAY, 8080), 'connects');
  assert.deepEqual(host.host.connections[0]!.to, { address: '127.0.0.1', port: 8080 });
  assert.equal(attempt(host, '192.0.2.1'), 'connects');
  for (const address of [...never, ...special]) assert.notEqual(attempt(host, address), 'connects', address);
});

test('a guest speaks for itself only', () => {
  const { guest, host } = setting();
  for (const source of ['8.8.8.8', '192.168.1.1', GATEWAY, RESOLVER]) {
    guest.ip(
      source,
      '198.51.100.7',
      6,
      tcpHeader({ sourcePort: 1, destinationPort: 2, sequence: 0, acknowledged: 0, flags: SYN, window: 0 }),
      16,
    );
    guest.udp(source, 1, '198.51.100.7', 2, text('x'));
  }
  assert.deepEqual([host.connections.length, host.sockets.length], [0, 0]);
});

test('a peer that the guest has not written to is not heard', () => {
  const { guest, host } = setting();
  guest.udp(GUEST, 5000, '198.51.100.7', 53000, text('question'));
  const [socket] = host.sockets;
  assert.equal(Buffer.from(socket!.sent[0]!.bytes).toString(), 'question');
  socket!.events.message(text('forged'), { address: '198.51.100.8', port: 53000 });
  socket!.events.message(text('forged'), { address: '198.51.100.7', port: 53001 });
  assert.equal(guest.take().length, 0);
  socket!.events.message(text('answer'), { address: '198.51.100.7', port: 53000 });
  const [answer] = guest.take();
  assert.deepEqual(
    [ipText(answer!.source), u16(answer!.payload, 0), u16(answer!.payload, 2)],
    ['198.51.100.7', 53000, 5000],
  );
  // Large answers come in fragments.
  socket!.events.message(new Uint8Array(4000), { address: '198.51.100.7', port: 53000 });
  assert.equal(guest.frames.length, 3);
  // That a port is closed is told.
  guest.frames.length = 0;
  socket!.events.failed('refused');
  const [told] = guest.take();
  assert.deepEqual([told!.protocol, told!.payload[0], told!.payload[1]], [1, 3, 3]);
});

test('sockets of flows that sleep are closed', () => {
  const { guest, host, timers } = setting();
  for (let port = 1; port <= 2000; port++) guest.udp(GUEST, port, '198.51.100.7', 7, text('x'));
  assert.equal(host.sockets.filter(({ closed }) => !closed).length, 1024);
  timers.advance(140_000);
  assert.equal(host.sockets.filter(({ closed }) => !closed).length, 0);
  assert.equal(timers.count, 0);
});

const rule = (fields: Partial<Rule>): Rule => ({
  protocol: null,
  prefix: null,
  name: null,
  ports: null,
  ...fields,
});

test('rules: denied is denied; with something allowed, all else is not', () => {
  const denied = setting({
    policy: { deny: [rule({ prefix: parsePrefix('203.0.113.0/24')! }), rule({ ports: [25, 25] })] },
  });
  assert.equal(attempt(denied, '203.0.113.9'), 'refused');
  assert.equal(attempt(denied, '198.51.100.7', 25), 'refused');
  assert.equal(attempt(denied, '198.51.100.7', 80), 'connects');
  const allowed = setting({
    policy: { allow: [rule({ protocol: 'tcp', prefix: parsePrefix('198.51.100.0/24')!, ports: [80, 90] })] },
  });
  assert.equal(attempt(allowed, '198.51.100.7', 85), 'connects');
  assert.equal(attempt(allowed, '198.51.100.7', 91), 'refused');
  assert.equal(attempt(allowed, '203.0.113.9', 80), 'refused');
  const metadata = setting({
    policy: { allow: [rule({}), rule({ prefix: parsePrefix('169.254.169.254')! })] },
  });
  assert.equal(attempt(metadata, '169.254.169.254'), 'connects');
  assert.equal(attempt(metadata, '169.254.169.253'), 'refused');
});

function query(name: string, type = 1, id = 7): Uint8Array {
  return Uint8Array.of(id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...nameLabels(name), 0, type, 0, 1);
}

function answerTo(asked: Uint8Array, address: number[], code = 0): Uint8Array {
  const bytes = Uint8Array.of(...asked, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address);
  bytes[2] = 0x81;
  bytes[3] = 0x80 | code;
  bytes[7] = 1;
  return bytes;
}

test('names are asked of the resolver that the host has at that moment', () => {
  const { guest, host, timers } = setting();
  host.servers = [{ address: '127.0.0.53', port: 53 }];
  guest.udp(GUEST, 4000, RESOLVER, 53, query('a.example'));
  assert.deepEqual(host.sockets[0]!.sent[0]!.to, host.servers[0]);
  const asked = host.sockets[0]!.sent[0]!.bytes;
  // Forged answers: another number, another question, another server.
  const wrong = asked.slice();
  wrong[0]! ^= 1;
  host.sockets[0]!.events.message(answerTo(wrong, [6, 6, 6, 6]), host.servers[0]!);
  host.sockets[0]!.events.message(
    answerTo(Uint8Array.of(asked[0]!, asked[1]!, ...query('b.example').subarray(2)), [6, 6, 6, 6]),
    host.servers[0]!,
  );
  host.sockets[0]!.events.message(answerTo(asked, [6, 6, 6, 6]), { address: '127.0.0.54', port: 53 });
  assert.equal(guest.take().length, 0);
  host.sockets[0]!.events.message(answerTo(asked, [1, 2, 3, 4]), host.servers[0]!);
  const [answer] = guest.take();
  assert.equal(u16(answer!.payload, 8), 7);
  assert.deepEqual([...answer!.payload.subarray(-4)], [1, 2, 3, 4]);
  // The VPN is up.
  host.servers = [{ address: '10.99.0.1', port: 53 }];
  guest.udp(GUEST, 4000, RESOLVER, 53, query('a.example'));
  assert.equal(host.sockets[1]!.sent[0]!.to.address, '10.99.0.1');
  // Nobody answers: the guest is told before it loses patience.
  timers.advance(4500);
  const [failed] = guest.take();
  assert.equal(failed!.payload[8 + 3]! & 15, 2);
  // It is the answer to this query, whatever the guest did with its buffer since.
  assert.equal(u16(failed!.payload, 8), 7);
  assert.deepEqual(failed!.payload.subarray(8 + 12), query('a.example').subarray(12));
  // Without any server at all, at once.
  host.servers = [];
  guest.udp(GUEST, 4000, RESOLVER, 53, query('a.example'));
  assert.equal(guest.take()[0]!.payload[8 + 3]! & 15, 2);
});

test('the second server is asked when the first does not answer, or cannot', () => {
  const { guest, host, timers } = setting();
  host.servers = [
    { address: '10.9.0.1', port: 53 },
    { address: '10.9.0.2', port: 53 },
  ];
  guest.udp(GUEST, 4000, RESOLVER, 53, query('a.example'));
  timers.advance(1500);
  assert.equal(host.sockets[1]!.sent[0]!.to.address, '10.9.0.2');
  host.sockets[1]!.events.message(answerTo(host.sockets[1]!.sent[0]!.bytes, [4, 4, 4, 4]), host.servers[1]!);
  assert.deepEqual([...guest.take()[0]!.payload.subarray(-4)], [4, 4, 4, 4]);
  assert.ok(host.sockets.every(({ closed }) => closed));
  guest.udp(GUEST, 4001, RESOLVER, 53, query('a.example'));
  host.sockets[2]!.events.message(
    answerTo(host.sockets[2]!.sent[0]!.bytes, [0, 0, 0, 0], 5),
    host.servers[0]!,
  );
  assert.equal(host.sockets[3]!.sent[0]!.to.address, '10.9.0.2');
});

test("the host's own table is looked at, names that are denied are refused, and rules by name hold for what was resolved", () => {
  const { guest, host } = setting({
    policy: { allow: [rule({ name: '*.example' })], deny: [rule({ name: 'bad.example' })] },
  });
  host.hosts = { 'box.example': ['203.0.113.5'] };
  host.servers = [{ address: '10.9.0.1', port: 53 }];
  const ask = (name: string): Packet | undefined => {
    guest.udp(GUEST, 4000, RESOLVER, 53, query(name));
    return guest.take()[0];
  };
  assert.equal(attempt({ guest, host } as Setting, '203.0.113.5'), 'refused', 'not before it was looked up');
  assert.deepEqual([...ask('box.example')!.payload.subarray(-4)], [203, 0, 113, 5]);
  assert.equal(attempt({ guest, host } as Setting, '203.0.113.5'), 'connects');
  assert.equal(ask('bad.example')!.payload[8 + 3]! & 15, 5);
  assert.equal(ask('other.net')!.payload[8 + 3]! & 15, 5);
  assert.equal(ask('good.example'), undefined);
});

test('DHCP gives a lease, and gives it again', () => {
  const { guest } = setting({ bootFile: 'pxelinux.0' });
  const message = (type: number, options: number[] = []): Uint8Array => {
    const bytes = new Uint8Array(300);
    bytes.set([1, 1, 6, 0, 9, 9, 9, 9]);
    bytes.set(GUEST_MAC, 28);
    bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, 12, 3, ...text('box'), ...options, 255], 236);
    return bytes;
  };
  guest.udp('0.0.0.0', 68, '255.255.255.255', 67, message(1));
  const [offer] = guest.take();
  const reply = offer!.payload.subarray(8);
  assert.deepEqual([ipText(reply.subarray(16, 20)), ipText(offer!.destination)], [GUEST, '255.255.255.255']);
  assert.deepEqual([...reply.subarray(236, 243)], [0x63, 0x82, 0x53, 0x63, 53, 1, 2]);
  assert.equal(Buffer.from(reply).toString('latin1', 108, 118), 'pxelinux.0');
  guest.udp('0.0.0.0', 68, '255.255.255.255', 67, message(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]));
  assert.deepEqual([...guest.take()[0]!.payload.subarray(8 + 240, 8 + 243)], [53, 1, 5]);
  // An address of another network is refused.
  guest.udp('0.0.0.0', 68, '255.255.255.255', 67, message(3, [50, 4, 192, 168, 1, 5]));
  assert.deepEqual([...guest.take()[0]!.payload.subarray(8 + 240, 8 + 243)], [53, 1, 6]);
  // It is known by its name from now on.
  guest.udp(GUEST, 4000, RESOLVER, 53, query('box.vivarium.internal'));
  assert.deepEqual([...guest.take()[0]!.payload.subarray(-4)], [10, 0, 2, 15]);
});

test('IPv6: the router answers and tells of itself; DHCPv6 tells of the resolver', () => {
  const { guest, host } = setting();
  const ask = (): Packet[] => {
    guest.ip(
      'fe80::1234',
      'ff02::2',
      58,
      Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0, 1, 1, ...GUEST_MAC),
      2,
      255,
    );
    return guest.take();
  };
  const [advertisement] = ask();
  assert.equal(advertisement!.payload[0], 134);
  assert.equal(u16(advertisement!.payload, 6), 0, 'no way out: the host has none');
  host.own = ['2001:db8::1'];
  assert.equal(u16(ask()[0]!.payload, 6), 1800);
  const bytes = Buffer.from(advertisement!.payload);
  assert.ok(bytes.includes(Buffer.from('fd56697661720002', 'hex')));
  // From beyond a router nobody asks.
  guest.ip('fe80::1234', 'ff02::2', 58, Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0), 2, 64);
  assert.equal(guest.take().length, 0);
  guest.udp('fe80::1234', 546, 'ff02::1:2', 547, Uint8Array.of(11, 1, 2, 3, 0, 1, 0, 4, 9, 9, 9, 9));
  const [reply] = guest.take();
  assert.deepEqual([...reply!.payload.subarray(8, 12)], [7, 1, 2, 3]);
  guest.udp(
    'fe80::1234',
    546,
    'ff02::1:2',
    547,
    Uint8Array.of(1, 1, 2, 3, 0, 1, 0, 4, 9, 9, 9, 9, 0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
  );
  const [advertised] = guest.take();
  assert.ok(
    Buffer.from(advertised!.payload).includes(Buffer.from('fd566976617200020000000000001000', 'hex')),
  );
});

test('fragments are put together, with copies and out of order', () => {
  const { guest, host } = setting();
  const payload = Uint8Array.from({ length: 3000 }, (_, n) => n * 3);
  const whole = new TestGuest();
  let frames: Uint8Array[] = [];
  whole.plug({
    abilities: { checksum: false, tcp4: false, tcp6: false, udp: false },
    receive: (frame) => (frames.push(frame.bytes.slice()), true),
  });
  whole.udp(GUEST, 5000, '198.51.100.7', 7, payload);
  const [datagram] = frames;
  frames = [];
  for (let at = 0; at < 3008; at += 1480) {
    const piece = new Uint8Array(34 + Math.min(1480, 3008 - at));
    piece.set(datagram!.subarray(0, 34));
    piece.set(datagram!.subarray(34 + at, 34 + at + 1480), 34);
    const view = new DataView(piece.buffer);
    view.setUint16(16, piece.length - 14);
    view.setUint16(20, (at + 1480 < 3008 ? 0x2000 : 0) | (at / 8));
    view.setUint16(24, 0);
    let total = 0;
    for (let n = 14; n < 34; n += 2) total += view.getUint16(n);
    view.setUint16(24, ~((total & 0xffff) + (total >>> 16)) & 0xffff);
    frames.push(piece);
  }
  for (const n of [2, 0, 0, 2, 1]) guest.put(frames[n]!);
  assert.deepEqual(
    host.sockets[0]!.sent.map(({ bytes }) => Buffer.from(bytes)),
    [Buffer.from(payload)],
  );
});

test('files are given by TFTP, and nothing else', () => {
  const file = Uint8Array.from({ length: 1400 }, (_, n) => n);
  const { guest, timers } = setting({ tftp: { read: (name) => (name === 'boot/file' ? file : null) } });
  const request = (operation: number, name: string): Uint8Array =>
    Uint8Array.of(0, operation, ...text(name), 0, ...text('octet'), 0);
  guest.udp(GUEST, 2000, GATEWAY, 69, request(1, 'boot/other'));
  assert.equal(guest.take()[0]!.payload[9], 5);
  guest.udp(GUEST, 2000, GATEWAY, 69, request(2, 'boot/file'));
  assert.equal(guest.take()[0]!.payload[9], 5);
  guest.udp(GUEST, 2000, GATEWAY, 69, request(1, 'boot/file'));
  const parts: Uint8Array[] = [];
  for (let block = 1; block <= 3; block++) {
    // An answer that was lost comes again.
    if (block === 2) {
      guest.take();
      timers.advance(1100);
    }
    const [data] = guest.take();
    assert.deepEqual([...data!.payload.subarray(8, 12)], [0, 3, 0, block]);
    parts.push(data!.payload.slice(12));
    guest.udp(GUEST, 2000, GATEWAY, 69, Uint8Array.of(0, 4, 0, block));
  }
  assert.deepEqual(Buffer.concat(parts), Buffer.from(file));
  timers.advance(10_000);
  assert.equal(guest.take().length, 0);
});

test('whatever a guest sends, nothing breaks and nothing is kept', () => {
  const cases = Number(process.env['VIV_FUZZ_FRAMES'] ?? 60_000);
  const { guest, host, timers } = setting({
    tftp: { read: () => new Uint8Array(5000) },
    policy: { host: true },
  });
  host.servers = [{ address: '127.0.0.1', port: 53 }];
  const random = sequence(4711);
  const samples: Uint8Array[] = [];
  const collect = new TestGuest();
  collect.plug({
    abilities: { checksum: false, tcp4: false, tcp6: false, udp: false },
    receive: (frame) => (samples.push(frame.bytes.slice()), true),
  });
  collect.arp(GUEST);
  tcp(collect, '198.51.100.7', { mss: 1460, windowShift: 7, sackPermitted: true });
  tcp(collect, '198.51.100.7', { flags: ACK | PSH, sack: [[1, 2]] }, text('hello'));
  tcp(collect, 'fd56:6976:6172:2::2', {});
  collect.udp(
    GUEST,
    68,
    GATEWAY,
    67,
    Uint8Array.of(1, 1, 6, 0, ...new Uint8Array(232), 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255),
  );
  collect.udp(GUEST, 5000, RESOLVER, 53, query('some.name.example'));
  collect.udp(GUEST, 5000, GATEWAY, 69, Uint8Array.of(0, 1, ...text('file\0octet\0blksize\x001000\0')));
  collect.udp(
    'fe80::1',
    546,
    'ff02::1:2',
    547,
    Uint8Array.of(1, 1, 2, 3, 0, 1, 0, 4, 9, 9, 9, 9, 0, 3, 0, 12, ...new Uint8Array(12)),
  );
  collect.ip('fe80::1', 'ff02::2', 58, Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0, 1, 1, ...GUEST_MAC), 2, 255);
  collect.ip(
    'fe80::1',
    'fe80::2',
    58,
    Uint8Array.of(135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, ...new Uint8Array(13), 2, 1, 1, ...GUEST_MAC),
    2,
    255,
  );
  collect.ip(GUEST, GATEWAY, 1, Uint8Array.of(8, 0, 0, 0, 1, 1, 1, 1, 5, 5), 2);
  for (let n = 0; n < cases; n++) {
    const bytes = samples[random(samples.length)]!.slice(0, random(4) ? undefined : random(80));
    if (bytes.length === 0) continue;
    for (let change = random(6); change > 0; change--) bytes[random(bytes.length)] = random(256);
    if (random(2)) mendChecksums(bytes);
    guest.put(bytes);
    guest.frames.length = 0;
    if (random(50) === 0) timers.advance(random(3000));
    for (const connection of host.connections.splice(0)) {
      if (random(2)) connection.events.connected();
      if (random(2)) connection.events.data(new Uint8Array(random(100)));
      if (random(2)) connection.events.closed(random(2) ? 'refused' : null);
    }
    host.sockets.splice(0).forEach(({ events, sent }) => {
      if (random(2))
        events.message(
          Uint8Array.from({ length: random(60) }, () => random(256)),
          sent[0]?.to ?? { address: '1.1.1.1', port: 53 },
        );
    });
  }
  // All that was begun ends by itself.
  for (let minutes = 0; minutes < 60; minutes++) timers.advance(60_000);
  assert.ok(timers.count < 64, `${timers.count} timers`);
});

/** Makes the checksums of an IPv4 frame right, so that what is behind them is looked at. */
function mendChecksums(bytes: Uint8Array): void {
  if (bytes.length < 42 || bytes[12] !== 8 || bytes[13] !== 0 || bytes[14] !== 0x45) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fold = (from: number, to: number, start: number): number => {
    let total = start;
    for (let n = from; n < to; n += 2) total += n + 1 < to ? view.getUint16(n) : bytes[n]! << 8;
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return ~total & 0xffff;
  };
  view.setUint16(16, bytes.length - 14);
  view.setUint16(24, 0);
  view.setUint16(24, fold(14, 34, 0));
  const at = bytes[23] === 6 ? 50 : bytes[23] === 17 ? 40 : bytes[23] === 1 ? 36 : -1;
  if (at < 0 || at + 2 > bytes.length) return;
  view.setUint16(at, 0);
  const pseudo =
    bytes[23] === 1
      ? 0
      : view.getUint16(26) +
        view.getUint16(28) +
        view.getUint16(30) +
        view.getUint16(32) +
        bytes[23]! +
        bytes.length -
        34;
  view.setUint16(at, fold(34, bytes.length, pseudo));
}
