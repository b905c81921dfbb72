import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LOCKSTEP = fileURLToPath(new URL('../dist/testing/lockstep.js', import.meta.url));

for (const guest of ['amd64', 'i386'])
  test(`interpreter and reference agree on the start of the ${guest} kernel: every 200 instructions, and all of memory`, () => {
    const args = [LOCKSTEP, '--guest', guest, '--instructions', '300000', '--step', '200'];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(output, /^30\d{4} instructions of \w+: no difference$/m);
  });
