#!/usr/bin/env node
// What `viv` starts: the command, with as many of V8's own threads as the host has cores for.
import { spawn } from 'node:child_process';
import { availableParallelism, constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Threads that V8 compiles with by default. */
const DEFAULT_POOL = 4;
const OPTION = '--v8-pool-size';

// They compile what the guest runs, while the machine's thread runs it: with 2 cores one of them leaves that thread its core
// (programs that are cold take 0.9 of the time), and glibc keeps memory for each (170 MiB less). Node takes the option only
// when it starts. Commands other than `run` are over before it matters; who gives Node options means this process.
const pool = Math.max(1, availableParallelism() - 1);
const isChosen = process.execArgv.length > 0 || process.env['NODE_OPTIONS']?.includes(OPTION);
if (process.argv[2] !== 'run' || pool >= DEFAULT_POOL || isChosen) await import('./viv.js');
else runWith(pool);

/** Runs the command in a process of its own, which ends when this one does, and the other way round. */
function runWith(threads: number): void {
  const command = fileURLToPath(new URL('viv.js', import.meta.url));
  const args = [`${OPTION}=${threads}`, command, ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', () => void import('./viv.js'));
  child.on('exit', (status, signal) => {
    if (signal === null) process.exit(status ?? 1);
    for (const caught of signals) process.removeAllListeners(caught);
    // The first process of a container is not ended by signals of its own.
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}
