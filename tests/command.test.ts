import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { multibootKernel } from './multiboot-kernel.js';
import { viv as vivUnbounded, withFolder, type Ended } from './viv.js';

/** Should something be accepted that is not to be, the run ends all the same. */
const viv = (...args: string[]): Promise<Ended> =>
  vivUnbounded(...args, ...(args.includes('--timeout') ? [] : ['--timeout', '30']));

function refused(run: Ended, what: RegExp): void {
  assert.equal(run.status, 1, run.errors);
  assert.match(run.errors, what);
  assert.doesNotMatch(run.errors + run.output, /\n {4}at /, 'a stack trace of ours');
}

test('what cannot be booted is refused with a message that names it', () =>
  withFolder(async (folder) => {
    const file = (name: string, bytes: Uint8Array | string): string => {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    };
    refused(await viv('run'), /--kernel/);
    refused(await viv('run', 'plan9'), /"plan9"/);
    refused(await viv('run', '--kernel', join(folder, 'nothing')), /nothing: there is no such file/);
    refused(await viv('run', '--kernel', folder), /directory/);
    refused(await viv('run', '--kernel', file('empty', '')), /empty/);
    refused(await viv('run', '--kernel', file('text', 'this is no kernel at all\n'.repeat(100))), /text/);
    refused(await viv('run', '--kernel', file('cut', multibootKernel([0xf4]).subarray(0, 20))), /cut/);
    refused(
      await viv('run', '--kernel', file('good', multibootKernel([0xf4])), '--memory', '1M'),
      /--memory 1M/,
    );
    refused(
      await viv('run', '--kernel', file('good', multibootKernel([0xf4])), '--cpu-model', 'z80'),
      /z80.*default/s,
    );
    refused(
      await viv('run', '--kernel', file('good', multibootKernel([0xf4])), '--engine', 'fast'),
      /fast.*translate/,
    );
    const big = file('big', new Uint8Array(40 * 2 ** 20));
    refused(
      await viv('run', '--kernel', file('good', multibootKernel([0xf4])), '--initrd', big, '--memory', '32M'),
      /big.*--memory/s,
    );
  }));

/** Runs code at 1 MiB in 32-bit protected mode, as multiboot enters a kernel. */
function run(code: number[], ...args: string[]): Promise<Ended> {
  return withFolder((folder) => runIn(folder, code, ...args));
}

function runIn(folder: string, code: number[], ...args: string[]): Promise<Ended> {
  const kernel = join(folder, 'kernel');
  writeFileSync(kernel, multibootKernel(code));
  return viv('run', '--kernel', kernel, '--memory', '16M', '--serial', 'none', ...args);
}

// mov eax, 0x15; out 0xf4, eax; hlt
const DEBUG_EXIT = [0xb8, 0x15, 0, 0, 0, 0xe7, 0xf4, 0xf4];

test('--debug-exit ends with the status that the guest asks for', async () => {
  const ended = await run(DEBUG_EXIT, '--debug-exit', '--timeout', '20');
  assert.equal(ended.status, 0x2b, ended.errors);
});

test('--timeout ends any guest with status 124: halted, looping, faulting without end', async () => {
  const halted = run([0xfa, 0xf4, 0xeb, 0xfd], '--timeout', '1');
  const looping = run([0xeb, 0xfe], '--timeout', '1');
  for (const ended of [await halted, await looping]) {
    assert.equal(ended.status, 124, ended.errors);
    assert.match(ended.errors, /--timeout/);
  }
});

test('a triple fault ends with registers, code and disassembly', async () => {
  // lidt [eip-independent zero limit]: push 0; push 0; lidt [esp]; ud2
  const ended = await run([0x6a, 0, 0x6a, 0, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b], '--timeout', '20');
  assert.equal(ended.status, 3, ended.errors);
  assert.match(ended.errors, /triple fault/);
  assert.match(ended.errors, /rip 0000000000100/);
  assert.match(ended.errors, /0f 0b +ud2/);
});

test('a guest that jumps to nothing ends the same way, with a message', async () => {
  // mov eax, 0xf0000000; jmp eax: reads as all ones, which is no instruction
  const ended = await run([0xb8, 0, 0, 0, 0xf0, 0xff, 0xe0], '--timeout', '20');
  assert.equal(ended.status, 3, ended.errors);
  assert.match(ended.errors, /rip 00000000f0000000/);
});

test('writes to every port but those that end the machine, and to unmapped memory, are borne', async () => {
  const code = [
    0x31, 0xd2, //             xor edx, edx
    // port: skip 0x92, 0xcf9, 0x604, 0x64 (resets and power)
    0x66, 0x81, 0xfa, 0x92, 0x00, 0x74, 0x26, // cmp dx, 0x92; je next
    0x66, 0x81, 0xfa, 0xf9, 0x0c, 0x74, 0x1f, // cmp dx, 0xcf9; je next
    0x66, 0x81, 0xfa, 0x64, 0x00, 0x74, 0x18, // cmp dx, 0x64; je next
    0x66, 0x81, 0xfa, 0x05, 0x06, 0x74, 0x11, // cmp dx, 0x605; je next
    0x66, 0x81, 0xfa, 0xf4, 0x00, 0x72, 0x07, // cmp dx, 0xf4; jb write
    0x66, 0x81, 0xfa, 0xf8, 0x00, 0x72, 0x03, // cmp dx, 0xf8; jb next
    0x88, 0xd0, //             write: mov al, dl
    0xee, //                   out dx, al
    0x66, 0x42, //             next: inc dx
    0x75, 0xcf, //             jnz port
    0xbf, 0, 0, 0, 0xe0, //    mov edi, 0xe0000000
    0x89, 0x3f, //             store: mov [edi], edi
    0x81, 0xc7, 0, 0x10, 0, 0, // add edi, 0x1000
    0x75, 0xf6, //             jnz store
    ...DEBUG_EXIT,
  ]; // prettier-ignore
  const ended = await run(code, '--debug-exit', '--timeout', '60');
  assert.equal(ended.status, 0x2b, ended.errors);
});

test('with --clock virtual two runs are the same to the instruction and the byte', () =>
  withFolder(async (folder) => {
    // counts in memory, reads the TSC and the PM timer, then ends
    const code = [
      0xb9, 0x40, 0x0d, 0x03, 0, 0xbf, 0, 0, 0x20, 0, // mov ecx, 200000; mov edi, 0x200000
      0x0f, 0x31, 0x31, 0x07, 0x83, 0xc7, 0x04, //      loop: rdtsc; xor [edi], eax; add edi, 4
      0x66, 0xba, 0x08, 0x06, 0xed, 0x01, 0x07, //      mov dx, 0x608; in eax, dx; add [edi], eax
      0x49, 0x75, 0xef, //                              dec ecx; jnz loop
      ...DEBUG_EXIT,
    ]; // prettier-ignore
    const stats = async (name: string): Promise<{ instructions: number; memoryHash: string }> => {
      const path = join(folder, name);
      // the kernel's path is in the guest's memory: the same folder for both
      const ended = await runIn(
        folder,
        code,
        '--clock',
        'virtual',
        '--debug-exit',
        '--timeout',
        '60',
        '--stats',
        path,
      );
      assert.equal(ended.status, 0x2b, ended.errors);
      return JSON.parse(readFileSync(path, 'utf8')) as { instructions: number; memoryHash: string };
    };
    const first = await stats('first');
    const second = await stats('second');
    assert.ok(first.instructions > 1_400_000, `${first.instructions} instructions`);
    assert.equal(first.instructions, second.instructions);
    assert.equal(first.memoryHash, second.memoryHash);
  }));
