import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AptSource } from '../dist/manager/guests/apt-source.js';
import { fileOfPackage } from '../dist/manager/guests/deb.js';
import { COMMAND, withFolder } from './viv.js';

const MINUTES = 15;

/** Screen text of memtest86+ 6 on its serial console: numbers of the status fields "Pass:" and "Errors:". */
const field = (output: string, name: string): number[] =>
  [...output.matchAll(new RegExp(`${name}:?(?:\\x1b\\[[0-9;]*[A-Za-z]|\\s)*(\\d+)`, 'g'))].map((m) =>
    Number(m[1]),
  );

async function memtest(folder: string): Promise<string> {
  const source = await AptSource.open(folder, 'amd64', () => {});
  assert.ok(source, 'this test needs apt');
  const record = await source.find('memtest86+');
  assert.ok(record, 'apt knows no package memtest86+');
  const { bytes } = fileOfPackage(
    'memtest86+',
    await source.fetch(record, () => {}),
    /^boot\/memtest86\+x64\.bin$/,
  );
  const path = join(folder, 'memtest.bin');
  writeFileSync(path, bytes);
  return path;
}

/** Runs until a pass is over: its number goes up. */
function onePass(kernel: string): Promise<string> {
  const args = ['run', '--kernel', kernel, '--append', 'console=ttyS0,115200', '--memory', '16M'];
  const child = spawn(process.execPath, [COMMAND, ...args, '--timeout', String(MINUTES * 60)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString('latin1');
    if (field(output.slice(-20_000), 'Pass').some((pass) => pass >= 1)) child.kill();
  });
  return new Promise((resolve, reject) => child.on('close', () => resolve(output)).on('error', reject));
}

test(
  'memtest86+ runs a whole pass, bit fade too, without an error',
  { timeout: (MINUTES + 1) * 60_000 },
  () =>
    withFolder(async (folder) => {
      const output = await onePass(await memtest(folder));
      assert.ok(
        field(output, 'Pass').some((pass) => pass >= 1),
        `no pass in ${MINUTES} minutes`,
      );
      assert.deepEqual(
        field(output, 'Errors').filter((errors) => errors > 0),
        [],
      );
      assert.ok(field(output, 'Errors').length > 0, 'no count of errors was seen');
    }),
);
