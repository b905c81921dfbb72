import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTool } from '../dist/testing/run-tool.js';

for (const guest of ['amd64', 'i386'])
  test(`interpreter and reference agree on the start of the ${guest} kernel: every 200 instructions, and all of memory`, () => {
    const output = runTool('lockstep', '--guest', guest, '--instructions', '300000', '--step', '200');
    assert.match(output, /^30\d{4} instructions of \w+: no difference$/m);
  });

for (const guest of ['amd64', 'i386'])
  test(`translator, from the first execution on, and interpreter agree on the start of the ${guest} kernel`, () => {
    const args = ['--guest', guest, '--engines', 'translate,interpret', '--heat', '1'];
    const output = runTool('lockstep', ...args, '--instructions', '3000000', '--step', '5000');
    assert.match(output, /^30\d{5} instructions of \w+: no difference$/m);
  });

test('the translator for hosts whose memory has less order does what the interpreter for others does', () => {
  const args = ['--engines', 'translate,interpret', '--fences', '--heat', '1'];
  const output = runTool('lockstep', ...args, '--instructions', '3000000', '--step', '5000');
  assert.match(output, /^30\d{5} instructions of \w+: no difference$/m);
});

for (const [engines, cases, modify] of [
  ['interpret,reference', '250', '5'],
  ['translate,interpret', '150', '5'],
  ['interpret,reference', '100', '70'],
  ['translate,interpret', '100', '70'],
] as const)
  test(`${cases} random machines - modes, descriptors, page tables, faults, ${modify} % of pointers to the code itself - do the same in ${engines}`, () => {
    const args = ['--cases', cases, '--seed', '11', '--engines', engines, '--modify', modify];
    const output = runTool('system-fuzz', ...args);
    assert.match(output, new RegExp(`^${cases} passed, 0 failed`, 'm'));
  });

// Accesses that overlap around the end of a page are rare: this many machines found a difference that others did not.
test('600 random machines in long mode do the same in translate,interpret', () => {
  const args = ['--cases', '600', '--seed', '5', '--engines', 'translate,interpret', '--mode', 'long'];
  assert.match(runTool('system-fuzz', ...args), /^600 passed, 0 failed/m);
});

// What was executed in one round runs translated in those behind it.
for (const [what, cases, seed, ...more] of [
  ['random machines', '60', '31'],
  [
    'random machines that change IF and AC and swap GS',
    '60',
    '78',
    '--only',
    '^(CLI|STI|CLAC|STAC|SWAPGS|PUSHF|POPF)$',
  ],
] as const)
  test(`${cases} ${what}, four times over, do the same in translate,interpret`, () => {
    const args = ['--cases', cases, '--seed', seed, '--mode', 'long', '--rounds', '4', ...more];
    const output = runTool('system-fuzz', ...args, '--engines', 'translate,interpret');
    assert.match(output, new RegExp(`^${cases} passed, 0 failed`, 'm'));
  });

// It copies to an address that is not canonical: the source's page is not accessed then.
test('the random machine in which only the translator marked a page accessed does the same in translate,interpret', () => {
  const args = ['--cases', '150', '--from', '149', '--seed', '20379909', '--modify', '40'];
  assert.match(runTool('system-fuzz', ...args, '--engines', 'translate,interpret'), /^150 passed, 0 failed/m);
});
