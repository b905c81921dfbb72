/**
 * All of it by Node for Arm, which QEMU's user mode runs here: what V8 makes for Arm does what x86 does, and the engine that
 * keeps x86's order of memory is chosen. QEMU gives Arm's code an order as strong as this host's, so a weaker one shows
 * in nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { armNode } from './arm-node.js';
import { deterministicRun, withCpus } from './smp.js';
import { COMPLAINTS, vivBy } from './viv.js';

const NATIVE_FUZZ = fileURLToPath(new URL('../dist/testing/native-fuzz.js', import.meta.url));
const LONG = { timeout: 900_000 };

const [command, ...args] = armNode() as [string, ...string[]];
const viv = vivBy(command, ...args);

for (const engine of ['translate', 'interpret'])
  for (const which of [[], ['--sequences']])
    test(
      `Arm: ${['instructions', ...which].join(' ')} by ${engine} as the processor does them`,
      LONG,
      async () => {
        const how = ['--cases', '20000', '--engine', engine, '--quiet', ...which];
        const { stdout } = await promisify(execFile)(command, [...args, NATIVE_FUZZ, ...how]);
        assert.match(stdout, /^20000 passed, 0 failed/m);
      },
    );

test('Arm: Debian with two CPUs, whose locks hold, and whose memory has the order of x86', LONG, async () => {
  const script = '/smp litmus 20\n/smp locks 20000\ndmesg';
  const { output, errors, status } = await withCpus(2, script, viv);
  assert.equal(status, 0, `${output}\n${errors}`);
  assert.match(errors, /this host's memory has less order than x86's/);
  assert.doesNotMatch(output, COMPLAINTS);
  assert.doesNotMatch(output, /forbidden [1-9]|WRONG/, output);
  assert.match(output, /bytes and words ok/);
});

test('Arm: a deterministic run is that of x86', LONG, async () => {
  const arm = await deterministicRun('translate', { by: viv });
  const here = await deterministicRun('translate');
  assert.equal(arm.output, here.output);
  assert.equal(arm.instructions, here.instructions);
  assert.equal(arm.memoryHash, here.memoryHash);
});
