import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cable } from '../../machine/cable.js';
import { Frame } from '../../machine/frame.js';
import { TestTimers } from '../../testing/test-timers.js';
import type { HostTcp, TcpEvents } from '../host-network.js';
import { Switch, type SwitchPort } from '../switch/switch.js';
import { StreamLink } from './stream-link.js';

type Events = Omit<TcpEvents, 'connected'>;

/** One end of a stream; what is written to it arrives when the test says so. */
class Socket implements HostTcp {
  waiting = 0;
  paused = false;
  ended = false;
  private written: Uint8Array[] = [];

  write(bytes: Uint8Array): boolean {
    this.written.push(bytes.slice());
    return false;
  }
  end(): void {
    this.ended = true;
  }
  reset(): void {
    this.ended = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  pass(to: Events): void {
    for (const bytes of this.written.splice(0)) to.data(bytes);
  }
}

const frame = (to: number, from: number, bytes = 1000): Frame => {
  const data = new Uint8Array(bytes);
  data.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from]);
  return Frame.of(data);
};

/** A switch with a station, and a link that leads out of it. */
class Side {
  readonly wire: Switch;
  readonly station: SwitchPort;
  readonly link: StreamLink;
  readonly linkPort: SwitchPort;
  readonly socket = new Socket();
  events: Events;
  got = 0;
  told = 0;
  readonly ends: string[] = [];

  constructor(timers: TestTimers, rate?: number) {
    this.wire = new Switch(timers);
    const rateIn = rate && { bitsPerSecond: rate, burstBytes: 3000, framesPerSecond: Infinity };
    this.station = this.wire.addPort({ name: 'station' });
    this.station.plug({
      abilities: { checksum: false, tcp4: false, tcp6: false, udp: false },
      receive: () => ++this.got > 0,
      ready: () => this.told++,
    });
    this.linkPort = this.wire.addPort({ name: 'link', uplink: !rate, ...(rateIn ? { rateIn } : {}) });
    this.link = new StreamLink(this.linkPort, (why) => this.ends.push(why));
    this.events = this.link.join(this.socket);
  }
}

/** A machine, and a switch for several that lets 1 MB/s in: 100 KB wait there. */
function pair(): { timers: TestTimers; machine: Side; hub: Side; pass: () => void } {
  const timers = new TestTimers();
  const [machine, hub] = [new Side(timers), new Side(timers, 8e6)];
  const pass = (): void => {
    machine.socket.pass(hub.events);
    hub.socket.pass(machine.events);
  };
  pass();
  return { timers, machine, hub, pass };
}

test('who sends too much by a link is held at its own end, and goes on', () => {
  const { timers, machine, hub, pass } = pair();
  let sent = 0;
  const offer = (): void => {
    for (let n = 0; n < 10 && !machine.station.busy; n++, sent++) {
      machine.station.send(frame(9, 1));
      machine.station.flush();
    }
  };
  let held = 0;
  for (let ms = 0; ms < 1000; ms++) {
    offer();
    pass();
    timers.advance(1);
    pass();
    if (machine.station.busy) held++;
  }
  assert.equal(hub.linkPort.dropped, 0);
  assert.ok(hub.got > 980 && hub.got <= 1005, `${hub.got} of 1000 frames`);
  assert.ok(sent - hub.got < 80, `${sent - hub.got} wait`);
  assert.ok(held > 700 && machine.told > 20, `${held} ms, ${machine.told} times`);
  // The host's kernel keeps none of them.
  assert.equal(hub.socket.paused, false);
});

test('a machine goes on when the other end is gone, or has forgotten it', () => {
  const { timers, machine, pass } = pair();
  const fill = (): void => {
    for (let n = 0; n < 200 && !machine.station.busy; n++) {
      machine.station.send(frame(9, 1));
      machine.station.flush();
      pass();
    }
    assert.equal(machine.station.busy, true);
  };
  fill();
  timers.advance(1000);
  assert.equal(machine.station.busy, false);
  pass();

  fill();
  machine.events.closed('reset');
  assert.deepEqual([machine.station.busy, machine.ends.length], [false, 1]);
  // It is joined anew, by a socket that is full at first.
  machine.socket.waiting = 2 ** 24;
  machine.events = machine.link.join(machine.socket);
  machine.station.send(frame(9, 1));
  assert.equal(machine.station.busy, true);
  machine.socket.waiting = 0;
  machine.events.drained();
  assert.equal(machine.station.busy, false);
});

test('other programs are not read while the port is busy', () => {
  const timers = new TestTimers();
  const hub = new Side(timers, 8e6);
  const plain = new Uint8Array(1004);
  plain.set([0, 0, 3, 0xe8]);
  plain.set(frame(9, 1).bytes, 4);
  for (let n = 0; n < 60; n++) hub.events.data(plain.slice());
  assert.equal(hub.socket.paused, true);
  timers.advance(40);
  assert.equal(hub.socket.paused, false);
});

test('what has no frame in it means nothing to a cable', () => {
  const sent: Frame[] = [];
  const cable: Cable = {
    connected: true,
    busy: false,
    plug: () => {},
    send: (got) => sent.push(got),
    flush: () => {},
    room: () => {},
  };
  const link = new StreamLink(cable, () => {});
  link.deliver(Uint8Array.of(1), true);
  link.deliver(Uint8Array.of(1, 2, 3), true);
  link.deliver(Uint8Array.of(1), false);
  assert.equal(sent.length, 0);
});
