import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTool } from '../dist/testing/run-tool.js';

for (const guest of ['amd64', 'amd64-cloud', 'i386'])
  test(`translator and interpreter agree on 1.5 billion instructions of ${guest}'s boot, as hot as usual`, () => {
    const args = ['--guest', guest, '--engines', 'translate,interpret', '--heat', '4000'];
    const output = runTool('lockstep', ...args, '--instructions', '1500000000', '--step', '200000');
    assert.match(output, /^150\d{7} instructions of [\w-]+: no difference$/m);
  });
