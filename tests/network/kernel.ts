/**
 * Run by network.test.ts in namespaces of its own: the host's kernel is the guest of a NAT, over a link that loses, doubles and
 * reorders frames.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Macvtap } from '../../dist/host/node/macvtap.js';
import { nodeNetwork, nodeTimers } from '../../dist/host/node/network.js';
import type { Cable, Station } from '../../dist/machine/cable.js';
import { NO_OFFLOAD, type Frame } from '../../dist/machine/frame.js';
import { forReceiver } from '../../dist/network/complete.js';
import { parsePrefix } from '../../dist/network/ip-address.js';
import { Nat } from '../../dist/network/nat/nat.js';

/** In thousandths; delays in milliseconds. */
const link = { loss: 0, doubled: 0, delayed: 0 };

/** Two ends of a wire, which can be a bad one. */
function badWire(): [Cable, Cable] {
  const stations: (Station | null)[] = [null, null];
  const end = (own: number): Cable => ({
    connected: true,
    busy: false,
    plug: (station) => void (stations[own] = station),
    send(frame: Frame) {
      const to = stations[1 - own];
      if (!to) return;
      // Whole frames would be lost whole: they are cut as on a wire.
      for (const piece of forReceiver(frame, NO_OFFLOAD)) {
        if (Math.random() * 1000 < link.loss) continue;
        const copies = Math.random() * 1000 < link.doubled ? 2 : 1;
        for (let copy = 0; copy < copies; copy++)
          if (Math.random() * 1000 < link.delayed) {
            const kept = piece.copy();
            setTimeout(
              () => {
                to.receive(kept);
                to.flushed?.();
              },
              1 + Math.random() * 3,
            );
          } else to.receive(piece);
      }
    },
    flush: () => stations[1 - own]?.flushed?.(),
    room() {},
  });
  return [end(0), end(1)];
}

const run = (...args: string[]): void =>
  void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
run('link', 'add', 'guest', 'type', 'veth', 'peer', 'name', 'wire');
run('link', 'add', 'link', 'wire', 'name', 'viv0', 'type', 'macvtap', 'mode', 'passthru');
for (const name of ['guest', 'wire', 'viv0']) run('link', 'set', name, 'up', 'allmulticast', 'on');
run('addr', 'add', '10.0.2.15/24', 'dev', 'guest');
run('-6', 'addr', 'add', 'fd56:6976:6172:2::15/64', 'dev', 'guest', 'nodad');

const [atKernel, atNat] = badWire();
const tap = Macvtap.open('test', 'viv0', atKernel);
const nat = new Nat(atNat, nodeNetwork(), nodeTimers(), {
  subnet: parsePrefix('10.0.2.0/24')!,
  prefix6: parsePrefix('fd56:6976:6172:2::/64')!,
  policy: { host: true, allow: [], deny: [] },
  outside: true,
  tftp: null,
  bootFile: '',
});

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Sends all, ends, and gives what came until the other end has ended too. */
function exchange(host: string, port: number, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ host, port, allowHalfOpen: true }, () => socket.end(bytes));
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => resolve(Buffer.concat(parts)));
    socket.on('error', reject);
  });
}

// Gives back what it got, when it has got all.
const server = createServer({ allowHalfOpen: true }, (socket) => {
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('end', () => socket.end(Buffer.concat(parts)));
  socket.on('error', () => {});
});
server.listen(8097, '::');
server.unref();

const LINKS = {
  'a good link': { loss: 0, doubled: 0, delayed: 0 },
  'a link that loses a frame in fifty': { loss: 20, doubled: 0, delayed: 0 },
  'a link that loses, doubles and reorders': { loss: 20, doubled: 20, delayed: 100 },
};

for (const [name, kind] of Object.entries(LINKS))
  for (const host of ['10.0.2.2', 'fd56:6976:6172:2::2'])
    test(`the kernel and ${host} exchange bytes over ${name}`, { timeout: 120_000 }, async () => {
      Object.assign(link, kind);
      const sizes = [3_000_000, 200_000, 1, 0, 1460, 1461, 65536];
      const sent = sizes.map((size) => randomBytes(size));
      const got = await Promise.all(sent.map((bytes) => exchange(host, 8097, bytes)));
      assert.deepEqual(got.map(sha), sent.map(sha));
    });

test('many connections, one after the other, leave nothing behind', { timeout: 120_000 }, async () => {
  Object.assign(link, LINKS['a good link']);
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  for (let n = 0; n < 1500; n++)
    assert.equal((await exchange('10.0.2.2', 8097, Buffer.from(`${n}`))).toString(), `${n}`);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 100e6, `${grown} bytes more`);
});

test('what is refused is refused, what ends in the midst is heard of', { timeout: 60_000 }, async () => {
  Object.assign(link, LINKS['a good link']);
  await assert.rejects(exchange('10.0.2.2', 8090, Buffer.from('x')), /ECONNREFUSED/);
  const cutter = createServer((socket) => setTimeout(() => socket.resetAndDestroy(), 20));
  await new Promise<void>((resolve) => cutter.listen(8091, '127.0.0.1', resolve));
  await assert.rejects(
    new Promise((_resolve, reject) =>
      connect(8091, '10.0.2.2')
        .on('error', reject)
        .on('end', () => reject(new Error('ended'))),
    ),
    /ECONNRESET/,
  );
  cutter.close();
});

test('a datagram of 60000 bytes goes there and back', { timeout: 60_000 }, async () => {
  Object.assign(link, LINKS['a good link']);
  const echo = createSocket('udp4').on('message', (bytes, { port, address }) =>
    echo.send(bytes, port, address),
  );
  await new Promise<void>((resolve) => echo.bind(8096, '127.0.0.1', resolve));
  const client = createSocket('udp4');
  const bytes = randomBytes(60_000);
  const answer = new Promise<Buffer>((resolve) => client.on('message', resolve));
  client.send(bytes, 8096, '10.0.2.2');
  assert.equal(sha(await answer), sha(bytes));
  client.close();
  echo.close();
});

test('the end', () => {
  nat.close();
  tap.close();
});
