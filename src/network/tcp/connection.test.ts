import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestTimers } from '../../testing/test-timers.js';
import { sequence } from '../../testing/sequence.js';
import { TcpConnection, type ConnectionEvents } from './connection.js';
import { ACK, FIN, parseSegment, RST, SYN, tcpHeader, type Segment } from './segment.js';

/** What a link does to segments. */
interface Link {
  loss: number;
  duplicates: number;
  /** Most milliseconds that a segment is late, beyond the one that all take. */
  jitter: number;
}

class End {
  connection!: TcpConnection;
  readonly received: Uint8Array[] = [];
  over: string | null = null;
  hasEnded = false;
  /** How many bytes are taken in all. */
  most = Infinity;
  get bytes(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }
}

/** Two ends and a link between them. Segments are cut as the other end would get them. */
class Pair {
  readonly timers = new TestTimers();
  readonly link: Link;
  readonly client = new End();
  readonly server = new End();
  sent = 0;
  /** Bytes that are on the link. */
  flying = 0;
  private readonly random: (below: number) => number;

  constructor(link: Link, seed = 7) {
    this.link = { ...link };
    this.random = sequence(seed);
    this.client.connection = new TcpConnection(
      { own: 1, guest: 2 },
      1460,
      this.timers,
      this.events(this.client, this.server),
      null,
    );
    this.client.connection.open();
  }

  private events(end: End, other: End): ConnectionEvents {
    return {
      transmit: (header, payload, segmentBytes) => this.carry(header, payload, segmentBytes, other),
      opened: () => {},
      data: (bytes) => void end.received.push(bytes.slice()),
      ended: () => (end.hasEnded = true),
      acknowledged: () => {},
      space: () => Math.min(2 ** 20, Math.max(0, end.most - end.bytes)),
      closed: (reason) => (end.over = reason),
    };
  }

  private carry(header: Uint8Array, payload: Uint8Array[], segmentBytes: number, to: End): void {
    const whole = Buffer.concat(payload);
    for (let at = 0; at === 0 || at < whole.length; at += segmentBytes) {
      const piece = whole.subarray(at, at + segmentBytes);
      const bytes = Buffer.concat([header, piece]);
      bytes.writeUInt32BE((bytes.readUInt32BE(4) + at) >>> 0, 4);
      if (at + segmentBytes < whole.length) bytes[13]! &= ~FIN;
      this.sent++;
      const { loss, duplicates, jitter } = this.link;
      if (this.random(1000) < loss) continue;
      const copies = this.random(1000) < duplicates ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        this.flying += bytes.length;
        this.timers.after(1 + (jitter > 0 ? this.random(jitter * 10) / 10 : 0), () => {
          this.flying -= bytes.length;
          this.arrive(bytes, to);
        });
      }
    }
  }

  private arrive(bytes: Buffer, to: End): void {
    const segment = parseSegment(bytes, 0, bytes.length, (from) => [bytes.subarray(from)])!;
    if (to === this.server && !to.connection && segment.flags & SYN) {
      to.connection = new TcpConnection(
        { own: 2, guest: 1 },
        1460,
        this.timers,
        this.events(to, this.client),
        segment,
      );
      to.connection.accept();
    } else if (to.connection) {
      to.connection.receive(segment);
      to.connection.flush();
    }
  }

  /** Until it holds; false: not within so many seconds. */
  until(holds: () => boolean, seconds: number): boolean {
    const end = this.timers.now() + seconds * 1000;
    while (!holds() && this.timers.now() < end && this.timers.count > 0)
      this.timers.advance(Math.max(0, this.timers.next - this.timers.now()));
    return holds();
  }
}

function data(bytes: number, seed: number): Uint8Array {
  const random = sequence(seed);
  return Uint8Array.from({ length: bytes }, () => random(256));
}

const LINKS: Record<string, Link> = {
  'a good link': { loss: 0, duplicates: 0, jitter: 0 },
  'one that loses 3 % of the segments': { loss: 30, duplicates: 0, jitter: 0 },
  'one that loses a tenth, doubles and reorders': { loss: 100, duplicates: 50, jitter: 6 },
  'one that only reorders': { loss: 0, duplicates: 0, jitter: 4 },
};

for (const [name, link] of Object.entries(LINKS))
  test(`all bytes arrive over ${name}, both ways, and both ends close`, () => {
    const pair = new Pair(link);
    const [up, down] = [data(600_000, 3), data(400_000, 5)];
    pair.client.connection.write(up);
    pair.client.connection.end();
    assert.ok(
      pair.until(() => pair.server.connection?.isOpen === true, 100),
      'it opens',
    );
    pair.server.connection.write(down);
    pair.server.connection.end();
    const arrived = (): boolean =>
      pair.client.bytes === down.length &&
      pair.server.bytes === up.length &&
      pair.client.hasEnded &&
      pair.server.hasEnded;
    const seconds = link.loss >= 100 ? 600 : 60;
    assert.ok(
      pair.until(arrived, seconds),
      `${pair.server.bytes} and ${pair.client.bytes} bytes after ${seconds} s`,
    );
    assert.deepEqual(Buffer.concat(pair.server.received), Buffer.from(up));
    assert.deepEqual(Buffer.concat(pair.client.received), Buffer.from(down));
    assert.ok(pair.until(() => pair.client.over !== null && pair.server.over !== null, 600));
    assert.deepEqual([pair.client.over, pair.server.over], ['done', 'done']);
    assert.equal(
      pair.timers.count === 0 || pair.until(() => pair.timers.count === 0, 100),
      true,
      'no timer is left',
    );
  });

test('a little loss costs a little time', () => {
  const time = (loss: number): number => {
    const pair = new Pair({ loss, duplicates: 0, jitter: 0 }, 11);
    pair.client.connection.write(data(3_000_000, 3));
    assert.ok(pair.until(() => pair.server.bytes === 3_000_000, 100));
    return pair.timers.now();
  };
  const [good, bad] = [time(0), time(10)];
  assert.ok(bad < good + 2000, `${good} ms without loss, ${bad} ms with 1 %`);
});

test('a reader that takes nothing stops the writer, holds no more than its window, and goes on when it reads', () => {
  const pair = new Pair(LINKS['a good link']!);
  const { server } = pair;
  server.most = 50_000;
  pair.client.connection.write(data(200_000, 3));
  pair.until(() => false, 30);
  assert.ok(server.bytes >= 49_000 && server.bytes <= 51_000, `${server.bytes}`);
  // It stays so for minutes, with a probe now and then.
  const before = pair.sent;
  pair.until(() => false, 300);
  assert.equal(pair.client.over, null);
  assert.ok(pair.sent - before < 60, `${pair.sent - before} segments`);
  server.most = Infinity;
  server.connection.spaceChanged();
  assert.ok(pair.until(() => server.bytes === 200_000, 5));
});

test('a peer that is gone is noticed', () => {
  const pair = new Pair(LINKS['a good link']!);
  pair.until(() => pair.client.connection.isOpen, 10);
  pair.link.loss = 1000;
  pair.client.connection.write(data(1000, 1));
  assert.ok(pair.until(() => pair.client.over === 'timeout', 3600));
  // The other has sent nothing: it asks in the end.
  assert.ok(pair.until(() => pair.server.over === 'timeout', 3600));
});

test('idle connections stay', () => {
  const pair = new Pair(LINKS['a good link']!);
  pair.until(() => pair.server.connection?.isOpen === true, 10);
  pair.timers.advance(24 * 3600 * 1000);
  pair.client.connection.write(data(10, 1));
  assert.ok(pair.until(() => pair.server.bytes === 10, 1));
});

test('resets are believed only with the very next number', () => {
  const pair = new Pair(LINKS['a good link']!);
  pair.until(() => pair.server.connection?.isOpen === true && pair.client.connection.isOpen, 10);
  const forged = (sequenceNumber: number): Segment => ({
    sourcePort: 1,
    destinationPort: 2,
    sequence: sequenceNumber,
    acknowledged: 0,
    flags: RST,
    window: 0,
    mss: null,
    windowShift: null,
    sackPermitted: false,
    sack: [],
    payload: [],
    payloadBytes: 0,
  });
  for (let n = 0; n < 2000; n++) pair.server.connection.receive(forged((n * 2147483 + 13) >>> 0));
  assert.equal(pair.server.over, null);
  pair.client.connection.abort();
  assert.ok(pair.until(() => pair.server.over === 'reset', 1));
});

test('headers that make no sense are no segments, and odd segments do no harm', () => {
  const random = sequence(99);
  const pair = new Pair(LINKS['a good link']!);
  pair.until(() => pair.server.connection?.isOpen === true, 10);
  for (let n = 0; n < 20_000; n++) {
    const header = tcpHeader({
      sourcePort: 1,
      destinationPort: 2,
      sequence: 0,
      acknowledged: 0,
      flags: ACK,
      window: 5,
      sack: [
        [1, 2],
        [3, 4],
      ],
    });
    const bytes = Buffer.concat([header, data(random(40), n + 1)]);
    for (let k = 0; k < 8; k++) bytes[random(bytes.length)] = random(256);
    if (n % 2) bytes[13]! &= ~(RST | SYN);
    const segment = parseSegment(bytes, 0, bytes.length, (from) => [bytes.subarray(from)]);
    if (segment) pair.server.connection.receive(segment);
    pair.server.connection.flush();
    if (n % 100 === 0) pair.timers.advance(1);
  }
  assert.ok(pair.flying < 10_000_000);
});
