/** Run by network-load.slow.test.ts in namespaces of its own: guests under load. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ended } from '../viv.js';
import { runGuest } from './guest.js';
import { loadProgram, type Content } from './programs.js';

const FOLDER = process.env['XDG_RUNTIME_DIR']!;
const GATEWAY6 = 'fd56:6976:6172:2::2';
const BLOCK = 2 ** 24;
const BLOCKS = 64;
const COUNT = 10_000;

const load = { '/bin/load': { from: loadProgram(FOLDER) } };
const guest = (
  script: string,
  net: string,
  seconds: number,
  files: Record<string, Content> = load,
): Promise<Ended> => runGuest(script, net, seconds, files);

const listen = (port: number, serve: (socket: Socket) => void): Promise<void> =>
  new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      serve(socket);
    });
    server.listen(port, '::', resolve);
    server.unref();
  });

test('ten thousand short connections, by IPv4 and IPv6', { timeout: 240_000 }, async () => {
  await listen(8101, (socket) => socket.once('data', (bytes) => socket.end(bytes)));
  const script = [`10.0.2.2 8101 ${COUNT} 64`, `${GATEWAY6} 8101 ${COUNT} 64`, `10.0.2.2 8101 200 1`]
    .map((what) => `load connect ${what}\n`)
    .join('');
  const { output } = await guest(script, 'nat,host=on', 200);
  const counts = [...output.matchAll(/connections: (\d+) good, (\d+) bad, ([\d.]+) s/g)];
  assert.deepEqual(
    counts.map(([, good, bad]) => [Number(good), Number(bad)]),
    [
      [COUNT, 0],
      [COUNT, 0],
      [200, 0],
    ],
    output,
  );
  console.log(counts.map(([line]) => line).join('; '));
});

for (const [card, host] of [
  ['virtio', '10.0.2.2'],
  ['virtio', GATEWAY6],
  ['e1000', '10.0.2.2'],
] as const)
  test(`a GiB each way by ${card} and ${host}`, { timeout: 400_000 }, async () => {
    const port = 8102 + Math.floor(Math.random() * 500);
    const block = randomBytes(BLOCK);
    const whole = createHash('sha256');
    for (let n = 0; n < BLOCKS; n++) whole.update(block);
    let got = '';
    await listen(port, (socket) => {
      let left = BLOCKS;
      const more = (): void => {
        if (left-- > 0) socket.write(block, more);
        else socket.end();
      };
      socket.resume();
      more();
    });
    await listen(port + 1, (socket) => {
      const hash = createHash('sha256');
      socket.on('data', (bytes) => hash.update(bytes));
      socket.on('end', () => {
        got = hash.digest('hex');
        socket.end();
      });
    });
    const { output } = await guest(
      `
up() { cut -d' ' -f1 /proc/uptime; }
a=$(up); load fetch ${host} ${port} | sha256sum | sed 's/^/fetched /'
b=$(up); dd if=/dev/urandom of=/tmp/block bs=1k count=4096 2>/dev/null
all() { for n in $(seq 256); do cat /tmp/block; done; }
all | sha256sum | sed 's/^/sent /'
c=$(up); all | load put ${host} ${port + 1}
echo "seconds: in $a to $b, out $c to $(up)"
`,
      `nat,host=on,card=${card}`,
      380,
    );
    assert.equal(/fetched (\w+)/.exec(output)?.[1], whole.digest('hex'), output);
    assert.equal(/sent (\w+)/.exec(output)?.[1], got, output);
    console.log(/seconds: .*/.exec(output)?.[0]);
  });

test('SSH through a forwarded port', { timeout: 120_000 }, async () => {
  const key = join(FOLDER, 'key');
  const hostKey = join(FOLDER, 'host.key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  execFileSync('dropbearkey', ['-t', 'ed25519', '-f', hostKey], { stdio: 'ignore' });
  const files: Record<string, Content> = {
    '/sbin/dropbear': { from: '/usr/sbin/dropbear' },
    '/etc/host.key': { from: hostKey },
    '/root/.ssh/authorized_keys': { from: `${key}.pub` },
    '/etc/passwd': { text: 'root::0:0:root:/root:/bin/sh\n' },
    '/etc/shells': { text: '/bin/sh\n' },
  };
  const script = `
chown 0:0 /root /root/.ssh /root/.ssh/authorized_keys; chmod 700 /root /root/.ssh
dropbear -r /etc/host.key -p 22 -E -s
for try in $(seq 900); do [ -e /tmp/done ] && break; sleep 0.1; done
[ -e /tmp/done ] && echo "it was told"
`;
  const running = guest(script, 'nat,forward=tcp:127.0.0.1:2222-:22', 110, files);
  const ssh = (input: string | Buffer, ...command: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${join(FOLDER, 'known')}`];
      const child = execFile(
        'ssh',
        [...options.flatMap((o) => ['-o', o]), '-i', key, '-p', '2222', 'root@127.0.0.1', ...command],
        { encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 60_000 },
        (error, output) => (error ? reject(error) : resolve(output)),
      );
      child.stdin!.end(input);
    });
  let said = '';
  for (let tries = 0; said === '' && tries < 60; tries++) {
    said = await ssh('', 'uname -s').catch(() => '');
    if (said === '') await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.equal(said, 'Linux\n');
  const bytes = randomBytes(5_000_000);
  const sum = createHash('sha256').update(bytes).digest('hex');
  assert.equal((await ssh(bytes, 'sha256sum')).slice(0, 64), sum);
  // A session that says nothing for a while.
  assert.equal(await ssh('', 'sleep 15; echo still here'), 'still here\n');
  await ssh('', 'touch /tmp/done');
  assert.match((await running).output, /it was told/);
});

test('four guests share an uplink fairly', { timeout: 200_000 }, async () => {
  const SECONDS = 40;
  // Bytes by port, in each second of this test.
  const bytes = new Map<number, number[]>();
  const count = (port: number, amount: number): void => {
    const list = bytes.get(port) ?? [];
    const second = Math.floor(performance.now() / 1000);
    list[second] = (list[second] ?? 0) + amount;
    bytes.set(port, list);
  };
  for (const port of [8201, 8202, 8203])
    await listen(port, (socket) => {
      socket.on('data', (part) => count(port, part.length + (40 * part.length) / 1460));
      socket.on('end', () => socket.end());
    });
  const flood = createSocket('udp4').bind(8204, '127.0.0.1');
  flood.on('message', (part) => count(8204, part.length + 28));
  const net = (weight: number): string =>
    `natnetwork,name=fair,host=on,uplink=20M${weight === 1 ? '' : `,weight=${weight}`}`;
  const idle = 'ping -c 60 -i 0.1 10.0.3.2 >/tmp/idle';
  const [pings] = await Promise.all([
    guest(
      `${idle}; sleep 15; ping -c 100 -i 0.1 10.0.3.2 >/tmp/busy; grep time= /tmp/idle; echo busy; grep time= /tmp/busy`,
      net(1),
      150,
    ),
    guest(`sleep 14; load flood 10.0.3.2 8204 ${SECONDS}`, net(1), 150),
    guest(`sleep 14; load send 10.0.3.2 8202 ${SECONDS} 30`, net(1), 150),
    guest(`sleep 14; load send 10.0.3.2 8203 ${SECONDS} 1`, net(2), 150),
  ]);
  flood.close();
  const times = (text: string): number[] =>
    [...text.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time)).sort((a, b) => a - b);
  const [before, during] = pings.output.split('busy\r') as [string, string];
  const middle = (list: number[]): number => list[list.length >> 1]!;
  // Ten seconds in the middle of the time in which all three sent.
  const active = [8202, 8203, 8204].map((port) => bytes.get(port) ?? []);
  const all = active[0]!.map((_, second) => second).filter((second) => active.every((list) => list[second]));
  const from = all[Math.floor(all.length / 2) - 5]!;
  const rates = active.map((list) => list.slice(from, from + 10).reduce((sum, n) => sum + n, 0) / 10);
  const shares = [rates[0]!, rates[1]! / 2, rates[2]!];
  const sum = shares.reduce((a, b) => a + b);
  const jain = sum ** 2 / (3 * shares.reduce((a, b) => a + b * b, 0));
  console.log(
    `Mbit/s: many flows ${((rates[0]! * 8) / 1e6).toFixed(2)}, one flow of weight 2 ${((rates[1]! * 8) / 1e6).toFixed(2)},`,
    `flood ${((rates[2]! * 8) / 1e6).toFixed(2)}; Jain's index by weight ${jain.toFixed(4)};`,
    `ping ${middle(times(before))} ms idle, ${middle(times(during))} ms busy`,
  );
  assert.ok(jain >= 0.98, String(jain));
  const delay = middle(times(during)) / middle(times(before));
  assert.ok(delay < 3, `a ping takes ${delay} times as long`);
  // Four machines on two cores: a sender may be late. switch.test.ts has the shares to 5 %.
  for (const share of shares) assert.ok(Math.abs(share / (sum / 3) - 1) < 0.1, String(shares));
});
