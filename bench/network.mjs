// Network speed beside QEMU's (thread=single TCG) on the same guest: npm run bench:network [-- --seconds N] [--runs N].
// Guest to host and back through the NAT, with virtio-net and e1000, and between two machines over a socket. iperf3 is Debian's,
// from this system; needs qemu-system-x86 and iperf3.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { debianGuest } from '../dist/manager/guests/debian.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    runs: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});
const SECONDS = Number(values.seconds);
const RUNS = Number(values.runs);
const PORT = 5231;
const PINGS = 400;
/** Sent before the second lot: a path of the guest's that comes once with each is translated after 4000. */
const WARMING_PINGS = 8000;
const WARM = 'bench-warm';
const VIV = fileURLToPath(new URL('../dist/cli/start.js', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'viv-bench-network-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** iperf3 and what it is linked with, as an archive. */
function iperfArchive() {
  const root = join(folder, 'root');
  const files = [
    '/usr/bin/iperf3',
    ...execFileSync('ldd', ['/usr/bin/iperf3'], { encoding: 'utf8' }).match(/\/[^ ]+/g),
  ];
  for (const file of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    cpSync(file, join(root, file), { dereference: true });
  }
  const list = execFileSync('find', ['.', '-mindepth', '1'], { cwd: root });
  const options = { cwd: root, input: list, maxBuffer: 2 ** 28 };
  // The kernel wants archives that follow others to be aligned, or compressed.
  return gzipSync(execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], options), { level: 1 });
}

const guest = await debianGuest({ modules: 'network' });
const archive = join(folder, 'iperf.cpio');
writeFileSync(archive, iperfArchive());
const whole = join(folder, 'initrd');
writeFileSync(whole, Buffer.concat([guest.initrd, guest.modules, archive].map((file) => readFileSync(file))));

/** Runs a program to its end and gives what it printed. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 240_000 });
    let output = '';
    child.stdout.on('data', (bytes) => (output += bytes.toString('latin1')));
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

const append = (command) => `console=ttyS0 quiet viv.run="${command}"`;
const vivarium = (command, net) =>
  run(process.execPath, [
    VIV,
    'run',
    '--kernel',
    guest.kernel,
    '--initrd',
    whole,
    '--append',
    append(command),
    '--net',
    net,
  ]);
const qemu = (command, ...net) =>
  run('qemu-system-x86_64', [
    ...['-accel', 'tcg', '-m', '512', '-nographic', '-no-reboot', '-kernel', guest.kernel, '-initrd', whole],
    ...['-append', append(command), ...net],
  ]);

/** Mbit/s that receivers counted, in order. */
const rates = (output) =>
  [...output.matchAll(/([\d.]+) Mbits\/sec +receiver/g)].map(([, rate]) => Number(rate));
/** The middle one of round-trip times, ms. */
const middleTime = (output) => {
  const times = [...output.matchAll(/time=([\d.]+) ms/g)]
    .map(([, time]) => Number(time))
    .sort((a, b) => a - b);
  return times[times.length >> 1];
};
/** Of the first pings, and of those after many. */
const roundTrips = (output) => {
  const [cold, warm = ''] = output.split(new RegExp(`^${WARM}`, 'm'));
  return { 'round trip': middleTime(cold), 'round trip, warm': middleTime(warm) };
};

const client = (address, port) =>
  `sleep 4; for n in 1 2; do iperf3 -c ${address} -p ${port} -t ${SECONDS} -f m; iperf3 -c ${address} -p ${port} -t ${SECONDS} -f m -R; done; ping -c ${PINGS} -A ${address}; ping -q -c ${WARMING_PINGS} -A ${address}; echo ${WARM}; ping -c ${PINGS} -A ${address}`;

async function throughNat(peer, card) {
  const command = client('10.0.2.2', PORT);
  const output =
    peer === 'Vivarium'
      ? await vivarium(command, `nat,host=on,card=${card}`)
      : await qemu(command, '-nic', `user,model=${card === 'virtio' ? 'virtio-net-pci' : card}`);
  const [, , out, back] = rates(output);
  return { 'guest to host': out, 'host to guest': back, ...roundTrips(output) };
}

async function betweenGuests(peer) {
  // There is no DHCP server: who looks for one would take the address away again. The server ends when the client has gone.
  const own = (address) => `killall udhcpc; ifconfig eth0 ${address}`;
  const gone = 'sleep 20; while ping -c 2 -W 2 192.168.9.2 >/dev/null; do sleep 1; done';
  const serve = `${own('192.168.9.1')}; (iperf3 -s >/dev/null &); ${gone}`;
  const ask = `${own('192.168.9.2')}; sleep 5; ${client('192.168.9.1', 5201)}`;
  let outputs;
  if (peer === 'Vivarium')
    outputs = await Promise.all([
      vivarium(serve, 'socket,listen=127.0.0.1:5233'),
      vivarium(ask, 'socket,connect=127.0.0.1:5233'),
    ]);
  else {
    const net = (server, mac) => [
      ...['-netdev', `stream,id=n,server=${server},addr.type=inet,addr.host=127.0.0.1,addr.port=5234`],
      ...['-device', `virtio-net-pci,netdev=n,mac=${mac}`],
    ];
    const first = qemu(serve, ...net('on', '52:54:00:00:00:01'));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    outputs = await Promise.all([first, qemu(ask, ...net('off', '52:54:00:00:00:02'))]);
  }
  const [, , out, back] = rates(outputs[1]);
  return { 'one way': out, 'the other way': back, ...roundTrips(outputs[1]) };
}

const SUITES = {
  'NAT, virtio-net': (peer) => throughNat(peer, 'virtio'),
  'NAT, e1000': (peer) => throughNat(peer, 'e1000'),
  'two machines, virtio-net': betweenGuests,
};

const server = spawn('iperf3', ['-s', '-B', '127.0.0.1', '-p', String(PORT)], { stdio: 'ignore' });
process.on('exit', () => server.kill());
const median = (list) => list.filter((value) => value !== undefined).sort((a, b) => a - b)[list.length >> 1];
console.log(`Mbit/s and ms; medians of ${RUNS} runs of ${SECONDS} s, after as long to warm up`);
for (const [name, suite] of Object.entries(SUITES)) {
  if (!name.includes(values.only)) continue;
  const results = { Vivarium: [], QEMU: [] };
  for (let n = 0; n < RUNS; n++)
    for (const peer of Object.keys(results)) results[peer].push(await suite(peer));
  for (const what of Object.keys(results.Vivarium[0])) {
    const [own, other] = ['Vivarium', 'QEMU'].map((peer) =>
      median(results[peer].map((result) => result[what])),
    );
    console.log(`${name}: ${what}: Vivarium ${own}, QEMU ${other}, ratio ${(own / other).toFixed(2)}`);
  }
}
server.kill();
