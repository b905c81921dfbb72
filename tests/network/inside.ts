/** Run by network.test.ts in namespaces of its own, whose only interface is loopback: a guest with each card, and what it talks to. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { debianGuest } from '../../dist/manager/guests/debian.js';
import { CARD_MODELS } from '../../dist/vm/plug-cards.js';
import { COMPLAINTS, viv } from '../viv.js';

const GATEWAY6 = 'fd56:6976:6172:2::2';
const FORWARDED = 7070;
const RESOLVER = process.env['VIV_RESOLVER_FILE']!;

const content = randomBytes(6_000_000);
const sum = createHash('sha256').update(content).digest('hex');

/** Answers every question for an IPv4 address, and says that there is no other. */
function nameServer(at: string, address: number[]): void {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address: from }) => {
    const end = query.indexOf(0, 12) + 5;
    const answers =
      query.readUInt16BE(end - 4) === 1 ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address] : [];
    const answer = Buffer.concat([query.subarray(0, end), Buffer.from(answers)]);
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(answers.length > 0 ? 1 : 0, 6);
    answer.writeUInt32BE(0, 8);
    socket.send(answer, port, from);
  });
  socket.bind(53, at);
  socket.unref();
}

/** Hashes of what was sent to port 8098, and what a guest gave at its forwarded port. */
const uploads: string[] = [];
let fetched = '';

async function serve(): Promise<void> {
  nameServer('127.0.0.1', [198, 51, 100, 1]);
  nameServer('127.0.0.2', [198, 51, 100, 2]);
  const http = createHttp((request, response) => {
    if (request.url === '/changed') writeFileSync(RESOLVER, 'nameserver 127.0.0.2\n');
    if (request.url === '/down') writeFileSync(RESOLVER, 'nameserver 127.0.0.3\n');
    if (request.url === '/fetch') {
      const hash = createHash('sha256');
      connect(FORWARDED, '127.0.0.1')
        .on('data', (bytes) => hash.update(bytes))
        .on('end', () => (fetched = hash.digest('hex')))
        .on('error', (error) => (fetched = error.message))
        .on('close', () => response.end('fetched\n'));
      return;
    }
    response.end(request.url === '/content' ? content : `${request.url}\n`);
  });
  http.keepAliveTimeout = 1;
  const sink = createServer((socket) => {
    const hash = createHash('sha256');
    socket.on('data', (bytes) => hash.update(bytes)).on('end', () => uploads.push(hash.digest('hex')));
  });
  await new Promise<void>((resolve) => http.listen(8099, '::', resolve));
  await new Promise<void>((resolve) => sink.listen(8098, '127.0.0.1', resolve));
  http.unref();
  sink.unref();
}

const SCRIPT = `
if ! [ -e /sys/class/net/eth0 ]; then
  modprobe ne io=0x300 irq=5
  ifconfig eth0 up
  udhcpc -i eth0 -s /etc/udhcpc -t 5 -T 1 -b -x hostname:vivarium >/dev/null 2>&1 &
fi
up() { cut -d' ' -f1 /proc/uptime; }
began=$(up)
for try in $(seq 50); do grep -q nameserver /etc/resolv.conf 2>/dev/null && break; sleep 0.1; done
echo "waited from $began to $(up)"
ifconfig eth0 | grep 'inet addr'
ping -c 3 10.0.2.2 | grep received
get() { wget -q -O - "http://10.0.2.2:8099/$1"; }
get content | sha256sum
for try in $(seq 50); do ip -6 addr show dev eth0 | grep fd56 | grep -qv tentative && break; sleep 0.1; done
wget -q -O - 'http://[${GATEWAY6}]:8099/content' | sha256sum
get content >/tmp/content
nc 10.0.2.2 8098 </tmp/content
nc -l -p 7000 </tmp/content &
sleep 0.2
get fetch
ok=0; for n in $(seq 60); do [ "$(get $n)" = "/$n" ] && ok=$((ok + 1)); done; echo "$ok short connections"
look() { nslookup -type=a test.example | grep -E 'Address: 198|SERVFAIL'; }
look
get changed; look
get down; before=$(up); look; echo "told from $before to $(up)"
nslookup host.vivarium.internal | grep 'Address: 10'
for place in 169.254.169.254 127.0.0.1 10.0.2.77 10.0.2.3; do
  echo | nc -w 2 $place 8099 >/tmp/got 2>/dev/null; echo "$place: $(wc -c </tmp/got)"
done
dmesg | grep -E 'NETDEV WATCHDOG|Detected Tx Unit Hang|transmit timed out'
`;

test('servers', serve);

/** The ISA card has a driver in the 32-bit kernel only. */
const CARDS = (process.env['VIV_CARDS'] ?? 'virtio,e1000')
  .split(',')
  .filter((card) => CARD_MODELS.some((model) => model === card));

for (const card of CARDS)
  test(
    `a guest with a card of model ${card} reaches the host, and is reached`,
    { timeout: 150_000 },
    async () => {
      writeFileSync(RESOLVER, 'nameserver 127.0.0.1\n');
      uploads.length = 0;
      fetched = '';
      const guest = await debianGuest({
        script: SCRIPT,
        modules: 'network',
        arch: card === 'ne2k-isa' ? 'i386' : 'amd64',
      });
      const net = `nat,host=on,card=${card},forward=tcp:127.0.0.1:${FORWARDED}-:7000`;
      const files = ['--kernel', guest.kernel, '--initrd', `${guest.initrd},${guest.modules!}`];
      const { status, output, errors } = await viv(
        'run',
        ...files,
        '--append',
        `${guest.append} quiet`,
        '--net',
        net,
        '--timeout',
        '140',
      );
      const said = `${errors}\n${output}`;
      assert.equal(status, 0, said);
      assert.doesNotMatch(output, COMPLAINTS);
      assert.match(output, /inet addr:10\.0\.2\.15 /, said);
      const [, from, to] = /waited from ([\d.]+) to ([\d.]+)/.exec(output)!;
      assert.ok(Number(to) - Number(from) < 3, said);
      assert.match(output, /3 packets received/, said);
      assert.equal(output.split(sum).length - 1, 2, said);
      assert.deepEqual([uploads, fetched], [[sum], sum], said);
      assert.match(output, /60 short connections/, said);
      const names = [...output.matchAll(/Address: (198[\d.]+)|SERVFAIL/g)].map(
        (found) => found[1] ?? 'SERVFAIL',
      );
      assert.deepEqual(names.slice(0, 3), ['198.51.100.1', '198.51.100.2', 'SERVFAIL'], said);
      const [, asked, told] = /told from ([\d.]+) to ([\d.]+)/.exec(output)!;
      assert.ok(Number(told) - Number(asked) < 5, said);
      assert.match(output, /Address: 10\.0\.2\.2/, said);
      for (const place of ['169.254.169.254', '10.0.2.77', '10.0.2.3']) {
        const [, bytes] = new RegExp(`^${place}: (\\d+)`, 'm').exec(output)!;
        assert.equal(Number(bytes), 0, `${place} answers: ${said}`);
      }
      assert.doesNotMatch(output, /WATCHDOG|Unit Hang|timed out/, said);
    },
  );
