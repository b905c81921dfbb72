// Runs the compiled tests: those beside the code, and those of tests/ (boots). Arguments: parts of file names to pick.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const files = ['dist', 'dist-tests']
  .map((folder) => join(root, folder))
  .filter(existsSync)
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
  .filter((name) => name.endsWith('.test.js') && !name.endsWith('.slow.test.js'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=dot', '--test-reporter-destination=stdout', '--test-reporter=tap', '--test-reporter-destination=dist/test.tap', ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
