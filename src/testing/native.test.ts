import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTool } from './run-tool.js';

/** A share of `npm run fuzz:native`: needs gcc, and an x86-64 host under Linux. */
for (const [engine, cases] of [
  ['interpret', '15000'],
  ['translate', '5000'],
  ['reference', '5000'],
] as const)
  test(`${cases} random instructions do in the ${engine} engine what they do on this machine's processor`, () => {
    const output = runTool('native-fuzz', '--cases', cases, '--seed', '7', '--engine', engine);
    assert.match(output, new RegExp(`^${cases} passed, 0 failed`, 'm'));
  });

for (const [engine, cases] of [
  ['translate', '15000'],
  ['interpret', '2000'],
] as const)
  test(`${cases} random sequences of vector and x87 instructions do in the ${engine} engine what they do on this machine's processor`, () => {
    const args = ['--sequences', '--cases', cases, '--seed', '7', '--engine', engine];
    assert.match(runTool('native-fuzz', ...args), new RegExp(`^${cases} passed, 0 failed`, 'm'));
  });
