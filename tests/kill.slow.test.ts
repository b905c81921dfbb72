/** Killed at any moment: the image opens, is consistent or can be made so, and has what was flushed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createMedium } from '../dist/manager/media/create.js';
import { openFile } from '../dist/manager/media/open-file.js';
import { viv, withFolder } from './viv.js';

const WRITER = fileURLToPath(new URL('../tests/kill-writer.mjs', import.meta.url));
const KILLS = 40;
const BYTES = 256 * 2 ** 20;

/** What the writer said before it was killed. */
function writeAndKill(path: string, seed: number, afterMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, path, String(seed)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs));
    child.stdout.on('data', (data: Buffer) => (said += data.toString('latin1')));
    child.on('error', reject);
    child.on('close', () => resolve(said));
  });
}

for (const format of ['qcow2', 'vdi', 'vmdk', 'vhd', 'vhdx'] as const)
  test(`${format}: killed ${KILLS} times while it was written`, () =>
    withFolder(async (folder) => {
      const path = join(folder, `kill.${format}`);
      createMedium({ path, format, bytes: BYTES });
      const flushed = new Map<number, number>();
      let steps = 0;
      for (let kill = 1; kill <= KILLS; kill++) {
        // Steps count on, so that later ones are known as such.
        const said = (await writeAndKill(path, kill, (kill * 37) % 400)).split('\n');
        const pending = new Map<number, number>();
        // The last line may be cut short.
        for (const line of said.slice(0, -1)) {
          const [what, first, second] = line.split(' ');
          if (what === 'w') pending.set(Number(first), Number(second));
          else {
            for (const [sector, step] of pending) flushed.set(sector, step);
            pending.clear();
            steps++;
          }
        }
        // What was written and not flushed may have either.
        for (const sector of pending.keys()) flushed.delete(sector);
        if (format === 'qcow2') {
          assert.equal((await viv('media', 'check', path, '--repair')).status, 0);
          const { output, status } = await viv('media', 'check', path);
          assert.equal(status, 0, output);
        }
        const image = openFile({ option: 'kill', path, format: null, write: false });
        const bytes = new Uint8Array(4096);
        for (const [sector, step] of flushed) {
          image.read(sector * 4096, bytes);
          const found = new DataView(bytes.buffer).getUint32(0);
          assert.ok(found === step, `kill ${kill}: sector ${sector} has ${found}, flushed was ${step}`);
        }
        image.close();
        // The writer said nothing of what it wrote after its last line: those places are unknown from now on.
        if (said.at(-1) !== '') flushed.clear();
      }
      assert.ok(steps > KILLS, `${steps} flushes`);
    }));
