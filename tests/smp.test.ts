import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deterministicRun, withCpus } from './smp.js';
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
  assert.doesNotMatch(output, COMPLAINTS);
  for (const expected of [/CPUs 4/, /left 1/, /back 4/]) assert.match(output, expected, said);
  const outcomes = [...output.matchAll(/^(\S+) (forbidden|allowed) (\d+) of (\d+)/gm)];
  assert.equal(outcomes.length, 11, said);
  for (const [line, , kind, count] of outcomes) if (kind === 'forbidden') assert.equal(count, '0', line);
  assert.equal(
    [...output.matchAll(/^(spinlock|ticket lock|futex|cmpxchg16b|seqlock|bytes and words) ok/gm)].length,
    6,
    said,
  );
  assert.doesNotMatch(output, /WRONG/);
});

test('four busy CPUs run the same way each time with --deterministic, by either engine', async () => {
  const first = await deterministicRun('translate');
  assert.equal(first.mode.kind, 'deterministic');
  const second = await deterministicRun('interpret');
  assert.deepEqual(
    [second.instructions, second.memoryHash, second.output],
    [first.instructions, first.memoryHash, first.output],
  );
});
