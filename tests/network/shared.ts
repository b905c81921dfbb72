/** Run by network.test.ts in namespaces of its own: two machines of two processes on one network. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** All that passes a network, once it runs and until it ends. */
async function captured(network: string): Promise<Buffer> {
  const file = join(process.env['XDG_RUNTIME_DIR']!, 'all.pcap');
  for (;;) {
    const { status, errors } = await viv('net', 'capture', network, file);
    if (status === 0) return readFileSync(file);
    assert.match(errors, /no network test runs/);
  }
}

/** Frames of both machines are there, each once. */
function checkCapture(pcap: Buffer): void {
  assert.equal(pcap.readUInt32LE(0), 0xa1b23c4d);
  const senders = new Map<string, number>();
  let bytes = 0;
  // What each sends the other.
  const LEAST_BYTES = 3000 * 1024;
  for (let at = 24; at < pcap.length; at += 16 + pcap.readUInt32LE(at + 8)) {
    const sender = pcap.toString('hex', at + 22, at + 28);
    senders.set(sender, (senders.get(sender) ?? 0) + 1);
    bytes += pcap.readUInt32LE(at + 8);
  }
  const counts = [...senders.values()];
  assert.ok(counts.length === 2 && counts.every((count) => count > 20), JSON.stringify([...senders]));
  assert.ok(bytes > 2 * LEAST_BYTES && bytes < 3 * LEAST_BYTES, `${bytes} bytes`);
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
    const watching = first.startsWith('internal') ? captured('test') : null;
    const outputs = await Promise.all([machine(1, first), machine(2, second)]);
    if (watching) checkCapture(await watching);
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
