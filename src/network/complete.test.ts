import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame, NO_OFFLOAD, type Offload } from '../machine/frame.js';
import { finish, pseudoHeader, sum } from '../machine/checksum.js';
import { forReceiver, partialChecksum } from './complete.js';
import { put16, TYPE_IPV4, TYPE_IPV6, u16, u32 } from './ethernet.js';
import { ipLayout, putIpv4, putIpv6 } from './ip.js';
import { parseIp } from './ip-address.js';
import { ACK, FIN, PSH, tcpHeader } from './tcp/segment.js';

/** A TCP segment with so much payload and its checksum left to do. */
function segment(version: 4 | 6, payload: Uint8Array): { frame: Frame; start: number } {
  const [source, destination] =
    version === 4
      ? [parseIp('10.0.2.15')!, parseIp('10.0.2.2')!]
      : [parseIp('fd00::1')!, parseIp('fd00::2')!];
  const tcp = tcpHeader({
    sourcePort: 1,
    destinationPort: 2,
    sequence: 0xfffffff0,
    acknowledged: 7,
    flags: ACK | PSH | FIN,
    window: 9,
  });
  const ip = version === 4 ? 20 : 40;
  const bytes = new Uint8Array(14 + ip + tcp.length + payload.length);
  put16(bytes, 12, version === 4 ? TYPE_IPV4 : TYPE_IPV6);
  if (version === 4) putIpv4(bytes, 14, source, destination, 6, tcp.length + payload.length, { id: 0xffff });
  else putIpv6(bytes, 14, source, destination, 6, tcp.length + payload.length);
  const start = 14 + ip;
  bytes.set(tcp, start);
  bytes.set(payload, start + tcp.length);
  put16(bytes, start + 16, partialChecksum(source, destination, 6, tcp.length + payload.length));
  const offload: Offload = {
    checksumStart: start,
    checksumOffset: 16,
    segmentation: version === 4 ? 'tcp4' : 'tcp6',
    segmentBytes: 1000,
  };
  return { frame: new Frame([bytes.subarray(0, 60), bytes.subarray(60)], offload), start };
}

function checksumIsRight(bytes: Uint8Array): boolean {
  const { version, start, payload, protocol } = ipLayout(bytes)!;
  if (version === 4 && finish(sum(bytes, start, payload)) !== 0) return false;
  const [at, size] = version === 4 ? [start + 12, 4] : [start + 8, 16];
  const pseudo = pseudoHeader(
    bytes.subarray(at, at + size),
    bytes.subarray(at + size, at + 2 * size),
    protocol,
    bytes.length - payload,
  );
  return finish(sum(bytes, payload, bytes.length, pseudo)) === 0;
}

for (const version of [4, 6] as const)
  test(`TCP over IPv${version} is cut into segments that are right, and no others`, () => {
    const payload = Uint8Array.from({ length: 3500 }, (_, n) => n * 7);
    const { frame, start } = segment(version, payload);
    const pieces = forReceiver(frame, NO_OFFLOAD).map(({ bytes }) => bytes);
    assert.deepEqual(
      pieces.map(({ length }) => length - start - 20),
      [1000, 1000, 1000, 500],
    );
    pieces.forEach((piece, n) => {
      assert.ok(checksumIsRight(piece), `checksum of piece ${n}`);
      assert.equal(u32(piece, start + 4), (0xfffffff0 + 1000 * n) >>> 0);
      assert.equal(piece[start + 13]! & (FIN | PSH), n === 3 ? FIN | PSH : 0);
      if (version === 4) assert.equal(u16(piece, 18), (0xffff + n) & 0xffff);
    });
    assert.deepEqual(Buffer.concat(pieces.map((piece) => piece.subarray(start + 20))), Buffer.from(payload));
    // Who takes long frames gets this one as it is.
    assert.deepEqual(forReceiver(frame, { checksum: true, tcp4: true, tcp6: true, udp: false }), [frame]);
  });

test('a checksum that was left to do is made', () => {
  const { frame } = segment(4, new Uint8Array(99).fill(5));
  const [done, ...more] = forReceiver(
    new Frame(frame.parts, { ...frame.offload!, segmentation: 'none' }),
    NO_OFFLOAD,
  );
  assert.equal(more.length, 0);
  assert.ok(checksumIsRight(done!.bytes));
});

test('UDP is fragmented, with its checksum made before', () => {
  const payload = Uint8Array.from({ length: 3000 }, (_, n) => n);
  const bytes = new Uint8Array(14 + 28 + payload.length);
  put16(bytes, 12, TYPE_IPV4);
  putIpv4(bytes, 14, parseIp('1.2.3.4')!, parseIp('5.6.7.8')!, 17, 8 + payload.length);
  put16(bytes, 34 + 4, 8 + payload.length);
  bytes.set(payload, 42);
  const offload: Offload = { checksumStart: 34, checksumOffset: 6, segmentation: 'udp', segmentBytes: 1480 };
  const pieces = forReceiver(Frame.of(bytes, offload), NO_OFFLOAD).map((piece) => piece.bytes);
  assert.deepEqual(
    pieces.map((piece) => ipLayout(piece)!.fragment).map((fragment) => [fragment!.offset, fragment!.more]),
    [
      [0, true],
      [1480, true],
      [2960, false],
    ],
  );
  const whole = Buffer.concat([bytes.subarray(0, 34), ...pieces.map((piece) => piece.subarray(34))]);
  assert.deepEqual(whole.subarray(42), Buffer.from(payload));
  assert.ok(checksumIsRight(whole));
});

test('what a sender says of a frame that cannot be is no reason to fail', () => {
  const { frame } = segment(4, new Uint8Array(2000));
  for (const change of [
    { segmentBytes: 0 },
    { segmentation: 'udp' as const },
    { checksumStart: 5000 },
    { checksumOffset: 60000 },
  ])
    for (const segmentation of ['none', 'tcp4', 'tcp6', 'udp'] as const)
      forReceiver(new Frame(frame.parts, { ...frame.offload!, segmentation, ...change }), NO_OFFLOAD);
  assert.deepEqual(forReceiver(new Frame([new Uint8Array(20)], frame.offload), NO_OFFLOAD), []);
});
