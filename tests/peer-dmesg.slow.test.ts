import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import {
  debianGuest,
  type DebianArchitecture,
  type DebianFlavour,
  type DebianGuest,
} from '../dist/manager/guests/debian.js';
import { viv } from './viv.js';

/** Prints what the kernel itself held to be a warning or worse. */
const SCRIPT = 'echo dmesg-begins; dmesg -r; echo dmesg-ends';
const WARNING = 4;
/** Numbers, addresses and times differ between machines; the message is what is left. */
const VARIABLE = /0x[0-9a-f]+|\b[0-9a-f]{8,16}\b|\d+(\.\d+)?/g;

async function underQemu({ kernel, initrd, append }: DebianGuest): Promise<string> {
  const args = ['-accel', 'tcg', '-m', '256', '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const child = spawn(
    'qemu-system-x86_64',
    [...args, '-kernel', kernel, '-initrd', initrd, '-append', append],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 300_000,
    },
  );
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
  await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  return output;
}

function warnings(machine: string, output: string): Set<string> {
  const found = /dmesg-begins\r?\n([^]*)dmesg-ends/.exec(output);
  assert.ok(found, `no dmesg of ${machine} in:\n${output}`);
  const messages = new Set<string>();
  for (const line of found[1]!.split('\n')) {
    const [, level, text] = /^<(\d+)>\[ *[\d.]+\] (.*?)\r?$/.exec(line) ?? [];
    if (level && (Number(level) & 7) <= WARNING) messages.add(text!.replaceAll(VARIABLE, '#'));
  }
  return messages;
}

async function compare(arch: DebianArchitecture, flavour: DebianFlavour): Promise<void> {
  const guest = await debianGuest({ arch, flavour, script: SCRIPT });
  const { kernel, initrd, append } = guest;
  const run = await viv(
    'run',
    '--kernel',
    kernel,
    '--initrd',
    initrd,
    '--append',
    append,
    '--memory',
    '256M',
    '--timeout',
    '300',
  );
  assert.equal(run.status, 0, run.output + run.errors);
  const peer = warnings('QEMU', await underQemu(guest));
  const onlyHere = [...warnings('Vivarium', run.output)].filter((message) => !peer.has(message));
  assert.deepEqual(onlyHere, []);
}

for (const [arch, flavour] of [
  ['amd64', 'generic'],
  ['amd64', 'cloud'],
  ['i386', '686'],
  ['i386', '686-pae'],
] as const)
  test(`Debian ${arch} ${flavour}: the kernel warns of nothing that it does not warn of under QEMU`, () =>
    compare(arch, flavour));
