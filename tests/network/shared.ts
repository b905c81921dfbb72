/** Run by network.test.ts in namespaces of its own: two machines of two processes on one network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianGuest } from '../../dist/manager/guests/debian.js';
import { COMPLAINTS, viv } from '../viv.js';
import { script, sums } from './exchange.js';

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
