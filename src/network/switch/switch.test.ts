import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import { TestTimers } from '../../testing/test-timers.js';
import { put16 } from '../ethernet.js';
import { Switch, type PortOptions, type SwitchPort } from './switch.js';
import type { Rate } from './token-bucket.js';

const A = 2;
const B = 4;
const C = 6;
const ALL = 255;

/** A frame between stations that are known by the last byte of their address. */
function frame(to: number, from: number, { bytes = 100, tag = -1 } = {}): Frame {
  const data = new Uint8Array(bytes);
  if (to === ALL) data.fill(255, 0, 6);
  else data.set([2, 0, 0, 0, 0, to]);
  data.set([2, 0, 0, 0, 0, from], 6);
  put16(data, 12, tag < 0 ? 0x1234 : 0x8100);
  if (tag >= 0) put16(data, 14, tag);
  return Frame.of(data);
}

class Recorder {
  readonly frames: Frame[] = [];
  room = true;
  readonly abilities = NO_OFFLOAD;
  readonly port: SwitchPort;
  /** How often it was told that it may send again. */
  told = 0;
  constructor(wire: Switch, options: PortOptions) {
    this.port = wire.addPort(options);
    this.port.plug(this);
  }
  receive(got: Frame): boolean {
    if (this.room) this.frames.push(got.copy());
    return this.room;
  }
  ready(): void {
    this.told++;
  }
  /** How many frames came since the last time. */
  take(): number {
    return this.frames.splice(0).length;
  }
}

function three(options: Partial<PortOptions>[] = []): {
  timers: TestTimers;
  a: Recorder;
  b: Recorder;
  c: Recorder;
} {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const [a, b, c] = ['a', 'b', 'c'].map((name, n) => new Recorder(wire, { name, ...options[n] })) as [
    Recorder,
    Recorder,
    Recorder,
  ];
  return { timers, a, b, c };
}

test('a switch floods what it does not know, and learns', () => {
  const { timers, a, b, c } = three();
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [1, 1]);
  b.port.send(frame(A, B));
  assert.deepEqual([a.take(), c.take()], [1, 0]);
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [1, 0]);
  a.port.send(frame(ALL, A));
  assert.deepEqual([a.take(), b.take(), c.take()], [0, 1, 1]);
  // The station has moved.
  c.port.send(frame(ALL, B));
  b.take();
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [0, 1]);
  timers.advance(301_000);
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [1, 1]);
});

test('one port cannot fill the table', () => {
  const { a, b, c } = three();
  b.port.send(frame(ALL, B));
  for (let n = 0; n < 5000; n++) {
    const made = frame(ALL, A).bytes;
    made.set([2, 9, 9, 9, n >> 8, n & 255], 6);
    a.port.send(Frame.of(made));
  }
  b.take();
  c.take();
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [1, 0]);
});

test('VLANs keep apart; trunks carry tags', () => {
  const { a, b, c } = three([
    { vlan: { kind: 'access', id: 10 } },
    { vlan: { kind: 'access', id: 20 } },
    { vlan: { kind: 'trunk', ids: null } },
  ]);
  a.port.send(frame(ALL, A));
  assert.equal(b.take(), 0);
  const [tagged] = c.frames;
  assert.deepEqual([...tagged!.bytes.subarray(12, 18)], [0x81, 0, 0, 10, 0x12, 0x34]);
  c.take();
  c.port.send(frame(ALL, C, { tag: 20 }));
  assert.equal(a.take(), 0);
  assert.deepEqual([...b.frames[0]!.bytes.subarray(12, 14)], [0, 0]);
  // A guest of a VLAN cannot put itself into another one.
  a.port.send(frame(ALL, A, { tag: 20 }));
  assert.equal(b.take(), 1);
  assert.equal(a.port.counts.refused, 1);
  // Ports that care for no VLAN reach none.
  const { a: open, b: access } = three([{}, { vlan: { kind: 'access', id: 10 } }]);
  open.port.send(frame(ALL, A));
  assert.equal(access.take(), 0);
});

test('a guarded port lets no borrowed address in; others see no frames that are not theirs', () => {
  const { a, b, c } = three([
    { guard: { mac: Uint8Array.of(2, 0, 0, 0, 0, A), addresses: null } },
    {},
    { promiscuous: true },
  ]);
  a.port.send(frame(ALL, B));
  assert.deepEqual([b.take(), a.port.counts.refused], [0, 1]);
  // Nor by ARP.
  const arp = frame(ALL, A).bytes;
  put16(arp, 12, 0x0806);
  arp.set([2, 0, 0, 0, 0, B], 22);
  a.port.send(Frame.of(arp));
  assert.deepEqual([b.take(), a.port.counts.refused], [0, 2]);
  arp.set([2, 0, 0, 0, 0, A], 22);
  a.port.send(Frame.of(arp));
  assert.equal(b.take(), 1);
  c.take();
  b.port.send(frame(ALL, B));
  c.take();
  a.port.send(frame(B, A));
  assert.deepEqual([b.take(), c.take()], [1, 1]);
});

test('a pulled cable carries nothing', () => {
  const { a, b, c } = three();
  let changes = 0;
  const station = { receive: () => true, abilities: NO_OFFLOAD, connectionChanged: () => changes++ };
  c.port.plug(station);
  c.port.setConnected(false);
  assert.deepEqual([changes, c.port.connected], [1, false]);
  a.port.setConnected(false);
  a.port.send(frame(ALL, A));
  assert.equal(b.take(), 0);
  b.port.send(frame(ALL, B));
  assert.equal(a.take(), 0);
});

test('groups go where they were asked for, while a router asks', () => {
  const { timers, a, b, c } = three();
  const igmp = (type: number, from: number): Frame => {
    const bytes = frame(ALL, from, { bytes: 60 }).bytes;
    bytes.set([1, 0, 0x5e, 1, 1, 1]);
    put16(bytes, 12, 0x0800);
    bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 1, 2], 14);
    bytes.set([type, 0, 0, 0, 239, 1, 1, 1], 34);
    return Frame.of(bytes);
  };
  const stream = (): Frame => {
    const bytes = frame(ALL, A).bytes;
    bytes.set([1, 0, 0x5e, 1, 1, 1]);
    return Frame.of(bytes);
  };
  b.port.send(igmp(0x16, B));
  a.take();
  c.take();
  a.port.send(stream());
  assert.deepEqual([b.take(), c.take()], [1, 1], 'nobody asks: all get it');
  a.port.send(igmp(0x11, A));
  b.take();
  c.take();
  a.port.send(stream());
  assert.deepEqual([b.take(), c.take()], [1, 0]);
  b.port.send(igmp(0x17, B));
  timers.advance(1000);
  a.take();
  c.take();
  c.port.send(igmp(0x16, C));
  b.take();
  a.port.send(stream());
  assert.deepEqual([b.take(), c.take()], [0, 1]);
});

test('frames wait for a station without room, in order, and no more than there is place for', () => {
  const { a, b } = three();
  b.port.send(frame(ALL, B));
  b.room = false;
  for (let n = 0; n < 2000; n++) a.port.send(frame(B, A, { bytes: 1000 + (n % 100) }));
  b.room = true;
  b.port.room();
  const lengths = b.frames.map(({ length }) => length);
  assert.ok(lengths.length > 900 && lengths.length < 1100, `${lengths.length}`);
  lengths.forEach((length, n) => assert.equal(length, 1000 + (n % 100)));
  assert.equal(b.port.dropped, 2000 - lengths.length);
});

/** Senders that always have something to send, through one limited port; bytes that each got through in 2 s. */
function share(weights: number[], flood: number[]): { bytes: number[]; delays: number[]; seconds: number } {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const bits = 20e6;
  const out = new Recorder(wire, {
    name: 'uplink',
    rateOut: { bitsPerSecond: bits, burstBytes: 12_500, framesPerSecond: Infinity },
  });
  out.port.send(frame(ALL, 200));
  const senders = weights.map((weight, n) => new Recorder(wire, { name: `${n}`, weight }));
  const pinger = new Recorder(wire, { name: 'pinger' });
  const bytes = weights.map(() => 0);
  const delays: number[] = [];
  for (let ms = 0; ms < 2000; ms++) {
    // Each offers as much as the link takes, or several times that.
    senders.forEach((sender, n) => {
      for (let k = 0; k < flood[n]!; k++) sender.port.send(frame(200, n + 1, { bytes: 1250 }));
    });
    if (ms % 20 === 10) {
      const sent = timers.now();
      out.frames.length = 0;
      pinger.port.send(frame(200, 99, { bytes: 98 }));
      let waited = 0;
      for (; waited < 50 && !out.frames.some(({ length }) => length === 98); waited++) {
        timers.advance(0.25);
        out.frames.forEach(({ bytes: got, length }) => length > 98 && (bytes[got[11]! - 1]! += length));
        if (!out.frames.some(({ length }) => length === 98)) out.frames.length = 0;
      }
      delays.push(timers.now() - sent);
    } else timers.advance(1);
    out.frames.forEach(({ bytes: got, length }) => length > 98 && (bytes[got[11]! - 1]! += length));
    out.frames.length = 0;
  }
  return { bytes, delays, seconds: timers.now() / 1000 };
}

test('senders share a limited port fairly, whoever floods it', () => {
  const { bytes, delays, seconds } = share([1, 1, 1], [2, 10, 3]);
  const jain = bytes.reduce((a, b) => a + b) ** 2 / (3 * bytes.reduce((a, b) => a + b * b, 0));
  assert.ok(jain >= 0.98, `Jain's index ${jain} of ${bytes}`);
  const rate = (bytes.reduce((a, b) => a + b) * 8) / seconds;
  assert.ok(rate > 0.93 * 20e6 && rate < 1.05 * 20e6, `${rate} bits a second`);
  // A frame of its own waits for one of each other sender at most: 1.5 ms on this link.
  assert.ok(Math.max(...delays) <= 3, `a small frame waited ${Math.max(...delays)} ms`);
});

test('weights are kept', () => {
  const { bytes } = share([1, 2, 4], [10, 10, 10]);
  const unit = bytes.reduce((a, b) => a + b) / 7;
  [1, 2, 4].forEach((weight, n) => assert.ok(Math.abs(bytes[n]! / (weight * unit) - 1) < 0.05, `${bytes}`));
});

test('what waited for its turn is flushed when it has left', () => {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const rate = { bitsPerSecond: 8e6, burstBytes: 3000, framesPerSecond: Infinity };
  const port = wire.addPort({ name: 'limited', rateOut: rate });
  // As who answers only when all has come.
  let [got, answered] = [0, 0];
  port.plug({ abilities: NO_OFFLOAD, receive: () => ++got > 0, flushed: () => void (answered = got) });
  const sender = new Recorder(wire, { name: 'sender' });
  for (let n = 0; n < 10; n++) sender.port.send(frame(ALL, 1, { bytes: 1000 }));
  sender.port.flush();
  assert.ok(got < 10);
  timers.advance(50);
  assert.deepEqual([got, answered], [10, 10]);
});

const limit = (bitsPerSecond: number): Rate => ({
  bitsPerSecond,
  burstBytes: 3000,
  framesPerSecond: Infinity,
});

test('who waits while its own limit is busy loses nothing, and has all of its rate', () => {
  // 1 MB/s: 100 KB may wait.
  const { timers, a, b } = three([{ rateIn: limit(8e6) }]);
  let offered = 0;
  for (let ms = 0; ms < 2000; ms++) {
    for (; !a.port.busy; offered++) a.port.send(frame(B, A, { bytes: 1000 }));
    timers.advance(1);
  }
  const got = b.frames.length;
  assert.equal(a.port.dropped, 0);
  assert.ok(got > 1990 && got <= 2010, `${got} frames of 2000`);
  assert.ok(offered - got > 20 && offered - got < 60, `${offered - got} wait`);
  // It is told each time that a quarter of what may wait has gone.
  assert.ok(a.told > 70 && a.told < 90, `told ${a.told} times`);
});

test('who floods a limited port waits most of the time, and keeps its share; others never wait', () => {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const out = new Recorder(wire, { name: 'uplink', uplink: true, rateOut: limit(20e6) });
  out.port.send(frame(ALL, 200));
  const [flood, heeds, other] = [1, 1, 2].map((weight) => new Recorder(wire, { name: '', weight }));
  const bytes = [0, 0, 0];
  let made = 0;
  let waits = 0;
  for (let ms = 0; ms < 4000; ms++) {
    for (let n = 0; n < 50 && !flood!.port.busy; n++, made++)
      flood!.port.send(frame(200, 1, { bytes: 1250 }));
    // 20 and 10 Mbit/s: more than they get, as of one who finds out how much that is.
    for (let n = 0; n < 2; n++) other!.port.send(frame(200, 3, { bytes: 1250 }));
    heeds!.port.send(frame(200, 2, { bytes: 1250 }));
    if (heeds!.port.busy || other!.port.busy) waits++;
    timers.advance(1);
    for (const { bytes: got } of out.frames.splice(0)) bytes[got[11]! - 1]! += got.length;
  }
  const unit = bytes.reduce((sum, n) => sum + n) / 4;
  [1, 1, 2].forEach((weight, n) => assert.ok(Math.abs(bytes[n]! / (weight * unit) - 1) < 0.05, `${bytes}`));
  assert.equal(waits, 0);
  assert.ok(made * 1250 < 4 * bytes[0]!, `${made} frames were made for ${bytes[0]} bytes`);
});

test('a way out without room holds those who send; another station does not', () => {
  const timers = new TestTimers();
  const wire = new Switch(timers);
  const [out, guest, sender] = [{ uplink: true }, {}, {}].map(
    (options) => new Recorder(wire, { name: '', ...options }),
  ) as [Recorder, Recorder, Recorder];
  out.port.send(frame(ALL, A));
  guest.port.send(frame(ALL, B));
  out.room = guest.room = false;
  for (let n = 0; n < 2000; n++) sender.port.send(frame(B, C, { bytes: 1500 }));
  assert.ok(guest.port.dropped > 1000);
  assert.equal(sender.port.busy, false);
  sender.port.send(frame(A, C));
  assert.equal(sender.port.busy, true);
  out.take();
  out.room = true;
  out.port.room();
  assert.deepEqual([sender.port.busy, sender.told, out.take()], [false, 1, 1]);

  // Nor for ever, whatever does not happen; then as without any of this, until it has room.
  out.room = false;
  sender.port.send(frame(A, C));
  timers.advance(999);
  assert.deepEqual([sender.port.busy, sender.told], [true, 1]);
  timers.advance(1);
  assert.deepEqual([sender.port.busy, sender.told], [false, 2]);
  for (let n = 0; n < 2000; n++) sender.port.send(frame(A, C, { bytes: 1500 }));
  assert.equal(sender.port.busy, false);
  assert.ok(out.port.dropped > 1000);
  out.room = true;
  out.port.room();
  out.room = false;
  sender.port.send(frame(A, C));
  assert.deepEqual([sender.port.busy, sender.told, timers.count], [true, 2, 1]);

  // It goes on when the way out is gone.
  out.port.close();
  assert.deepEqual([sender.port.busy, sender.told, timers.count], [false, 3, 0]);
});

test('a pulled cable is not busy, nor what is left of it', () => {
  const { timers, a } = three([{ rateIn: limit(8e6) }]);
  const fill = (): void => {
    while (!a.port.busy) a.port.send(frame(B, A, { bytes: 1000 }));
  };
  fill();
  a.port.setConnected(false);
  assert.deepEqual([a.port.busy, a.told > 0, timers.count], [false, true, 0]);
  a.port.setConnected(true);
  fill();
  const { told } = a;
  a.port.close();
  assert.deepEqual([a.port.busy, a.told > told, timers.count], [false, true, 0]);
});
