import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const testing = (name: string): string =>
  fileURLToPath(new URL(`../dist/testing/${name}.js`, import.meta.url));
const LOCKSTEP = testing('lockstep');
const SYSTEM_FUZZ = testing('system-fuzz');

for (const guest of ['amd64', 'i386'])
  test(`interpreter and reference agree on the start of the ${guest} kernel: every 200 instructions, and all of memory`, () => {
    const args = [LOCKSTEP, '--guest', guest, '--instructions', '300000', '--step', '200'];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(output, /^30\d{4} instructions of \w+: no difference$/m);
  });

for (const guest of ['amd64', 'i386'])
  test(`translator, from the first execution on, and interpreter agree on the start of the ${guest} kernel`, () => {
    const args = [LOCKSTEP, '--guest', guest, '--engines', 'translate,interpret', '--heat', '1'];
    args.push('--instructions', '3000000', '--step', '5000');
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(output, /^30\d{5} instructions of \w+: no difference$/m);
  });

for (const [engines, cases] of [
  ['interpret,reference', '250'],
  ['translate,interpret', '150'],
] as const)
  test(`${cases} random machines - modes, descriptors, page tables, faults - do the same in ${engines}`, () => {
    const run = (): string =>
      execFileSync(process.execPath, [SYSTEM_FUZZ, '--cases', cases, '--seed', '11', '--engines', engines], {
        encoding: 'utf8',
      });
    let output: string;
    try {
      output = run();
    } catch (error) {
      assert.fail((error as { stdout?: string }).stdout ?? String(error));
    }
    assert.match(output, new RegExp(`^${cases} passed, 0 failed`, 'm'));
  });
