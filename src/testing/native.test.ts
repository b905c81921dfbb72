import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const FUZZ = fileURLToPath(new URL('native-fuzz.js', import.meta.url));

/** A share of `npm run fuzz:native`: needs gcc, and an x86-64 host under Linux. */
for (const [engine, cases] of [
  ['interpret', '15000'],
  ['translate', '5000'],
  ['reference', '5000'],
] as const)
  test(`${cases} random instructions do in the ${engine} engine what they do on this machine's processor`, () => {
    const run = (): string =>
      execFileSync(process.execPath, [FUZZ, '--cases', cases, '--seed', '7', '--engine', engine], {
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
