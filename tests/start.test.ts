import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START = fileURLToPath(new URL('../dist/cli/start.js', import.meta.url));

/** The processes that this one has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Whether it runs: one that has ended and that nobody waits for may stay in the table. */
function runs(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function ends(pid: number): Promise<void> {
  for (let tries = 0; runs(pid); tries++) {
    assert.ok(tries < 100, `process ${pid} is still there`);
    await sleep(100);
  }
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  test(`what the command starts ends with it: ${signal}`, { timeout: 60_000 }, async () => {
    const args = [START, 'run', 'debian', '--timeout', '50'];
    const command = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(command.stdout, 'data');
    const pids = [command.pid!, ...childrenOf(command.pid!)];
    command.kill(signal);
    const [status, ended] = (await once(command, 'exit')) as [number | null, string | null];
    assert.deepEqual([status, ended], [null, signal]);
    for (const pid of pids) await ends(pid);
  });

test('errors and exit statuses are those of the command', async () => {
  const command = spawn(process.execPath, [START, 'run', 'nonsense'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  command.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const [status] = (await once(command, 'close')) as [number];
  assert.equal(status, 1);
  assert.match(errors, /there is no guest "nonsense"/);
});
