import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deterministicRun, withCpus } from './smp.js';
import { COMPLAINTS } from './viv.js';

for (const cpus of [1, 2, 8, 16, 32, 64])
  test(`Debian with ${cpus} CPUs: all there, all interrupted, none complains`, async () => {
    const script = 'echo "CPUs $(nproc)"; grep -E "LOC|RES|CAL" /proc/interrupts; dmesg';
    const { output, errors, status } = await withCpus(cpus, script);
    assert.equal(status, 0, `${output}\n${errors}`);
    assert.doesNotMatch(output, COMPLAINTS);
    assert.match(output, new RegExp(`CPUs ${cpus}\\b`));
    const timers = /LOC:([ \d]+)/.exec(output)![1]!.trim().split(/ +/).map(Number);
    assert.equal(timers.length, cpus);
    assert.ok(
      timers.every((count) => count > 0),
      `local timer interrupts: ${timers.join(' ')}`,
    );
  });

for (const cpus of [2, 4, 8])
  test(`litmus tests by the million and locks with ${cpus} CPUs`, { timeout: 900_000 }, async () => {
    const { output, errors, status } = await withCpus(cpus, '/smp litmus 1000\n/smp locks 1000000\ndmesg');
    assert.equal(status, 0, `${output}\n${errors}`);
    assert.doesNotMatch(output, COMPLAINTS);
    assert.doesNotMatch(output, /forbidden [1-9]|WRONG/, output);
    assert.match(output, /^(SB|R) allowed [1-9]/m, 'two CPUs at once must show their store buffers');
    assert.match(output, /bytes and words ok/);
  });

test(
  'twenty deterministic runs end with one hash; another seed gives another',
  { timeout: 900_000 },
  async () => {
    const hashes = new Set<string>();
    for (let i = 0; i < 20; i++) hashes.add((await deterministicRun('translate')).memoryHash);
    assert.equal(hashes.size, 1);
    hashes.add((await deterministicRun('translate', { seed: '2' })).memoryHash);
    assert.equal(hashes.size, 2);
  },
);

/** The kernel writes a call into each of its 40,000 functions while the other CPUs run them, and takes it out again. */
const TRACE = `
mount -t tracefs tracefs /sys/kernel/tracing && cd /sys/kernel/tracing
for j in 1 2 3; do ( while :; do cat /proc/uptime > /dev/null; done ) & done
for i in 1 2; do
  echo function > current_tracer && echo "on: $(cat current_tracer)"
  echo nop > current_tracer && echo "off: $(cat current_tracer)"
done
kill $(jobs -p)
dmesg
`;

test('code that one CPU writes is run by the others as it is now', { timeout: 300_000 }, async () => {
  const { output, errors, status } = await withCpus(4, TRACE);
  assert.equal(status, 0, `${output}\n${errors}`);
  assert.doesNotMatch(output, COMPLAINTS);
  assert.equal([...output.matchAll(/^(on: function|off: nop)/gm)].length, 4, output);
});
