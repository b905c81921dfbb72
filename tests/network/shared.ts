/** Run by network.test.ts in namespaces of its own: two machines of two processes on one network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianGuest } from '../../dist/manager/guests/debian.js';
import { COMPLAINTS, viv } from '../viv.js';

/** Takes an address by its number, waits for the other, and exchanges bytes with it, whose sums must be the same. */
const script = (own: number): string => `
ifconfig eth0 192.168.77.${own} netmask 255.255.255.0
dd if=/dev/urandom of=/tmp/own bs=1k count=3000 2>/dev/null
sha256sum </tmp/own | sed 's/^/sent /'
{ printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'; cat /tmp/own; } | nc -l -p 7000 >/dev/null &
for try in $(seq 200); do ping -c 1 -W 1 192.168.77.${3 - own} >/dev/null && break; sleep 0.1; done
sleep 1
wget -q -O /tmp/got http://192.168.77.${3 - own}:7000/
wait
sha256sum </tmp/got | sed 's/^/got /'
sleep 1
`;

async function machine(own: number, ...nets: string[]): Promise<string> {
  const guest = await debianGuest({ script: script(own), modules: 'network' });
  const files = ['--kernel', guest.kernel, '--initrd', `${guest.initrd},${guest.modules!}`];
  const options = nets.flatMap((net) => ['--net', net]);
  const ended = await viv(
    'run',
    ...files,
    '--append',
    `${guest.append} quiet`,
    ...options,
    '--timeout',
    '80',
  );
  assert.equal(ended.status, 0, ended.errors + ended.output);
  assert.doesNotMatch(ended.output, COMPLAINTS);
  return ended.output;
}

const sums = (output: string, what: string): string =>
  new RegExp(`^${what} ([0-9a-f]{64})`, 'm').exec(output)?.[1] ?? output;

for (const [name, first, second] of [
  ['an internal network', 'internal,name=test', 'internal,name=test,card=e1000'],
  ['a socket', 'socket,listen=127.0.0.1:4455', 'socket,connect=127.0.0.1:4455'],
  [
    'a UDP tunnel',
    'udp,local=127.0.0.1:4456,remote=127.0.0.1:4457',
    'udp,local=127.0.0.1:4457,remote=127.0.0.1:4456',
  ],
] as const)
  test(`two machines exchange bytes over ${name}`, { timeout: 100_000 }, async () => {
    const outputs = await Promise.all([machine(1, first), machine(2, second)]);
    assert.equal(sums(outputs[1], 'got'), sums(outputs[0], 'sent'));
    assert.equal(sums(outputs[0], 'got'), sums(outputs[1], 'sent'));
  });

test('what a network is started with holds for all in it', { timeout: 60_000 }, async () => {
  const settings = await viv('run', 'debian', '--net', 'internal,name=bad name');
  assert.match(settings.errors, /use 1 to 40 letters/);
  const first = viv('run', 'debian', '--net', 'natnetwork,name=rules,host=on', '--timeout', '15');
  await new Promise((resolve) => setTimeout(resolve, 4000));
  const other = await viv('run', 'debian', '--net', 'natnetwork,name=rules');
  assert.equal(other.status, 1);
  assert.match(other.errors, /runs with other settings \(natnetwork,host=on\)/);
  assert.equal((await first).status, 124);
});
