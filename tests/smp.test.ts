import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deterministicRun, withCpus, withFences } from './smp.js';
import { COMPLAINTS } from './viv.js';

const SCRIPT = `
echo "CPUs $(nproc)"
/smp litmus 40
/smp locks 20000
for cpu in /sys/devices/system/cpu/cpu[1-9]*; do echo 0 > $cpu/online; done
echo "left $(nproc)"
for cpu in /sys/devices/system/cpu/cpu[1-9]*; do echo 1 > $cpu/online; done
echo "back $(nproc)"
dmesg
`;

test('four CPUs keep the memory order of x86 and its locks, and go offline and online', async () => {
  const { output, errors, status } = await withCpus(4, SCRIPT);
  const said = `${output}\n${errors}`;
  assert.equal(status, 0, said);
  for (const expected of [/CPUs 4/, /left 1/, /back 4/]) assert.match(output, expected, said);
  assertInOrder(output);
});

/** What /smp said of its litmus tests and locks. */
function assertInOrder(output: string): void {
  assert.doesNotMatch(output, COMPLAINTS);
  const outcomes = [...output.matchAll(/^(\S+) (forbidden|allowed) (\d+) of (\d+)/gm)];
  assert.equal(outcomes.length, 11, output);
  for (const [line, , kind, count] of outcomes) if (kind === 'forbidden') assert.equal(count, '0', line);
  const locks = /^(spinlock|ticket lock|futex|cmpxchg16b|seqlock|bytes and words) ok/gm;
  assert.equal([...output.matchAll(locks)].length, 6, output);
  assert.doesNotMatch(output, /WRONG/);
}

test(
  'two CPUs keep it with the engine for hosts whose memory has less order',
  { timeout: 300_000 },
  async () => {
    const script = 'echo "CPUs $(nproc)"\n/smp litmus 20\n/smp locks 20000\ndmesg';
    const { output, end, mode } = await withFences(script);
    assert.deepEqual(mode, { kind: 'parallel', threads: 2, fences: true });
    assert.equal(end.kind, 'power-off', output);
    assert.match(output, /CPUs 2/);
    assertInOrder(output);
  },
);

test('four busy CPUs run the same way each time with --deterministic, by either engine', async () => {
  const first = await deterministicRun('translate');
  assert.equal(first.mode.kind, 'deterministic');
  const second = await deterministicRun('interpret');
  assert.deepEqual(
    [second.instructions, second.memoryHash, second.output],
    [first.instructions, first.memoryHash, first.output],
  );
});
