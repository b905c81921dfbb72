/** Guests that do their worst with all of 32 CPUs: the host goes on, and the command does what it is told. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CpioArchive } from '../dist/manager/guests/cpio.js';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { Running, viv, withFolder } from './viv.js';

const SOURCE = fileURLToPath(new URL('../tests/smp/storm.c', import.meta.url));
const CPUS = 32;
/** With two cores at work for others the host's own programs take their time, too. */
const MOST_MS = 5000;

for (const [kind, what] of [
  ['spin', 'spin with interrupts off'],
  ['ipi', 'interrupt each other without end'],
] as const)
  for (const end of ['poweroff', 'SIGTERM'] as const)
    test(`${CPUS} CPUs that ${what} are ended by ${end}`, { timeout: 200_000 }, () =>
      withFolder(async (folder) => {
        const name = `storm-test-${process.pid}`;
        const program = join(folder, 'storm');
        execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', program, SOURCE]);
        const extra = join(folder, 'extra.cpio');
        writeFileSync(extra, new CpioArchive().file('storm', readFileSync(program), 0o755).finish());
        const { kernel, initrd, append } = await debianGuest({ script: `/storm ${kind}` });
        const machine = new Running(
          ...['--name', name, '--kernel', kernel, '--initrd', `${initrd},${extra}`],
          ...['--append', `${append} quiet`, '--memory', '1G', '--cpus', String(CPUS)],
        );
        await machine.says('storm begins');
        await new Promise((resolve) => setTimeout(resolve, 3000));
        const took: number[] = [];
        for (let n = 0; n < 5; n++) {
          const started = performance.now();
          const { status, output } = await viv('control', 'status', name);
          took.push(Math.round(performance.now() - started));
          assert.equal(status, 0);
          assert.match(output, /32 CPUs/);
        }
        const started = performance.now();
        if (end === 'SIGTERM') machine.signal(end);
        else assert.equal((await viv('control', end, name)).status, 0);
        const status = await machine.ended;
        took.push(Math.round(performance.now() - started));
        console.log(
          `status in ${took.slice(0, -1).join(', ')} ms, ended in ${took.at(-1)} ms with ${status}`,
        );
        if (end === 'poweroff') assert.equal(status, 4);
        assert.ok(
          took.every((ms) => ms < MOST_MS),
          `${took.join(' ')} ms`,
        );
      }),
    );
