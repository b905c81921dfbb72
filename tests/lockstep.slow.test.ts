import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LOCKSTEP = fileURLToPath(new URL('../dist/testing/lockstep.js', import.meta.url));

for (const guest of ['amd64', 'amd64-cloud', 'i386'])
  test(`translator and interpreter agree on 1.5 billion instructions of ${guest}'s boot, as hot as usual`, () => {
    const args = [LOCKSTEP, '--guest', guest, '--engines', 'translate,interpret', '--heat', '4000'];
    args.push('--instructions', '1500000000', '--step', '200000');
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(output, /^150\d{7} instructions of [\w-]+: no difference$/m);
  });
